"""Shards of sessions move between replicas of state-sync while agents stream, people post prompts and viewers watch."""

import asyncio
import itertools
import re
import statistics

import pytest

from support.bench import unused
from support.steady_load import Prompts, Streams
from support.waiting import until

REPLICAS = {"gateway": 2, "agent-bridge": 2, "state-sync": 3}
SETTINGS = {"stale_after": "15s"}
SHARDS = 256


def report(what, silences):
    """One line for whoever reads the run: how long the sessions that stood still did."""
    if silences:
        each = " ".join(f"{silence:.2f}" for silence in sorted(silences))
        print(f"\n{what}: p50 {statistics.median(silences):.2f} s, max {max(silences):.2f} s of {each}")


async def metric(replica, name):
    status, metrics = await replica.ops("/metrics")
    found = re.search(rf"^throughline_state_sync_{re.escape(name)} (\S+)", metrics, re.M) if status == 200 else None
    return float(found[1]) if found else None


async def moves_of(replica):
    """Shards taken, given up and lost so far."""
    return [await metric(replica, f'shard_moves_total{{how="{how}"}}') for how in ("taken", "given_up", "lost")]


async def moves(bench):
    return [sum(each) for each in zip(*[await moves_of(r) for r in bench.system.replicas("state-sync")])]


async def shared(bench):
    """Until every running replica has its fair share."""
    running = [r for r in bench.system.replicas("state-sync") if r.running and not r.frozen]
    counts = []

    async def even():
        counts[:] = [await metric(r, "shards_held") for r in running]
        return None not in counts and sum(counts) == SHARDS and max(counts) - min(counts) <= 1
    await until(even, lambda: f"shares are even: {counts}")


async def loaded(bench, streams=12, prompts=3):
    await shared(bench)
    return await Streams.begin(bench, streams), await Prompts.begin(bench, prompts)


async def ended(streams, prompts):
    await asyncio.gather(streams.end(), prompts.end())


@pytest.mark.patience(120)
async def test_shares_follow_the_replicas_that_come_and_go(bench):
    streams, prompts = await loaded(bench)

    async def joins():
        await bench.system.add("state-sync")
        await shared(bench)
    before = await moves(bench)
    joining = await streams.cost(joins)
    assert [b - a for a, b in zip(before, await moves(bench))] == [SHARDS / 4, SHARDS / 4, 0]

    async def leaves():
        assert await bench.system.retire(bench.system.replicas("state-sync")[-1]) == 0
        await shared(bench)
    leaving = await streams.cost(leaves)
    report("one joins", joining)
    report("one drains", leaving)
    assert not [s for s in joining + leaving if s > 2], (joining, leaving)
    await ended(streams, prompts)


@pytest.mark.patience(120)
async def test_killed_owners_are_replaced_in_two_seconds(bench):
    streams, prompts = await loaded(bench)
    silences = []
    for victim in bench.system.replicas("state-sync")[:2]:
        silences += await streams.cost(victim.kill)
        victim.start()
        await victim.ready()
        await shared(bench)
    report("killed", silences)
    # 2 s on a machine that has nothing else to do.
    assert max(silences, default=0) < 3, silences
    await ended(streams, prompts)


@pytest.mark.patience(120)
async def test_a_frozen_owner_is_replaced(bench):
    streams, prompts = await loaded(bench)
    victim = bench.system.replicas("state-sync")[1]
    silences = await streams.cost(victim.freeze)
    report("frozen", silences)
    assert silences and 3 < max(silences) < 9, silences
    victim.thaw()
    await shared(bench)
    await ended(streams, prompts)


@pytest.mark.slow
@pytest.mark.patience(90)
async def test_what_waits_for_its_time_gets_it_from_the_next_owner(bench):
    """A cancel that the agent never answers is decided 10 s after it was asked for, whoever owns the session by then; a
    turn whose agent never comes back ends."""
    await shared(bench)
    cancelled, deserted = await bench.session(), await bench.session()
    deaf = await bench.agent(cancelled, deaf_to_cancel=True)
    gone = await bench.agent(deserted)
    turns = [await session.prompt("for ever") for session in (cancelled, deserted)]
    for agent in (deaf, gone):
        (await agent.next_turn()).text("busy")
        await agent.drained()
    await gone.close()
    body = {"id": unused("cancel"), "interaction_id": turns[0]["interaction_id"]}
    path = f"/sessions/{cancelled.id}/cancel"
    cancelling = asyncio.ensure_future(cancelled.api.insist("POST", path, body, timeout=40))
    await until(lambda: deaf.received("cancel_current_turn"), "the agent is asked to cancel")
    for owner in bench.system.replicas("state-sync")[:2]:
        owner.kill()
    began = asyncio.get_running_loop().time()
    await cancelled.ends(turns[0]["interaction_id"], "interrupted", timeout=25)
    assert asyncio.get_running_loop().time() - began < 14
    assert (await cancelling).ok() == {"status": "cancelled"}
    lost = await deserted.ends(turns[1]["interaction_id"], "error", timeout=50)
    assert lost["error_code"] == "agent_lost"


@pytest.mark.patience(180)
async def test_a_rolling_restart_is_a_short_pause(bench):
    streams, prompts = await loaded(bench)
    silences = []
    for replica in bench.system.replicas("state-sync"):
        async def restarted(one=replica):
            assert await one.terminate() == 0
            one.start()
            await one.ready()
            await shared(bench)
        silences += await streams.cost(restarted)
    report("rolling restart", silences)
    assert not [s for s in silences if s > 2], silences
    await ended(streams, prompts)


@pytest.mark.patience(120)
async def test_one_id_makes_one_turn_while_its_shard_moves(bench):
    """The same prompts, ten times each and through both gateways, while the owners come and go."""
    await shared(bench)
    sessions = [await bench.session() for _ in range(6)]
    apis = [await bench.api(s.owner, gateway=g) for s in sessions for g in bench.system.replicas("gateway")]
    agents = [await bench.agent(session) for session in sessions]
    enough = asyncio.Event()
    moving = asyncio.ensure_future(restless(bench, enough))
    answers = []
    for _ in range(10):
        storm = []
        for number, session in enumerate(sessions):
            body = {"content": "once", "id": unused("storm")}
            for api in apis[2 * number:2 * number + 2]:
                storm += [api.insist("POST", f"/sessions/{session.id}/messages", body, timeout=40) for _ in range(5)]
        answers.append(await asyncio.gather(*storm))
    enough.set()
    await moving
    for number, (session, agent) in enumerate(zip(sessions, agents)):
        turns = []
        for wave in answers:
            replies = {str(reply.ok(202)) for reply in wave[10 * number:10 * number + 10]}
            assert len(replies) == 1, replies
            turns.append(wave[10 * number].body["interaction_id"])
        assert len(set(turns)) == 10
        for expected in turns:
            turn = await agent.next_turn()
            assert turn.request_id == expected
            turn.text("once")
            turn.complete()
            await session.ends(expected, "complete")
        assert [i["id"] for i in await session.interactions()] == turns
        assert len(agent.received("chat_message")) == 10


async def restless(bench, enough):
    """One replica after the other is drained or killed and comes back, until it is enough."""
    for number in itertools.count():
        if enough.is_set():
            return
        replica = bench.system.replicas("state-sync")[number % 3]
        if number % 2:
            replica.kill()
        else:
            await replica.terminate()
        replica.start()
        await replica.ready()


@pytest.mark.slow
@pytest.mark.patience(90)
async def test_who_finds_no_owner_is_told_so_in_time(bench):
    session = await bench.session()
    owners = bench.system.replicas("state-sync")
    for owner in owners:
        owner.freeze()
    body = {"content": "into the ice", "id": unused("ice")}
    began = asyncio.get_running_loop().time()
    reply = await session.api.post(f"/sessions/{session.id}/messages", body, timeout=20)
    reply.refused(504, "outcome_unknown")
    assert asyncio.get_running_loop().time() - began < 12
    for owner in owners:
        owner.kill()
    gone = await session.api.post(f"/sessions/{session.id}/messages", {"content": "to nobody", "id": unused("gone")},
                                  timeout=20)
    gone.refused(503, "not_accepted")
    for owner in owners:
        owner.start()
    reply = await session.api.insist("POST", f"/sessions/{session.id}/messages", body)
    assert reply.status == 202
    assert len((await session.get())["queue"]) == 1
