"""A person types in the agent's own window (design 6.1): turns, the id they take over, child sessions, alien trees."""

import asyncio

import pytest

from support.bench import unused
from support.client import Viewer, mint
from support.usage import metric
from support.waiting import until

SETTINGS = {"stale_after": "5s", "ready_timeout": "2s"}
IGNORED = "throughline_state_sync_frames_ignored_total"


async def begun(bench):
    """A session with a finished turn on the thread t-1 (message ids 0 and 1), a viewer and an agent written by hand."""
    session = await bench.session(name="root")
    viewer = await bench.viewer(session)
    agent = await bench.hand_agent(session)
    request = (await session.prompt("first"))["interaction_id"]
    await agent.command("chat_message")
    await agent.created(request)
    await agent.says("one", "1", request)
    await agent.completes(request)
    await session.ends(request, "complete")
    return session, viewer, agent, request


async def children(session):
    listed = (await session.api.get("/sessions")).ok()["sessions"]
    return [s for s in listed if s.get("parent_session_id") == session.id]


async def child_of(session, name=None):
    async def found():
        return next((c for c in await children(session) if name in (None, c["name"])), None)
    return await until(found, "a child session")


async def turns(session):
    return [(i["prompt_message"], i["response_message"], i["state"]) for i in await session.interactions()]


async def test_a_typed_prompt_is_a_turn_under_the_id_it_took_over(bench):
    session, viewer, agent, finished = await begun(bench)
    await agent.types("typed", "2", finished)
    await viewer.until(lambda v: v.newest()["prompt_message"] == "typed", "the typed prompt")
    typed = viewer.view.newest()["id"]
    assert typed != finished and viewer.view.state(typed) == "waiting"
    await agent.says("one, corrected", "1", finished)
    await agent.says("for the typed", "3", finished)
    await viewer.shows("for the typed")
    assert viewer.view.text(finished) == "one, corrected"
    await agent.completes(finished)
    await session.ends(typed, "complete")
    assert await turns(session) == [("first", "one, corrected", "complete"), ("typed", "for the typed", "complete")]
    await session.same(viewer)


async def test_an_error_of_a_typed_turn_is_not_the_finished_ones(bench):
    session, viewer, agent, finished = await begun(bench)
    await agent.types("typed", "2", finished)
    await agent.says("half", "3", finished)
    await agent.emit("chat_response_error", request_id=finished, error="typed and failed")
    await viewer.until(lambda v: v.newest()["state"] == "error", "the error")
    assert await turns(session) == [("first", "one", "complete"), ("typed", "half", "error")]
    await session.same(viewer)


async def test_a_typed_turn_is_cancelled_from_the_browser_by_the_id_it_took(bench):
    session, viewer, agent, finished = await begun(bench)
    await agent.types("typed", "2", finished)
    await agent.says("half", "3", finished)
    await viewer.shows("half")
    typed = viewer.view.newest()["id"]
    call = asyncio.ensure_future(session.cancel(interaction_id=typed))
    assert (await agent.command("cancel_current_turn"))["request_id"] == finished
    await agent.emit("turn_cancelled", request_id=finished, status="cancelled")
    await agent.completes(finished)
    assert (await call).ok() == {"status": "cancelled"}
    await session.ends(typed, "interrupted")
    assert (await turns(session))[0] == ("first", "one", "complete")
    await session.same(viewer)


async def test_the_echo_of_a_prompt_is_no_second_turn_and_other_words_are_typed(bench):
    session, viewer, agent, _ = await begun(bench)
    request = (await session.prompt("second"))["interaction_id"]
    await agent.command("chat_message")
    await agent.types("second", "2", request)
    await agent.says("answer", "3", request)
    await viewer.shows("answer")
    assert len(await session.interactions()) == 2
    await agent.types("second thoughts", "4", request)
    done = await session.ends(request, "interrupted")
    assert done["error_code"] == "superseded_in_editor" and done["response_message"] == "answer"
    await agent.says("to the thoughts", "5", request)
    await agent.completes(request)
    await viewer.until(lambda v: v.newest()["state"] == "complete", "the typed turn ends")
    assert await turns(session) == [("first", "one", "complete"), ("second", "answer", "interrupted"),
                                    ("second thoughts", "to the thoughts", "complete")]
    await session.same(viewer)


async def test_a_prompt_from_the_browser_waits_for_a_typed_turn(bench):
    session, viewer, agent, finished = await begun(bench)
    await agent.types("typed", "2", finished)
    await viewer.until(lambda v: v.newest()["prompt_message"] == "typed", "the typed prompt")
    queued = (await session.prompt("browser"))
    assert queued["state"] == "queued" and len(agent.received("chat_message")) == 1
    await agent.says("for the typed", "3", finished)
    await agent.completes(finished)
    assert (await agent.command("chat_message"))["request_id"] == queued["interaction_id"]
    await agent.says("for the browser", "5", queued["interaction_id"])
    await agent.completes(queued["interaction_id"])
    await session.ends(queued["interaction_id"], "complete")
    await session.same(viewer)


@pytest.mark.patience(120)
async def test_typing_in_the_editor_and_in_the_browser_at_once_loses_no_turn(bench):
    """A stock agent; both people write at will. Each prompt is a turn once, in one order for everybody."""
    session = await bench.session()
    first, second = await bench.viewer(session), await bench.viewer(session)
    agent = await bench.agent(session)
    made = (await session.prompt("make the thread"))["interaction_id"]
    turn = await agent.next_turn()
    turn.text("made")
    turn.complete()
    await session.ends(made, "complete")
    thread = turn.thread
    posted = []

    async def browser():
        for number in range(12):
            posted.append(await session.prompt(f"browser {number}"))

    async def editor():
        for number in range(12):
            typed = agent.type_in_editor(thread.id, f"editor {number}")
            typed.text(f"re editor {number}")
            if number % 3:
                typed.complete()
            await agent.drained()

    async def answers():
        for _ in range(12):
            turn = await agent.next_turn()
            if not turn.ended.is_set():  # what was typed meanwhile has ended it
                turn.text(f"re {turn.prompt}")
                turn.complete()

    await asyncio.gather(browser(), editor(), answers())
    for one in posted:
        await session.ends(one["interaction_id"], None)
    await first.until(lambda v: all(i["state"] != "waiting" for i in v.interactions.values()), "every turn ends")
    stored = await session.interactions()
    for origin in ("browser", "editor"):
        said = [i["prompt_message"] for i in stored if i["prompt_message"].startswith(origin)]
        assert said == [f"{origin} {number}" for number in range(12)], said
    assert [c["message"] for c in agent.received("chat_message")] == ["make the thread"] + [
        f"browser {number}" for number in range(12)]
    for i in stored:
        assert i["response_message"] in ("", f"re {i['prompt_message']}", "made"), i
        assert i["state"] in ("complete", "interrupted"), i
    await session.same(first, second, await bench.viewer(session))


@pytest.mark.parametrize("announced", ["before", "after", "never"])
async def test_a_thread_opened_in_the_editor_is_a_child_session_of_the_same_owner(bench, announced):
    session, viewer, agent, _ = await begun(bench)
    side = "t-side"
    if announced == "before":
        await agent.emit("user_created_thread", acp_thread_id=side, title="Side question")
        assert await children(session) == []
    await agent.types("what is this?", "0", thread=side)
    if announced == "after":
        await agent.emit("user_created_thread", acp_thread_id=side, title="Late name")
    await agent.says("a child", "1", thread=side)
    await agent.completes(thread=side)
    child = await child_of(session)
    assert child["owner"] == session.owner and child["config"]["zed_thread_id"] == side
    assert child["name"] == ("Side question" if announced == "before" else "New Chat")
    page = Viewer(bench.system.http_url, child["id"], mint(session.owner))
    await bench.closing(page)
    await page.shows("a child")
    await page.until(lambda v: v.newest()["state"] == "complete", "its end")
    await agent.emit("thread_title_changed", acp_thread_id=side, title="Renamed 🏷")
    await page.until(lambda v: v.session["name"] == "Renamed 🏷", "its title")
    assert (await session.get())["name"] == "root"
    accepted = (await session.api.post(f"/sessions/{child['id']}/messages", {"content": "to the child"})).ok(202)
    command = await agent.command("chat_message")
    assert (command["session_id"], command["acp_thread_id"]) == (child["id"], side)
    await agent.says("heard", "3", accepted["interaction_id"], thread=side)
    await agent.completes(accepted["interaction_id"], thread=side)
    await page.sees(accepted["interaction_id"], "complete")
    assert page.view.violations == []
    assert len(await session.interactions()) == 1
    await session.same(viewer)


async def test_turns_of_root_and_child_run_side_by_side_and_end_apart(bench):
    session, viewer, agent, _ = await begun(bench)
    await agent.types("side", "0", thread="t-side")
    child = await child_of(session)
    root = (await session.prompt("root"))["interaction_id"]
    await agent.command("chat_message")
    await agent.says("root text", "3", root)
    await agent.says("side text", "1", thread="t-side")
    await viewer.shows("root text")
    await agent.completes(thread="t-side")

    async def side_ended():
        found = await session.api.interactions(child["id"])
        return found and found[0]["state"] == "complete" and found[0]["response_message"] == "side text"
    await until(side_ended, "the child's turn ends")
    assert viewer.view.state(root) == "waiting"
    await agent.completes(root)
    await session.ends(root, "complete")
    await session.same(viewer)


async def test_a_child_has_the_rights_and_the_agent_of_its_root(bench):
    session, viewer, agent, _ = await begun(bench)
    await agent.types("side", "0", thread="t-side")
    child = (await child_of(session))["id"]
    guest = unused("guest")
    api = await bench.api(guest)
    (await api.get(f"/sessions/{child}")).refused(404, "not_found")
    for method, path, body in (("PUT", f"grants/{guest}", {"role": "viewer"}), ("DELETE", f"grants/{guest}", None),
                               ("POST", "agent-token", {}), ("DELETE", "agent-token", None)):
        (await session.api.request(method, f"/sessions/{child}/{path}", body)).refused(409, "child_session")
    (await session.api.request("PUT", f"/sessions/{session.id}/grants/{guest}", {"role": "viewer"})).ok()
    read = (await api.get(f"/sessions/{child}")).ok()
    assert read["parent_session_id"] == session.id and read["agent"]["status"] == "ready"
    page = await bench.closing(Viewer(bench.system.http_url, child, mint(guest), reconnect=False))
    await page.opened()
    await agent.close()
    await page.until(lambda v: v.session["agent"]["status"] == "offline", "offline, as its root")
    (await session.api.delete(f"/sessions/{session.id}")).ok()
    (await session.api.get(f"/sessions/{child}")).refused(404, "not_found")
    assert await page.closed() == 4404


async def test_a_thread_of_nobody_makes_nothing(bench):
    """An announcement without a user entry, output, a completion, a title, an error: none of them opens a session."""
    session, viewer, agent, _ = await begun(bench)
    before = await metric(bench.system.state_sync, IGNORED)
    await agent.emit("user_created_thread", acp_thread_id="t-draft", title="New Chat")
    await agent.says("from nowhere", "1", thread="t-rogue")
    await agent.completes(thread="t-rogue")
    await agent.emit("thread_title_changed", acp_thread_id="t-rogue", title="Mine")
    await agent.fails_load("entity released", thread="t-rogue")
    request = (await session.prompt("second"))["interaction_id"]
    await agent.command("chat_message")
    await agent.says("two", "3", request)
    await agent.completes(request)
    await session.ends(request, "complete")
    assert await children(session) == [] and (await session.get())["name"] == "root"
    assert await turns(session) == [("first", "one", "complete"), ("second", "two", "complete")]
    # Output, a completion, a title, an error; the announcement is remembered.
    assert await metric(bench.system.state_sync, IGNORED) == before + 4
    await session.same(viewer)


async def test_an_agent_names_threads_and_turns_of_another_tree_and_touches_nothing_there(bench):
    """Both trees use one thread id; the alien agent says all it can under the other's thread and turn."""
    victim, viewer, agent, _ = await begun(bench)
    other, other_viewer, alien, _ = await begun(bench)
    request = (await victim.prompt("work"))["interaction_id"]
    await agent.command("chat_message")
    await agent.says("working", "3", request)
    await viewer.shows("working")
    await victim.at_rest(viewer)
    before, position = await victim.interactions(), viewer.view.position
    await alien.says("injected", "3", request)
    await alien.calls("**rm**", "4", "Completed", request=request)
    await alien.emit("chat_response_error", request_id=request, error="injected")
    await alien.emit("turn_cancelled", request_id=request, status="cancelled")
    await alien.created(request, "t-1")
    await alien.emit("thread_title_changed", acp_thread_id="t-1", title="the alien's own")
    await alien.fails_load("entity released", request, thread="t-2")
    await alien.completes(request)
    await other_viewer.until(lambda v: v.session["name"] == "the alien's own", "the alien's own thread has the name")
    own = (await other.prompt("after all that"))["interaction_id"]
    await alien.command("chat_message")
    await alien.says("done", "9", own)
    await alien.completes(own)
    await other.ends(own, "complete")
    assert await victim.interactions() == before and viewer.view.position == position
    assert (await victim.get())["name"] == "root"
    await agent.says("working, done", "3", request)
    await agent.completes(request)
    assert (await victim.ends(request, "complete"))["response_message"] == "working, done"
    await victim.same(viewer)
    await other.same(other_viewer)
