"""What counts as progress for somebody who waits over HTTP, and what a child session has of its own."""

import asyncio

from support.bench import unused
from support.waiting import until

SETTINGS = {"ready_timeout": "2s", "turn_idle_timeout": "3s"}


def said(content, **more):
    return {"messages": [{"role": "user", "content": {"content_type": "text", "parts": [content]}}], **more}


async def child_of(session, agent, thread):
    """A thread that a person opened in the editor, as the session that it becomes."""
    agent.emit("user_created_thread", acp_thread_id=thread, title="beside")
    agent.emit("message_added", acp_thread_id=thread, message_id="0", role="user", content="a question beside")

    async def listed():
        sessions = (await session.api.get("/sessions")).ok()["sessions"]
        return next((s for s in sessions if s.get("parent_session_id") == session.id), None)
    return await until(listed, "the child session")


async def test_what_an_agent_says_in_another_thread_keeps_a_waiter_patient(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    call = asyncio.ensure_future(session.api.post("/sessions/chat", said("hi", session_id=session.id), timeout=30))
    turn = await agent.next_turn()
    turn.text("wait, ")
    side = unused("side")
    child = await child_of(session, agent, side)
    loop = asyncio.get_running_loop()
    begun, text = loop.time(), ""
    while loop.time() - begun < 7:  # twice the waiter's patience, and not a word in its own session
        text += "."
        agent.emit("message_added", acp_thread_id=side, message_id="1", role="assistant", content=text)
        await until(lambda: loop.time() - begun >= len(text), "the next second")
        assert not call.done(), call.result()
    turn.text("there.")
    turn.complete()
    assert (await call).ok()["choices"][0]["message"]["content"] == "wait, there."
    assert (await session.api.get(f"/sessions/{child['id']}")).ok()["interactions"]


async def test_an_agent_that_comes_and_goes_is_no_progress(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    call = asyncio.ensure_future(session.api.post("/sessions/chat", said("hi", session_id=session.id), timeout=30))
    (await agent.next_turn()).text("thinking")
    begun = asyncio.get_running_loop().time()
    changes = 0
    while not call.done():
        assert asyncio.get_running_loop().time() - begun < 12, "status changes keep the waiter waiting"
        before = agent.connections
        agent.disconnect()
        await until(lambda before=before: agent.connections > before or call.done(), "the agent is back")
        changes += 1
    assert (await call).status in (503, 504) and changes > 1


async def test_grants_and_tokens_are_the_roots(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    child = await child_of(session, agent, unused("side"))
    path = f"/sessions/{child['id']}"
    (await session.api.get(f"{path}/grants")).refused(409, "child_session")
    (await session.api.request("PUT", f"{path}/grants/bob", {"role": "viewer"})).refused(409, "child_session")
    (await session.api.delete(f"{path}/grants/bob")).refused(409, "child_session")
    (await session.api.post(f"{path}/agent-token", {})).refused(409, "child_session")
    (await session.api.delete(f"{path}/agent-token")).refused(409, "child_session")
    watcher = unused("watcher")
    (await session.api.request("PUT", f"/sessions/{session.id}/grants/{watcher}", {"role": "viewer"})).ok()
    theirs = await bench.api(watcher)
    assert (await theirs.get(path)).ok()["id"] == child["id"]
    (await theirs.get(f"{path}/grants")).refused(403, "forbidden")
    assert (await session.api.get(f"/sessions/{session.id}/grants")).ok()["grants"] == [
        {"user": watcher, "role": "viewer"}]
