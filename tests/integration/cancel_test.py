"""A cancel and what decides it (design 6.3): the first of completion, error and `turn_cancelled`, else ten seconds."""

import asyncio

import pytest

from support.waiting import until

SETTINGS = {"stale_after": "30s", "ready_timeout": "2s"}


async def running(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.hand_agent(session)
    request = (await session.prompt("work"))["interaction_id"]
    await agent.command("chat_message")
    await agent.created(request)
    await agent.says("so far", "1", request)
    await viewer.shows("so far")
    return session, viewer, agent, request


async def cancelling(session, agent, request, headers=None):
    """A cancel that has reached the agent and is not decided."""
    call = asyncio.ensure_future(session.api.post(f"/sessions/{session.id}/cancel", {}, headers=headers, timeout=25))
    assert await agent.command("cancel_current_turn") == {"request_id": request, "session_id": session.id}
    assert not call.done()
    return call


async def next_turn_is_untouched(session, viewer, agent):
    request = (await session.prompt("next"))["interaction_id"]
    assert (await agent.command("chat_message"))["request_id"] == request
    await agent.says("fine", "9", request)
    await agent.completes(request)
    await session.ends(request, "complete")
    await session.same(viewer)


async def test_cancelled_and_then_completed_stays_interrupted(bench):
    session, viewer, agent, request = await running(bench)
    call = await cancelling(session, agent, request)
    await agent.emit("turn_cancelled", request_id=request, status="cancelled")
    assert (await call).ok() == {"status": "cancelled"}
    await agent.says("so far, and a last word", "1", request)
    await agent.completes(request)
    await next_turn_is_untouched(session, viewer, agent)
    done = await session.ends(request, "interrupted")
    assert done["response_message"] == "so far, and a last word"


async def test_a_completion_that_was_under_way_decides_first(bench):
    session, viewer, agent, request = await running(bench)
    call = await cancelling(session, agent, request)
    await agent.completes(request)
    assert (await call).ok() == {"status": "noop"}
    await agent.emit("turn_cancelled", request_id=request, status="noop")
    await session.ends(request, "complete")
    await next_turn_is_untouched(session, viewer, agent)


async def test_an_error_that_was_under_way_decides_first(bench):
    session, viewer, agent, request = await running(bench)
    call = await cancelling(session, agent, request)
    await agent.emit("chat_response_error", request_id=request, error="crashed meanwhile")
    assert (await call).ok() == {"status": "noop"}
    assert "crashed meanwhile" in (await session.ends(request, "error"))["error"]
    await next_turn_is_untouched(session, viewer, agent)


async def test_a_noop_decides_nothing(bench):
    session, viewer, agent, request = await running(bench)
    call = await cancelling(session, agent, request)
    await agent.emit("turn_cancelled", request_id=request, status="noop")
    await agent.says("so far, and on", "1", request)
    await viewer.shows("so far, and on")
    assert not call.done()
    await agent.emit("turn_cancelled", request_id=request, status="cancelled")
    assert (await call).ok() == {"status": "cancelled"}
    await session.ends(request, "interrupted")
    await agent.completes(request)
    await next_turn_is_untouched(session, viewer, agent)


async def test_the_next_prompt_goes_out_only_when_the_cancel_is_decided(bench):
    session, viewer, agent, request = await running(bench)
    urgent = (await session.prompt("urgent", interrupt=True))["interaction_id"]
    await agent.command("cancel_current_turn")
    await agent.emit("turn_cancelled", request_id=request, status="noop")
    await agent.says("so far, still", "1", request)
    await viewer.shows("so far, still")
    assert len(agent.received("chat_message")) == 1 and (await session.get())["queue"] != []
    await agent.completes(request)
    assert (await agent.command("chat_message"))["request_id"] == urgent
    await session.ends(request, "complete")
    await agent.says("at once", "3", urgent)
    await agent.completes(urgent)
    await session.ends(urgent, "complete")
    await session.same(viewer)


async def test_two_cancels_of_one_turn_are_one_order_and_get_one_answer(bench):
    session, viewer, agent, request = await running(bench)
    first = await cancelling(session, agent, request)
    second = asyncio.ensure_future(session.cancel(interaction_id=request))
    head = (await session.get())["seq"]
    await agent.says("so far!", "1", request)
    await until(lambda: viewer.view.position[1] > head, "an event after the second cancel")
    await agent.emit("turn_cancelled", request_id=request, status="cancelled")
    assert (await first).ok() == (await second).ok() == {"status": "cancelled"}
    assert len(agent.received("cancel_current_turn")) == 1
    await agent.completes(request)
    await next_turn_is_untouched(session, viewer, agent)


async def test_a_cancel_repeated_under_its_id_never_hits_the_next_turn(bench):
    session, viewer, agent, request = await running(bench)
    again = {"Idempotency-Key": "c-1"}
    call = await cancelling(session, agent, request, again)
    await agent.emit("turn_cancelled", request_id=request, status="cancelled")
    assert (await call).ok() == {"status": "cancelled"}
    await agent.completes(request)
    following = (await session.prompt("next"))["interaction_id"]
    await agent.command("chat_message")
    await agent.says("working", "3", following)
    await viewer.shows("working")
    for _ in range(3):
        repeat = await session.api.post(f"/sessions/{session.id}/cancel", {}, headers=again)
        assert repeat.ok() == {"status": "cancelled"}
    assert len(agent.received("cancel_current_turn")) == 1
    await agent.completes(following)
    await session.ends(following, "complete")
    await session.same(viewer)


@pytest.mark.parametrize("part", ["state-sync", "nats", "agent-bridge"])
async def test_a_cancel_outlives_the_part_that_carried_it(bench, part):
    session, viewer, agent, request = await running(bench)
    call = asyncio.ensure_future(session.api.insist("POST", f"/sessions/{session.id}/cancel", {}, timeout=40,
                                                    headers={"Idempotency-Key": "c-1"}))
    await agent.command("cancel_current_turn")
    process = bench.system.process(part)
    process.kill()
    if part == "agent-bridge":
        await agent.closed()
    process.start()
    await process.ready()
    if part == "agent-bridge":
        agent = await bench.hand_agent(session)
        await agent.command("cancel_current_turn")
    await agent.emit("turn_cancelled", request_id=request, status="cancelled")
    await agent.completes(request)
    assert (await call).ok() == {"status": "cancelled"}
    assert (await session.ends(request, "interrupted"))["response_message"] == "so far"
    await next_turn_is_untouched(session, viewer, agent)
