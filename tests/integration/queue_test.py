"""Prompts: order, ids, cancel, interrupt, refusals."""

import asyncio

import pytest

from support.bench import unused

SETTINGS = {"stale_after": "3s", "ready_timeout": "2s"}


async def answer_all(turn):
    turn.text(f"re {turn.prompt}")
    turn.complete()


async def test_prompts_queue_in_order_and_run_one_at_a_time(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    accepted = [await session.prompt(f"prompt {n}") for n in range(4)]
    assert [a["state"] for a in accepted[1:]] == ["queued"] * 3
    turn = await agent.next_turn()
    read = await session.get()
    assert [q["content"] for q in read["queue"]] == ["prompt 1", "prompt 2", "prompt 3"]
    assert [q["interaction_id"] for q in read["queue"]] == [a["interaction_id"] for a in accepted[1:]]
    assert all(set(q) == {"prompt_id", "interaction_id", "content", "interrupt", "created"} for q in read["queue"])
    assert read["interactions_total"] == 1
    (await session.api.get(f"/sessions/{session.id}/interactions/{accepted[1]['interaction_id']}")).refused(404)
    await viewer.until(lambda v: len(v.session["queue"]) == 3, "the queue")
    for number in range(4):
        assert turn.prompt == f"prompt {number}"
        assert len(agent.received("chat_message")) == number + 1
        turn.text(f"answer {number}")
        turn.complete()
        if number < 3:
            turn = await agent.next_turn()
    await session.ends(accepted[-1]["interaction_id"], "complete")
    stored = await session.interactions()
    assert [i["prompt_message"] for i in stored] == [f"prompt {n}" for n in range(4)]
    assert [i["response_message"] for i in stored] == [f"answer {n}" for n in range(4)]
    await session.same(viewer)
    await viewer.until(lambda v: v.session["queue"] == [], "an empty queue")


async def test_prompts_wait_for_an_agent_to_come(bench):
    session = await bench.session()
    accepted = [await session.prompt(f"early {n}") for n in range(2)]
    await bench.agent(session, answer=answer_all)
    for number, one in enumerate(accepted):
        done = await session.ends(one["interaction_id"], "complete")
        assert done["response_message"] == f"re early {number}"


async def test_the_same_id_twice_is_one_prompt(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    first = (await session.post("once", id="same")).ok(202)
    again = (await session.post("once", id="same")).ok(202)
    assert first == again and first["prompt_id"] == "same"
    by_header = (await session.api.post(f"/sessions/{session.id}/messages", {"content": "once"},
                                        headers={"Idempotency-Key": "same"})).ok(202)
    assert by_header == first
    (await session.post("other text", id="same")).refused(409, "id_reused")
    (await session.post("once", id="same", interrupt=True)).refused(409, "id_reused")
    turn = await agent.next_turn()
    turn.text("done")
    turn.complete()
    await session.ends(first["interaction_id"], "complete")
    assert (await session.post("once", id="same")).ok(202) == first
    assert len(await session.interactions()) == 1 and len(agent.received("chat_message")) == 1


async def test_a_hundred_posts_of_one_id_at_once_make_one_turn(bench):
    session = await bench.session()
    agent = await bench.agent(session, answer=answer_all)
    replies = await asyncio.gather(*(session.post("only one", id="stampede") for _ in range(100)))
    bodies = [reply.ok(202) for reply in replies]
    assert all(body == bodies[0] for body in bodies)
    await session.ends(bodies[0]["interaction_id"], "complete")
    after = await session.prompt("after")
    await session.ends(after["interaction_id"], "complete")
    assert [i["prompt_message"] for i in await session.interactions()] == ["only one", "after"]
    assert [c["message"] for c in agent.received("chat_message")] == ["only one", "after"]


async def test_an_id_belongs_to_its_session(bench):
    one, other = await bench.session(), await bench.session()
    assert ((await one.post("a", id="x")).ok(202)["interaction_id"]
            != (await other.post("b", id="x")).ok(202)["interaction_id"])


async def test_a_queued_prompt_that_is_cancelled_is_gone(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    await session.prompt("running")
    turn = await agent.next_turn()
    queued = [await session.prompt(f"queued {n}") for n in range(2)]
    assert (await session.cancel(interaction_id=queued[0]["interaction_id"])).ok() == {"status": "cancelled"}
    assert [q["content"] for q in (await session.get())["queue"]] == ["queued 1"]
    turn.text("done")
    turn.complete()
    turn = await agent.next_turn()
    assert turn.prompt == "queued 1"
    turn.text("done")
    turn.complete()
    await session.ends(queued[1]["interaction_id"], "complete")
    assert (await session.cancel(interaction_id=queued[0]["interaction_id"])).ok() == {"status": "noop"}
    assert [i["prompt_message"] for i in await session.interactions()] == ["running", "queued 1"]


async def test_a_running_turn_that_is_cancelled_ends_interrupted_with_its_text(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    running = await session.prompt("long work")
    turn = await agent.next_turn()
    turn.text("so far")
    await viewer.shows("so far")
    assert (await session.cancel()).ok() == {"status": "cancelled"}
    assert agent.received("cancel_current_turn") == [
        {"request_id": running["interaction_id"], "session_id": session.id}]
    done = await session.ends(running["interaction_id"], "interrupted")
    assert done["response_message"] == "so far"
    follow = await session.prompt("next")
    turn = await agent.next_turn()
    assert turn.prompt == "next"
    turn.text("fine")
    turn.complete()
    await session.ends(follow["interaction_id"], "complete")
    assert (await session.interactions())[0]["state"] == "interrupted"
    await session.same(viewer)


async def test_cancel_of_nothing_and_of_an_ended_turn_is_a_noop(bench):
    session = await bench.session()
    assert (await session.cancel()).ok() == {"status": "noop"}
    await bench.agent(session, answer=answer_all)
    accepted = await session.prompt("quick")
    done = await session.ends(accepted["interaction_id"], "complete")
    assert (await session.cancel(interaction_id=done["id"])).ok() == {"status": "noop"}
    assert (await session.cancel(interaction_id="int_unknown")).ok() == {"status": "noop"}
    assert (await session.ends(done["id"], "complete")) == done


@pytest.mark.patience(40)
async def test_an_agent_that_does_not_hear_a_cancel_is_given_ten_seconds(bench):
    session = await bench.session()
    agent = await bench.agent(session, deaf_to_cancel=True)
    running = await session.prompt("deaf")
    turn = await agent.next_turn()
    turn.text("I go on")
    reply = await session.api.post(f"/sessions/{session.id}/cancel", {}, timeout=20)
    assert reply.ok() == {"status": "cancelled"}
    await session.ends(running["interaction_id"], "interrupted")
    turn.text(" and on")
    turn.complete()
    follow = await session.prompt("next")
    turn = await agent.next_turn()
    turn.text("heard")
    turn.complete()
    await session.ends(follow["interaction_id"], "complete")
    assert (await session.interactions())[0]["state"] == "interrupted"


async def test_cancel_without_an_agent_ends_at_once(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    running = await session.prompt("orphan")
    turn = await agent.next_turn()
    turn.text("half")
    await agent.drained()
    await agent.crash()
    viewer = await bench.viewer(session)
    await viewer.until(lambda v: v.session["agent"]["status"] == "offline", "offline")
    assert (await session.cancel()).ok() == {"status": "cancelled"}
    await session.ends(running["interaction_id"], "interrupted")


async def test_an_interrupt_cancels_the_running_turn_and_goes_first(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    first = await session.prompt("make the thread")
    turn = await agent.next_turn()
    turn.text("made")
    turn.complete()
    await session.ends(first["interaction_id"], "complete")
    running = await session.prompt("slow")
    turn = await agent.next_turn()
    turn.text("working")
    queued = await session.prompt("patient")
    urgent = await session.prompt("urgent", interrupt=True)
    turn = await agent.next_turn()
    assert turn.prompt == "urgent"
    assert (await session.ends(running["interaction_id"], "interrupted"))["response_message"] == "working"
    turn.text("at once")
    turn.complete()
    await session.ends(urgent["interaction_id"], "complete")
    turn = await agent.next_turn()
    assert turn.prompt == "patient"
    turn.text("at last")
    turn.complete()
    await session.ends(queued["interaction_id"], "complete")
    await session.same(viewer)


@pytest.mark.parametrize("body", [{"content": ""}, {}, {"content": 7}, {"content": None}, [], "text",
                                  {"content": "x", "interrupt": "yes"}, {"content": "x", "id": 7},
                                  {"content": "x", "id": "i" * 129}],
                         ids=["empty", "absent", "number", "null", "array", "string", "interrupt-text", "id-number",
                              "id-too-long"])
async def test_a_prompt_that_is_none_is_400(bench, body):
    session = await bench.session()
    (await session.api.post(f"/sessions/{session.id}/messages", body)).refused(400)
    assert (await session.get())["queue"] == []


async def test_a_prompt_of_one_mib_goes_and_a_longer_one_is_413(bench):
    session = await bench.session()
    (await session.post("x" * ((1 << 20) + 1))).refused(413)
    (await session.post("é" * (1 << 19) + "x")).refused(413)
    (await session.api.request("POST", f"/sessions/{session.id}/messages", data=b" " * (10 * (1 << 20) + 1),
                               headers={"Content-Type": "application/json"})).refused(413)
    assert (await session.get())["queue"] == []


async def test_more_than_a_hundred_queued_is_429(bench):
    session = await bench.session()
    for _ in range(4):
        await asyncio.gather(*(session.prompt("waits") for _ in range(25)))
    refused = await session.post("one more", id="over")
    refused.refused(429, "queue_full")
    (await session.post("one more", id="over")).refused(429, "queue_full")
    assert len((await session.get())["queue"]) == 100


async def test_two_people_posting_at_once_share_one_order(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    await bench.agent(session, answer=answer_all)
    accepted = await asyncio.gather(*(session.prompt(unused("text")) for _ in range(20)))
    for one in accepted:
        await session.ends(one["interaction_id"], "complete")
    stored = await session.interactions()
    by_position = sorted(accepted, key=lambda a: int(a["position"].split(":")[1]))
    assert [i["id"] for i in stored] == [a["interaction_id"] for a in by_position]
    assert all(i["response_message"] == f"re {i['prompt_message']}" for i in stored)
    await session.same(viewer)
