"""An owner whose lock connection lives and that can write no more: its connections to write with end, and it gets no new
ones. It leaves its shards to replicas that can write; where there is none, everybody keeps what it has."""

import asyncio

import pytest

from ownership_test import SHARDS, ended, loaded, metric, moves_of, report, shared
from support.waiting import until

REPLICAS = {"gateway": 2, "agent-bridge": 2, "state-sync": 3}
LINKS = ("state-sync",)
SETTINGS = {"stale_after": "30s"}
# Session-level advisory locks, of two keys: members and shards. Writers hold shared ones, for a transaction.
LOCK_BACKENDS = "select pid from pg_locks where locktype = 'advisory' and objsubid = 2 and mode = 'ExclusiveLock'"
MEMBERS = 0x746c03


def end_work(bench):
    """Of all replicas: those that may connect again do so at once."""
    bench.system.postgres.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'throughline state-sync' "
        f"and pid not in ({LOCK_BACKENDS})")


def block(bench, *victims):
    for victim in victims:
        victim.to_postgres.refuse()
    end_work(bench)


def members(bench):
    return bench.system.postgres.execute(f"select count(*) from pg_locks where classid = {MEMBERS}")[0][0]


async def busiest(bench, streams):
    """The replica that decides most: it owns a session that streams."""
    replicas = bench.system.replicas("state-sync")
    before = [await metric(replica, "inputs_total") for replica in replicas]
    await streams.flow()
    rose = [await metric(replica, "inputs_total") - then for replica, then in zip(replicas, before)]
    return replicas[rose.index(max(rose))]


@pytest.mark.patience(120)
async def test_an_owner_that_gets_no_connection_to_write_with_is_replaced_and_comes_back(bench):
    streams, prompts = await loaded(bench)
    victim = await busiest(bench, streams)
    owned, before = await metric(victim, "shards_held"), await moves_of(victim)

    async def alone():
        return await metric(victim, "shards_held") == 0
    silences = await streams.cost(lambda: block(bench, victim))
    report("no new connections", silences)
    # 7 s on a machine that has nothing else to do.
    assert silences and max(silences) < 9, silences
    await until(alone, "it has left its shards")
    taken, given_up, lost = [now - then for then, now in zip(before, await moves_of(victim))]
    assert (taken, given_up, lost) == (0, owned, 0), "its lock connection lived"
    await victim.not_ready("database")
    await streams.flow()
    victim.to_postgres.heal()
    await victim.ready()
    await shared(bench)
    await streams.flow()
    await ended(streams, prompts)


@pytest.mark.patience(120)
async def test_owners_of_whom_none_can_write_keep_what_they_have(bench):
    streams, prompts = await loaded(bench)
    replicas = bench.system.replicas("state-sync")
    before = [await moves_of(replica) for replica in replicas]
    block(bench, *replicas)
    await until(lambda: members(bench) == 0, "nobody takes shards")
    assert sum([await metric(replica, "shards_held") for replica in replicas]) == SHARDS
    assert [(await moves_of(r))[2] for r in replicas] == [lost for _, _, lost in before]
    said = [stream.said for stream in streams.all]
    bench.system.links.heal()
    await asyncio.gather(*(replica.ready() for replica in replicas))
    await streams.flow()
    assert all(stream.said > mark for stream, mark in zip(streams.all, said))
    await shared(bench)
    await ended(streams, prompts)
