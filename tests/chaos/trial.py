"""One run: a system, its load, its storm, and the verdict."""

import asyncio
import contextlib
import dataclasses
import random
import time

import aiohttp

from chaos import gaps
from chaos.checker import judge
from chaos.load import Doors, Http, Pace, RecordedNumberedAgent, RecordedStockAgent, Session
from chaos.reading import Unreadable
from chaos.storm import Storm
from support.system import System
from support.view import TERMINAL

# A turn counts as lost well after the longest fault of the schedule, and well before a run's end.
SETTINGS = {"stale_after": "30s", "ready_timeout": "5s", "drain_timeout": "5s", "log_level": "info"}
FRONT_PLACES = 8  # behind the front, of each service: the most that a run may begin with or come to
AGENTS = {"both": (RecordedStockAgent, RecordedNumberedAgent), "stock": (RecordedStockAgent,),
          "v2": (RecordedNumberedAgent,)}


@dataclasses.dataclass(frozen=True)
class Size:
    sessions: int = 100
    replicas: dict = dataclasses.field(default_factory=lambda: {"gateway": 2, "agent-bridge": 2, "state-sync": 3})
    pace: Pace = Pace()
    agents: str = "both"
    streams: float = 0.3  # share of prompts whose answer is followed over HTTP too
    warm_up_s: float = 8.0
    settle_s: float = 100.0  # until the last turns have ended: twice STALE_AFTER and some
    level_s: float = 20.0  # until viewers are current again: head check, back-off, and a loaded machine


@dataclasses.dataclass
class Outcome:
    seed: int
    size: Size
    seconds: float
    violations: list = dataclasses.field(default_factory=list)
    wrong: list = dataclasses.field(default_factory=list)  # of processes and of the run itself
    faults: list = dataclasses.field(default_factory=list)  # gaps.Done
    skipped: int = 0
    gaps: dict = dataclasses.field(default_factory=dict)
    rest: tuple = (0.0, 0.0, 0)
    counts: dict = dataclasses.field(default_factory=dict)
    loop_lag_s: tuple = (0.0, 0.0)  # p99 and worst of the load's own event loop: the gaps are no truer than this
    ends: dict = dataclasses.field(default_factory=dict)  # turns by state and error code
    numbers: dict = dataclasses.field(default_factory=dict)  # session id -> its number in the load

    @property
    def failed(self):
        return bool(self.violations or self.wrong)


class Load:
    def __init__(self, system, seed, size):
        self.seed, self.size, self.pace, self.streams = seed, size, size.pace, size.streams
        self.rng = random.Random(f"load {seed}")
        self.doors = Doors(system)
        self.connections = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))
        self.http = Http(self.connections, self.doors, self.rng, size.level_s)
        classes = AGENTS[size.agents]
        self.sessions = [Session(self, n, classes[n % len(classes)]) for n in range(size.sessions)]

    async def open(self):
        for start in range(0, len(self.sessions), 20):
            await asyncio.gather(*(s.open() for s in self.sessions[start:start + 20]))

    async def close(self):
        await asyncio.gather(*(s.close() for s in self.sessions if s.agent))
        await self.connections.close()

    async def strike_agents(self, kind, choice):
        """A third of the agents lose their connection, or a tenth of them their process."""
        if kind == "agents_cut":
            for session in self.sessions[int(choice * 3)::3]:
                session.agent.disconnect()
        else:
            await asyncio.gather(*(s.crash_agent() for s in self.sessions[int(choice * 10)::10]))

    def defects(self):
        """What went wrong in the load itself."""
        looking = [w for s in self.sessions for w in [*s.watchers, *s.followers]]
        return ([repr(w.failed()) for w in looking if w.failed()] +
                [f for s in self.sessions if s.agent for f in s.agent.defects()])


class LoopLag:
    """How late the event loop is: what the machine adds to every measure."""

    def __init__(self):
        self.lags = []
        self._task = asyncio.ensure_future(self._run())

    async def _run(self):
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.05)
            self.lags.append(time.monotonic() - before - 0.05)

    def stop(self):
        self._task.cancel()
        ordered = sorted(self.lags)
        return gaps.quantile(ordered, 0.99), ordered[-1] if ordered else 0.0


async def trial(seed, seconds, size, faults, say, plant=None):
    """`plant` breaks something on purpose: an asynchronous context manager of (system, load), entered before any
    session is opened and left when all is read."""
    system = System(size.replicas, ("gateway", "agent-bridge", "state-sync"), front=FRONT_PLACES,
                    **SETTINGS)
    outcome = Outcome(seed, size, seconds)
    try:
        await system.start()
        load = Load(system, seed, size)
        async with plant(system, load) if plant else contextlib.nullcontext():
            try:
                await run_load(system, load, faults, outcome, say)
            finally:
                outcome.wrong += load.defects()
                await load.close()
    finally:
        outcome.wrong += [f"at the end: {what}" for what in await system.stop()]
    return outcome


async def run_load(system, load, faults, outcome, say):
    stopping, size = asyncio.Event(), load.size
    await load.open()
    people = [asyncio.ensure_future(s.live(stopping)) for s in load.sessions]
    say(f"{len(load.sessions)} sessions, {sum(len(s.watchers) for s in load.sessions)} viewers")
    storm = Storm(system, load.strike_agents)
    lag = LoopLag()
    try:
        await asyncio.sleep(size.warm_up_s)
        calm_until = time.time()
        await storm.run(faults, outcome.seconds, say)
        await system.revive()
        say("the storm is over")
        await asyncio.sleep(2.0)
        stopping.set()
        _, late = await asyncio.wait(people, timeout=size.settle_s + load.pace.turn_end_s)
        outcome.wrong += [f"session {load.sessions[people.index(p)].id}: its person still waits" for p in late]
        outcome.wrong += [repr(p.exception()) for p in people if p.done() and p.exception()]
        await settle(load, storm, say)
    finally:
        for person in people:
            person.cancel()
        outcome.loop_lag_s = lag.stop()
        outcome.wrong += storm.wrong
    outcome.faults, outcome.skipped = storm.done, len(storm.skipped)
    await conclude(load, outcome, calm_until)


async def settle(load, storm, say):
    """Until every turn has ended and every viewer is level, or the bounds are over: the judge says what is missing."""
    say("waiting for the last turns")
    deadline = time.monotonic() + load.size.settle_s
    while time.monotonic() < deadline and not all([quiet(s) for s in load.sessions]):
        storm.watch()
        await asyncio.sleep(0.5)
    deadline = time.monotonic() + load.size.level_s
    open_sessions = list(load.sessions)
    while open_sessions and time.monotonic() < deadline:
        open_sessions = [s for s in open_sessions if not await level(load.http, s)]
        await asyncio.sleep(0.2)


def quiet(session):
    """Nothing open as far as its first viewer and its streams know."""
    view = session.watchers[0].view
    return (all(i["state"] in TERMINAL for i in view.interactions.values()) and not (view.session or {}).get("queue")
            and all(f.done for f in session.followers))


async def level(http, session):
    status, body = await http.call("GET", f"/sessions/{session.id}?skipInteractions=1", session.token)
    return (status == 200 and all(w.view.position == (body["epoch"], body["seq"]) for w in session.watchers)
            and quiet(session) and not session.agent.unacknowledged and body["agent"]["status"] == "ready")


async def conclude(load, outcome, calm_until):
    histories = []
    for session in load.sessions:
        try:
            history = await session.history()
        except Unreadable as unreadable:
            outcome.wrong.append(str(unreadable))
            continue
        outcome.violations += judge(history)
        outcome.numbers[session.id] = session.number
        histories.append(history)
    samples = [s for session in load.sessions for s in session.samples()]
    outcome.gaps = gaps.measure(outcome.faults, samples)
    outcome.rest = gaps.at_rest(calm_until, samples)
    outcome.counts = {
        "sessions": len(histories), "viewers": sum(len(h.viewers) for h in histories),
        "streams": sum(len(h.followed) for h in histories), "prompts": sum(len(h.prompts) for h in histories),
        "cancels": sum(p.cancel is not None for h in histories for p in h.prompts),
        "turns": sum(len(h.stored.interactions) for h in histories),
        "events": sum(h.stored.head[1] for h in histories),
        "events checked at viewers": sum(len(h.seen) for h in histories),
        "user sockets": sum(w.connections for s in load.sessions for w in s.watchers),
        "agent sockets": sum(s.agent.connections for s in load.sessions),
    }
    for history in histories:
        for interaction in history.stored.interactions:
            end = " ".join(filter(None, (interaction["state"], interaction.get("error_code"))))
            outcome.ends[end] = outcome.ends.get(end, 0) + 1
