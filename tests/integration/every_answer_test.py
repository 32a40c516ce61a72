"""Every operation, status and error code of design section 5, produced at least once; the last test says what is not.

A body that only a large text makes too large, and 413 for a whole body, count alike: both are one code.
"""

import asyncio
import contextlib
import json

import aiohttp
import pytest

from support.bench import refusal, unused
from support.client import Reply, mint
from support.contract import (ALL, CHANGES, FOR_EDITORS, FOR_OWNERS, HTTP, IN_SESSION, OF_ROOTS, OPERATIONS, READS,
                              SOCKETS, WITH_BODY, WITH_PARAMETERS, WITH_SECRET, Seen, everything_ran)
from support.waiting import until

SETTINGS = {"stale_after": "30s", "ready_timeout": "2s", "turn_idle_timeout": "2s"}
SEEN = Seen(HTTP)
MIB = 1 << 20
UNKNOWN = "int_01h2xcejqtf2nbrexx3vqjhp41"


def said(text, **more):
    return {"messages": [{"role": "user", "content": {"content_type": "text", "parts": [text]}}], **more}


class Caller:
    """Asks for operations by name, on one session and as one user, and notes what the answers were."""

    def __init__(self, bench, session, api=None, interaction=UNKNOWN, user="bob", key="key_unknown"):
        self.bench, self.session, self.api = bench, session, api or session.api
        self.words = {"s": session.id, "i": interaction, "u": user, "k": key}

    def as_user(self, api):
        other = Caller(self.bench, self.session, api)
        other.words = self.words
        return other

    def usual_body(self, name):
        return {"create_session": {"name": "n"}, "rename_session": {"name": "n"}, "post_message": {"content": "c"},
                "chat": said("c", session_id=self.session.id), "cancel": {}, "mint_agent_token": {},
                "put_grant": {"role": "viewer"}, "issue_key": {}}.get(name)

    def bad_body(self, name):
        """One that is no request; a chat's names the session still."""
        return json.dumps({"session_id": self.session.id, "messages": []}).encode() if name == "chat" else b"{"

    async def ask(self, name, body=None, query="", headers=None, **more):
        """The answer to an operation; with a body of its own or a usual one."""
        method, path = OPERATIONS[name]
        if name in SOCKETS:
            return await self._knock(name, query or f"?session_id={self.session.id}", headers)
        body = self.usual_body(name) if body is None and "data" not in more else body
        path = path.format(**self.words) + query
        return await self.api.request(method, path, body, headers=headers, timeout=40, **more)

    async def _knock(self, name, query, headers):
        system = self.bench.system
        base = system.http_url if name == "user_socket" else system.agent_url.replace("ws", "http", 1)
        identity = {"Authorization": f"Bearer {self.api.token}"} if self.api.token else {}
        return Reply(*await refusal(f"{base}/api/v1{OPERATIONS[name][1]}{query}", {**identity, **(headers or {})}))

    async def expect(self, name, status, code=None, **what):
        reply = await self.ask(name, **what)
        case = f"{name} {what}"
        assert reply.status == status, f"{case}: expected {status} {code}, got {reply}"
        if code is not None:
            reply.refused(status, code)
            assert reply.headers["Content-Type"].startswith("application/json"), case
        SEEN.note(name, status, code)
        return reply


async def with_a_turn(bench):
    """A session with one finished turn and an agent that answers each prompt."""
    session = await bench.session()

    async def answer(turn):
        turn.text(f"re {turn.prompt}")
        turn.complete()

    await bench.agent(session, answer=answer)
    interaction = (await session.prompt("first"))["interaction_id"]
    await session.ends(interaction, "complete")
    return session, interaction


async def child_of(bench):
    session = await bench.session()
    agent = await bench.hand_agent(session)
    await agent.types("side", "0", thread="t-side")

    async def found():
        listed = (await session.api.get("/sessions")).ok()["sessions"]
        return next((s for s in listed if s.get("parent_session_id") == session.id), None)
    child = await until(found, "the child session")
    session.id = child["id"]  # whoever asks here asks the child
    return session


async def test_what_works(bench):
    session, interaction = await with_a_turn(bench)
    key = (await session.api.post("/keys", {})).ok(201)["id"]
    call = Caller(bench, session, interaction=interaction, key=key)
    created = (await call.expect("create_session", 201)).body
    agent_token = (await call.expect("mint_agent_token", 201)).body["token"]
    for name in ("list_sessions", "read_session", "list_interactions", "read_interaction", "read_events", "list_agents",
                 "rename_session", "put_grant", "list_grants"):
        await call.expect(name, 200)
    await call.expect("stream", 200)
    await call.expect("chat", 200)
    await call.expect("post_message", 202)
    await call.expect("cancel", 200)
    await call.expect("issue_key", 201)
    await call.expect("delete_grant", 204)
    await call.expect("revoke_key", 204)
    await call.expect("user_socket", 101)
    await call.as_user(await bench.api(token=agent_token)).expect("agent_socket", 101)
    await call.expect("revoke_agent_tokens", 204)
    tag = (await call.ask("read_session")).headers["ETag"]
    await call.expect("read_session", 304, headers={"If-None-Match": tag})
    call.words["s"] = created["id"]
    await call.expect("delete_session", 200)


async def test_no_identity_is_401_everywhere_before_anything_else(bench):
    session = await bench.session()
    nobody = Caller(bench, session, await bench.api())
    for name in sorted(ALL):
        reply = await nobody.expect(name, 401, "unauthorized")
        assert name == "agent_socket" or reply.headers["WWW-Authenticate"] == "Bearer", name
        if name not in SOCKETS | READS:
            await nobody.expect(name, 401, "unauthorized", data=b"{")


async def test_a_session_that_is_not_visible_is_404_everywhere_whatever_else_is_wrong(bench):
    session = await bench.session()
    stranger = Caller(bench, session, await bench.api(unused("stranger")))
    answers = set()
    for name in sorted(IN_SESSION | {"chat", "user_socket"}):
        answers.add((await stranger.expect(name, 404, "not_found")).raw)
        if name in WITH_BODY:
            answers.add((await stranger.expect(name, 404, "not_found", data=stranger.bad_body(name))).raw)
        if name in WITH_PARAMETERS:
            answers.add((await stranger.expect(name, 404, "not_found", query="?page=x&since=x")).raw)
    assert len(answers) == 1, answers
    await stranger.expect("revoke_key", 404, "not_found")
    other = await bench.session()
    agent = Caller(bench, session, await bench.api(token=await other.agent_token()))
    await agent.expect("agent_socket", 404, "not_found")


async def test_what_a_guest_may_not_is_403_before_the_body_is_looked_at(bench):
    session = await bench.session()
    for role, forbidden in (("viewer", FOR_EDITORS | FOR_OWNERS | {"chat"}), ("editor", FOR_OWNERS)):
        guest = unused(role)
        (await session.api.request("PUT", f"/sessions/{session.id}/grants/{guest}", {"role": role})).ok()
        call = Caller(bench, session, await bench.api(guest))
        for name in sorted(forbidden):
            await call.expect(name, 403, "forbidden")
            if name in WITH_BODY:
                await call.expect(name, 403, "forbidden", data=call.bad_body(name))
        for name in sorted(READS & IN_SESSION - FOR_OWNERS - {"read_interaction", "stream"}):
            await call.expect(name, 200)


WRONG_BODIES = {
    "create_session": [{"name": 1}, {"metadata": []}, {"agent_name": 1}],
    "chat": [{}, said(""), {"messages": "x"}, said("c", session_id=7), said("c", stream="yes")],
    "rename_session": [{}, {"name": ""}, {"name": None}],
    "post_message": [{}, {"content": ""}, {"content": 1}, {"content": "c", "interrupt": 1}, {"content": "c", "id": ""}],
    "cancel": [{"interaction_id": 7}],
    "mint_agent_token": [{"ttl": "soon"}, {"ttl": "0s"}, {"ttl": 5}, {"ttl": "1d"}],
    "put_grant": [{}, {"role": "owner"}, {"role": 1}],
    "issue_key": [{"name": 1}],
}


async def test_what_is_no_request_is_400(bench):
    session = await bench.session()
    call = Caller(bench, session)
    assert set(WRONG_BODIES) == WITH_BODY
    for name, bodies in WRONG_BODIES.items():
        for body in bodies:
            await call.expect(name, 400, "bad_request", body=body)
        for raw in (b"{", b"[]", b'"text"', b"\xff\xfe", b"[" * 5000, b'{"a":' * 2000 + b"1" + b"}" * 2000):
            await call.expect(name, 400, "bad_request", data=raw, headers={"Content-Type": "application/json"})
    for name, queries in {"list_sessions": ["page=x", "per_page=0", "page=-1"],
                          "read_session": ["skipInteractions=maybe"],
                          "list_interactions": ["page=x", "order=sideways", "per_page=0"],
                          "read_events": ["since=x", "since=1:", "limit=0", "limit=x", "since=01:1"]}.items():
        for query in queries:
            await call.expect(name, 400, "bad_request", query=f"?{query}")
    for name in sorted(CHANGES):
        for bad in ("x" * 129, "tab\tinside"):
            await call.expect(name, 400, "bad_request", headers={"Idempotency-Key": bad})
    await call.expect("user_socket", 400, "bad_request", query="?nothing=1")
    agent = call.as_user(await bench.api(token=await session.agent_token()))
    await agent.expect("agent_socket", 400, "session_id_missing", query="?nothing=1")
    for instance in ("", "&instance=", "&instance=" + "i" * 257):
        await agent.expect("agent_socket", 400, "instance_missing", query=f"?session_id={session.id}{instance}",
                           headers={"Sec-WebSocket-Protocol": "throughline.agent.v2"})
    one = said("a")["messages"]
    for body in ({"messages": []}, {"messages": one * 2}):
        await call.expect("chat", 400, "one_message_only", body=body)
    for part in ({"type": "image", "url": "x"}, 7):
        await call.expect("chat", 400, "unsupported_content", body=said(part))


OTHER_CONTENT = {
    "create_session": {"name": "other"}, "rename_session": {"name": "other"}, "post_message": {"content": "other"},
    "cancel": {"interaction_id": UNKNOWN}, "mint_agent_token": {"ttl": "1h"}, "put_grant": {"role": "editor"},
    "issue_key": {"name": "other"},
}


async def test_an_id_used_again_for_something_else_is_409(bench):
    session, _ = await with_a_turn(bench)
    call = Caller(bench, session)
    for name in sorted(CHANGES - {"delete_session"}):
        again = {"Idempotency-Key": unused("again")}
        if name in ("revoke_agent_tokens", "delete_grant", "revoke_key"):  # another operation under their id
            call.words["k"] = (await session.api.post("/keys", {}, headers=again)).ok(201)["id"]
            if name != "revoke_key":
                (await session.api.request("PUT", f"/sessions/{session.id}", {"name": "n"}, headers=again)).ok()
        else:
            await call.ask(name, headers=again)
        other = said("other", session_id=session.id) if name == "chat" else OTHER_CONTENT.get(name)
        await call.expect(name, 409, "id_reused", body=other, headers=again)
    again = {"Idempotency-Key": unused("again")}
    await call.ask("rename_session", headers=again)
    await call.expect("delete_session", 409, "id_reused", headers=again)
    for name in sorted(WITH_SECRET):
        again = {"Idempotency-Key": unused("secret")}
        assert (await call.ask(name, headers=again)).status == 201
        await call.expect(name, 409, "already_issued", headers=again)


async def test_grants_and_agent_tokens_of_a_child_are_409(bench):
    child = await child_of(bench)
    for name in sorted(OF_ROOTS):
        await Caller(bench, child).expect(name, 409, "child_session")


async def test_what_is_too_large_is_413(bench):
    session = await bench.session()
    call = Caller(bench, session)
    for name in sorted(WITH_BODY):
        await call.expect(name, 413, "too_large", data=b" " * (10 * MIB + 1))
    await call.expect("post_message", 413, "too_large", body={"content": "x" * (MIB + 1)})
    await call.expect("chat", 413, "too_large", body=said("x" * (MIB + 1), session_id=session.id))
    await call.expect("create_session", 413, "too_large", body={"metadata": {"a": "x" * (16 << 10)}})
    assert (await session.get())["queue"] == []


async def test_what_is_full_is_429(bench):
    session = await bench.session()
    call = Caller(bench, session)
    await asyncio.gather(*(session.post(f"prompt {number}") for number in range(100)))
    assert (await call.expect("post_message", 429, "queue_full")).headers["Retry-After"]
    await call.expect("chat", 429, "queue_full")
    for number in range(1000):
        assert [(await call.ask(name)).status for name in ("put_grant", "mint_agent_token")] == [200, 201]
        call.words["u"] = f"friend-{number}"
    await asyncio.gather(*(call.expect(name, 429, "too_many") for name in ("put_grant", "mint_agent_token")))


async def test_a_position_nobody_can_resume_is_410(bench):
    session = await bench.session()
    epoch, seq = session.created["epoch"], session.created["seq"]
    for since in (f"{epoch}:{seq + 1}", f"{epoch + 1}:1", f"{epoch}:18446744073709551615"):
        await Caller(bench, session).expect("read_events", 410, "position_unknown", query=f"?since={since}")


async def test_how_a_chat_can_end(bench):
    session = await bench.session()
    call = Caller(bench, session)
    await call.expect("chat", 503, "agent_offline")
    (await session.cancel(interaction_id=(await session.get())["queue"][0]["interaction_id"])).ok()
    agent = await bench.agent(session)

    async def chat(status, code, end):
        ends = asyncio.ensure_future(call.expect("chat", status, code))
        turn = await agent.next_turn()
        await end(turn)
        return await ends

    async def fails(turn):
        turn.fail("out of tokens")

    async def is_cancelled(_):
        (await session.cancel()).ok()

    async def is_silent(turn):
        pass
    await chat(502, "turn_error", fails)
    await chat(409, "turn_interrupted", is_cancelled)
    await chat(504, "agent_timeout", is_silent)
    (await session.cancel()).ok()

    async def is_drained(_):
        bench.system.gateway.signal_stop()
    await chat(503, "shutting_down", is_drained)
    assert await bench.system.gateway.ended(15) == 0


@pytest.mark.patience(100)
async def test_a_thousand_sockets_of_one_user_and_no_more(bench):
    session = await bench.session()
    url = f"{bench.system.http_url}/api/v1/ws/user?session_id={session.id}"
    headers = {"Authorization": f"Bearer {mint(session.owner)}"}
    limits = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=limits) as http:
        async def connect():
            return await http.ws_connect(url, headers=headers, timeout=5, max_msg_size=0)
        opened = []
        for _ in range(20):
            opened += await asyncio.gather(*(connect() for _ in range(50)))
        reply = await Caller(bench, session).expect("user_socket", 429, "too_many_sockets")
        assert reply.headers["Retry-After"]
        async with http.ws_connect(url, headers=headers, protocols=["throughline.v2"], timeout=5) as refused:
            message = await refused.receive(timeout=15)
            assert refused.close_code == 4429 and json.loads(message.extra)["after_ms"] > 0
        other = await bench.session()
        await bench.viewer(other)

    async def room():
        return (await Caller(bench, session).ask("user_socket")).status == 101
    await until(room, "there is room again once they are gone")


async def test_two_agents_on_one_session_in_turns_are_409(bench):
    session = await bench.session()
    call = Caller(bench, session, await bench.api(token=await session.agent_token()))
    async with contextlib.AsyncExitStack() as sockets:
        for _ in range(3):
            await sockets.enter_async_context(bench.raw_agent(session))
        assert int((await call.expect("agent_socket", 409, "superseded_too_often")).headers["Retry-After"]) >= 1


@pytest.mark.patience(120)
@pytest.mark.parametrize("gone", ["nats", "state-sync"])
async def test_without_its_peers_everything_ends_with_what_became_of_it(bench, gone):
    """NATS away: nothing happened. An owner that stands still: nobody knows, and the same id may be used again."""
    session = await bench.session()
    call = Caller(bench, session)
    agents = call.as_user(await bench.api(token=await session.agent_token()))
    if gone == "nats":
        bench.system.nats.kill()
    else:
        bench.system.state_sync.freeze()
    try:
        changed = {"nats": (503, "not_accepted"), "state-sync": (504, "outcome_unknown")}[gone]
        await asyncio.gather(
            *(call.expect(name, *changed, headers={"Idempotency-Key": unused("outage")}) for name in CHANGES),
            *(call.expect(name, 503, "unavailable") for name in READS | {"user_socket"}),
            agents.expect("agent_socket", 503, "unavailable"))
    finally:
        if gone != "nats":
            bench.system.state_sync.thaw()
    await bench.system.revive()


async def test_paths_and_methods_that_are_none(bench):
    session = await bench.session()
    api = session.api
    for path in ("/", "/nothing", "/keys", f"/sessions/{session.id}/nothing", f"/sessions/{session.id}/interactions/a/b"):
        assert (await api.get(path)).status in (404, 405), path
    (await api.get("/nothing")).refused(404, "not_found")
    by_path = {}
    for name, (method, path) in OPERATIONS.items():
        by_path.setdefault(path, set()).add(method)
    for path, methods in by_path.items():
        if path == "/external-agents/sync":
            continue
        wrong = await api.request("PATCH", path.format(s=session.id, i=UNKNOWN, u="bob", k="key_1"))
        wrong.refused(405)
        allowed = set(wrong.headers["Allow"].split(", "))
        assert methods <= allowed <= methods | {"HEAD", "OPTIONS"}, (path, allowed)


async def test_request_line_and_headers_have_16_kib_together_and_are_431_above(bench):
    session = await bench.session()
    usual = (await session.api.get("/sessions")).ok()
    for query in ("page=0&x=" + "y" * (15 << 10), "&".join(f"a{n}=1" for n in range(1500))):
        assert (await session.api.get(f"/sessions?{query}")).ok() == usual
    (await session.api.get("/sessions", headers={"X-Long": "x" * (15 << 10)})).ok()
    (await session.api.get("/sessions?x=" + "y" * (16 << 10))).refused(431)
    (await session.api.get("/sessions", headers={"X-Long": "x" * (16 << 10)})).refused(431)
    (await session.api.get("/sessions?x=" + "y" * (8 << 10), headers={"X-Long": "x" * (8 << 10)})).refused(431)
    (await session.api.get("/sessions")).ok()


async def test_nothing_of_the_contract_was_left_out(request):
    if not everything_ran(request):
        pytest.skip("only with the whole module")
    assert SEEN.left_out() == []
