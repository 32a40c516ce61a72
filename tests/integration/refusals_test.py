"""The order of checks, what a refusal carries, and a client that speaks without listening."""

import asyncio
import json
import socket

import aiohttp
from yarl import URL

from support.bench import refusal, unused
from support.client import mint
from support.waiting import until


async def raw(bench, method, path, user=None):
    """A path as it is written here, without anybody tidying it up."""
    headers = {"Authorization": f"Bearer {mint(user)}"} if user else {}
    async with aiohttp.ClientSession() as http:
        url = URL(f"{bench.system.http_url}/api/v1{path}", encoded=True)
        async with http.request(method, url, headers=headers) as reply:
            return reply.status, reply.headers, await reply.json()


async def test_a_malformed_id_is_nobodys_business_before_identity_and_then_not_there(bench):
    unknown = await raw(bench, "GET", "/sessions/ses_unknown", "alice")
    for bad in ("%zz", "%00", "%", "ses_%f"):
        status, headers, _ = await raw(bench, "GET", f"/sessions/{bad}")
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer"), bad
        status, _, body = await raw(bench, "GET", f"/sessions/{bad}", "alice")
        assert (status, body) == (404, unknown[2]), bad
    session = await bench.session()
    assert (await raw(bench, "PUT", f"/sessions/{session.id}/grants/%zz", session.owner))[0] == 400
    assert (await raw(bench, "GET", f"/sessions/{session.id}/", session.owner))[0] == 404


async def test_a_refused_upgrade_carries_what_its_status_calls_for(bench):
    session = await bench.session()
    url = f"{bench.system.http_url}/api/v1/ws/user?session_id={session.id}"
    status, headers = (await refusal(url, {}))[:2]
    assert status == 401 and headers["WWW-Authenticate"] == "Bearer"


async def test_a_position_with_leading_zeros_is_none(bench):
    session = await bench.session()
    epoch = session.created["epoch"]
    for bad in (f"0{epoch}:1", f"{epoch}:01", f"{epoch}:00"):
        (await session.api.get(f"/sessions/{session.id}/events?since={bad}")).refused(400, "bad_request")
    assert (await session.api.get(f"/sessions/{session.id}/events?since={epoch}:0")).status == 200


async def test_the_page_size_in_the_answer_is_the_one_that_was_used(bench):
    session = await bench.session()
    assert (await session.api.get("/sessions?per_page=1000")).ok()["pageSize"] == 200
    read = await session.api.get(f"/sessions/{session.id}/interactions?per_page=5000")
    assert read.ok()["pageSize"] == 1000


async def test_a_body_that_is_no_object_is_named(bench):
    api = await bench.api(unused("user"))
    error = (await api.post("/sessions", [])).refused(400, "bad_request")
    assert error["message"] == "the body is not an object"


async def test_the_owner_needs_no_grant(bench):
    session = await bench.session()
    path = f"/sessions/{session.id}/grants"
    (await session.api.request("PUT", f"{path}/{session.owner}", {"role": "viewer"})).refused(400, "bad_request")
    assert (await session.api.get(path)).ok()["grants"] == []
    stranger = unused("stranger")
    own = await bench.api(stranger)
    (await own.request("PUT", f"{path}/{stranger}", {"role": "editor"})).refused(404, "not_found")


def junk(count):
    """Frames of a client: what they say is nonsense, each is answered by an error."""
    return (b"\x81\x81\0\0\0\0x") * count


async def test_a_client_that_does_not_listen_is_not_heard_for_ever(bench):
    """The gateway stops reading; what the two kernels hold between them is all that can be said."""
    session = await bench.session()
    address = URL(bench.system.http_url)
    reader, writer = await asyncio.open_connection(address.host, address.port, limit=1024)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    writer.write((f"GET /api/v1/ws/user?session_id={session.id} HTTP/1.1\r\nHost: {address.host}\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                  "Sec-WebSocket-Protocol: throughline.v2\r\n"
                  f"Authorization: Bearer {mint(session.owner)}\r\n\r\n").encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.pause_reading()
    held_back = False
    for _ in range(400):
        writer.write(junk(20_000))
        try:
            await asyncio.wait_for(writer.drain(), 3)
        except asyncio.TimeoutError:
            held_back = True
            break
    writer.transport.abort()
    assert held_back, "the gateway went on reading"
    assert json.loads((await session.api.get(f"/sessions/{session.id}")).raw)["id"] == session.id


async def test_who_knocks_while_a_drain_begins_is_told_so(bench):
    session = await bench.session()
    other = await bench.session()
    state_sync, gateway = bench.system.process("state-sync"), bench.system.process("gateway")
    url = f"{bench.system.http_url}/api/v1/ws/user?session_id={other.id}"
    viewer = await bench.viewer(session, reconnect=False)
    state_sync.freeze()
    try:
        knocking = asyncio.ensure_future(refusal(url, {"Authorization": f"Bearer {mint(other.owner)}"}))

        async def knocked():
            return "throughline_gateway_sessions_watched 2\n" in (await gateway.ops("/metrics"))[1]
        await until(knocked, "the second session is asked for")
        gateway.signal_stop()
        assert await viewer.closed() == 1001
    finally:
        state_sync.thaw()
    status, headers = (await asyncio.wait_for(knocking, 10))[:2]
    assert status == 503 and headers["Retry-After"] == "1"
    await gateway.ended(15)
