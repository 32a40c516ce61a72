"""The agent's socket: who may attach, what each frame does, what a bad one gets."""

import asyncio
import json
import time

import aiohttp
import pytest

from support.bench import refusal
from support.client import mint
from support.waiting import until

SETTINGS = {"stale_after": "2s", "ready_timeout": "2s", "max_frame": "256KiB"}


def attach_url(bench, query):
    return f"{bench.system.agent_url.replace('ws', 'http', 1)}/api/v1/external-agents/sync{query}"


async def expect_refusal(bench, query, token, status):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    assert (await refusal(attach_url(bench, query), headers))[0] == status


def message(content, thread="t-1", message_id="1", request_id="", **more):
    return {"event_type": "message_added", "data": {
        "acp_thread_id": thread, "message_id": message_id, "content": content, "role": "assistant",
        "request_id": request_id, "timestamp": 1, **more}}


async def receive(socket, kind, timeout=15):
    """The next command of that kind; others are skipped."""
    deadline = time.monotonic() + timeout
    while True:
        got = await socket.receive(timeout=max(0.01, deadline - time.monotonic()))
        assert got.type is aiohttp.WSMsgType.TEXT, f"{got} instead of {kind}"
        command = json.loads(got.data)
        if command["type"] == kind:
            return command["data"]


async def close_code(socket, timeout=15):
    deadline = time.monotonic() + timeout
    while not socket.closed:
        await socket.receive(timeout=max(0.01, deadline - time.monotonic()))
    return socket.close_code


async def test_who_may_not_attach(bench):
    session, other = await bench.session(), await bench.session()
    token = await session.agent_token()
    mine = f"?session_id={session.id}"
    await expect_refusal(bench, mine, None, 401)
    await expect_refusal(bench, mine, "ha-unknown", 401)
    await expect_refusal(bench, mine, mint(session.owner), 401)
    await expect_refusal(bench, f"?session_id={other.id}", token, 404)
    await expect_refusal(bench, "?session_id=ses_unknown", token, 404)
    await expect_refusal(bench, "", token, 400)
    await expect_refusal(bench, f"?agent_id={other.id}", token, 404)
    assert (await refusal(attach_url(bench, mine), {"Authorization": token}))[0] == 401
    assert (await session.get())["agent"]["status"] == "offline"


async def test_agent_id_is_an_alias(bench):
    session = await bench.session()
    async with bench.raw_agent(session, query=f"agent_id={session.id}"):
        await until(lambda: status_is(session, "online"), "attached")


async def status_is(session, status):
    return (await session.get())["agent"]["status"] == status


async def test_the_attach_is_committed_before_the_upgrade_is_answered(bench):
    session = await bench.session()
    async with bench.raw_agent(session):
        assert (await session.get())["agent"]["status"] == "online"


async def test_a_prompt_waits_for_readiness(bench):
    session = await bench.session()
    async with bench.raw_agent(session) as socket:
        attached = time.monotonic()
        await session.prompt("patience")
        await receive(socket, "chat_message")
        assert time.monotonic() - attached >= 1.8, "the gate opened before agent_ready or READY_TIMEOUT"
        assert (await session.get())["agent"]["status"] == "ready"


async def test_agent_ready_opens_the_gate(bench):
    session = await bench.session()
    async with bench.raw_agent(session) as socket:
        attached = time.monotonic()
        await session.prompt("go")
        await socket.send_json({"event_type": "agent_ready", "data": {"agent_name": "claude", "thread_id": None}})
        await receive(socket, "chat_message")
        assert time.monotonic() - attached < 1.8
        assert (await session.get())["agent"]["name"] == "claude"


@pytest.mark.parametrize("frame", [
    "{", "[]", "7", '"text"', "", "null", '{"event_type":"agent_ready","data":[]}', '{"event_type":7,"data":{}}',
    '{"data":{}}', '{"event_type":"message_added","data":{}}',
    '{"event_type":"message_added","data":{"acp_thread_id":"t","message_id":1,"content":"c","role":"assistant"}}',
    '{"event_type":"message_added","data":{"acp_thread_id":"t","message_id":"1","role":"assistant"}}',
    '{"event_type":"message_completed","data":{"acp_thread_id":"","message_id":"0","request_id":""}}',
    '{"event_type":"thread_created","data":{"request_id":"r"}}', "[" * 5000,
], ids=range(15))
async def test_a_frame_that_does_not_parse_is_answered_and_skipped(bench, frame):
    session = await bench.session()
    async with bench.raw_agent(session) as socket:
        await socket.send_str(frame)
        data = await receive(socket, "error")
        assert data["code"] == "bad_frame" and data["message"] and set(data) == {"code", "message"}
        await socket.send_json({"event_type": "agent_ready", "data": {"agent_name": "zed", "thread_id": None}})
        await until(lambda: status_is(session, "ready"), "the socket goes on")


async def test_a_binary_frame_is_a_bad_frame(bench):
    session = await bench.session()
    async with bench.raw_agent(session) as socket:
        await socket.send_bytes(b'{"event_type":"ping","data":{}}')
        assert (await receive(socket, "error"))["code"] == "bad_frame"


async def test_unknown_event_types_and_fields_are_ignored(bench):
    session = await bench.session()
    async with bench.raw_agent(session) as socket:
        for kind in ("ui_state_response", "message_updated", "context_title_changed", "from_the_future"):
            await socket.send_json({"event_type": kind, "data": {"anything": [1]}, "extra": 1})
        await socket.send_json({"event_type": "agent_ready", "session_id": "x", "timestamp": "2026-01-01T00:00:00Z",
                                "data": {"agent_name": "zed", "thread_id": None, "more": 1}})
        await session.prompt("go")
        answer = await socket.receive_json(timeout=15)
        assert answer["type"] == "chat_message", answer


async def test_a_hundred_bad_frames_close_1008(bench):
    session = await bench.session()
    async with bench.raw_agent(session) as socket:
        for _ in range(100):
            await socket.send_str("{")
        assert await close_code(socket) == 1008
    await bench.agent(session)


async def test_invalid_utf8_closes_1007(bench):
    session = await bench.session()
    async with bench.raw_agent(session) as socket:
        await socket._writer.send(b'{"event_type":"ping","data":{"a":"\xc3\x28"}}', binary=False)
        assert await close_code(socket) == 1007


async def test_an_oversize_frame_closes_1009_and_the_next_attach_goes_on(bench):
    session = await bench.session()
    async with bench.raw_agent(session) as socket:
        await socket.send_str(json.dumps(message("x" * (300 << 10))))
        assert await close_code(socket) == 1009
    agent = await bench.agent(session)
    accepted = await session.prompt("still there?")
    turn = await agent.next_turn()
    turn.text("x" * (200 << 10))
    turn.complete()
    assert len((await session.ends(accepted["interaction_id"], "complete"))["response_message"]) == 200 << 10


async def test_the_newest_attachment_wins(bench):
    session = await bench.session()
    async with bench.raw_agent(session) as older:
        newer = await bench.agent(session)
        assert await close_code(older) == 4001
        accepted = await session.prompt("who hears?")
        turn = await newer.next_turn()
        turn.text("the newer one")
        turn.complete()
        await session.ends(accepted["interaction_id"], "complete")
    assert newer.connections == 1 and newer.connected


async def test_a_reconnecting_agent_is_told_its_thread_first(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    accepted = await session.prompt("make a thread")
    turn = await agent.next_turn()
    turn.text("made")
    turn.complete()
    await session.ends(accepted["interaction_id"], "complete")
    assert agent.received("open_thread") == []
    agent.disconnect()
    await agent.until(lambda a: a.received("open_thread"), "open_thread")
    opened = agent.received("open_thread")[0]
    assert opened["acp_thread_id"] == turn.thread.id and opened["session_id"] == session.id
    assert opened["request_id"].startswith("req_")
    accepted = await session.prompt("again")
    turn = await agent.next_turn()
    assert turn.data["acp_thread_id"] == opened["acp_thread_id"]
    agent.disconnect()
    await agent.until(lambda a: len(a.received("open_thread")) == 2, "open_thread while a turn runs")
    assert agent.received("open_thread")[1]["request_id"] == accepted["interaction_id"]
    turn.text("back")
    turn.complete()
    await session.ends(accepted["interaction_id"], "complete")


async def test_what_an_agent_said_while_away_is_not_lost(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    accepted = await session.prompt("go on")
    turn = await agent.next_turn()
    turn.text("before, ")
    await viewer.shows("before, ")
    agent.disconnect()
    await agent.until(lambda a: not a.connected, "cut")
    turn.text("while away, ")
    turn.tool("ls", "Completed", "**ls**")
    turn.text("after")
    turn.complete()
    done = await session.ends(accepted["interaction_id"], "complete")
    assert [e["content"] for e in done["response_entries"]] == ["before, while away, ", "**ls**", "after"]
    await session.same(viewer)


async def test_a_prompt_is_written_once_whatever_reconnects(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    accepted = await session.prompt("once")
    turn = await agent.next_turn()
    turn.text("thinking")
    await agent.drained()
    for connection in (2, 3):
        agent.disconnect()
        await agent.online(connection)
        await agent.until(lambda a: len(a.received("open_thread")) == connection - 1, "open_thread")
    turn.complete()
    await session.ends(accepted["interaction_id"], "complete")
    assert len(agent.received("chat_message")) == 1


async def test_an_agent_that_crashes_and_returns_without_a_word_ends_the_turn_lost_contact(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    accepted = await session.prompt("doomed")
    turn = await agent.next_turn()
    turn.text("half an ans")
    await viewer.shows("half an ans")
    await agent.crash()
    await agent.start().online(2)
    done = await session.ends(accepted["interaction_id"], "error")
    assert done["error_code"] == "lost_contact" and done["error"] and done["response_message"] == "half an ans"
    follow = await session.prompt("again")
    turn = await agent.next_turn()
    turn.text("whole")
    turn.complete()
    await session.ends(follow["interaction_id"], "complete")
    await session.same(viewer)


async def test_an_agent_that_never_returns_ends_the_turn_agent_lost(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    accepted = await session.prompt("doomed")
    turn = await agent.next_turn()
    turn.text("half")
    await viewer.shows("half")
    gone = time.monotonic()
    await agent.crash()
    done = await session.ends(accepted["interaction_id"], "error")
    assert done["error_code"] == "agent_lost" and done["error"]
    assert time.monotonic() - gone >= 1.5, "ended before STALE_AFTER"
    await session.same(viewer)


async def test_a_silent_agent_is_left_alone(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    accepted = await session.prompt("think")
    turn = await agent.next_turn()
    other = await bench.session()
    lost = await bench.agent(other)
    doomed = await other.prompt("the clock of this test: it goes stale, the silent turn does not")
    await lost.next_turn()
    await lost.crash()
    await other.ends(doomed["interaction_id"], "error")
    turn.text("thought")
    turn.complete()
    await session.ends(accepted["interaction_id"], "complete")


async def test_a_crash_error_ends_the_turn_with_its_text(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    accepted = await session.prompt("fail")
    turn = await agent.next_turn()
    turn.text("until here")
    turn.fail("Claude Agent process exited mid-turn or hit max tokens")
    done = await session.ends(accepted["interaction_id"], "error")
    assert "exited mid-turn" in done["error"] and done["response_message"] == "until here"
    await viewer.sees(accepted["interaction_id"], "error")
    await session.same(viewer)


async def test_a_completion_without_text_is_an_error(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    accepted = await session.prompt("say nothing")
    turn = await agent.next_turn()
    turn.complete()
    done = await session.ends(accepted["interaction_id"], "error")
    assert done["error_code"] == "empty_response"


async def test_a_lost_thread_is_made_anew_and_the_turn_goes_on(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    first = await session.prompt("make a thread")
    turn = await agent.next_turn()
    turn.text("made")
    turn.complete()
    await session.ends(first["interaction_id"], "complete")
    lost = turn.thread.id
    await agent.crash()
    agent.threads.clear()
    await agent.start().online(2)
    accepted = await session.prompt("go on")
    turn = await agent.next_turn()
    assert turn.data["acp_thread_id"] is None and turn.thread.id != lost
    turn.text("on")
    turn.complete()
    await session.ends(accepted["interaction_id"], "complete")
    assert (await session.get())["config"]["zed_thread_id"] == turn.thread.id


async def test_a_thread_that_does_not_load_ends_its_turn_with_the_reason(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    first = await session.prompt("make a thread")
    turn = await agent.next_turn()
    turn.text("made")
    turn.complete()
    await session.ends(first["interaction_id"], "complete")
    turn.thread.loaded = False
    agent.load_error = "Failed to load thread: disk on fire"
    accepted = await session.prompt("go on")
    done = await session.ends(accepted["interaction_id"], "error")
    assert "disk on fire" in done["error"]


async def test_the_same_frames_twice_change_nothing(bench):
    session = await bench.session()
    async with bench.raw_agent(session) as socket:
        await socket.send_json({"event_type": "agent_ready", "data": {"agent_name": "zed", "thread_id": None}})
        accepted = await session.prompt("twice")
        request = (await receive(socket, "chat_message"))["request_id"]
        frames = [{"event_type": "thread_created", "data": {"acp_thread_id": "t-1", "request_id": request}},
                  message("a", request_id=request), message("ab", request_id=request),
                  message("**ls**", message_id="2", request_id=request, entry_type="tool_call", tool_name="ls",
                          tool_status="Completed"),
                  {"event_type": "message_completed", "data": {"acp_thread_id": "t-1", "message_id": "0",
                                                               "request_id": request, "usage": None}}]
        viewer = await bench.viewer(session)
        for frame in frames:
            await socket.send_json(frame)
        done = await session.ends(accepted["interaction_id"], "complete")
        for frame in (frames[0], message("ab", request_id=request), *frames[3:]):
            await socket.send_json(frame)
        follow = await session.prompt("next")
        request = (await receive(socket, "chat_message"))["request_id"]
        await socket.send_json(message("c", message_id="4", request_id=request))
        await socket.send_json({"event_type": "message_completed", "data": {
            "acp_thread_id": "t-1", "message_id": "0", "request_id": request}})
        await session.ends(follow["interaction_id"], "complete")
        stored = await session.interactions()
        assert stored[0] == done and len(stored) == 2
        assert [e["content"] for e in stored[1]["response_entries"]] == ["c"]
        await session.same(viewer)


async def test_revoked_agent_tokens_attach_no_more(bench):
    session = await bench.session()
    token = await session.agent_token()
    assert (await session.api.delete(f"/sessions/{session.id}/agent-token")).status == 204
    await expect_refusal(bench, f"?session_id={session.id}", token, 401)


async def test_many_agents_attach_at_once(bench):
    sessions = await asyncio.gather(*(bench.session() for _ in range(20)))
    agents = await asyncio.gather(*(bench.agent(s) for s in sessions))
    accepted = await asyncio.gather(*(s.prompt("hi") for s in sessions))
    for agent in agents:
        turn = await agent.next_turn()
        turn.text("hi")
        turn.complete()
    for session, one in zip(sessions, accepted):
        await session.ends(one["interaction_id"], "complete")
