"""A replica of agent-bridge is told to end: its agents go on at the other, one after the other, and lose no word."""

import asyncio
import time

import aiohttp
import pytest

from support.numbered_agent import NumberedAgent
from support.stock_agent import StockAgent
from support.waiting import until

SETTINGS = {"stale_after": "20s", "ready_timeout": "2s", "drain_timeout": "6s"}
REPLICAS = {"agent-bridge": 2}
KINDS = pytest.mark.parametrize("kind", [StockAgent, NumberedAgent], ids=["stock", "v2"])


async def talking(hand, turn, said):
    """Says one entry after the other, without a pause, until the socket is closed."""
    try:
        while True:
            await hand.says(f"entry {len(said)}", message=str(len(said)), request=turn)
            said.append(len(said))
            await asyncio.sleep(0.001)
    except (ConnectionResetError, aiohttp.ClientError):
        pass


@pytest.mark.patience(90)
async def test_every_word_that_an_agent_says_until_it_knows_is_kept(bench):
    """Distinct entries that are never said again: whatever is missing was lost by the bridge."""
    one, other = bench.system.replicas("agent-bridge")
    talkers = []
    for _ in range(8):
        session = await bench.session()
        hand = await bench.hand_agent(session, bridge=one)
        turn = (await session.prompt("talk"))["interaction_id"]
        await hand.command("chat_message")
        await hand.created(turn)
        said = []
        talkers.append((session, hand, turn, said, asyncio.ensure_future(talking(hand, turn, said))))
    for *_, said, _ in talkers:
        await until(lambda said=said: len(said) > 20, "the agent talks")
    assert await one.terminate() == 0
    for session, hand, turn, said, talk in talkers:
        assert await hand.closed() == 1001
        await talk
        later = await bench.hand_agent(session, bridge=other)
        await later.completes(turn, thread=hand.thread)
        done = await session.ends(turn, "complete")
        assert [e["content"] for e in done["response_entries"]] == [f"entry {n}" for n in range(len(said))]


@pytest.mark.patience(120)
@KINDS
async def test_agents_go_on_elsewhere_in_the_middle_of_their_answers(bench, kind):
    one, other = bench.system.replicas("agent-bridge")
    sessions = [await bench.session() for _ in range(12)]
    viewers = [await bench.viewer(session) for session in sessions]
    # Half of them on each; those of the other are not to notice anything.
    agents = [await bench.agent(session, bridge=(one, other)[number % 2], kind=kind, time_scale=1.0)
              for number, session in enumerate(sessions)]
    for agent in agents[::2]:
        agent.endpoint = agent.endpoint.replace(one.url, bench.system.agent_url)
    accepted = [await session.prompt("a long one") for session in sessions]
    turns = [await agent.next_turn() for agent in agents]
    ended = asyncio.ensure_future(one.terminate())
    for number in range(60):
        for turn in turns:
            turn.text(f"{number} ")
        await asyncio.sleep(0.05)  # the pace of the answers, nothing is waited for
    assert await ended == 0
    for turn in turns:
        turn.complete()
    for session, viewer, prompt in zip(sessions, viewers, accepted):
        done = await session.ends(prompt["interaction_id"], "complete", timeout=30)
        assert done["response_message"] == "".join(f"{n} " for n in range(60))
        await session.same(viewer)
    assert [a.closes[:1] for a in agents] == [[1001], []] * 6
    assert all(a.connections == 1 for a in agents[1::2])


@pytest.mark.patience(120)
async def test_a_hundred_agents_do_not_all_come_at_once(bench):
    one, _ = bench.system.replicas("agent-bridge")
    count = 100
    sessions = await asyncio.gather(*(bench.session() for _ in range(count)))
    agents = await asyncio.gather(*(bench.agent(s, bridge=one, time_scale=1.0) for s in sessions))
    for agent in agents:
        agent.endpoint = agent.endpoint.replace(one.url, bench.system.agent_url)
    closed_at = []

    async def watched(agent):
        await agent.until(lambda a: not a.connected, "told to go")
        closed_at.append(time.monotonic())
        await agent.online(2)

    began = time.monotonic()
    watching = [asyncio.ensure_future(watched(agent)) for agent in agents]
    status = await one.terminate()
    await asyncio.gather(*watching)
    assert status == 0
    assert [a.closes for a in agents] == [[1001]] * count
    # 4.8 s of 6 s are for the drain, and half of that to tell a hundred: one every 20 ms.
    assert closed_at[-1] - closed_at[0] > 1.6, "they were told at once"
    assert closed_at[count // 2] - closed_at[0] > 0.6
    assert closed_at[-1] - began < 4.8
    assert all(not agent.refusals or agent.connections == 2 for agent in agents)


async def test_an_agent_that_does_not_listen_does_not_hold_the_process_up(bench):
    one, other = bench.system.replicas("agent-bridge")
    session = await bench.session()
    async with bench.raw_agent(session, bridge=one) as socket:
        await socket.send_json({"event_type": "agent_ready", "data": {"agent_name": "zed", "thread_id": None}})
        socket._conn.transport.pause_reading()
        began = time.monotonic()
        assert await one.terminate() == 0
        assert time.monotonic() - began < 6
    await bench.agent(session, bridge=other)
    accepted = await session.prompt("still there?")
    await session.cancel(interaction_id=accepted["interaction_id"])
