"""Viewers that join, leave, stall, resume at every step of every kind of turn, and end with exactly what GET returns.

One long story of a session is told step by step. At each step newcomers of every kind join, some of those there leave
and others come back to where they were; at the end all of them hold the same, byte for byte.
"""

import asyncio
import collections
import json

import pytest

from support.client import Viewer, mint
from support.raw_viewer import RawViewer
from support.view import View, check_interaction, differences, entries_sha256
from support.viewer_v2 import ViewV2, ViewerV2
from support.waiting import until

SETTINGS = {"stale_after": "20s", "ready_timeout": "2s", "turn_idle_timeout": "120s"}
AWAY_STEPS = (1, 3, 9)
REPLAY_BYTES_MAX = 1 << 20  # of events that a v2 viewer missed; above it is given a full state


class Story:
    """The agent's side, written by hand: a generator of steps, each done when the quick viewer has seen it."""

    def __init__(self, bench, session, agent, quick):
        self.bench, self.session, self.agent, self.quick = bench, session, agent, quick
        self.ends = {}  # of interactions that were changed afterwards: as they ended

    async def prompted(self, text):
        request = (await self.session.prompt(text))["interaction_id"]
        await self.agent.command("chat_message")
        return request

    async def seen(self, condition, what):
        await self.quick.until(condition, what)

    async def shows(self, text, interaction=None):
        await self.seen(lambda v: v.text(interaction) == text, f"{text[-60:]!r}")

    async def steps(self):
        async for step in self.first_turn():
            yield step
        async for step in self.large_turn():
            yield step
        async for step in self.turns_that_end_badly():
            yield step
        async for step in self.turns_of_others():
            yield step

    async def first_turn(self):
        agent = self.agent
        await agent.ready()
        await self.seen(lambda v: v.session["agent"]["status"] == "ready", "ready")
        yield "ready"
        request = await self.prompted("begin 👩‍👩‍👧‍👦")
        await self.seen(lambda v: v.state(request) == "waiting", "the turn")
        yield "dispatched"
        await agent.created(request)
        for text in ("one", "one 🌋", "one 🌋 and"):
            await agent.says(text, "1", request)
            await self.shows(text)
            yield f"text {text}"
        await agent.calls("**ls**", "2", "In Progress", request=request)
        await self.shows("one 🌋 and\n\n**ls**")
        yield "tool call"
        await agent.says("three", "3", request)
        await self.shows("one 🌋 and\n\n**ls**\n\nthree")
        yield "text behind it"
        await agent.calls("**ls**\nfile", "2", "Completed", request=request)
        await agent.says("one 🌈", "1", request)
        await self.shows("one 🌈\n\n**ls**\nfile\n\nthree")
        yield "corrections"
        await agent.says("", "3", request)
        await self.shows("one 🌈\n\n**ls**\nfile")
        yield "an entry emptied"
        await self.session.prompt("waits its turn")
        await self.seen(lambda v: len(v.session["queue"]) == 1, "the queue")
        yield "queued"
        await agent.completes(request)
        await self.seen(lambda v: v.state(request) == "complete", "the end")
        self.finished = request
        self.ends[request] = self.quick.view.interactions[request]
        yield "completed, the next dispatched"

    async def large_turn(self):
        request = (await self.agent.command("chat_message"))["request_id"]
        text = ""
        for number in range(5):
            text += f"{number} 🧮 " + "abc " * 80_000  # together more than a socket's queue holds
            await self.agent.says(text, "5", request)
            await self.shows(text)
            yield f"large {number}"
        await self.agent.says(text[: len(text) // 2], "5", request)
        await self.shows(text[: len(text) // 2])
        yield "large, cut back"
        await self.agent.completes(request)
        await self.seen(lambda v: v.state(request) == "complete", "the end")
        yield "large, completed"

    async def turns_that_end_badly(self):
        agent = self.agent
        request = await self.prompted("fail")
        await agent.says("half", "7", request)
        await self.shows("half")
        yield "half of a failing turn"
        await agent.emit("chat_response_error", request_id=request, error="out of tokens")
        await self.seen(lambda v: v.state(request) == "error", "the error")
        yield "failed"
        request = await self.prompted("stop me")
        await agent.says("until here", "9", request)
        await self.shows("until here")
        cancelling = asyncio.ensure_future(self.session.cancel())
        await agent.command("cancel_current_turn")
        yield "cancel under way"
        await agent.emit("turn_cancelled", request_id=request, status="cancelled")
        await agent.completes(request)
        assert (await cancelling).ok() == {"status": "cancelled"}
        await self.seen(lambda v: v.state(request) == "interrupted", "interrupted")
        yield "cancelled"

    async def turns_of_others(self):
        agent = self.agent
        await agent.says("nobody asked", "11")
        await self.shows("nobody asked")
        yield "unasked"
        await agent.types("typed in the editor", "12", self.finished)
        await self.seen(lambda v: v.newest()["prompt_message"] == "typed in the editor", "the typed prompt")
        yield "typed"
        await agent.says("for the typed", "13", self.finished)
        await self.shows("for the typed")
        yield "answered"
        await agent.completes(self.finished)
        await self.seen(lambda v: v.newest()["state"] == "complete", "its end")
        yield "typed, completed"
        await agent.says("one, long after", "1", self.finished)
        await self.shows("one, long after\n\n**ls**\nfile", self.finished)
        yield "a late correction"
        await agent.emit("thread_title_changed", acp_thread_id=agent.thread, title="Renamed 🏷")
        await self.seen(lambda v: v.session["name"] == "Renamed 🏷", "the name")
        yield "renamed"


class Crowd:
    """Who watches: newcomers at each step, those who are away and when they come back, those who do not read."""

    def __init__(self, bench, session):
        self.bench, self.session = bench, session
        self.viewers = []
        self.stalled = []
        self.streams = []
        self.resumed = []  # of v2: where it had stopped, where it stood then, and whether it was given the events
        self.returns = collections.defaultdict(list)

    async def step(self, number, running):
        for back in self.returns.pop(number, ()):
            await back()
        kinds = [Viewer, ViewerV2]
        for kind in kinds:
            away = await self.join(kind)
            stays = await self.join(kind)
            assert stays.view.position is not None
            await away.leave()
            self.returns[number + AWAY_STEPS[number % len(AWAY_STEPS)]].append(self.back(away))
        for kind in (View, ViewV2):
            raw = await RawViewer.open(self.bench.system.gateway.port, self.session.id, mint(self.session.owner),
                                       v2=kind is ViewV2)
            self.stalled.append((kind, await self.bench.closing(raw)))  # it reads nothing before the end
        if running:
            stream = (await self.bench.stream(self.session)).follow(self.session.id, running)
            self.streams.append((running, stream))
            left = (await self.bench.stream(self.session)).follow(self.session.id, running)
            await left.until(lambda: left.events, "the opening chunk")
            await left.close()
            self.streams.append((running, left))
            self.returns[number + AWAY_STEPS[number % len(AWAY_STEPS)]].append(self.resume(left, running))

    async def join(self, kind):
        viewer = await self.bench.viewer(self.session, kind=kind)
        self.viewers.append(viewer)
        return viewer

    def back(self, viewer):
        async def come():
            since = viewer.view.position
            viewer.come_back()
            await viewer.opened(2)
            if isinstance(viewer, ViewerV2):
                await viewer.until(lambda v: v.fulls + v.replays == 2, "the events it missed, or all anew")
                self.resumed.append((since[1], viewer.view.position[1], viewer.view.replays == 1))
        return come

    def resume(self, stream, running):
        async def come():
            stream.follow(self.session.id, running, stream.last_id)
        return come

    async def finish(self):
        for _, backs in sorted(self.returns.items()):
            for back in backs:
                await back()
        self.returns.clear()


@pytest.mark.patience(240)
async def test_whoever_watches_from_whenever_ends_with_what_get_returns(bench):
    session = await bench.session()
    quick = await bench.viewer(session)
    story = Story(bench, session, await bench.hand_agent(session, ready=False), quick)
    crowd = Crowd(bench, session)
    number = 0
    async for step in story.steps():
        newest = quick.view.newest()
        await crowd.step(number, newest["id"] if newest and newest["state"] == "waiting" else None)
        number += 1
    assert number > 25
    await crowd.finish()
    await session.same(quick, *crowd.viewers, timeout=60)
    stored = await session.interactions()
    by_id = {i["id"]: i for i in stored}
    for i in stored:
        assert check_interaction(i) == [] and i["entries_sha256"] == entries_sha256(i["response_entries"])

    for kind, raw in crowd.stalled:
        view = kind(session.id)
        while view.position != quick.view.position:
            view.take(await raw.frame())
        assert view.violations == [] and differences(view, stored) == []
    for interaction, stream in crowd.streams:
        await stream.ended()
        ended = story.ends.get(interaction, by_id[interaction])  # no stream is told what came after the end
        assert stream.entries == [e["content"] for e in ended["response_entries"]], interaction
    log = (await session.api.get(f"/sessions/{session.id}/events")).raw.splitlines()
    size = {json.loads(line)["seq"]: len(line) for line in log}
    assert len(crowd.resumed) == number
    for since, then, replayed in crowd.resumed:
        missed = sum(size[seq] for seq in range(since + 1, then + 1))
        assert replayed == (missed <= REPLAY_BYTES_MAX), f"from {since} to {then}, {missed} bytes"
    assert {replayed for *_, replayed in crowd.resumed} == {True, False}


@pytest.mark.patience(120)
@pytest.mark.parametrize("part", ["gateway", "state-sync", "nats"])
async def test_those_who_resume_after_an_outage_are_given_what_they_missed_or_all_of_it(bench, part):
    session = await bench.session()
    agent = await bench.agent(session)
    viewers = [await bench.viewer(session), await bench.viewer_v2(session), await bench.viewer_v2(session, resume=False)]
    request = (await session.prompt("go"))["interaction_id"]
    turn = await agent.next_turn()
    stream = (await bench.stream(session)).follow(session.id, request)
    for number in range(12):
        turn.text(f"{number} 🌊 ", new=number % 4 == 0)
        if number == 5:
            bench.system.process(part).kill()
            turn.text("while it is away ")
            if part == "gateway":
                await stream.close()
            await bench.system.revive()
            if part == "gateway":
                stream.follow(session.id, request, stream.last_id)
    turn.complete()
    done = await session.ends(request, "complete")
    await session.same(*viewers)
    await stream.ended()
    assert stream.entries == [e["content"] for e in done["response_entries"]]
    if part == "gateway":
        await until(lambda: viewers[1].view.replays == 1, "v2 with since is given the events")
        assert viewers[1].view.fulls == 1 and viewers[2].view.fulls == 2
