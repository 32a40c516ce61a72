"""API keys: issued once, good for everything their user may do, and no longer good anywhere once revoked."""

import asyncio
import re

import aiohttp

from support.bench import refusal, unused
from support.waiting import until


async def issued(bench, user, **body):
    return (await (await bench.api(user)).post("/keys", body)).ok(201)


async def test_a_key_is_shown_once_and_stands_for_its_user(bench):
    owner = unused("keyed")
    session = await bench.session(owner)
    key = await issued(bench, owner, name="ci")
    assert set(key) == {"id", "name", "key", "created"} and key["name"] == "ci"
    assert re.fullmatch(r"hl-[A-Za-z0-9_-]{43}", key["key"])
    with_key = await bench.api(token=key["key"])
    assert (await with_key.get(f"/sessions/{session.id}")).ok()["owner"] == owner
    assert (await with_key.post("/sessions", {})).ok(201)["owner"] == owner
    viewer = await bench.watch(session, token=key["key"], reconnect=False)
    await viewer.opened()
    stored = bench.system.postgres.execute("SELECT hash FROM api_keys WHERE id = %s", key["id"])
    assert key["key"] not in str(stored)
    assert key["key"] not in bench.system.gateway.tail(400)


async def test_an_unknown_key_is_nobody(bench):
    reply = await (await bench.api(token="hl-" + "A" * 43)).get("/sessions")
    reply.refused(401, "unauthorized")
    assert reply.headers["WWW-Authenticate"] == "Bearer"


async def test_the_name_may_be_left_out_and_is_checked(bench):
    api = await bench.api(unused("keyed"))
    assert (await api.post("/keys")).ok(201)["name"] == ""
    (await api.post("/keys", {"name": 1})).refused(400, "bad_request")
    (await api.post("/keys", [])).refused(400, "bad_request")


async def test_a_repeat_under_one_id_is_not_given_the_secret_again(bench):
    api = await bench.api(unused("keyed"))
    again = {"Idempotency-Key": unused("issue")}
    (await api.post("/keys", {"name": "one"}, headers=again)).ok(201)
    (await api.post("/keys", {"name": "one"}, headers=again)).refused(409, "already_issued")
    (await api.post("/keys", {"name": "other"}, headers=again)).refused(409, "id_reused")


async def test_a_revoked_key_is_good_for_nothing_and_closes_what_uses_it(bench):
    owner = unused("keyed")
    session = await bench.session(owner)
    key = await issued(bench, owner)
    with_key = await bench.api(token=key["key"])
    accepted = await session.prompt("nobody answers")
    viewer = await bench.watch(session, token=key["key"], reconnect=False)
    await viewer.opened()
    url = f"{bench.system.http_url}/api/v1/sessions/{session.id}/interactions/{accepted['interaction_id']}/stream"
    async with aiohttp.ClientSession() as http:
        async with http.get(url, headers={"Authorization": f"Bearer {key['key']}"}) as stream:
            assert stream.status == 200
            assert (await session.api.delete(f"/keys/{key['id']}")).status == 204
            assert await viewer.closed(5) == 4401
            assert b"unauthorized" in await asyncio.wait_for(stream.content.read(), 5)

    async def refused():
        return (await with_key.get(f"/sessions/{session.id}")).status == 401
    await until(refused, lambda: "the key is refused", 6, every=0.1)
    watch = f"{bench.system.http_url}/api/v1/ws/user?session_id={session.id}"
    assert (await refusal(watch, {"Authorization": f"Bearer {key['key']}"}))[0] == 401
    (await session.api.delete(f"/keys/{key['id']}")).refused(404, "not_found")


async def test_a_key_of_somebody_else_cannot_be_revoked(bench):
    owner = unused("keyed")
    key = await issued(bench, owner)
    stranger = await bench.api(unused("stranger"))
    (await stranger.delete(f"/keys/{key['id']}")).refused(404, "not_found")
    (await stranger.delete("/keys/key_unknown")).refused(404, "not_found")
    (await stranger.delete("/keys/%00")).refused(404, "not_found")
    assert (await (await bench.api(token=key["key"])).get("/sessions")).status == 200


async def test_a_revocation_whose_broadcast_was_lost_is_noticed(bench):
    owner = unused("keyed")
    session = await bench.session(owner)
    key = await issued(bench, owner)
    viewer = await bench.watch(session, token=key["key"], reconnect=False)
    await viewer.opened()
    bench.system.postgres.execute("DELETE FROM api_keys WHERE id = %s", key["id"])
    assert await viewer.closed(25) == 4401
