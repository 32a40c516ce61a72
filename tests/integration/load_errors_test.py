"""`thread_load_error` in its classes (design 6.3): given up on evidence only, sent again once at most, told to all."""

import asyncio

import pytest

from support.waiting import until

SETTINGS = {"stale_after": "3s", "ready_timeout": "2s", "turn_idle_timeout": "20s"}

GONE = {
    "entity-released": "Failed to load thread: entity released",
    "no-rollout": "Failed to load thread: no rollout found for thread id t-1",
    "no-thread": 'Failed to load thread: no thread found with ID: SessionId("t-1")',
    "not-found": 'Failed to load thread: Resource not found: t-1: {"uri":"t-1"}',
}
OTHER = {
    "anything": "Failed to load thread: disk on fire",
    "other-uri": 'Failed to load thread: Resource not found: t-1: {"uri":"t-2"}',
    "other-prefix": 'Failed to send follow-up: Resource not found: t-1: {"uri":"t-1"}',
    "more-keys": 'Failed to load thread: Resource not found: t-1: {"uri":"t-1","x":1}',
    "crash": "Failed to send follow-up: Claude Agent process exited",
}


async def settled(bench):
    """A session whose first turn has made the thread t-1, seen by a viewer, with an agent written by hand."""
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.hand_agent(session)
    request = (await session.prompt("first"))["interaction_id"]
    await agent.command("chat_message")
    await agent.created(request, "t-1")
    await answer(session, agent, request, "1", "one")
    return session, viewer, agent


async def answer(session, agent, request, message, text):
    await agent.says(text, message, request)
    await agent.completes(request)
    return await session.ends(request, "complete")


async def thread_of(session):
    return (await session.get())["config"].get("zed_thread_id")


async def prompted(session, agent, text):
    request = (await session.prompt(text))["interaction_id"]
    return request, await agent.command("chat_message")


@pytest.mark.parametrize("error", GONE.values(), ids=GONE.keys())
async def test_a_thread_that_is_gone_is_retired_and_the_prompt_sent_once_more_without_it(bench, error):
    session, viewer, agent = await settled(bench)
    request, command = await prompted(session, agent, "second")
    assert command["acp_thread_id"] == "t-1"
    await agent.fails_load(error, request)
    again = await agent.command("chat_message")
    assert again == {**command, "acp_thread_id": None}
    assert await thread_of(session) is None
    await agent.created(request, "t-2")
    await answer(session, agent, request, "1", "two")
    assert await thread_of(session) == "t-2"
    assert len(agent.received("chat_message")) == 3
    await session.same(viewer)
    assert [i["response_message"] for i in await session.interactions()] == ["one", "two"]


@pytest.mark.parametrize("error", OTHER.values(), ids=OTHER.keys())
async def test_any_other_load_error_ends_the_turn_with_its_text_and_keeps_the_thread(bench, error):
    session, viewer, agent = await settled(bench)
    request, _ = await prompted(session, agent, "second")
    await agent.fails_load(error, request)
    done = await session.ends(request, "error")
    assert error in done["error"] and done["error_code"] == "thread_load_failed"
    await viewer.sees(request, "error")
    assert await thread_of(session) == "t-1"
    request, command = await prompted(session, agent, "third")
    assert command["acp_thread_id"] == "t-1"
    await answer(session, agent, request, "5", "three")
    await session.same(viewer)
    assert len(agent.received("chat_message")) == 3, "a prompt was sent again"


async def test_a_second_load_error_ends_the_turn(bench):
    session, viewer, agent = await settled(bench)
    request, _ = await prompted(session, agent, "second")
    await agent.fails_load(GONE["no-thread"], request)
    await agent.command("chat_message")
    await agent.fails_load(GONE["no-thread"], request)
    done = await session.ends(request, "error")
    assert GONE["no-thread"] in done["error"]
    request, command = await prompted(session, agent, "third")
    assert command["acp_thread_id"] is None
    await agent.created(request, "t-3")
    await answer(session, agent, request, "1", "three")
    await session.same(viewer)
    assert len(agent.received("chat_message")) == 4


@pytest.mark.parametrize("error", [GONE["entity-released"], GONE["not-found"], OTHER["anything"]],
                         ids=["entity-released", "not-found", "anything"])
async def test_a_turn_that_has_spoken_is_never_sent_again(bench, error):
    session, viewer, agent = await settled(bench)
    request, _ = await prompted(session, agent, "second")
    await agent.says("half a", "3", request)
    await viewer.shows("half a")
    await agent.fails_load(error, request)
    done = await session.ends(request, "error")
    assert error in done["error"] and done["response_message"] == "half a"
    assert await thread_of(session) == ("t-1" if error in OTHER.values() else None)
    await session.same(viewer)
    request, _ = await prompted(session, agent, "third")
    await agent.created(request, "t-2")
    await answer(session, agent, request, "7", "three")
    assert [c["message"] for c in agent.received("chat_message")] == ["first", "second", "third"]


@pytest.mark.parametrize("error", [GONE["no-rollout"], OTHER["anything"]], ids=["gone", "other"])
async def test_under_a_req_id_it_opens_the_gate_and_ends_no_turn(bench, error):
    session, viewer, agent = await settled(bench)
    await agent.close()
    await viewer.until(lambda v: v.session["agent"]["status"] == "offline", "offline")
    request = (await session.prompt("second"))["interaction_id"]
    agent = await bench.hand_agent(session, ready=False)
    opened = await agent.command("open_thread")
    assert opened["acp_thread_id"] == "t-1" and opened["request_id"].startswith("req_")
    await agent.fails_load(error, opened["request_id"])
    command = await agent.command("chat_message", timeout=1.8)  # before READY_TIMEOUT: the error opened the gate
    assert command["request_id"] == request
    assert command["acp_thread_id"] == (None if error in GONE.values() else "t-1")
    await agent.created(request, "t-2")
    await answer(session, agent, request, "3", "two")
    await session.same(viewer)
    assert [i["state"] for i in await session.interactions()] == ["complete", "complete"]


@pytest.mark.parametrize("request_id", ["req_01h2xcejqtf2nbrexx3vqjhp41", "int_01h2xcejqtf2nbrexx3vqjhp41"])
async def test_under_an_id_of_no_turn_the_running_turn_goes_on(bench, request_id):
    session, viewer, agent = await settled(bench)
    request, _ = await prompted(session, agent, "second")
    await agent.says("so ", "3", request)
    await agent.fails_load(OTHER["anything"], request_id, thread="t-unknown")
    await agent.says("so far", "3", request)
    await viewer.shows("so far")
    await agent.completes(request)
    await session.ends(request, "complete")
    await session.same(viewer)


async def test_a_late_load_error_changes_no_finished_turn(bench):
    session, viewer, agent = await settled(bench)
    before = await session.interactions()
    await agent.fails_load(OTHER["anything"], before[0]["id"])
    request, _ = await prompted(session, agent, "second")
    await answer(session, agent, request, "3", "two")
    assert (await session.interactions())[0] == before[0]
    await session.same(viewer)


async def test_who_waits_over_http_is_told_the_reason(bench):
    session, viewer, agent = await settled(bench)
    said = {"session_id": session.id,
            "messages": [{"role": "user", "content": {"content_type": "text", "parts": ["second"]}}]}
    call = asyncio.ensure_future(session.api.post("/sessions/chat", said))
    request = (await agent.command("chat_message"))["request_id"]
    await until(lambda: not call.done(), "the call waits")
    await agent.fails_load(OTHER["anything"], request)
    assert "disk on fire" in (await call).refused(502, "turn_error")["message"]
    await viewer.sees(request, "error")
