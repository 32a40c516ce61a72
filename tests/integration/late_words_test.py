"""What agents say late, twice, again or under a wrong id (design 6.1): each word lands in the turn it belongs to."""

import pytest

from support.view import entries_sha256

SETTINGS = {"stale_after": "3s", "ready_timeout": "2s"}
USAGE = {"total_tokens": 7, "input_tokens": 3, "output_tokens": 4, "thought_tokens": 1, "cached_read_tokens": 2,
         "cached_write_tokens": 0}


async def begun(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    return session, viewer, await bench.hand_agent(session)


async def asked(session, agent, text):
    request = (await session.prompt(text))["interaction_id"]
    assert (await agent.command("chat_message"))["request_id"] == request
    return request


async def first_turn(bench):
    """A finished turn of a text (1), a tool call (2) and a text (3) on the thread t-1."""
    session, viewer, agent = await begun(bench)
    request = await asked(session, agent, "first")
    await agent.created(request)
    await agent.says("one", "1", request)
    await agent.calls("**ls**", "2", "In Progress", request=request)
    await agent.says("three", "3", request)
    await agent.completes(request)
    await session.ends(request, "complete")
    return session, viewer, agent, request


async def after_everything(session, agent):
    """Returns once all that the agent has said so far has been applied: an answer to a prompt stands behind it."""
    request = await asked(session, agent, "anything else?")
    await agent.says("no", "99", request)
    await agent.completes(request)
    await session.ends(request, "complete")
    return request


def texts(interaction):
    return [e["content"] for e in interaction["response_entries"]]


async def test_a_late_correction_becomes_part_of_the_finished_turn_and_of_no_other(bench):
    session, viewer, agent, finished = await first_turn(bench)
    running = await asked(session, agent, "second")
    await agent.says("second so far", "5", running)
    await viewer.shows("second so far")
    await agent.calls("**ls**\nfile", "2", "Completed", request=finished)
    await agent.says("one, corrected", "1", finished)
    await agent.says("a fourth, late", "4", finished)
    await viewer.until(lambda v: len(v.interactions[finished]["response_entries"]) == 4, "the late entry")
    seen = viewer.view.interactions[finished]
    assert texts(seen) == ["one, corrected", "**ls**\nfile", "three", "a fourth, late"] and seen["state"] == "complete"
    assert seen["response_entries"][1]["tool_status"] == "Completed"
    assert seen["entries_sha256"] == entries_sha256(seen["response_entries"])
    assert viewer.view.state(running) == "waiting" and viewer.view.text(running) == "second so far"
    await agent.completes(running)
    await session.ends(running, "complete")
    await session.same(viewer, await bench.viewer(session))


async def test_a_late_correction_is_one_full_update_and_never_a_patch(bench):
    session, viewer, agent, finished = await first_turn(bench)
    await session.at_rest(viewer)
    frames = len(viewer.frames)
    await agent.says("one, corrected", "1", finished)
    await viewer.until(lambda v: v.text(finished).startswith("one, corrected"), "the correction")
    about = [f["type"] for f in viewer.frames[frames:] if f["interaction_id"] == finished]
    assert about == ["interaction_update"]


async def test_late_ends_change_no_finished_turn(bench):
    session, viewer, agent, finished = await first_turn(bench)
    before = (await session.interactions())[0]
    await agent.emit("chat_response_error", request_id=finished, error="too late")
    await agent.emit("turn_cancelled", request_id=finished, status="cancelled")
    await agent.completes(finished)
    await agent.fails_load("entity released", finished, thread="t-other")
    await after_everything(session, agent)
    assert (await session.interactions())[0] == before
    await session.same(viewer)


async def test_usage_is_kept_also_when_it_comes_late(bench):
    session, viewer, agent, finished = await first_turn(bench)
    await agent.completes(finished, usage=USAGE)
    await viewer.until(lambda v: v.interactions[finished].get("usage"), "the usage")
    running = await asked(session, agent, "second")
    await agent.says("two", "5", running)
    await agent.completes(running, usage={**USAGE, "total_tokens": 70})
    done = await session.ends(running, "complete")
    first = (await session.interactions())[0]
    assert {k: first["usage"][k] for k in USAGE} == USAGE and done["usage"]["total_tokens"] == 70
    assert (first["state"], texts(first)) == ("complete", ["one", "**ls**", "three"])
    await session.same(viewer)


@pytest.mark.parametrize("usage", [None, {}, {"total_tokens": -1}, {"total_tokens": "7"}, 7, "much"], ids=range(6))
async def test_no_usage_costs_a_completion_its_effect(bench, usage):
    session, viewer, agent = await begun(bench)
    request = await asked(session, agent, "first")
    await agent.created(request)
    await agent.says("one", "1", request)
    await agent.completes(request, usage=usage)
    await session.ends(request, "complete")
    await session.same(viewer)


async def test_all_entries_sent_again_at_the_end_change_nothing(bench):
    session, viewer, agent = await begun(bench)
    request = await asked(session, agent, "first")
    await agent.created(request)
    await agent.says("one", "1", request)
    await agent.calls("**ls**", "2", "Completed", request=request)
    await viewer.until(lambda v: v.text().endswith("**ls**"), "both")
    await session.at_rest(viewer)
    head = viewer.view.position[1]
    for _ in range(3):
        await agent.says("one", "1", request)
        await agent.calls("**ls**", "2", "Completed", request=request)
    await agent.completes(request)
    done = await session.ends(request, "complete")
    await session.at_rest(viewer)
    assert texts(done) == ["one", "**ls**"]
    assert [f["type"] for (_, seq), f in viewer.view.events.items() if seq > head] == [
        "interaction_update", "session_update"], "an entry that did not change made an event"


@pytest.mark.parametrize("tagged", [True, False], ids=["tagged", "untagged"])
async def test_earlier_turns_sent_again_stay_where_they_were(bench, tagged):
    session, viewer, agent, finished = await first_turn(bench)
    before = (await session.interactions())[0]
    running = await asked(session, agent, "second")
    request = finished if tagged else ""
    await agent.says("one", "1", request)
    await agent.calls("**ls**", "2", "In Progress", request=request)
    await agent.says("three", "3", request)
    await agent.says("its own", "5", running)
    await agent.completes(running)
    assert texts(await session.ends(running, "complete")) == ["its own"]
    assert (await session.interactions())[0] == before
    await session.same(viewer)


async def test_message_ids_that_begin_anew_after_a_restart_belong_to_the_new_turn(bench):
    """The same ids, one of them with the very same words: named by the running turn, nothing is taken for a replay."""
    session, viewer, agent, finished = await first_turn(bench)
    await agent.cut()
    agent = await bench.hand_agent(session)
    running = await asked(session, agent, "second")
    await agent.says("one", "1", running)
    await agent.says("anew", "2", running)
    await agent.says("three and more", "3", running)
    await agent.completes(running)
    assert texts(await session.ends(running, "complete")) == ["one", "anew", "three and more"]
    assert texts((await session.interactions())[0]) == ["one", "**ls**", "three"]
    await session.same(viewer)


async def test_without_an_id_a_reused_message_id_with_other_words_is_the_running_turns(bench):
    session, viewer, agent, finished = await first_turn(bench)
    running = await asked(session, agent, "second")
    await agent.says("one", "1")
    await agent.says("other words", "1")
    await agent.completes()
    assert texts(await session.ends(running, "complete")) == ["other words"]
    assert texts((await session.interactions())[0]) == ["one", "**ls**", "three"]
    await session.same(viewer)


async def test_the_first_error_of_a_turn_wins_and_a_completion_after_it_is_nothing(bench):
    session, viewer, agent, _ = await first_turn(bench)
    request = await asked(session, agent, "second")
    await agent.says("half", "5", request)
    await agent.emit("chat_response_error", request_id=request, error="the real reason")
    await agent.emit("chat_response_error", request_id=request, error="another")
    await agent.completes(request)
    done = await session.ends(request, "error")
    assert "the real reason" in done["error"] and done["response_message"] == "half"
    await after_everything(session, agent)
    assert (await session.interactions())[1]["error"] == done["error"]
    await session.same(viewer)


async def test_an_error_without_words_still_has_a_reason(bench):
    session, viewer, agent = await begun(bench)
    request = await asked(session, agent, "first")
    await agent.emit("chat_response_error", request_id=request, error="")
    assert (await session.ends(request, "error"))["error"]
    await viewer.sees(request, "error")


async def test_an_error_under_an_id_of_nobody_ends_nothing(bench):
    session, viewer, agent, _ = await first_turn(bench)
    request = await asked(session, agent, "second")
    await agent.emit("chat_response_error", request_id="int_01h2xcejqtf2nbrexx3vqjhp41", error="not yours")
    await agent.says("unharmed", "5", request)
    await agent.completes(request)
    await session.ends(request, "complete")
    await session.same(viewer)


async def test_an_error_without_an_id_is_about_the_one_turn_that_runs(bench):
    session, viewer, agent, finished = await first_turn(bench)
    request = await asked(session, agent, "second")
    await agent.says("half", "5", request)
    await agent.emit("chat_response_error", request_id="", error="exited mid-turn")
    assert "exited mid-turn" in (await session.ends(request, "error"))["error"]
    before = await session.interactions()
    await agent.emit("chat_response_error", request_id="", error="again")  # nothing runs: nobody's
    await agent.emit("thread_title_changed", acp_thread_id="t-1", title="After it")
    await viewer.until(lambda v: v.session["name"] == "After it", "what came behind the error has been applied")
    await after_everything(session, agent)
    assert (await session.interactions())[:2] == before
    await session.same(viewer)


async def test_output_nobody_asked_for_is_a_turn_of_its_own_and_holds_nothing_back(bench):
    session, viewer, agent, _ = await first_turn(bench)
    await agent.says("a background job", "5")
    await viewer.shows("a background job")
    unasked = viewer.view.newest()
    assert unasked["prompt_message"] == "" and unasked["state"] == "waiting"
    request = await asked(session, agent, "second")
    await viewer.sees(unasked["id"], "complete")
    await agent.says("two", "7", request)
    await agent.completes(request)
    await session.ends(request, "complete")
    await agent.says("another job", "9")
    await agent.completes()
    await viewer.until(lambda v: v.newest()["state"] == "complete" and v.text() == "another job", "its end")
    assert [(i["prompt_message"], i["response_message"]) for i in await session.interactions()] == [
        ("first", "one\n\n**ls**\n\nthree"), ("", "a background job"), ("second", "two"), ("", "another job")]
    await session.same(viewer)


async def test_empty_entries_are_hidden_and_keep_their_place(bench):
    session, viewer, agent = await begun(bench)
    request = await asked(session, agent, "first")
    await agent.created(request)
    await agent.says("", "1", request)
    await agent.says("second", "2", request)
    await viewer.shows("second")
    await agent.says("first 🌋", "1", request)
    await viewer.shows("first 🌋\n\nsecond")
    await agent.says("", "2", request)
    await viewer.shows("first 🌋")
    await agent.says("second", "2", request)
    await agent.completes(request)
    assert texts(await session.ends(request, "complete")) == ["first 🌋", "second"]
    await session.same(viewer, await bench.viewer(session))
