"""Steady load on a running system, and what a fault in it costs: agents that stream numbered words, people who post
prompts under ids of their own, viewers on every replica of the gateway. Nothing may be lost, repeated or out of order,
and how long each viewer saw nothing new is measured from when its frames arrived.
"""

import asyncio
import time

from support.bench import unused
from support.waiting import PATIENCE, until


class Stream:
    """One session: its agent says a word every `every` seconds in one long turn."""

    def __init__(self, session, agent, viewers, turn, interaction):
        self.session = session
        self.agent = agent
        self.viewers = viewers
        self.turn = turn
        self.interaction = interaction
        self.said = 0
        self.arrivals = [[] for _ in viewers]
        for viewer, times in zip(viewers, self.arrivals):
            viewer.on_frame = lambda frame, times=times: times.append(time.monotonic())

    @classmethod
    async def begin(cls, bench, viewers):
        session = await bench.session()
        gateways = bench.system.replicas("gateway")
        watching = [await bench.viewer(session, gateway=gateways[n % len(gateways)]) for n in range(viewers)]
        agent = await bench.agent(session)
        accepted = await session.prompt("count")
        return cls(session, agent, watching, await agent.next_turn(), accepted["interaction_id"])

    def say(self):
        self.said += 1
        self.turn.text(f"{self.said} ")

    def shown(self):
        """How many words every viewer has."""
        return min(len(viewer.view.text(self.interaction).split()) for viewer in self.viewers)

    def longest_silence(self, since, now):
        """The longest time between two frames on any viewer, from the last frame before `since` on."""
        longest = 0.0
        for times in self.arrivals:
            before = max((t for t in times if t <= since), default=since)
            points = [before, *(t for t in times if since < t <= now), now]
            longest = max(longest, max(b - a for a, b in zip(points, points[1:])))
        return longest

    async def end(self):
        """The turn ends, and everybody has every word once."""
        self.turn.complete()
        words = " ".join(str(n + 1) for n in range(self.said)) + " "
        done = await self.session.ends(self.interaction, "complete", timeout=2 * PATIENCE)
        assert done["response_message"] == words, f"{done['response_message'][-200:]!r} of {self.said}"
        assert len(self.agent.received("chat_message")) == 1, "the prompt was sent again"
        await self.session.same(*self.viewers)


class Streams:
    def __init__(self, streams, every):
        self.all = streams
        self._every = every
        self._task = asyncio.ensure_future(self._speak())

    @classmethod
    async def begin(cls, bench, count, viewers=2, every=0.1):
        streams = cls(await asyncio.gather(*(Stream.begin(bench, viewers) for _ in range(count))), every)
        await bench.closing(streams)
        await streams.flow()
        return streams

    async def close(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _speak(self):
        while True:
            for stream in self.all:
                stream.say()
            await asyncio.sleep(self._every)

    async def flow(self, timeout=PATIENCE):
        """Until every viewer shows what is said from now on."""
        marks = [stream.said for stream in self.all]

        def behind():
            return [s.session.id for s, mark in zip(self.all, marks) if s.shown() <= mark]
        await until(lambda: not behind(), lambda: f"streams go on: {behind()} stand still", timeout)

    async def cost(self, fault, standing=0.4, timeout=2 * PATIENCE):
        """Does `fault` (a function or a coroutine), waits until all streams flow again, and returns the silences of
        the sessions that stood still, shortest first."""
        began = time.monotonic()
        done = fault()
        if asyncio.iscoroutine(done):
            await done
        await self.flow(timeout)
        now = time.monotonic()
        silences = sorted(stream.longest_silence(began, now) for stream in self.all)
        return [silence for silence in silences if silence >= standing]

    async def end(self):
        await self.close()
        await asyncio.gather(*(stream.end() for stream in self.all))


async def echo(turn):
    """An agent's answer: the prompt."""
    turn.text(f"you said {turn.prompt}")
    turn.complete()


class Prompts:
    """People who post one prompt after the other, each under an id of its own, until it is decided."""

    def __init__(self, bench, sessions):
        self._bench = bench
        self.sessions = sessions
        self.posted = {session.id: [] for session in sessions}
        self.slowest = 0.0
        self._stopping = False
        self._tasks = [asyncio.ensure_future(self._post(session)) for session in sessions]

    @classmethod
    async def begin(cls, bench, count):
        sessions = []
        for _ in range(count):
            session = await bench.session()
            await bench.agent(session, answer=echo)
            sessions.append(session)
        prompts = cls(bench, sessions)
        await bench.closing(prompts)
        return prompts

    async def close(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _post(self, session):
        while not self._stopping:
            text = unused("prompt")
            began = time.monotonic()
            reply = await session.api.insist("POST", f"/sessions/{session.id}/messages", {"content": text, "id": text})
            self.slowest = max(self.slowest, time.monotonic() - began)
            accepted = reply.ok(202)
            self.posted[session.id].append((text, accepted["interaction_id"]))
            await session.ends(accepted["interaction_id"], "complete", timeout=2 * PATIENCE)

    async def end(self):
        """Each prompt made one turn, in order, with its own answer."""
        self._stopping = True
        await asyncio.gather(*self._tasks)
        for session in self.sessions:
            turns = [(i["prompt_message"], i["id"]) for i in await session.interactions()]
            assert turns == self.posted[session.id], f"{turns} of {self.posted[session.id]}"
            for turn in await session.interactions():
                assert turn["response_message"] == f"you said {turn['prompt_message']}", turn
