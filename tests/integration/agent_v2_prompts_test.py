"""What becomes of a prompt when a numbered agent's socket, or its process, ends before anything was said about it."""

import contextlib
import time

import pytest

from support.numbered_agent import NumberedAgent
from support.waiting import until

SETTINGS = {"stale_after": "20s", "ready_timeout": "2s"}


async def with_a_thread(bench):
    """A session with a viewer and an agent that has answered once, so that it says nothing when it is prompted again."""
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session, kind=NumberedAgent)
    accepted = await session.prompt("first")
    turn = await agent.next_turn()
    turn.text("answered")
    turn.complete()
    await session.ends(accepted["interaction_id"], "complete")
    return session, viewer, agent


async def prompted(session, agent):
    accepted = await session.prompt("second")
    return accepted["interaction_id"], await agent.next_turn()


async def restarted(agent):
    connections = agent.connections
    await agent.crash()
    await agent.start().online(connections + 1)


@contextlib.contextmanager
def at_once():
    """Well before STALE_AFTER."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 12


async def test_one_that_the_agent_has_and_said_nothing_about_is_delivered_again_and_dropped(bench):
    session, viewer, agent = await with_a_thread(bench)
    interaction, turn = await prompted(session, agent)
    await agent.acknowledged()
    agent.disconnect()
    await agent.until(lambda a: a.dropped, "the prompt is delivered again")
    assert [(d["request_id"], d["redelivered"]) for d in agent.dropped] == [(interaction, True)]
    assert agent.dropped[0]["message"] == "second"
    turn.text("once")
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert done["response_message"] == "once"
    await session.same(viewer)
    assert len(agent.received("chat_message")) == 2 and len(agent.dropped) == 1


async def test_one_that_never_reached_the_agent_reaches_it(bench):
    """Written into a connection that then broke: nobody but the agent knows that it did not arrive."""
    session, viewer, agent = await with_a_thread(bench)
    agent.deaf = True
    interaction = (await session.prompt("second"))["interaction_id"]
    await agent.until(lambda a: a.unheard, "the prompt is written")
    agent.deaf = False
    agent.disconnect()
    turn = await agent.next_turn()
    assert turn.prompt == "second" and turn.data["redelivered"] is True and turn.request_id == interaction
    turn.text("at last")
    turn.complete()
    await session.ends(interaction, "complete")
    await session.same(viewer)


async def test_one_that_the_agent_has_begun_to_answer_is_not_delivered_again(bench):
    session, viewer, agent = await with_a_thread(bench)
    interaction, turn = await prompted(session, agent)
    turn.text("begun, ")
    for number in range(3):
        connections = agent.connections
        agent.disconnect()
        await agent.online(connections + 1)
        turn.text(f"{number}, ")
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert done["response_message"] == "begun, 0, 1, 2, "
    assert not agent.dropped and len(agent.received("chat_message")) == 2
    await session.same(viewer)


async def test_words_that_were_not_committed_yet_count_as_an_answer(bench):
    """The prompt was named by a frame that only the agent has: said again, it stops a delivery or follows it."""
    session, viewer, agent = await with_a_thread(bench)
    interaction, turn = await prompted(session, agent)
    bench.system.bridge.freeze()
    turn.text("unheard, ")
    await agent.drained()
    bench.system.bridge.kill()
    bench.system.bridge.start()
    await agent.online(2)
    turn.text("heard")
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert done["response_message"] == "unheard, heard"
    assert len(agent.received("chat_message")) == 2
    await session.same(viewer)


@pytest.mark.patience(90)
async def test_a_new_process_is_told_again_what_the_old_one_said_nothing_about(bench):
    session, viewer, agent = await with_a_thread(bench)
    interaction, _ = await prompted(session, agent)
    await agent.acknowledged()
    with at_once():
        await restarted(agent)
        turn = await agent.next_turn()
    assert turn.prompt == "second" and turn.request_id == interaction
    turn.text("by another")
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert done["response_message"] == "by another"
    await session.same(viewer)


@pytest.mark.patience(90)
async def test_what_the_old_process_had_begun_ends_as_agent_restarted_and_the_queue_goes_on(bench):
    session, viewer, agent = await with_a_thread(bench)
    interaction, turn = await prompted(session, agent)
    queued = await session.prompt("third")
    turn.text("half of ")
    await agent.acknowledged()
    with at_once():
        await restarted(agent)
        done = await session.ends(interaction, "error")
    assert done["error_code"] == "agent_restarted" and done["error"]
    assert done["response_message"] == "half of "
    following = await agent.next_turn()
    assert following.prompt == "third"
    following.text("and on")
    following.complete()
    await session.ends(queued["interaction_id"], "complete")
    await viewer.sees(interaction, "error")
    await session.same(viewer)


@pytest.mark.slow
@pytest.mark.patience(90)
async def test_the_same_process_may_come_back_after_long_and_go_on(bench):
    """The clock of a turn stops when its instance returns."""
    session, viewer, agent = await with_a_thread(bench)
    interaction, turn = await prompted(session, agent)
    turn.text("before, ")
    await agent.acknowledged()
    bench.system.bridge.kill()

    async def is_offline():
        return (await session.get())["agent"]["status"] == "offline"
    await until(is_offline, "detached", timeout=40)
    bench.system.bridge.start()
    await agent.online(2)
    turn.text("after")
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert done["response_message"] == "before, after"
    await session.same(viewer)
