"""Creating, listing and reading sessions; who may see what."""

import re

import pytest

from support.bench import unused
from support.client import mint

ULID = "[0-9a-hjkmnp-tv-z]{26}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"
SESSION_FIELDS = {"id", "name", "created", "updated", "owner", "owner_type", "epoch", "seq", "agent", "config", "queue",
                  "interactions", "interactions_total"}


async def test_a_created_session_is_complete_and_can_be_read(bench):
    session = await bench.session(name="Weather 🌞", agent_name="claude",
                                  metadata={"ticket": "T-1", "deep": {"a": [1]}})
    created = session.created
    assert re.fullmatch("ses_" + ULID, created["id"])
    assert SESSION_FIELDS <= set(created), SESSION_FIELDS - set(created)
    assert created["name"] == "Weather 🌞" and created["owner"] == session.owner
    assert created["owner_type"] == "user" and created["seq"] == 1 and created["epoch"] >= 1
    assert created["config"]["metadata"] == {"ticket": "T-1", "deep": {"a": [1]}}
    assert created["agent"]["status"] == "offline" and created["queue"] == []
    assert created["interactions_total"] == 0 and "parent_session_id" not in created
    assert re.fullmatch(TIME, created["created"]) and re.fullmatch(TIME, created["updated"])
    read = await session.get()
    assert read["interactions"] == []
    assert {**read, "interactions": None} == {**created, "interactions": None}


async def test_every_part_of_a_session_is_optional(bench):
    session = await bench.session()
    assert isinstance(session.created["name"], str) and session.created["config"]["metadata"] == {}


async def test_the_list_has_own_sessions_newest_activity_first_in_pages(bench):
    owner = unused("lister")
    sessions = [await bench.session(owner, name=f"number {n}") for n in range(5)]
    await bench.session()  # somebody else's
    api = sessions[0].api
    body = (await api.get("/sessions?page=0&per_page=2")).ok()
    assert {k: body[k] for k in ("page", "pageSize", "totalCount", "totalPages")} == {
        "page": 0, "pageSize": 2, "totalCount": 5, "totalPages": 3}
    found = []
    for page in range(3):
        found += (await api.get(f"/sessions?page={page}&per_page=2")).ok()["sessions"]
    assert [s["id"] for s in found] == [s.id for s in reversed(sessions)]
    assert all(s["interactions"] is None for s in found)


async def test_the_list_is_there_for_a_user_without_sessions(bench):
    body = (await (await bench.api(unused("nobody"))).get("/sessions")).ok()
    assert body["sessions"] == [] and body["totalCount"] == 0


async def test_skip_interactions_leaves_them_out(bench):
    session = await bench.session()
    read = (await session.api.get(f"/sessions/{session.id}?skipInteractions=1")).ok()
    assert read["interactions"] is None


@pytest.mark.parametrize("headers", [
    {},
    {"Authorization": "Bearer "},
    {"Authorization": "Bearer nonsense"},
    {"Authorization": "Basic dTpw"},
    {"Authorization": f"Bearer {mint('u', secret='another-secret-of-more-than-32-bytes')}"},
    {"Authorization": f"Bearer {mint('u', ttl=-1)}"},
    {"Authorization": f"Bearer {mint('u', algorithm='none', secret=None)}"},
    {"Authorization": "Bearer hl-bm90LWEta2V5"},
    {"Authorization": "Bearer ha-bm90LWEtdG9rZW4"},
    {"Authorization": f"Bearer {mint('u')[:-4]}AAAA"},
], ids=["none", "empty", "nonsense", "basic", "other-secret", "expired", "alg-none", "unknown-key", "agent-token",
        "bad-signature"])
async def test_a_bad_identity_is_401_everywhere(bench, headers):
    session = await bench.session()
    api = await bench.api()
    for method, path, body in [("GET", "/sessions", None), ("POST", "/sessions", {}),
                               ("GET", f"/sessions/{session.id}", None),
                               ("GET", "/sessions/ses_unknown", None),
                               ("POST", f"/sessions/{session.id}/messages", {"content": "hi"})]:
        (await api.request(method, path, body, headers=headers)).refused(401)


async def test_a_token_without_exp_or_sub_is_401(bench):
    import jwt
    from support.system import SECRET
    for claims in ({"sub": "u"}, {"exp": 4102444800}):
        api = await bench.api(token=jwt.encode(claims, SECRET, algorithm="HS256"))
        (await api.get("/sessions")).refused(401)


async def test_an_agent_token_is_no_user(bench):
    session = await bench.session()
    api = await bench.api(token=await session.agent_token())
    (await api.get(f"/sessions/{session.id}")).refused(401)


async def test_what_is_missing_malformed_or_alien_is_one_and_the_same_404(bench):
    mine, alien = await bench.session(), await bench.session()
    missing = alien.id[:-2] + ("zz" if alien.id[-2:] != "zz" else "yy")
    answers = set()
    for name in (alien.id, missing, "ses_short", "nonsense", "ses_" + "A" * 26, "ses_" + "0" * 200):
        for method, path, body in [("GET", "", None), ("GET", "/interactions", None),
                                   ("POST", "/messages", {"content": "hi"}), ("POST", "/messages", {"content": ""}),
                                   ("POST", "/cancel", {}), ("POST", "/agent-token", {})]:
            reply = await mine.api.request(method, f"/sessions/{name}{path}", body)
            reply.refused(404)
            answers.add(reply.raw)
    assert len(answers) == 1, answers


async def test_a_path_that_does_not_exist_is_404_and_a_wrong_method_is_no_crash(bench):
    session = await bench.session()
    (await session.api.get("/nothing/here")).refused(404)
    assert (await session.api.request("PATCH", f"/sessions/{session.id}")).status in (404, 405)
    (await session.api.get(f"/sessions/{session.id}/interactions/int_unknown")).refused(404)


@pytest.mark.parametrize("raw", [b"{", b"[]", b'"text"', b"\xff\xfe", b'{"name":1}', b"[" * 5000])
async def test_a_body_that_is_no_session_is_400(bench, raw):
    api = await bench.api(unused("user"))
    (await api.request("POST", "/sessions", data=raw, headers={"Content-Type": "application/json"})).refused(400)


async def test_metadata_over_16_kib_is_413(bench):
    api = await bench.api(unused("user"))
    (await api.post("/sessions", {"metadata": {"a": "x" * 17000}})).refused(413)
    (await api.post("/sessions", {"metadata": {"a": "x" * 15000}})).ok(201)


async def test_a_session_created_twice_under_one_id_is_one_session(bench):
    api = await bench.api(unused("user"))
    headers = {"Idempotency-Key": unused("create")}
    first = (await api.post("/sessions", {"name": "one"}, headers=headers)).ok(201)
    again = (await api.post("/sessions", {"name": "one"}, headers=headers)).ok(201)
    assert first["id"] == again["id"]
    (await api.post("/sessions", {"name": "other"}, headers=headers)).refused(409, "id_reused")
    assert (await api.get("/sessions")).ok()["totalCount"] == 1


async def test_an_agent_token_names_its_session_and_when_it_ends(bench):
    session = await bench.session()
    unlimited = (await session.api.post(f"/sessions/{session.id}/agent-token", {})).ok(201)
    assert re.fullmatch(r"ha-\S{20,}", unlimited["token"])
    assert unlimited["session_id"] == session.id and unlimited["expires_at"] is None
    limited = (await session.api.post(f"/sessions/{session.id}/agent-token", {"ttl": "1h"})).ok(201)
    assert re.fullmatch(TIME, limited["expires_at"]) and limited["token"] != unlimited["token"]
    (await session.api.post(f"/sessions/{session.id}/agent-token", {"ttl": "soon"})).refused(400)
