"""Each operation of the OpenAPI document is there, and answers as the document says, when it works and when not."""

import asyncio

from support.bench import unused
from support.openapi import OpenApi

SETTINGS = {"ready_timeout": "2s", "turn_idle_timeout": "3s"}


def said(content, **more):
    return {"messages": [{"role": "user", "content": {"content_type": "text", "parts": [content]}}], **more}


class Caller:
    """Makes calls, holds each answer to the document, and remembers which operations and statuses were seen."""

    def __init__(self, api):
        self.api = api
        self.document = OpenApi()
        self.seen = set()

    async def __call__(self, status, method, path, body=None, api=None, **more):
        reply = await (api or self.api).request(method, path, body, timeout=30, **more)
        assert reply.status == status, f"{method} {path}: expected {status}, got {reply}"
        faults = self.document.faults_of_answer(method, path, reply)
        assert not faults, f"{method} {path}: {reply}\n" + "\n".join(faults)
        self.seen.add(self.document.operation(method, path)["operationId"])
        return reply


async def test_every_operation_answers_as_the_document_says(bench):
    session = await bench.session(name="documented", metadata={"a": 1})
    agent = await bench.agent(session)
    call = Caller(session.api)
    nobody, stranger = await bench.api(), await bench.api(unused("stranger"))
    at = f"/sessions/{session.id}"

    made = (await call(201, "POST", "/sessions", {"name": "x"})).body["id"]
    await call(400, "POST", "/sessions", {"name": 7})
    await call(200, "PUT", f"/sessions/{made}", {"name": "y"})
    await call(400, "PUT", f"/sessions/{made}", {})
    await call(200, "DELETE", f"/sessions/{made}")
    await call(404, "GET", f"/sessions/{made}")

    chat = asyncio.ensure_future(call(200, "POST", "/sessions/chat", said("Hello?", session_id=session.id)))
    turn = await agent.next_turn()
    turn.text("Hello.")
    turn.tool("ls", "Completed", "**ls**")
    queued = (await call(202, "POST", f"{at}/messages", {"content": "later", "id": unused("p")})).body
    await call(200, "GET", at)
    turn.complete(usage={"total_tokens": 7, "input_tokens": 3, "output_tokens": 4, "thought_tokens": 0,
                         "cached_read_tokens": 0, "cached_write_tokens": 0})
    await chat
    second = await agent.next_turn()
    second.fail("out of tokens")
    await session.ends(queued["interaction_id"], "error")
    streamed = asyncio.ensure_future(call(200, "POST", "/sessions/chat", said("And?", session_id=session.id, stream=True)))
    third = await agent.next_turn()
    third.text("So.")
    third.complete()
    await streamed
    failed = asyncio.ensure_future(call(502, "POST", "/sessions/chat", said("Fail.", session_id=session.id)))
    (await agent.next_turn()).fail("no")
    await failed

    etag = (await call(200, "GET", at)).headers["ETag"]
    await call(304, "GET", at, headers={"If-None-Match": etag})
    await call(200, "GET", f"{at}?skipInteractions=1")
    await call(200, "GET", "/sessions?per_page=2")
    await call(200, "GET", f"{at}/interactions?order=desc")
    await call(200, "GET", f"{at}/interactions/{turn.request_id}")
    await call(200, "GET", f"{at}/interactions/{turn.request_id}/stream")
    await call(404, "GET", f"{at}/interactions/int_unknown")
    await call(200, "GET", f"{at}/events?limit=500")
    await call(410, "GET", f"{at}/events?since=99:1")
    await call(400, "GET", f"{at}/events?since=x")
    await call(200, "POST", f"{at}/cancel", {})
    await call(200, "GET", "/agents")

    await call(200, "PUT", f"{at}/grants/bob", {"role": "viewer"})
    await call(200, "GET", f"{at}/grants")
    await call(403, "GET", f"{at}/grants", api=await bench.api("bob"))
    await call(204, "DELETE", f"{at}/grants/bob")
    once = {"Idempotency-Key": unused("mint")}
    await call(201, "POST", f"{at}/agent-token", {"ttl": "1h"}, headers=once)
    await call(409, "POST", f"{at}/agent-token", {"ttl": "1h"}, headers=once)
    await call(204, "DELETE", f"{at}/agent-token")
    key = (await call(201, "POST", "/keys", {"name": "ci"})).body
    await call(204, "DELETE", f"/keys/{key['id']}")
    await call(404, "DELETE", "/keys/key_unknown")

    for operation, (method, path) in call.document.operations().items():
        filled = path.replace("{session_id}", session.id).replace("{interaction_id}", turn.request_id)
        filled = filled.replace("{user}", "bob").replace("{key_id}", "key_1")
        if operation != "user_socket":
            await call(401, method, filled, {}, api=nobody)
        if "{session_id}" in path:
            await call(404, method, filled, {"name": "n", "content": "c", "role": "viewer"}, api=stranger)
    assert call.seen == set(call.document.operations()) - {"user_socket"}, call.seen
