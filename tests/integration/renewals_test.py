"""Every 5 s a bridge says which agents it holds, in one message per shard however many they are (design 6.2)."""

import asyncio
import collections
import contextlib
import hashlib
import itertools
import json
import time

import pytest

from support.bench import Session, unused
from support.nats_wire import NatsWire
from support.waiting import until

SETTINGS = {"stale_after": "20s", "ready_timeout": "2s"}
REPLICAS = {"agent-bridge": 2, "state-sync": 2}
ROUND_S = 5.0
SLACK_S = 1.0
CROWD = 40
ONE_MESSAGE = (64 << 10) - (4 << 10)  # where NATS takes no more than 64 KiB


def shard_of(session):
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    return (alphabet.index(session.id[-2]) * 32 + alphabet.index(session.id[-1])) % 256


async def session_in(bench, shard):
    """A session of that shard: which one it is comes from the hash of its user and the id of the call."""
    user = unused("user")
    for number in itertools.count():
        key = f"key-{number}"
        if hashlib.sha256(f"{len(user)}:{user}{len(key)}:{key}".encode()).digest()[1] == shard:
            break
    api = await bench.api(user)
    created = (await api.post("/sessions", {}, headers={"Idempotency-Key": key})).ok(201)
    session = Session(bench, api, user, created)
    assert shard_of(session) == shard
    return session


class Crowd:
    """Agents of one bridge."""

    def __init__(self):
        self.sessions = []
        self.agents = []

    async def join(self, bench, bridge, shard, count):
        for _ in range(count):
            session = await session_in(bench, shard)
            self.sessions.append(session)
            self.agents.append(await bench.hand_agent(session, bridge=bridge))
        return self

    def named(self):
        return {session.id for session in self.sessions}

    async def statuses(self):
        """Status and since when, of each."""
        seen = await asyncio.gather(*(session.get() for session in self.sessions))
        return [(each["agent"]["status"], each["agent"]["since"]) for each in seen]

    async def are(self, status, timeout):
        async def all_are():
            return {each for each, _ in await self.statuses()} == {status}
        await until(all_are, f"all agents are {status}", timeout, every=0.2)


class Renewals:
    """What goes over the wire."""

    def __init__(self):
        self.seen = collections.defaultdict(list)  # by shard: (when, sessions named)

    @classmethod
    @contextlib.asynccontextmanager
    async def heard(cls, bench):
        this = cls()
        wire = await NatsWire.connect(bench.system.nats.port)
        await wire.listen("tl1.in.*")
        listening = asyncio.ensure_future(this._listen(wire))
        try:
            yield this
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await wire.close()

    async def _listen(self, wire):
        while True:
            subject, body = await wire.next_message()
            message = json.loads(body)
            if message["op"] != "renew":
                continue
            assert len(body) <= ONE_MESSAGE
            named = [each["session"] for each in message["attachments"]]
            assert len(set(named)) == len(named)
            self.seen[int(subject.rsplit(".", 1)[1])].append((time.monotonic(), frozenset(named)))

    async def rounds(self, shard, named, count, timeout):
        """Until so many more messages of that shard have named exactly these; returns them."""
        begin = len(self.seen[shard])

        def found():
            return [(at, who) for at, who in self.seen[shard][begin:] if who == named]
        await until(lambda: len(found()) >= count, lambda: f"{count} rounds: {self.seen[shard][begin:]}", timeout)
        return found()


@pytest.mark.patience(90)
async def test_one_message_per_shard_and_round_however_many_agents(bench):
    bridge = bench.system.replicas("agent-bridge")[0]
    crowd = await Crowd().join(bench, bridge, 7, CROWD)
    few = {shard: await Crowd().join(bench, bridge, shard, 3) for shard in (8, 9, 200)}
    async with Renewals.heard(bench) as renewals:
        everybody = {7: crowd, **few}
        await asyncio.gather(*(renewals.rounds(shard, who.named(), 3, 4 * ROUND_S) for shard, who in everybody.items()))
    assert set(renewals.seen) == set(everybody)
    for shard, who in everybody.items():
        assert {named for _, named in renewals.seen[shard]} == {frozenset(who.named())}
        times = [at for at, _ in renewals.seen[shard]]
        for before, after in itertools.pairwise(times):
            assert abs(after - before - ROUND_S) < SLACK_S, times
    # The first of each shard came at a moment of its own.
    firsts = sorted(seen[0][0] for seen in renewals.seen.values())
    assert firsts[-1] - firsts[0] > 0.05, firsts
    assert {status for status, _ in await crowd.statuses()} == {"ready"}


@pytest.mark.patience(90)
async def test_owner_and_bridge_killed(bench):
    """Agents of the bridge that lives stay what they are, whoever owns their shard; the others are offline in time."""
    alive, dead = bench.system.replicas("agent-bridge")
    stay = await Crowd().join(bench, alive, 31, 6)
    go = await Crowd().join(bench, dead, 31, 6)
    await asyncio.gather(stay.are("ready", 10), go.are("ready", 10))
    before = await stay.statuses()
    async with Renewals.heard(bench) as renewals:
        dead.kill()
        bench.system.replicas("state-sync")[0].kill()
        killed = time.monotonic()
        await go.are("offline", 15 + 7 + 5)
        assert time.monotonic() - killed > 9  # not by the word of anybody
        # As long again as silence takes to be noticed: each round names those that stay, and somebody hears it.
        await renewals.rounds(31, stay.named(), 3, 4 * ROUND_S)
    assert await stay.statuses() == before
    assert all(not agent.socket.closed for agent in stay.agents)
