"""One part is killed in the middle of an answer and restarted: the answer is whole, no seq missing, no turn hangs."""

import asyncio
import contextlib

import aiohttp
import pytest

from support.bench import unused
from support.waiting import until

SETTINGS = {"stale_after": "2s", "ready_timeout": "2s"}
PARTS = ["gateway", "agent-bridge", "state-sync", "nats", "postgres"]


async def in_the_middle(bench):
    """A session with a viewer, an agent and a turn that has begun to answer."""
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    accepted = await session.prompt("a long answer, please")
    turn = await agent.next_turn()
    turn.text("Before 🌋, ")
    turn.tool("ls", "In Progress", "**Tool Call: ls**")
    turn.text("more before, ")
    await viewer.until(lambda v: v.text().endswith("more before, "), "the first half")
    return session, viewer, agent, turn, accepted["interaction_id"]


async def killed(bench, part, agent):
    process = bench.system.process(part)
    connections = agent.connections
    process.kill()
    if part == "agent-bridge":
        await agent.until(lambda a: not a.connected, "the agent sees its bridge die")
    return process, connections


async def revived(process, agent, connections):
    process.start()
    await process.ready()
    if process.name == "agent-bridge":
        await agent.online(connections + 1)


async def goes_on(session, agent, viewers):
    """The system as a whole takes a new prompt, answers it, and everybody agrees."""
    follow = await session.prompt("and now?")
    turn = await agent.next_turn()
    assert turn.prompt == "and now?"
    turn.text("now this")
    turn.complete()
    await session.ends(follow["interaction_id"], "complete")
    await session.same(*viewers)


@pytest.mark.patience(90)
@pytest.mark.parametrize("part", PARTS)
async def test_killed_in_the_middle_of_an_answer(bench, part):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    process, connections = await killed(bench, part, agent)
    turn.text("while it is dead, ")
    turn.tool("ls", "Completed", "**Tool Call: ls**\nfile")
    await revived(process, agent, connections)
    turn.text("after 🌈.")
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert [e["content"] for e in done["response_entries"]] == [e.content for e in turn.entries]
    assert done["response_message"].startswith("Before 🌋, \n\n**Tool Call: ls**\nfile\n\n")
    late = await bench.viewer(session)
    await session.same(viewer, late)
    assert len(agent.received("chat_message")) == 1, "the prompt was sent again"
    await goes_on(session, agent, [viewer, late])


@pytest.mark.patience(90)
@pytest.mark.parametrize("part", PARTS)
async def test_killed_and_the_agent_ends_its_answer_meanwhile(bench, part):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    process, connections = await killed(bench, part, agent)
    turn.text("all of it while it is dead")
    turn.complete()
    await revived(process, agent, connections)
    done = await session.ends(interaction, "complete")
    assert done["response_message"].endswith("all of it while it is dead")
    await session.same(viewer)
    await goes_on(session, agent, [viewer])


@pytest.mark.patience(90)
@pytest.mark.parametrize("part", PARTS)
async def test_prompts_posted_while_a_part_is_dead_act_once(bench, part):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    process, connections = await killed(bench, part, agent)
    body = {"content": "posted into the hole", "id": unused("hole")}
    posting = asyncio.ensure_future(session.api.insist("POST", f"/sessions/{session.id}/messages", body, timeout=40))
    with contextlib.suppress(aiohttp.ClientError, OSError, asyncio.TimeoutError):
        await session.api.post(f"/sessions/{session.id}/messages", body, timeout=2)
    await revived(process, agent, connections)
    accepted = (await posting).ok(202)
    turn = await agent.next_turn()
    turn.text("heard once")
    turn.complete()
    await session.ends(accepted["interaction_id"], "complete")
    await session.same(viewer)
    await goes_on(session, agent, [viewer])
    assert [i["prompt_message"] for i in await session.interactions()] == ["posted into the hole", "and now?"]


@pytest.mark.patience(90)
async def test_a_completion_that_died_with_the_bridge_ends_the_turn_lost_contact(bench):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    bridge = bench.system.bridge
    connections = agent.connections
    bridge.freeze()
    turn.text("these words and the completion reach a bridge that will never read them")
    turn.complete()
    await agent.drained()
    bridge.kill()
    await agent.until(lambda a: not a.connected, "the agent sees its bridge die")
    await revived(bridge, agent, connections)
    done = await session.ends(interaction, "error")
    assert done["error_code"] == "lost_contact" and done["error"]
    assert done["response_message"].endswith("more before, ")
    await viewer.sees(interaction, "error")
    await session.same(viewer)
    await goes_on(session, agent, [viewer])


@pytest.mark.patience(120)
async def test_everything_killed_at_once(bench):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    connections = agent.connections
    for process in reversed(bench.system.processes):
        process.kill()
    await agent.until(lambda a: not a.connected, "the agent sees its bridge die")
    turn.text("through it all")
    await bench.system.revive()
    await agent.online(connections + 1)
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert done["response_message"].endswith("through it all")
    await session.same(viewer)
    await goes_on(session, agent, [viewer])


@pytest.mark.patience(120)
async def test_state_sync_killed_again_and_again_under_a_stream(bench):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    expected = turn.entries[-1].content
    for round_number in range(4):
        for number in range(20):
            turn.text(f"{round_number}.{number} ")
            expected += f"{round_number}.{number} "
        await agent.drained()
        bench.system.state_sync.kill()
        turn.text("dead ")
        expected += "dead "
        bench.system.state_sync.start()
        await bench.system.state_sync.ready()
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert done["response_entries"][-1]["content"] == expected
    await session.same(viewer, await bench.viewer(session))


@pytest.mark.patience(90)
async def test_a_frozen_state_sync_is_thrown_out_and_comes_back(bench):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    state_sync = bench.system.state_sync
    locks = "select count(*) from pg_locks where locktype = 'advisory' and objsubid <> 0 and granted"
    held = bench.system.postgres.execute(locks)[0][0]
    state_sync.freeze()
    turn.text("frozen, ")
    await until(lambda: bench.system.postgres.execute(locks)[0][0] < held / 2, "PostgreSQL throws the owner out")
    state_sync.thaw()
    turn.text("thawed")
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert done["response_message"].endswith("frozen, thawed")
    await session.same(viewer)
    await goes_on(session, agent, [viewer])


@pytest.mark.patience(90)
@pytest.mark.parametrize("part", ["agent-bridge", "state-sync", "nats", "postgres"])
async def test_a_frozen_moment_loses_nothing(bench, part):
    """Stopped and continued before anybody gives up on it: what piled up is applied once, in order."""
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    process = bench.system.process(part)
    process.freeze()
    for number in range(50):
        turn.text(f"{number} ")
    await asyncio.sleep(0.5)  # the length of the freeze is what is tested, nothing is waited for
    process.thaw()
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert done["response_message"].endswith("".join(f"{n} " for n in range(50)))
    await session.same(viewer)


@pytest.mark.patience(90)
async def test_a_dead_nats_is_no_reason_to_drop_an_agent(bench):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    connections = agent.connections
    bench.system.nats.kill()
    turn.text("without a wire, ")
    bench.system.nats.start()
    await bench.system.nats.ready()
    turn.complete()
    await session.ends(interaction, "complete")
    assert agent.connections == connections and viewer.connections == 1
    await session.same(viewer)
