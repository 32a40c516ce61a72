"""Agents that go and come, or do not (design 6.3, 6.4, section 7): nobody has to help, everybody is told the end."""

import asyncio
import contextlib
import time

import aiohttp
import pytest

from support.bench import refusal
from support.waiting import until

STALE_S = 3
SETTINGS = {"stale_after": f"{STALE_S}s", "ready_timeout": "2s", "turn_idle_timeout": "60s"}
BRIDGE_GONE_S = 15
SLACK_S = 5  # of section 7


def said(session, text, **more):
    return {"session_id": session.id, **more,
            "messages": [{"role": "user", "content": {"content_type": "text", "parts": [text]}}]}


class Everybody:
    """All the ways to watch one turn at once: both sockets, a call that waits, and two streams."""

    def __init__(self, bench, session):
        self.bench, self.session = bench, session

    async def open(self):
        self.v1 = await self.bench.viewer(self.session)
        self.v2 = await self.bench.viewer_v2(self.session)
        self.call = asyncio.ensure_future(self.session.api.post("/sessions/chat", said(self.session, "doomed"),
                                                                timeout=80))
        return self

    async def follow(self, interaction_id):
        self.id = interaction_id
        self.followers = [await self.bench.stream(self.session) for _ in range(2)]
        for follower in self.followers:
            follower.follow(self.session.id, interaction_id)
            await follower.until(lambda f=follower: f.events, "the opening chunk")

    async def shows(self, text):
        for viewer in (self.v1, self.v2):
            await viewer.shows(text)
        for follower in self.followers:
            await follower.shows(text)

    async def told(self, code, reason_of):
        """Every one of them has the error, with its reason; returns the interaction as it is stored."""
        done = await self.session.ends(self.id, "error", timeout=40)
        assert done["error_code"] == code and done["error"], done
        assert reason_of in done["error"].lower(), done["error"]
        for viewer in (self.v1, self.v2):
            await viewer.sees(self.id, "error")
            assert viewer.view.interactions[self.id]["error"] == done["error"]
        assert (await self.call).refused(502, "turn_error")["message"] == done["error"]
        for follower in self.followers:
            await follower.ended()
            assert follower.bodies[-2]["error"] == {"code": "turn_error", "message": done["error"]}
        await self.session.same(self.v1, self.v2)
        return done


async def watched(bench, agent_options=None):
    session = await bench.session()
    everybody = await Everybody(bench, session).open()
    agent = await bench.agent(session, **(agent_options or {}))
    turn = await agent.next_turn()
    await everybody.follow(turn.request_id)
    turn.text("half an answer")
    await everybody.shows("half an answer")
    return session, everybody, agent, turn


def within(began, seconds):
    took = time.monotonic() - began
    assert took <= seconds, f"{took:.1f} s instead of at most {seconds:g} s"


async def test_an_agent_that_never_returns_is_told_to_everybody_within_the_bound(bench):
    session, everybody, agent, turn = await watched(bench)
    await agent.crash()
    gone = time.monotonic()
    await everybody.told("agent_lost", "agent")
    within(gone, STALE_S + SLACK_S)
    assert time.monotonic() - gone >= STALE_S - 0.5


async def test_an_agent_that_returns_with_no_memory_is_told_to_everybody_within_the_bound(bench):
    session, everybody, agent, turn = await watched(bench)
    await agent.crash()
    await agent.start().online(2)
    back = time.monotonic()
    await everybody.told("lost_contact", "agent")
    within(back, STALE_S + SLACK_S + 2)  # the clock starts with its readiness, READY_TIMEOUT at the latest


@pytest.mark.patience(120)
async def test_a_bridge_that_never_returns_is_told_to_everybody_within_the_bound(bench):
    session, everybody, agent, turn = await watched(bench)
    bench.system.bridge.kill()
    gone = time.monotonic()
    await everybody.told("agent_lost", "agent")
    within(gone, BRIDGE_GONE_S + STALE_S + SLACK_S)
    await agent.close()


@pytest.mark.patience(120)
async def test_an_agent_lost_while_nobody_could_see_it_is_told_after_the_restart_of_everything(bench):
    """The agent dies with the whole system; the callers that waited come back and read the same end."""
    session = await bench.session()
    viewer, second = await bench.viewer(session), await bench.viewer_v2(session)
    agent = await bench.agent(session)
    follower = (await bench.stream(session)).chat(said(session, "doomed", stream=True))
    turn = await agent.next_turn()
    turn.text("half")
    await follower.shows("half")
    for process in reversed(bench.system.processes):
        process.kill()
    await agent.crash()
    await follower.close()
    await bench.system.revive()
    follower.follow(session.id, turn.request_id, follower.last_id)
    done = await session.ends(turn.request_id, "error", timeout=40)
    assert done["error_code"] == "agent_lost" and done["response_message"] == "half"
    await follower.ended()
    assert follower.bodies[-2]["error"]["message"] == done["error"]
    await session.same(viewer, second)


@pytest.mark.patience(120)
@pytest.mark.parametrize("part", ["agent", "agent-bridge", "everything"])
async def test_prompts_that_queued_up_meanwhile_go_out_once_each_in_order_with_nobodys_help(bench, part):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    first = await session.prompt("first")
    turn = await agent.next_turn()
    turn.text("begun")
    await viewer.shows("begun")
    queued = [await session.prompt(f"queued {number}") for number in range(3)]
    processes = {"agent": [], "agent-bridge": [bench.system.bridge], "everything": bench.system.processes}[part]
    for process in reversed(processes):
        process.kill()
    if part == "agent":
        agent.disconnect()
    await agent.until(lambda a: not a.connected, "the agent is cut off")
    turn.text(", finished while away")
    turn.complete()
    if part == "agent":
        queued.append(await session.prompt("queued while away"))
    await bench.system.revive()
    for one in queued:
        turn = await agent.next_turn()
        assert turn.request_id == one["interaction_id"]
        turn.text(f"re {turn.prompt}")
        turn.complete()
    await session.ends(queued[-1]["interaction_id"], "complete")
    assert (await session.ends(first["interaction_id"], "complete"))["response_message"] == (
        "begun, finished while away")
    told = [c["request_id"] for c in agent.received("chat_message")]
    assert told == [first["interaction_id"]] + [one["interaction_id"] for one in queued]
    await session.same(viewer)


@pytest.mark.patience(120)
async def test_an_agent_that_is_restarted_again_and_again_needs_nobody(bench):
    """Its own crashes between turns: the thread is loaded anew each time, or found to be gone."""
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    for number in range(5):
        accepted = await session.prompt(f"prompt {number}")
        turn = await agent.next_turn()
        turn.text(f"answer {number}")
        turn.complete()
        await session.ends(accepted["interaction_id"], "complete")
        await agent.crash()
        if number % 2:
            agent.threads.clear()
        await viewer.until(lambda v: v.session["agent"]["status"] == "offline", "seen offline")
        await agent.start().online(number + 2)
        await viewer.until(lambda v: v.session["agent"]["status"] == "ready", "seen ready")
    assert [i["response_message"] for i in await session.interactions()] == [f"answer {n}" for n in range(5)]
    assert [c["message"] for c in agent.received("chat_message")] == [f"prompt {n}" for n in range(5)]
    await session.same(viewer)


async def test_a_prompt_known_not_to_have_reached_the_agent_is_sent_again_after_a_change_of_socket(bench):
    """The gate of the first socket never opened, so nothing was written on it."""
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.hand_agent(session, ready=False)
    request = (await session.prompt("patience"))["interaction_id"]
    await agent.cut()
    agent = await bench.hand_agent(session)
    assert (await agent.command("chat_message"))["request_id"] == request
    await agent.created(request)
    await agent.says("here", "1", request)
    await agent.completes(request)
    await session.ends(request, "complete")
    await session.same(viewer)


@pytest.mark.patience(90)
async def test_a_prompt_that_was_written_and_not_answered_is_never_sent_twice(bench):
    """In doubt: a stock agent that came back and says nothing about it gets no second copy, and the turn ends."""
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.hand_agent(session)
    request = (await session.prompt("once"))["interaction_id"]
    await agent.command("chat_message")
    await agent.cut()
    agent = await bench.hand_agent(session)
    done = await session.ends(request, "error")
    assert done["error_code"] == "lost_contact" and done["error"]
    assert agent.received("chat_message") == []
    following = (await session.prompt("next"))["interaction_id"]
    assert (await agent.command("chat_message"))["request_id"] == following
    await viewer.sees(request, "error")


async def test_a_late_answer_saves_a_turn_in_doubt(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.hand_agent(session)
    request = (await session.prompt("once"))["interaction_id"]
    await agent.command("chat_message")
    await agent.cut()
    agent = await bench.hand_agent(session)
    await agent.created(request)
    await agent.says("I have it", "1", request)
    await agent.completes(request)
    await session.ends(request, "complete")
    await session.same(viewer)


async def attach(bench, session):
    url = f"{bench.system.agent_url.replace('ws', 'http', 1)}/api/v1/external-agents/sync?session_id={session.id}"
    return await refusal(url, {"Authorization": f"Bearer {await session.agent_token()}"})


@pytest.mark.patience(90)
async def test_two_agents_that_push_each_other_out_are_stopped_with_409_and_when_to_come_back(bench):
    """The third time within a minute that one younger than 10 s would be superseded, before the upgrade."""
    session = await bench.session()
    async with contextlib.AsyncExitStack() as open_sockets:
        for number in range(3):
            socket = await open_sockets.enter_async_context(bench.raw_agent(session))
        status, headers, body = await attach(bench, session)
        assert status == 409 and int(headers["Retry-After"]) >= 1, (status, headers, body)
        assert not socket.closed
        await socket.send_json({"event_type": "agent_ready", "data": {"agent_name": "zed", "thread_id": None}})
        request = (await session.prompt("the newest goes on"))["interaction_id"]
        command = await socket.receive_json(timeout=15)
        assert command["type"] == "chat_message" and command["data"]["request_id"] == request
        other = await bench.session()  # one session's flapping is nobody else's
        async with bench.raw_agent(other):
            pass

        async def taken():
            try:
                return (await attach(bench, session))[0] == 101
            except aiohttp.ClientError:
                return False
        await until(taken, "the pause is over once the newest is old enough", timeout=15, every=0.5)
