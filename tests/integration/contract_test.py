"""What the other tests do not touch of the HTTP contract: tags, methods, rights, renaming, deleting, logs of events."""

import json

import aiohttp

from support.bench import unused
from support.client import mint

SETTINGS = {"ready_timeout": "2s"}


def bearer(user):
    return {"Authorization": f"Bearer {mint(user)}"}


async def test_an_unchanged_session_is_304_under_its_tag(bench):
    session = await bench.session()
    one = f"/sessions/{session.id}"
    read = await session.api.get(one)
    tag = read.headers["ETag"]
    assert tag == f'"{read.body["epoch"]}:{read.body["seq"]}"'
    skipped = (await session.api.get(f"{one}?skipInteractions=1")).headers["ETag"]
    assert skipped == tag[:-1] + '-s"'
    for seen in (tag, f'"0:0", W/{tag}', "*"):
        same = await session.api.get(one, headers={"If-None-Match": seen})
        assert (same.status, same.raw, same.headers["ETag"]) == (304, b"", tag)
    assert (await session.api.get(f"{one}?skipInteractions=1", headers={"If-None-Match": tag})).status == 200
    await session.post("one more event")
    assert (await session.api.get(one, headers={"If-None-Match": tag})).status == 200
    stranger = await bench.api(unused("stranger"))
    (await stranger.get(one, headers={"If-None-Match": tag})).refused(404, "not_found")


async def test_head_is_get_without_a_body_and_wrong_methods_are_405(bench):
    session = await bench.session()
    one = f"/sessions/{session.id}"
    read, head = await session.api.get(one), await session.api.request("HEAD", one)
    assert (head.status, head.raw) == (200, b"")
    assert head.headers["ETag"] == read.headers["ETag"]
    assert head.headers["Content-Length"] == str(len(read.raw))
    for method in ("PATCH", "OPTIONS"):
        wrong = await session.api.request(method, "/sessions")
        wrong.refused(405)
        assert {"GET", "POST"} <= set(wrong.headers["Allow"].split(", "))


async def test_rights_are_checked_before_what_is_asked(bench):
    session = await bench.session()
    guest = unused("guest")
    api = await bench.api(guest)
    one = f"/sessions/{session.id}"
    (await api.post(f"{one}/messages", {"content": ""})).refused(404, "not_found")
    grant = f"{one}/grants/{guest}"
    assert (await session.api.request("PUT", grant, {"role": "viewer"})).ok() == {"user": guest, "role": "viewer"}
    assert (await session.api.get(f"{one}/grants")).ok() == {"grants": [{"user": guest, "role": "viewer"}]}
    (await api.get(one)).ok()
    assert [s["id"] for s in (await api.get("/sessions")).ok()["sessions"]] == [session.id]
    for body in ({"content": ""}, {"content": "hello"}):
        (await api.post(f"{one}/messages", body)).refused(403, "forbidden")
    for refused in (await api.get(f"{one}/grants"), await api.delete(one), await api.request("PUT", one, {"name": "n"}),
                    await api.post(f"{one}/agent-token", {})):
        refused.refused(403, "forbidden")
    (await session.api.request("PUT", grant, {"role": "editor"})).ok()
    (await api.post(f"{one}/messages", {"content": "hello"})).ok(202)
    (await api.delete(one)).refused(403, "forbidden")
    (await session.api.request("PUT", grant, {"role": "owner"})).refused(400, "bad_request")


async def test_a_right_taken_away_closes_the_socket_4404(bench):
    session = await bench.session()
    guest = unused("guest")
    grant = f"/sessions/{session.id}/grants/{guest}"
    (await session.api.request("PUT", grant, {"role": "viewer"})).ok()
    viewer = await bench.watch(session, user=guest, reconnect=False)
    await viewer.opened()
    assert (await session.api.delete(grant)).status == 204
    assert await viewer.closed(timeout=6) == 4404
    (await (await bench.api(guest)).get(f"/sessions/{session.id}")).refused(404, "not_found")


async def test_a_new_name_is_an_event_and_control_characters_are_not_part_of_it(bench):
    session = await bench.session(name="old")
    viewer = await bench.viewer(session)
    named = (await session.api.request("PUT", f"/sessions/{session.id}", {"name": "né\u0007w 🎉"})).ok()
    assert named["name"] == "néw 🎉" and named["id"] == session.id
    await viewer.until(lambda v: v.session["name"] == "néw 🎉", "the name")
    for body in ({}, {"name": ""}, {"name": 5}):
        (await session.api.request("PUT", f"/sessions/{session.id}", body)).refused(400, "bad_request")


async def test_a_deleted_session_is_gone_for_everyone(bench):
    session = await bench.session()
    viewer = await bench.watch(session, reconnect=False)
    await viewer.opened()
    token = await session.agent_token()
    one = f"/sessions/{session.id}"
    async with bench.raw_agent(session) as socket:
        assert (await session.api.delete(one)).ok() == {"id": session.id}
        assert (await socket.receive(timeout=15)).type is aiohttp.WSMsgType.CLOSE and socket.close_code == 4404
    assert await viewer.closed() == 4404
    gone = [await session.api.get(one), await session.api.delete(one), await session.api.post(f"{one}/cancel", {}),
            await session.api.get(f"{one}/interactions")]
    unknown = await session.api.get("/sessions/ses_" + "0" * 26)
    for reply in gone:
        reply.refused(404, "not_found")
        assert reply.raw == unknown.raw
    async with aiohttp.ClientSession() as http:
        attach = f"{bench.system.agent_url}/api/v1/external-agents/sync?session_id={session.id}"
        async with http.get(attach.replace("ws", "http", 1), headers={
                "Authorization": f"Bearer {token}", "Connection": "Upgrade", "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}) as reply:
            assert reply.status in (401, 404)


async def test_the_log_is_what_viewers_received(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    accepted = await session.prompt("write")
    turn = await agent.next_turn()
    turn.text("one 😀 ")
    turn.text("two")
    turn.complete()
    await session.ends(accepted["interaction_id"], "complete")
    await session.at_rest(viewer)
    log = f"/sessions/{session.id}/events"
    reply = await session.api.get(log)
    assert reply.status == 200 and reply.headers["Content-Type"].startswith("application/x-ndjson")
    events = [json.loads(line) for line in reply.raw.decode().splitlines()]
    head = await session.get()
    assert [e["seq"] for e in events] == list(range(1, head["seq"] + 1))
    live = {f["seq"]: f for f in viewer.frames[1:]}
    assert live and all(events[seq - 1] == frame for seq, frame in live.items())
    some = await session.api.get(f"{log}?since={head['epoch']}:2&limit=2")
    assert [json.loads(line) for line in some.raw.decode().splitlines()] == events[2:4]
    at_head = await session.api.get(f"{log}?since={head['epoch']}:{head['seq']}")
    assert (at_head.status, at_head.raw) == (200, b"")
    for since in (f"{head['epoch']}:{head['seq'] + 1}", f"{head['epoch'] + 1}:1"):
        (await session.api.get(f"{log}?since={since}")).refused(410, "position_unknown")
    for query in ("since=x", "since=1", "limit=0", "limit=x"):
        (await session.api.get(f"{log}?{query}")).refused(400, "bad_request")


async def test_agents_lists_who_is_attached_and_visible(bench):
    session = await bench.session()
    assert (await session.api.get("/agents")).ok() == {"agents": []}
    agent = await bench.agent(session)
    (listed,) = (await session.api.get("/agents")).ok()["agents"]
    assert set(listed) == {"session_id", "name", "status", "since", "last_event_at"}
    assert listed["session_id"] == session.id and listed["status"] in ("online", "ready")
    assert (await (await bench.api(unused("stranger"))).get("/agents")).ok() == {"agents": []}
    await agent.close()


async def test_a_revoked_agent_token_closes_its_socket_1008(bench):
    session = await bench.session()
    async with bench.raw_agent(session) as socket:
        assert (await session.api.delete(f"/sessions/{session.id}/agent-token")).status == 204
        assert (await socket.receive(timeout=15)).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1008


async def test_a_secret_is_shown_once(bench):
    session = await bench.session()
    path, key = f"/sessions/{session.id}/agent-token", {"Idempotency-Key": "mint"}
    (await session.api.post(path, {"ttl": "1h"}, headers=key)).ok(201)
    (await session.api.post(path, {"ttl": "1h"}, headers=key)).refused(409, "already_issued")
    (await session.api.post(path, {"ttl": "2h"}, headers=key)).refused(409, "id_reused")
    for ttl in ("1d", "5", "0s", "-1s", "", 5):
        (await session.api.post(path, {"ttl": ttl})).refused(400, "bad_request")


async def test_a_page_beyond_the_end_is_empty_and_no_page_at_all_is_400(bench):
    session = await bench.session()
    for path, key in (("/sessions", "sessions"), (f"/sessions/{session.id}/interactions", "interactions")):
        beyond = (await session.api.get(f"{path}?page=7&per_page=3")).ok()
        assert beyond[key] == [] and (beyond["page"], beyond["pageSize"]) == (7, 3)
        assert set(beyond) == {key, "page", "pageSize", "totalCount", "totalPages"}
        for query in ("per_page=0", "page=-1", "page=x", "per_page="):
            (await session.api.get(f"{path}?{query}")).refused(400, "bad_request")
