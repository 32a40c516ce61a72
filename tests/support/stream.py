"""The client of a server-sent answer: what it was told, and what the two ways of reading it make of that."""

import asyncio
import json

import aiohttp

from support.view import apply_patch
from support.waiting import PATIENCE, Bell


class Stream:
    """One server-sent stream after another of one answer: folds the patches, and joins the contents."""

    def __init__(self, base, token):
        self.base = base
        self.token = token
        self.events = []  # (id, body or "[DONE]") of all connections
        self.connections = []  # index of the first event of each
        self.text = ""  # what a client that reads `delta.content` only has
        self.entries = []
        self.comments = 0
        self.headers = None
        self.retry_ms = None  # what a browser was told to wait before it comes back
        self.refused = None
        self.bell = Bell()
        self._task = None
        self._reading = asyncio.Event()

    def chat(self, body):
        return self._begin("POST", "/sessions/chat", body, {})

    def follow(self, session_id, interaction_id, last=None):
        headers = {"Last-Event-ID": last} if last else {}
        return self._begin("GET", f"/sessions/{session_id}/interactions/{interaction_id}/stream", None, headers)

    def _begin(self, method, path, body, headers):
        self.connections.append(len(self.events))
        self._reading.set()
        self._task = asyncio.ensure_future(self._run(method, path, body, headers))
        return self

    async def close(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def hold(self):
        """Takes nothing more of what comes on this connection, which stays."""
        self._reading.clear()

    @property
    def last_id(self):
        return next((i for i, _ in reversed(self.events) if i), None)

    @property
    def bodies(self):
        return [body for _, body in self.events]

    @property
    def done(self):
        return bool(self.events) and self.events[-1][1] == "[DONE]"

    async def until(self, condition, what, timeout=PATIENCE):
        def holds():
            if self._task.done() and not self._task.cancelled() and self._task.exception():
                raise self._task.exception()
            return condition()
        await self.bell.until(holds, lambda: f"{what}: {self.events[-5:]} refused {self.refused}", timeout)
        return self

    async def shows(self, text):
        return await self.until(lambda: self.text == text, f"the stream says {text!r}, it says {self.text!r}")

    async def ended(self, timeout=PATIENCE):
        return await self.until(lambda: self.done, "the stream ends with [DONE]", timeout)

    async def _run(self, method, path, body, headers):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers}
        try:
            async with aiohttp.ClientSession() as http:
                async with http.request(method, f"{self.base}/api/v1{path}", headers=headers,
                                        data=json.dumps(body) if body else None,
                                        timeout=aiohttp.ClientTimeout(total=None)) as reply:
                    if reply.status != 200:
                        self.refused = (reply.status, await reply.json())
                        return self.bell.ring()
                    assert reply.headers["Content-Type"].startswith("text/event-stream")
                    self.headers = reply.headers
                    rest = []  # of a line: one may be longer than any buffer
                    async for chunk in reply.content.iter_any():
                        await self._reading.wait()
                        *whole, last = chunk.split(b"\n")
                        for line in whole:
                            self._line(b"".join([*rest, line]).decode())
                            rest = []
                        rest.append(last)
        except (aiohttp.ClientError, OSError):
            pass
        finally:
            self.bell.ring()

    _id = None

    def _line(self, line):
        if line.startswith(":"):
            self.comments += 1
            self.bell.ring()
        elif line.startswith("id: "):
            self._id = line[4:]
        elif line.startswith("retry: "):
            self.retry_ms = int(line[7:])
        elif line.startswith("data: "):
            body = line[6:]
            body = body if body == "[DONE]" else json.loads(body)
            self.events.append((self._id, body))
            self._id = None
            if isinstance(body, dict) and "choices" in body:
                self._chunk(body)
            self.bell.ring()

    def _chunk(self, body):
        content = body["choices"][0]["delta"].get("content")
        if body.get("reset"):
            self.text, self.entries = "", []
        if content is not None:
            self.text += content
        for patch in body.get("entry_patches", []):
            while len(self.entries) <= patch["index"]:
                self.entries.append("")
            self.entries[patch["index"]] = apply_patch(self.entries[patch["index"]], patch)
        if "entry_count" in body:
            self.entries = self.entries[: body["entry_count"]]
