"""The user socket: who may open it, what it says first, what it makes of noise."""

import asyncio
import json

import aiohttp
import pytest

from support.bench import refusal
from support.client import mint
from support.view import View

SETTINGS = {"ready_timeout": "2s", "max_frame": "256KiB"}


def url(bench, query):
    return f"{bench.system.http_url}/api/v1/ws/user{query}"


async def status_of(bench, query, headers):
    return (await refusal(url(bench, query), headers))[0]


def bearer(user):
    return {"Authorization": f"Bearer {mint(user)}"}


async def test_who_may_not_watch(bench):
    session = await bench.session()
    mine = f"?session_id={session.id}"
    assert await status_of(bench, mine, {}) == 401
    assert await status_of(bench, mine, {"Authorization": "Bearer nonsense"}) == 401
    assert await status_of(bench, mine, {"Authorization": f"Bearer {mint(session.owner, ttl=-1)}"}) == 401
    assert await status_of(bench, mine, {"Authorization": f"Bearer {await session.agent_token()}"}) == 401
    assert await status_of(bench, mine, bearer("somebody-else")) == 404
    assert await status_of(bench, "?session_id=ses_unknown", bearer(session.owner)) == 404
    assert await status_of(bench, "", bearer(session.owner)) == 400
    assert await status_of(bench, mine, bearer(session.owner)) == 101


async def test_a_token_may_come_in_the_query_or_from_an_allowed_origin_in_the_cookie(bench):
    session = await bench.session()
    token = mint(session.owner)
    query = f"?session_id={session.id}"
    assert await status_of(bench, f"{query}&access_token={token}", {}) == 101
    assert await status_of(bench, f"{query}&access_token=nonsense", {}) == 401
    cookie = {"Cookie": f"access_token={token}"}
    assert await status_of(bench, query, {**cookie, "Origin": bench.system.http_url}) == 101
    assert await status_of(bench, query, {**cookie, "Origin": "https://evil.example"}) == 401
    assert await status_of(bench, query, cookie) == 401
    assert token not in bench.system.gateway.tail(400)


async def test_the_first_frame_is_the_full_state(bench):
    session = await bench.session(name="first")
    viewer = await bench.viewer(session)
    first = viewer.frames[0]
    assert first["type"] == "session_update" and first["interaction_id"] == "" and first["owner"] == session.owner
    read = await session.get()
    assert first["session"] == read
    assert (first["epoch"], first["seq"]) == (read["epoch"], read["seq"])
    assert View.is_full(first)


async def test_two_frames_of_one_event_are_equal_for_every_viewer(bench):
    session = await bench.session()
    viewers = [await bench.viewer(session) for _ in range(10)]
    agent = await bench.agent(session)
    accepted = await session.prompt("all of you")
    turn = await agent.next_turn()
    turn.text("same ")
    turn.text("for all")
    turn.complete()
    await session.ends(accepted["interaction_id"], "complete")
    await session.same(*viewers)
    assert all(v.view.events.keys() == viewers[0].view.events.keys() for v in viewers)


@pytest.mark.parametrize("noise", ["{", "", "null", '{"type":"prompt","id":"1","content":"x"}', "🦆" * 1000],
                         ids=range(5))
async def test_noise_from_a_v1_page_changes_nothing(bench, noise):
    session = await bench.session()
    viewer = await bench.viewer(session)
    await viewer.send(noise)
    agent = await bench.agent(session)
    accepted = await session.prompt("go on")
    turn = await agent.next_turn()
    turn.text("on")
    turn.complete()
    await session.ends(accepted["interaction_id"], "complete")
    await viewer.sees(accepted["interaction_id"], "complete")
    assert viewer.connections == 1
    assert len(await session.interactions()) == 1


async def test_an_oversize_frame_closes_1009(bench):
    session = await bench.session()
    viewer = await bench.watch(session, reconnect=False)
    await viewer.opened()
    await viewer.send("x" * (300 << 10))
    assert await viewer.closed() == 1009
    await bench.viewer(session)


async def test_a_token_that_runs_out_closes_4401_within_five_seconds(bench):
    session = await bench.session()
    viewer = await bench.watch(session, token=mint(session.owner, ttl=3), reconnect=False)
    await viewer.opened()
    assert await viewer.closed(timeout=10) == 4401


async def test_older_interactions_fit_the_budget_and_the_newest_always_comes_whole(bench):
    session = await bench.session()

    async def long_answer(turn):
        turn.text("x" * 200_000)
        turn.complete()

    await bench.agent(session, answer=long_answer)
    ids = []
    for number in range(8):
        ids.append((await session.prompt(f"{number}"))["interaction_id"])
        await session.ends(ids[-1], "complete")
    viewer = await bench.viewer(session)
    first = viewer.frames[0]["session"]
    shown = [i["id"] for i in first["interactions"]]
    assert first["interactions_total"] == 8
    assert shown == ids[-len(shown):] and 1 <= len(shown) < 8
    assert len(json.dumps(first)) < 1.5 * (1 << 20)
    await session.same(viewer)


async def test_a_page_without_websocket_gets_an_error_and_no_hang(bench):
    session = await bench.session()
    reply = await session.api.get(f"/ws/user?session_id={session.id}")
    assert 400 <= reply.status < 500


async def test_a_half_open_upgrade_disturbs_nobody(bench):
    session = await bench.session()
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.system.gateway.port)
    writer.write(b"GET /api/v1/ws/user?session_id=")
    await writer.drain()
    await bench.viewer(session)
    writer.close()


async def test_bytes_that_are_no_http_get_no_crash(bench):
    for port in (bench.system.gateway.port, bench.system.bridge.port):
        for noise in (b"\x16\x03\x01\x02\x00\x01\x00" * 30, b"GET\r\n\r\n", b"A" * 100_000, b"\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(noise)
            writer.write_eof()
            try:
                await asyncio.wait_for(reader.read(), 15)
            except ConnectionResetError:
                pass
            writer.close()
    await bench.viewer(await bench.session())


async def test_frames_after_a_protocol_error_end_with_a_close(bench):
    session = await bench.session()
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(url(bench, f"?session_id={session.id}"), headers=bearer(session.owner)) as socket:
            await socket.receive(timeout=15)
            socket._writer.transport.write(b"\x83\x00")  # a reserved opcode, unmasked
            got = await socket.receive(timeout=15)
            assert got.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR), got
    await bench.viewer(session)
