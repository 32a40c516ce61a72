"""Every close code of design 5.4 and 5.5, each by each way that leads to it; what is left out fails the last test."""

import asyncio
import contextlib
import json
import time

import aiohttp
import pytest

from support.bench import unused
from support.client import mint
from support.contract import CLOSES, Seen, everything_ran
from support.viewer_v2 import ViewerV2
from support.waiting import PATIENCE

SETTINGS = {"stale_after": "10s", "ready_timeout": "2s", "max_frame": "256KiB"}
SEEN = Seen(CLOSES)


@contextlib.asynccontextmanager
async def user_socket(bench, query, token, v2=True):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    protocols = ["throughline.v2"] if v2 else []
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(f"{bench.system.http_url}/api/v1/ws/user{query}", headers=headers, max_msg_size=0,
                                   protocols=protocols, timeout=5) as socket:
            assert socket.protocol == ("throughline.v2" if v2 else None)
            yield socket


async def end_of(socket, timeout=PATIENCE):
    """(code, reason) of the close frame."""
    deadline = time.monotonic() + timeout
    while True:
        got = await socket.receive(timeout=max(0.01, deadline - time.monotonic()))
        if got.type is aiohttp.WSMsgType.CLOSE:
            return got.data, got.extra
        assert got.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), got


async def expect(who, socket, code, when, timeout=PATIENCE):
    said, reason = await end_of(socket, timeout)
    assert said == code, f"{who} {when}: expected {code}, got {said} {reason!r}"
    SEEN.note(who, code, when)
    return reason


async def test_an_upgrade_refused_to_v2_is_a_close_code_a_browser_can_read(bench):
    session = await bench.session()
    mine, token = f"?session_id={session.id}", mint(session.owner)
    for query, who, code in ((mine, None, 4401), (mine, "nonsense", 4401), (mine, mint(session.owner, ttl=-1), 4401),
                             (mine, mint(unused("stranger")), 4404), ("?session_id=ses_unknown", token, 4404),
                             ("", token, 4400)):
        async with user_socket(bench, query, who) as socket:
            assert await expect("user", socket, code, "refused")
    unread = await bench.session()  # what was read a moment ago may still be known without a wire
    bench.system.nats.kill()
    async with user_socket(bench, f"?session_id={unread.id}", mint(unread.owner)) as socket:
        assert json.loads(await expect("user", socket, 4503, "refused"))["after_ms"] > 0
    await bench.system.revive()


@pytest.mark.patience(100)
async def test_one_socket_too_many_is_4429(bench):
    session = await bench.session()
    query, token = f"?session_id={session.id}", mint(session.owner)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        async def connect():
            return await http.ws_connect(f"{bench.system.http_url}/api/v1/ws/user{query}", timeout=5,
                                         headers={"Authorization": f"Bearer {token}"})
        opened = []
        for _ in range(20):
            opened += await asyncio.gather(*(connect() for _ in range(50)))
        async with user_socket(bench, query, token) as socket:
            assert json.loads(await expect("user", socket, 4429, "refused"))["after_ms"] > 0
        assert not any(one.closed for one in opened)


@pytest.mark.parametrize("v2", [False, True], ids=["v1", "v2"])
async def test_a_drain_closes_1001_and_says_when_to_come_back(bench, v2):
    session = await bench.session()
    async with user_socket(bench, f"?session_id={session.id}", mint(session.owner), v2) as socket:
        assert json.loads((await socket.receive(timeout=15)).data)["type"] == "session_update"
        bench.system.gateway.signal_stop()
        if v2:
            hint = json.loads((await socket.receive(timeout=15)).data)
            assert set(hint) == {"type", "after_ms"} and hint["type"] == "reconnect" and hint["after_ms"] >= 0
        await expect("user", socket, 1001, "drain v2" if v2 else "drain v1")
    assert await bench.system.gateway.ended(15) == 0


async def test_a_frame_above_the_bound_is_1009_with_a_reason(bench):
    session = await bench.session()
    for v2 in (False, True):
        async with user_socket(bench, f"?session_id={session.id}", mint(session.owner), v2) as socket:
            await socket.send_str("x" * (300 << 10))
            assert await expect("user", socket, 1009, "frame above MAX_FRAME")
    async with bench.raw_agent(session) as socket:
        await socket.send_str("x" * (300 << 10))
        assert await expect("agent", socket, 1009, "frame above MAX_FRAME")


async def test_bytes_that_are_no_utf8_are_1007(bench):
    session = await bench.session()
    async with user_socket(bench, f"?session_id={session.id}", mint(session.owner)) as socket:
        await socket._writer.send(b'{"type":"\xc3\x28"}', binary=False)
        await expect("user", socket, 1007, "invalid UTF-8")
    async with bench.raw_agent(session) as socket:
        await socket._writer.send(b'{"event_type":"\xc3\x28","data":{}}', binary=False)
        await expect("agent", socket, 1007, "invalid UTF-8")


async def test_a_token_that_runs_out_is_4401_also_one_that_was_refreshed(bench):
    session = await bench.session()
    async with user_socket(bench, f"?session_id={session.id}", mint(session.owner, ttl=2)) as socket:
        until = time.time() + 2
        await expect("user", socket, 4401, "token expired")
        assert until - 1 <= time.time() <= until + 6
    viewer = await bench.viewer(session, token=mint(session.owner, ttl=4), kind=ViewerV2, reconnect=False)
    began = time.time()
    assert (await viewer.ask("token", token=mint(session.owner, ttl=8)))["status"] == "ok"
    assert (await viewer.ask("token", token=mint(unused("other"), ttl=60)))["type"] == "error"
    assert (await viewer.ask("token", token="nonsense"))["type"] == "error"
    assert await viewer.closed(timeout=20) == 4401
    assert 7 <= time.time() - began <= 14, "the refreshed token counts, and no other"
    SEEN.note("user", 4401, "refreshed token expired")


async def test_a_revoked_key_is_4401(bench):
    session = await bench.session()
    key = (await session.api.post("/keys", {})).ok(201)
    async with user_socket(bench, f"?session_id={session.id}", key["key"]) as socket:
        (await session.api.delete(f"/keys/{key['id']}")).ok(204)
        await expect("user", socket, 4401, "key revoked", timeout=6)


async def test_what_is_no_longer_visible_is_4404(bench):
    session = await bench.session()
    guest = unused("guest")
    grant = f"/sessions/{session.id}/grants/{guest}"
    (await session.api.request("PUT", grant, {"role": "viewer"})).ok()
    async with user_socket(bench, f"?session_id={session.id}", mint(guest)) as theirs:
        async with user_socket(bench, f"?session_id={session.id}", mint(session.owner), v2=False) as own:
            (await session.api.delete(grant)).ok(204)
            await expect("user", theirs, 4404, "grant taken away", timeout=6)
            async with bench.raw_agent(session) as agent:
                (await session.api.delete(f"/sessions/{session.id}")).ok()
                await expect("user", own, 4404, "session deleted", timeout=6)
                await expect("agent", agent, 4404, "session deleted")


async def test_how_an_agent_is_closed(bench):
    session = await bench.session()
    async with bench.raw_agent(session) as older, bench.raw_agent(session) as newer:
        await expect("agent", older, 4001, "superseded")
        for _ in range(100):
            await newer.send_str("{")
        assert await expect("agent", newer, 1008, "bad frames")
    other = await bench.session()
    async with bench.raw_agent(other) as revoked:
        (await other.api.delete(f"/sessions/{other.id}/agent-token")).ok(204)
        await expect("agent", revoked, 1008, "token revoked")
    third = await bench.session()
    async with bench.raw_agent(third) as socket:
        bench.system.bridge.signal_stop()
        await expect("agent", socket, 1001, "drain")
    assert await bench.system.bridge.ended(15) == 0


async def test_nothing_of_the_contract_was_left_out(request):
    if not everything_ran(request):
        pytest.skip("only with the whole module")
    assert SEEN.left_out() == []
