"""An agent's newest socket wins, whichever replica of agent-bridge holds it; the old one's words come first."""

import pytest

from support.bench import refusal
from support.numbered_agent import NumberedAgent
from support.stock_agent import StockAgent
from support.waiting import until

SETTINGS = {"stale_after": "20s", "ready_timeout": "2s"}
REPLICAS = {"agent-bridge": 2}
LINKS = ("agent-bridge",)
KINDS = pytest.mark.parametrize("kind", [StockAgent, NumberedAgent], ids=["stock", "v2"])


def bridges(bench):
    return bench.system.replicas("agent-bridge")


def contents(interaction):
    return [entry["content"] for entry in interaction["response_entries"]]


async def a_turn(bench, bridge):
    """A session with a viewer, and an agent on that bridge that has begun to answer."""
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.hand_agent(session, bridge=bridge)
    accepted = await session.prompt("tell me")
    await agent.command("chat_message")
    turn = accepted["interaction_id"]
    await agent.created(turn)
    await agent.says("first", message="1", request=turn)
    await viewer.shows("first")
    return session, viewer, agent, turn


async def metric(bridge, name):
    _, text = await bridge.ops("/metrics")
    lines = [line for line in text.splitlines() if line.startswith(f"throughline_agent_bridge_{name} ")]
    return float(lines[0].split()[1]) if lines else 0.0


async def reaches(bridge, name, value):
    async def there():
        return await metric(bridge, name) >= value
    await until(there, f"{name} of {bridge.name} is {value:g}")


async def holder(bench):
    """The replica that holds the one agent there is."""
    for bridge in bridges(bench):
        if await metric(bridge, "sockets") == 1:
            return bridge
    raise AssertionError("no replica holds the agent")


async def move(agent, bridge):
    """The agent loses its connection and finds that replica."""
    connections = agent.connections
    agent.endpoint = bridge.url + agent.endpoint[agent.endpoint.index("/api/"):]
    agent.disconnect()
    await agent.online(connections + 1)


@pytest.mark.patience(90)
async def test_what_the_old_bridge_has_read_comes_before_what_the_new_one_hears(bench):
    one, other = bridges(bench)
    session, viewer, old, turn = await a_turn(bench, one)
    read = await metric(one, "frames_total")
    one.to_nats.stall()
    for number in range(2, 30):
        await old.says(f"old {number}", message=str(number), request=turn)
    await reaches(one, "frames_total", read + 28)
    new = await bench.hand_agent(session, bridge=other, ready=False)
    for number in range(30, 40):
        await new.says(f"new {number}", message=str(number), request=turn)
    await new.completes(turn)
    one.to_nats.heal()
    assert await old.closed() == 4001
    done = await session.ends(turn, "complete")
    assert contents(done) == ["first", *(f"old {n}" for n in range(2, 30)), *(f"new {n}" for n in range(30, 40))]
    await session.same(viewer, await bench.viewer(session))


@pytest.mark.patience(90)
async def test_a_frozen_old_bridge_holds_nothing_up_and_changes_nothing_when_it_wakes(bench):
    one, other = bridges(bench)
    session, viewer, old, turn = await a_turn(bench, one)
    one.freeze()
    await old.says("never read in time", message="2", request=turn)
    new = await bench.hand_agent(session, bridge=other, ready=False)
    await new.says("second", message="2", request=turn)
    await new.completes(turn)
    done = await session.ends(turn, "complete")
    assert contents(done) == ["first", "second"]
    one.thaw()
    assert await old.closed() == 4001
    assert contents((await session.interactions())[-1]) == ["first", "second"]
    await session.same(viewer, await bench.viewer(session))


@KINDS
async def test_commands_reach_whichever_replica_holds_the_socket(bench, kind):
    one, other = bridges(bench)
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session, bridge=one, kind=kind)
    for number, bridge in enumerate([one, other, one]):
        if number:
            await move(agent, bridge)
        accepted = await session.prompt(f"prompt {number}")
        turn = await agent.next_turn()
        turn.text("as you wish")
        turn.complete()
        await session.ends(accepted["interaction_id"], "complete")
    await move(agent, other)
    cancelled = await session.prompt("never mind")
    turn = await agent.next_turn()
    turn.text("I begin")
    assert (await session.cancel()).ok() == {"status": "cancelled"}
    await session.ends(cancelled["interaction_id"], "interrupted")
    assert turn.cancelled, "the cancel reached the agent"
    await session.same(viewer)


@pytest.mark.patience(90)
@KINDS
async def test_a_replica_is_killed_and_its_agent_goes_on_at_the_other(bench, kind):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session, kind=kind)
    accepted = await session.prompt("go on")
    turn = await agent.next_turn()
    turn.text("before, ")
    await viewer.shows("before, ")
    (await holder(bench)).kill()
    turn.text("meanwhile, ")
    await agent.online(2)
    turn.text("after")
    turn.complete()
    done = await session.ends(accepted["interaction_id"], "complete")
    assert contents(done) == ["before, meanwhile, after"]
    await session.same(viewer)


@pytest.mark.patience(90)
async def test_a_numbered_agent_moves_while_its_words_are_still_on_their_way(bench):
    """Both replicas hand over the same frames; each acts once, in order."""
    one, other = bridges(bench)
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session, bridge=one, kind=NumberedAgent)
    accepted = await session.prompt("move while you speak")
    turn = await agent.next_turn()
    turn.text("0")
    await viewer.shows("0")
    read = await metric(one, "frames_total")
    one.to_nats.stall()
    for number in range(1, 30):
        turn.text(str(number), new=True)
    await agent.drained()
    await reaches(one, "frames_total", read + 29)
    await move(agent, other)
    assert agent.resumes[-1][1] < agent.last_seq, "nothing was left to say again"
    one.to_nats.heal()
    turn.text("30", new=True)
    turn.complete()
    done = await session.ends(accepted["interaction_id"], "complete")
    assert contents(done) == [str(n) for n in range(31)]
    await agent.acknowledged()
    await session.same(viewer, await bench.viewer(session))


@pytest.mark.patience(120)
async def test_a_bridge_cut_off_from_nats_sends_its_numbered_agents_to_the_other(bench):
    here, _ = bridges(bench)
    session, stays = await bench.session(), await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session, bridge=here, kind=NumberedAgent)
    stock = await bench.agent(stays, bridge=here)
    accepted = await session.prompt("go on")
    turn = await agent.next_turn()
    turn.text("before, ")
    await viewer.shows("before, ")
    here.to_nats.cut()
    agent.endpoint = bench.system.agent_url + agent.endpoint[agent.endpoint.index("/api/"):]
    turn.text("meanwhile, ")
    await agent.until(lambda a: a.closes, "told to go")
    assert agent.closes == [1001]
    turn.text("after")
    turn.complete()
    done = await session.ends(accepted["interaction_id"], "complete")
    assert done["response_message"] == "before, meanwhile, after"
    status, _, body = await refusal(f"http://127.0.0.1:{here.port}/api/v1/external-agents/sync?session_id={session.id}",
                                    {"Authorization": f"Bearer {await session.agent_token()}"})
    assert status == 503, body
    assert stock.connections == 1 and stock.connected, "what a stock agent has said is with its bridge only"
    here.to_nats.heal()
    await here.ready()
    accepted = await stays.prompt("and you?")
    turn = await stock.next_turn()
    turn.text("still here")
    turn.complete()
    await stays.ends(accepted["interaction_id"], "complete")
    assert stock.connections == 1
    await move(agent, here)
    await session.same(viewer)
