"""Every request ends within its bound, whatever stands still behind the gateway (the table in its README)."""

import asyncio
import time

import pytest

from support.client import mint
from support.waiting import until

SETTINGS = {"ready_timeout": "2s", "turn_idle_timeout": "3s"}
SLACK_S = 4

READ_S, CHANGE_S, CANCEL_S = 8, 10, 20


def said(content, **more):
    return {"messages": [{"role": "user", "content": {"content_type": "text", "parts": [content]}}], **more}


def requests(session, turn, cancel):
    """(method, path, body, bound in seconds): one of each operation; a cancel is waited for longest, so not each time."""
    at = f"/sessions/{session}"
    reads = ["/sessions", at, f"{at}?skipInteractions=1", f"{at}/interactions", f"{at}/interactions/{turn}",
             f"{at}/interactions/{turn}/stream", f"{at}/events", f"{at}/grants", "/agents"]
    changes = [("POST", "/sessions", {}), ("PUT", at, {"name": "n"}), ("POST", f"{at}/messages", {"content": "x"}),
               ("POST", f"{at}/agent-token", {}), ("DELETE", f"{at}/agent-token", None),
               ("PUT", f"{at}/grants/bob", {"role": "viewer"}), ("DELETE", f"{at}/grants/bob", None),
               ("POST", "/keys", {}), ("DELETE", "/keys/key_1", None), ("PUT", at, {"no": "name"}), ("DELETE", at, None)]
    return ([("GET", path, None, READ_S) for path in reads] + [(*change, CHANGE_S) for change in changes]
            + [("POST", "/sessions/chat", said("x", session_id=session), CHANGE_S),
               ("POST", "/sessions/chat", said("x"), CHANGE_S)] + [("POST", f"{at}/cancel", {}, CANCEL_S)] * cancel)


async def timed(api, method, path, body):
    began = time.monotonic()
    headers = {"If-None-Match": '"1:1"'} if method == "GET" else None
    reply = await api.request(method, path, body, headers=headers, timeout=60)
    return reply, time.monotonic() - began


@pytest.mark.slow
@pytest.mark.patience(100)
@pytest.mark.parametrize("what", ["state-sync stands still", "PostgreSQL stands still", "NATS is away"])
async def test_every_request_ends_within_its_bound(bench, what):
    session = await bench.session()
    agent = await bench.agent(session)
    accepted = await session.prompt("begin")
    turn = await agent.next_turn()
    turn.text("begun")
    waits = asyncio.ensure_future(timed(session.api, "POST", "/sessions/chat", said("wait", session_id=session.id)))

    async def queued():
        return (await session.get())["queue"]
    await until(queued, "the second prompt waits")
    system = bench.system
    began = time.monotonic()
    if what == "NATS is away":
        system.nats.kill()
    else:
        (system.state_sync if what == "state-sync stands still" else system.postgres).freeze()
    try:
        asked = requests(session.id, accepted["interaction_id"], cancel=what == "state-sync stands still")
        answers = await asyncio.gather(*(timed(session.api, *request[:3]) for request in asked))
        for (method, path, body, bound), (reply, took) in zip(asked, answers):
            case = f"{method} {path}: {reply} after {took:.1f} s"
            assert took < bound + SLACK_S, case
            assert reply.status in (503, 504), case
            reads = method == "GET" or body == {"no": "name"}  # a 400 is said only to who may know of the session
            codes = {"unavailable", "busy"} if reads else {"outcome_unknown", "not_accepted"}
            assert reply.refused(reply.status)["code"] in codes, case
        # The one that waited already: nobody can say whether its agent is there, so nothing is said of it.
        reply, _ = await waits
        assert reply.refused(reply.status)["code"] in ("unavailable", "busy"), reply
        assert time.monotonic() - began < CANCEL_S + SLACK_S
    finally:
        if what != "NATS is away":
            (system.state_sync if what == "state-sync stands still" else system.postgres).thaw()
    await system.revive()
    api = await bench.api(token=mint(session.owner))
    turn.complete()

    async def works():
        return (await api.get("/sessions")).status == 200
    await until(works, "all is well again")
