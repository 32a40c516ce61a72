"""A gateway without NATS: what is short ends nothing; when it lasts, everybody goes on elsewhere and is told so."""

import asyncio
import json
import time

import aiohttp
import pytest

from support.bench import refusal
from support.client import mint
from support.waiting import until

REPLICAS = {"gateway": 2}
LINKS = ("gateway",)
SETTINGS = {"ready_timeout": "2s", "drain_timeout": "6s"}

LONGEST_S = 5.0  # without NATS, before a gateway sends its viewers away
SILENCE_S = 4.5  # a wire on which nothing comes any more is noticed by then
BACK_OFF_S = 1.5  # of clients, and of a machine with other work


def said(content, **more):
    return {"messages": [{"role": "user", "content": {"content_type": "text", "parts": [content]}}], **more}


async def running(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    accepted = await session.prompt("a long answer")
    turn = await agent.next_turn()
    turn.text("before ")
    return session, accepted["interaction_id"], turn


async def quickly(asked):
    """The answer, which does not wait for any patience."""
    began = time.monotonic()
    answer = await asked
    assert time.monotonic() - began < 1.5, answer
    return answer


@pytest.mark.patience(90)
@pytest.mark.parametrize("how, notices_s", [("cut", 0), ("stall", SILENCE_S)])
async def test_a_gateway_cut_off_from_nats_sends_everybody_to_the_other_one(bench, how, notices_s):
    here, there = bench.system.replicas("gateway")
    session, interaction, turn = await running(bench)
    old, new = await bench.viewer(session, gateway=here), await bench.viewer_v2(session, gateway=here)
    stream = (await bench.stream(session, gateway=here)).follow(session.id, interaction)
    await stream.shows("before ")
    api = await bench.api(session.owner, gateway=here)
    waits = asyncio.ensure_future(api.post("/sessions/chat", said("and then?", session_id=session.id), timeout=30))

    async def queued():
        return (await session.get())["queue"]
    await until(queued, "the second prompt waits")
    # A balancer that looks at readiness would send them to the other one.
    for viewer in (old, new):
        viewer.url = viewer.url.replace(f":{here.port}/", f":{there.port}/")
    stream.base = there.url
    began = time.monotonic()
    getattr(here.to_nats, how)()
    turn.text("while it is cut off")
    await stream.until(lambda: stream._task.done(), "the stream has ended")
    assert time.monotonic() - began > LONGEST_S - 0.2, "what is short ends nothing"
    assert not stream.done and stream.refused is None and stream.retry_ms == 100
    stream.follow(session.id, interaction, stream.last_id)
    for one in (old, new):
        await one.shows("before while it is cut off")
    await stream.shows("before while it is cut off")
    took = time.monotonic() - began
    print(f"current at the other one {took:.2f} s after the {how}")
    assert took < LONGEST_S + notices_s + BACK_OFF_S, took
    assert (old.closes, new.closes) == ([1001], [1001]) and len(new.view.hints) == 1
    assert old.connections == new.connections == 2
    await new.until(lambda v: v.replays == 1, "v2 goes on where it was")
    assert new.view.fulls == 1
    reply = await asyncio.wait_for(waits, 2)
    reply.refused(503, "unavailable")

    await refuses_at_once(bench, here, api, session, interaction)
    turn.complete()
    await session.ends(interaction, "complete")
    here.to_nats.heal()
    await here.ready()
    back = [await bench.viewer(session, gateway=here), await bench.viewer_v2(session, gateway=here)]
    (await quickly(api.get(f"/sessions/{session.id}"))).ok()
    (await quickly(api.request("PUT", f"/sessions/{session.id}", {"name": "again"}))).ok()
    for one in (old, new, *back):
        await one.until(lambda v: v.session["name"] == "again", "the change shows")
    await session.same(old, new)
    assert old.connections == new.connections == 2 and not any(one.closes for one in back)


async def refuses_at_once(bench, here, api, session, interaction):
    at, token = f"/sessions/{session.id}", mint(session.owner)
    watch = f"{here.url}/api/v1/ws/user?session_id={session.id}"
    reads = [at, "/sessions", f"{at}/interactions", f"{at}/events", f"{at}/interactions/{interaction}/stream", "/agents"]
    for path in reads:
        reply = await quickly(api.get(path))
        reply.refused(503, "unavailable")
        assert int(reply.headers["Retry-After"]) >= 1
    for method, path, body in (("POST", f"{at}/messages", {"content": "x"}), ("POST", "/sessions", {}),
                               ("POST", f"{at}/cancel", {}), ("PUT", at, {"name": "x"}), ("POST", "/keys", {}),
                               ("POST", "/sessions/chat", said("x", session_id=session.id))):
        (await quickly(api.request(method, path, body))).refused(503, "not_accepted")
    status, headers, body = await quickly(refusal(watch, {"Authorization": f"Bearer {token}"}))
    assert status == 503 and int(headers["Retry-After"]) >= 1
    assert json.loads(body)["error"]["code"] == "unavailable"
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(watch, headers={"Authorization": f"Bearer {token}"}, timeout=5,
                                   protocols=("throughline.v2",)) as socket:
            end = await quickly(socket.receive(timeout=5))
            assert (end.type, end.data) == (aiohttp.WSMsgType.CLOSE, 4503), end
            assert json.loads(end.extra)["after_ms"] >= 500
        async with http.get(f"{here.url}/") as page:
            assert page.status == 200
    for one in (None, "nonsense"):
        status, *_ = await quickly(refusal(watch, {"Authorization": f"Bearer {one}"} if one else {}))
        assert status == 401
    assert (await here.ops("/readyz"))[0] == 503 and (await here.ops("/healthz"))[0] == 200


@pytest.mark.patience(60)
async def test_a_restart_of_nats_ends_no_socket_no_stream_and_no_request(bench):
    session, interaction, turn = await running(bench)
    gateways = bench.system.replicas("gateway")
    viewers = [await kind(session, gateway=one) for one in gateways for kind in (bench.viewer, bench.viewer_v2)]
    streams = [(await bench.stream(session, gateway=one)).follow(session.id, interaction) for one in gateways]
    for stream in streams:
        await stream.shows("before ")
    bench.system.nats.kill()
    asked = [asyncio.ensure_future(session.post(f"said to nobody {n}", id=f"posted-{n}")) for n in range(2)]
    await asyncio.sleep(2)  # the length of the outage is what is tested, nothing is waited for
    bench.system.nats.start()
    turn.text("after")
    for reply in await asyncio.gather(*asked):
        reply.ok(202)
    for stream in streams:
        await stream.shows("before after")
    turn.complete()
    await session.ends(interaction, "complete")
    await session.same(*viewers)
    for viewer in viewers:
        assert viewer.connections == 1 and not viewer.closes
    for stream in streams:
        await stream.ended()
        assert len(stream.connections) == 1


@pytest.mark.patience(90)
async def test_without_nats_anywhere_everybody_is_refused_and_comes_back(bench):
    session, interaction, turn = await running(bench)
    old, new = await bench.viewer(session), await bench.viewer_v2(session)
    bench.system.nats.kill()
    for viewer in (old, new):
        assert await viewer.closed() == 1001
    await old._bell.until(lambda: old.refusals, lambda: "v1 is refused")
    await new._bell.until(lambda: len(new.closes) > 1, lambda: "v2 is refused")
    turn.text("after")
    bench.system.nats.start()
    await bench.system.revive()
    turn.complete()
    await session.ends(interaction, "complete")
    await session.same(old, new)
    assert set(old.refusals) == {503} and set(new.closes) == {1001, 4503} and not new.refusals
    assert new.view.fulls == 1


@pytest.mark.patience(90)
@pytest.mark.parametrize("noticed", [False, True], ids=["not noticed yet", "noticed"])
async def test_a_drain_to_its_end_beside_a_silent_nats_ends_with_status_0(bench, noticed):
    here = bench.system.replicas("gateway")[0]
    _, writer = await asyncio.open_connection("127.0.0.1", here.port)
    writer.write(b"GET /api/v1/agents HTTP/1.1\r\nHost: x\r\n")  # it never comes to its end: the drain waits for it
    await writer.drain()
    here.to_nats.stall()
    if noticed:
        await here.not_ready("nats")
    here.signal_stop()
    began = time.monotonic()
    assert await here.ended(15) == 0
    took = time.monotonic() - began
    assert 3 < took < 6.5, took
    writer.close()
    await bench.system.revive()
