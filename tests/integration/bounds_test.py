"""The bounds of section 7 that take their time: all of them run down beside one another, in sessions of their own."""

import asyncio
import json
import time

import pytest

from support.client import mint
from support.raw_viewer import Ended, RawViewer
from support.waiting import until

SETTINGS = {"stale_after": "4s", "ready_timeout": "2s", "turn_idle_timeout": "120s", "drain_timeout": "8s"}
SLACK_S = 5


async def status_is(session, status):
    return (await session.get())["agent"]["status"] == status


async def output_nobody_asked_for_ends_after_60_s_without_a_frame(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.hand_agent(session)
    request = (await session.prompt("make a thread"))["interaction_id"]
    await agent.command("chat_message")
    await agent.created(request)
    await agent.says("made", "1", request)
    await agent.completes(request)
    await session.ends(request, "complete")
    await agent.says("by the way", "3")
    await viewer.shows("by the way")
    said = time.monotonic()
    await viewer.until(lambda v: v.newest()["state"] == "complete", "it ends", timeout=80)
    assert 59 <= time.monotonic() - said <= 60 + SLACK_S
    await session.same(viewer)


async def an_agent_that_is_half_open_is_detached_after_45_s_and_its_turn_ends(bench):
    """Its socket stays, nothing comes from it any more, not even an answer to a ping."""
    session = await bench.session()
    viewer = await bench.viewer(session)
    async with bench.raw_agent(session, autoping=False) as socket:
        silent = time.monotonic()
        await socket.send_json({"event_type": "agent_ready", "data": {"agent_name": "zed", "thread_id": None}})
        request = (await session.prompt("hello?"))["interaction_id"]
        assert json.loads((await socket.receive(timeout=15)).data)["type"] == "chat_message"
        await until(lambda: status_is(session, "offline"), "detached", timeout=60, every=0.2)
        took = time.monotonic() - silent
        assert 44 <= took <= 45 + SLACK_S, took
        done = await session.ends(request, "error")
        assert done["error_code"] == "agent_lost"
        await viewer.sees(request, "error")


async def a_silent_turn_on_a_live_socket_is_nobodys_to_end(bench):
    """Longer than STALE_AFTER, longer than any ping; only the agent's pongs say that it lives."""
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.hand_agent(session)
    request = (await session.prompt("think"))["interaction_id"]
    await agent.command("chat_message")
    before = (await session.get())["agent"]
    await asyncio.sleep(62)  # the length of the silence is what is tested
    assert viewer.view.state(request) == "waiting"
    assert (await session.get())["agent"] == before
    await agent.created(request)
    await agent.says("thought", "1", request)
    await agent.completes(request)
    await session.ends(request, "complete")
    await session.same(viewer)


async def a_quiet_v2_socket_has_a_heartbeat_every_15_s(bench):
    session = await bench.session()
    viewer = await bench.viewer_v2(session)
    began = time.monotonic()
    await viewer.until(lambda v: len(v.heartbeats) >= 3, "three heartbeats", timeout=60)
    assert 20 <= time.monotonic() - began <= 45 + SLACK_S
    head = await session.get()
    assert set(viewer.view.heartbeats) == {(head["epoch"], head["seq"])}


async def a_quiet_stream_is_kept_alive(bench):
    session = await bench.session()
    agent = await bench.hand_agent(session)
    request = (await session.prompt("think"))["interaction_id"]
    await agent.command("chat_message")
    stream = (await bench.stream(session)).follow(session.id, request)
    began = time.monotonic()
    await stream.until(lambda: stream.comments >= 3, "three comments", timeout=60)
    assert 20 <= time.monotonic() - began <= 45 + SLACK_S
    await agent.created(request)
    await agent.says("thought", "1", request)
    await agent.completes(request)
    await stream.ended()
    assert stream.text == "thought"


def waiting_at_server(raw, port):
    """What the server's kernel has not got rid of yet, in bytes, on the socket of that client."""
    mine = raw._writer.get_extra_info("sockname")[1]
    with open("/proc/net/tcp") as table:
        for row in list(table)[1:]:
            local, remote, _, queues = row.split()[1:5]
            if (int(local.split(":")[1], 16), int(remote.split(":")[1], 16)) == (port, mine):
                return int(queues.split(":")[0], 16)
    return None


async def stuck_since(raw, port, steady_s=2.0):
    """When the server's kernel took the last byte for this client: what waits there has not changed since."""
    last, since = None, time.monotonic()

    def steady():
        nonlocal last, since
        waiting = waiting_at_server(raw, port)
        if waiting != last:
            last, since = waiting, time.monotonic()
        return last and time.monotonic() - since > steady_s
    await until(steady, lambda: f"the socket is stuck: {last} bytes wait", every=0.05)
    return since


async def a_viewer_that_makes_no_progress_for_30_s_is_closed_4503(bench):
    """More than two kernels hold is on its way to it; the agent and another viewer do not notice."""
    session = await bench.session()
    port = bench.system.gateway.port
    viewer = await bench.viewer(session)
    stuck = await bench.closing(await RawViewer.open(port, session.id, mint(session.owner), v2=True))
    agent = await bench.agent(session)
    request = (await session.prompt("much"))["interaction_id"]
    turn = await agent.next_turn()
    for number in range(28):
        turn.text("x" * (1 << 18), new=True)
    since = await stuck_since(stuck, port)
    turn.complete()
    await session.ends(request, "complete")
    await session.same(viewer)
    await asyncio.sleep(since + 32.5 - time.monotonic())  # above the 30 s, within those a close frame is given to leave
    with pytest.raises(Ended) as ended:
        while True:
            await stuck.frame()
    assert ended.value.code == 4503


@pytest.mark.slow
@pytest.mark.patience(150)
async def test_the_bounds_that_take_their_time(bench):
    await asyncio.gather(
        output_nobody_asked_for_ends_after_60_s_without_a_frame(bench),
        an_agent_that_is_half_open_is_detached_after_45_s_and_its_turn_ends(bench),
        a_silent_turn_on_a_live_socket_is_nobodys_to_end(bench),
        a_quiet_v2_socket_has_a_heartbeat_every_15_s(bench),
        a_quiet_stream_is_kept_alive(bench),
        a_viewer_that_makes_no_progress_for_30_s_is_closed_4503(bench))
