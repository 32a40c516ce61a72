"""An owner that was replaced and does not know it yet: stopped and continued, cut off from NATS only, or from PostgreSQL
only. It neither writes, publishes, acknowledges, orders nor refuses anything that is not so."""

import asyncio

import pytest

from ownership_test import ended, loaded, metric, moves_of, report, shared
from support.bench import unused
from support.waiting import until

REPLICAS = {"gateway": 2, "agent-bridge": 2, "state-sync": 3}
LINKS = ("state-sync",)
SETTINGS = {"stale_after": "30s"}
QUEUE_MAX = 100


async def owner_of(bench, session):
    """The replica that decides about a session; nothing else may be going on."""
    await shared(bench)
    replicas = bench.system.replicas("state-sync")
    before = [await metric(r, "inputs_total") for r in replicas]
    for _ in range(3):
        (await session.api.request("PUT", f"/sessions/{session.id}", {"name": unused("name")})).ok()
    rose = [await metric(r, "inputs_total") - b for r, b in zip(replicas, before)]
    return replicas[rose.index(max(rose))]


class Readers:
    """Reads sessions one after the other, and counts what was not answered."""

    def __init__(self, streams):
        self.failed = []
        self.slowest = 0.0
        self._task = asyncio.ensure_future(self._read(streams))

    async def close(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self, streams):
        loop = asyncio.get_running_loop()
        while True:
            for stream in streams.all:
                began = loop.time()
                reply = await stream.session.api.get(f"/sessions/{stream.session.id}")
                self.slowest = max(self.slowest, loop.time() - began)
                if reply.status != 200:
                    self.failed.append(str(reply))


CUTS = {
    "nats-cut": lambda replica: replica.to_nats.cut(),
    "nats-stall": lambda replica: replica.to_nats.stall(),
    "nats-deaf": lambda replica: replica.to_nats.stall(to_server=False),
    "nats-mute": lambda replica: replica.to_nats.stall(to_process=False),
    "postgres-cut": lambda replica: replica.to_postgres.cut(),
    "postgres-stall": lambda replica: replica.to_postgres.stall(),
}
# From the moment of the cut until every session has been written by somebody else, with room for a busy machine; the
# figures of an idle one are in services/state-sync/README.md.
LONGEST = {"nats-cut": 6, "nats-stall": 12, "nats-deaf": 12, "nats-mute": 12, "postgres-cut": 4, "postgres-stall": 9}


@pytest.mark.patience(150)
@pytest.mark.parametrize("cut", CUTS)
async def test_an_owner_that_is_cut_off_is_replaced_and_comes_back(bench, cut):
    streams, prompts = await loaded(bench)
    victim = bench.system.replicas("state-sync")[1]
    readers = await bench.closing(Readers(streams))
    owned, before = await metric(victim, "shards_held"), await moves_of(victim)

    async def alone():
        return await metric(victim, "shards_held") == 0

    async def unready():
        return (await victim.ops("/readyz"))[0] == 503
    silences = await streams.cost(lambda: CUTS[cut](victim))
    report(cut, silences)
    assert max(silences, default=0) < LONGEST[cut], silences
    await until(unready, "it says that it is not ready")
    await until(alone, "it knows that it owns nothing")
    _, given_up, lost = await moves_of(victim)
    assert given_up - before[1] + lost - before[2] == owned
    await streams.flow()
    bench.system.links.heal()
    await victim.ready()
    await shared(bench)
    await streams.flow()
    await readers.close()
    assert not readers.failed, readers.failed[:3]
    await ended(streams, prompts)


@pytest.mark.slow
@pytest.mark.patience(150)
async def test_an_owner_that_stood_still_for_long_does_nothing_false(bench):
    """What was decided without it stands: prompts answered by others, cancelled ones, a deleted session."""
    streams, prompts = await loaded(bench, streams=6, prompts=3)
    sessions = [await bench.session() for _ in range(6)]
    agents = [await bench.agent(session) for session in sessions]
    firsts = [await session.prompt("first") for session in sessions]
    turns = [await agent.next_turn() for agent in agents]
    victim = bench.system.replicas("state-sync")[2]
    victim.freeze()
    # They lie in its socket when it wakes up; their senders have been answered by another by then.
    seconds = await asyncio.gather(*(session.prompt("second") for session in sessions))
    for session, second in zip(sessions, seconds):
        body = {"id": unused("cancel"), "interaction_id": second["interaction_id"]}
        (await session.api.insist("POST", f"/sessions/{session.id}/cancel", body)).ok()
    for turn, session, first in zip(turns, sessions, firsts):
        turn.text("answered while it sleeps")
        turn.complete()
        await session.ends(first["interaction_id"], "complete")
    gone = sessions.pop()
    (await gone.api.insist("DELETE", f"/sessions/{gone.id}", None)).ok()
    before = [await session.interactions() for session in sessions]
    heads = [await session.get() for session in sessions]
    assert all(head["queue"] == [] for head in heads), heads
    victim.thaw()
    await victim.ready()
    await shared(bench)
    await streams.flow()
    assert [await session.interactions() for session in sessions] == before
    for session, head in zip(sessions, heads):
        assert (await session.get())["seq"] == head["seq"]
    (await gone.api.get(f"/sessions/{gone.id}")).refused(404)
    assert all(len(agent.received("chat_message")) == 1 for agent in agents)
    await ended(streams, prompts)


@pytest.mark.patience(150)
@pytest.mark.parametrize("how", ["frozen", "postgres-stall"])
async def test_no_refusal_from_memory(bench, how):
    """The queue was full when it last looked; others have made room since. At no moment does it say that it is full."""
    session = await bench.session()
    await asyncio.gather(*(session.prompt("waits") for _ in range(QUEUE_MAX)))
    (await session.post("too many", id=unused("over"))).refused(429, "queue_full")
    victim = await owner_of(bench, session)
    victim.freeze() if how == "frozen" else victim.to_postgres.stall()
    queued = [entry["interaction_id"] for entry in (await session.get())["queue"]]

    async def make_room(interaction):
        body = {"id": unused("room"), "interaction_id": interaction}
        (await session.api.insist("POST", f"/sessions/{session.id}/cancel", body)).ok()
    await make_room(queued[0])
    seen = []

    async def post_and_cancel():
        while True:
            body = {"content": "fits", "id": unused("fits")}
            reply = await session.api.insist("POST", f"/sessions/{session.id}/messages", body)
            seen.append(reply.status)
            await make_room(reply.ok(202)["interaction_id"])
    posting = asyncio.ensure_future(post_and_cancel())
    await until(lambda: posting.done() or len(seen) > 5, "prompts are taken by the new owner")
    victim.thaw()
    bench.system.links.heal()
    await victim.ready()
    await shared(bench)
    mark = len(seen)
    await until(lambda: posting.done() or len(seen) > mark + 20, "prompts are taken after it came back")
    assert not posting.done(), posting.exception()
    posting.cancel()
    await asyncio.gather(posting, return_exceptions=True)
    assert set(seen) == {202}
