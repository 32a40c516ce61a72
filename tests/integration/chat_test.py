"""An answer over HTTP: blocking, as a stream, and a stream that goes on after its gateway has died."""

import asyncio

import pytest

from support.bench import unused
from support.waiting import until

SETTINGS = {"stale_after": "20s", "ready_timeout": "2s", "turn_idle_timeout": "3s"}


def said(content, **more):
    return {"messages": [{"role": "user", "content": {"content_type": "text", "parts": [content]}}], **more}


def check_ids(s):
    """Every chunk has its position, and they rise within a connection."""
    ids = [tuple(map(int, i.split(":"))) for i, body in s.events[s.connections[-1]:] if body != "[DONE]"]
    assert ids == sorted(ids) and len(ids) == len(s.events[s.connections[-1]:]) - 1, ids


async def test_a_blocking_chat_gives_the_whole_answer(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    call = asyncio.ensure_future(session.api.post("/sessions/chat", said("Hello?", session_id=session.id)))
    turn = await agent.next_turn()
    assert turn.prompt == "Hello?"
    turn.text("Hello ")
    turn.text("you 📤.")
    turn.tool("ls", "Completed", "**ls**")
    turn.text("Bye.")
    turn.complete(usage={"total_tokens": 7, "input_tokens": 3, "output_tokens": 4, "thought_tokens": 0,
                         "cached_read_tokens": 0, "cached_write_tokens": 0})
    reply = await call
    body = reply.ok(200)
    assert body["id"] == session.id and body["object"] == "chat.completion"
    assert body["choices"] == [{"index": 0, "finish_reason": "stop",
                                "message": {"role": "assistant", "content": "Hello you 📤.\n\n**ls**\n\nBye."}}]
    assert body["usage"]["total_tokens"] == 7
    assert reply.headers["X-Interaction-ID"] == turn.request_id


async def test_a_chat_without_a_session_makes_one_and_a_repeat_meets_it(bench):
    api = await bench.api(unused("chatter"))
    headers = {"Idempotency-Key": unused("chat")}
    first = (await api.post("/sessions/chat", said("Hello?"), headers=headers)).refused(503, "agent_offline")
    assert first
    (await api.post("/sessions/chat", said("Hello?"), headers=headers)).refused(503, "agent_offline")
    sessions = (await api.get("/sessions")).ok()["sessions"]
    assert len(sessions) == 1
    waiting = await api.interactions(sessions[0]["id"])
    queued = (await api.get(f"/sessions/{sessions[0]['id']}")).ok()["queue"]
    assert len(waiting) + len(queued) == 1, (waiting, queued)  # the waiter's end touches no turn


@pytest.mark.parametrize("body, status, code", [
    ({}, 400, "bad_request"),
    ({"messages": []}, 400, "one_message_only"),
    ({"messages": said("a")["messages"] * 2}, 400, "one_message_only"),
    (said({"type": "image", "url": "x"}), 400, "unsupported_content"),
    (said(""), 400, None),
    (said("x" * (1 << 20) + "x"), 413, "too_large"),
    (said("hi", session_id="ses_unknown"), 404, "not_found"),
    (said("hi", session_id="ses_01h2xcejqtf2nbrexx3vqjhp41"), 404, "not_found"),
], ids=range(8))
async def test_a_chat_that_cannot_be_is_refused(bench, body, status, code):
    api = await bench.api(unused("user"))
    (await api.post("/sessions/chat", body)).refused(status, code)


async def test_a_viewer_may_follow_but_not_chat_and_a_stranger_sees_nothing(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    watcher = unused("watcher")
    (await session.api.request("PUT", f"/sessions/{session.id}/grants/{watcher}", {"role": "viewer"})).ok()
    accepted = await session.prompt("hi")
    turn = await agent.next_turn()
    path = f"/sessions/{session.id}/interactions/{accepted['interaction_id']}/stream"
    (await (await bench.api(watcher)).post("/sessions/chat", said("hi", session_id=session.id))).refused(403)
    (await (await bench.api(unused("stranger"))).get(path)).refused(404, "not_found")
    (await (await bench.api()).get(path)).refused(401)
    (await session.api.get(f"/sessions/{session.id}/interactions/int_unknown/stream")).refused(404)
    s = await bench.stream(session, user=watcher)
    s.follow(session.id, accepted["interaction_id"])
    turn.text("seen")
    await s.shows("seen")
    (await session.api.delete(f"/sessions/{session.id}/grants/{watcher}")).ok(204)
    await s.ended()
    assert s.bodies[-2]["error"]["code"] == "not_found"
    turn.complete()


async def test_a_stream_says_every_event_as_it_comes(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    s = (await bench.stream(session)).chat(said("Hello?", session_id=session.id, stream=True))
    turn = await agent.next_turn()
    for word in ("Hel", "lo 📤", " you"):
        turn.text(word)
        await s.shows("".join(e.content for e in turn.entries))
    turn.text("And more.", new=True)
    await s.shows("Hello 📤 you\n\nAnd more.")
    turn.tool("ls", "Pending", "**ls**")
    turn.correct(0, "Hello 📥 you")
    turn.complete()
    await s.ended()
    done = await session.ends(turn.request_id, "complete")
    assert s.headers["X-Interaction-ID"] == turn.request_id
    first = s.bodies[0]
    assert first["reset"] is True and first["id"] == session.id and first["object"] == "chat.completion.chunk"
    assert s.entries == [e["content"] for e in done["response_entries"]]
    check_ids(s)
    await session.same(viewer)
    patches = {f"{e}:{n}": frame["entry_patches"] for (e, n), frame in viewer.view.events.items()
               if frame["type"] == "interaction_patch"}
    told = {i: b["entry_patches"] for i, b in s.events[1:] if isinstance(b, dict) and b.get("entry_patches")}
    assert told and all(patches[i] == told[i] for i in told)
    assert s.bodies[-2]["choices"][0]["finish_reason"] == "stop" and s.bodies[-1] == "[DONE]"
    terminal = [f"{e}:{n}" for (e, n), f in viewer.view.events.items() if f["type"] == "interaction_update"
                and f["interaction"]["state"] == "complete"]
    assert s.last_id == terminal[-1]


async def test_a_stream_joined_late_begins_with_all_there_is(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    accepted = await session.prompt("long")
    turn = await agent.next_turn()
    turn.text("one")
    turn.text("two", new=True)
    s = await bench.stream(session)
    viewer = await bench.viewer(session)
    await viewer.shows("one\n\ntwo")
    s.follow(session.id, accepted["interaction_id"])
    await s.shows("one\n\ntwo")
    assert len(s.events) == 1 and s.bodies[0]["reset"] and len(s.bodies[0]["entry_patches"]) == 2
    turn.text("!")
    await s.shows("one\n\ntwo!")
    turn.complete()
    await s.ended()
    again = (await bench.stream(session)).follow(session.id, accepted["interaction_id"])
    await again.ended()
    assert again.text == "one\n\ntwo!" and len(again.events) == 3


@pytest.mark.parametrize("how", ["fail", "cancel"])
async def test_a_turn_that_fails_is_told_in_both_ways(bench, how):
    session = await bench.session()
    agent = await bench.agent(session)
    s = (await bench.stream(session)).chat(said("hi", session_id=session.id, stream=True))
    turn = await agent.next_turn()
    turn.text("half")
    await s.shows("half")
    if how == "fail":
        turn.fail("out of tokens")
    else:
        (await session.cancel()).ok()
    await s.ended()
    wanted = {"fail": "turn_error", "cancel": "turn_interrupted"}[how]
    assert s.events[-2][0] and s.bodies[-2]["error"]["code"] == wanted
    resumed = (await bench.stream(session)).follow(session.id, turn.request_id, s.last_id)
    await resumed.ended()
    assert resumed.events == s.events[-2:]
    call = asyncio.ensure_future(session.api.post("/sessions/chat", said("again", session_id=session.id)))
    turn = await agent.next_turn()
    turn.text("half")
    if how == "fail":
        turn.fail("out of tokens")
        (await call).refused(502, "turn_error")
    else:
        await until(lambda: not call.done(), "the call waits")
        (await session.cancel()).ok()
        (await call).refused(409, "turn_interrupted")


async def test_a_queued_prompt_can_be_followed_and_its_cancel_ends_the_stream(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    await session.prompt("first")
    turn = await agent.next_turn()
    second = (await session.prompt("second"))["interaction_id"]
    third = (await session.prompt("third"))["interaction_id"]
    waits = (await bench.stream(session)).follow(session.id, second)
    goes = (await bench.stream(session)).follow(session.id, third)
    for s in (waits, goes):
        await s.until(lambda s=s: s.events, "the opening chunk")
        assert s.bodies[0]["reset"] and s.text == ""
    (await session.cancel(interaction_id=third)).ok()
    await goes.ended()
    assert goes.bodies[-2]["error"]["code"] == "turn_interrupted"
    late = (await bench.stream(session)).follow(session.id, third)
    await late.ended()
    assert late.events[-2:] == goes.events[-2:]
    turn.text("one")
    turn.complete()
    turn = await agent.next_turn()
    turn.text("two")
    turn.complete()
    await waits.ended()
    assert waits.text == "two"


async def test_a_stream_goes_on_on_the_next_gateway_without_gap_or_repeat(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    s = (await bench.stream(session)).chat(said("long", session_id=session.id, stream=True))
    turn = await agent.next_turn()
    turn.text("0")
    await s.shows("0")
    for number in range(1, 5):
        bench.system.gateway.kill()
        turn.text(f" {number}", new=number == 3)
        await s.close()
        bench.system.gateway.start()
        await bench.system.gateway.ready()
        turn.text(f" {number} 📤")
        s.follow(session.id, turn.request_id, s.last_id)
        whole = "\n\n".join(e.content for e in turn.entries)
        await s.shows(whole)
        first = s.bodies[s.connections[-1]]
        assert first["choices"][0]["delta"] == {} and "reset" not in first
    turn.complete()
    await s.ended()
    done = await session.ends(turn.request_id, "complete")
    assert s.text == done["response_message"] and s.entries == [e["content"] for e in done["response_entries"]]
    chunk_ids = [i for i, body in s.events if isinstance(body, dict) and body.get("entry_patches")]
    assert len(chunk_ids) == len(set(chunk_ids)), "an event came twice"


async def test_an_unknown_position_starts_over(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    accepted = await session.prompt("hi")
    turn = await agent.next_turn()
    turn.text("so far")
    viewer = await bench.viewer(session)
    await viewer.shows("so far")
    for last in ("nonsense", "99:1", f"{session.created['epoch']}:9999"):
        s = (await bench.stream(session)).follow(session.id, accepted["interaction_id"], last)
        await s.shows("so far")
        assert s.bodies[0]["reset"] is True
    turn.complete()


async def test_silence_ends_the_waiter_and_not_the_turn(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    call = asyncio.ensure_future(session.api.post("/sessions/chat", said("hi", session_id=session.id)))
    turn = await agent.next_turn()
    turn.text("thinking")
    (await call).refused(504, "agent_timeout")
    s = (await bench.stream(session)).follow(session.id, turn.request_id)
    await s.ended()
    assert s.text == "thinking" and s.bodies[-2]["error"]["code"] == "agent_timeout"
    turn.complete()
    await session.ends(turn.request_id, "complete")


async def test_a_drain_ends_blocking_calls_with_an_error_and_leaves_streams_open_ended(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    call = asyncio.ensure_future(session.api.post("/sessions/chat", said("hi", session_id=session.id)))
    turn = await agent.next_turn()
    s = (await bench.stream(session)).follow(session.id, turn.request_id)
    await s.until(lambda: s.events, "the opening chunk")
    assert await bench.system.gateway.terminate(timeout=6) == 0
    (await call).refused(503, "shutting_down")
    assert not s.done
    bench.system.gateway.start()
    await bench.system.gateway.ready()
    turn.text("done")
    turn.complete()
    s.follow(session.id, turn.request_id, s.last_id)
    await s.ended()
    assert s.text == "done"
