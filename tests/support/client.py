"""A person's side: tokens, HTTP calls and a user socket that reconnects by itself."""

import asyncio
import json
import time

import aiohttp
import jwt

from support.system import SECRET
from support.view import View
from support.waiting import PATIENCE, Bell


def mint(user, secret=SECRET, ttl=3600, algorithm="HS256", **claims):
    return jwt.encode({"sub": user, "exp": int(time.time()) + ttl, **claims}, secret, algorithm=algorithm)


class Unavailable(AssertionError):
    """A 503 where something else was expected: what waits for a state may ask again."""


class Reply:
    def __init__(self, status, headers, raw):
        self.status = status
        self.headers = headers
        self.raw = raw
        try:
            self.body = json.loads(raw)
        except ValueError:
            self.body = None

    def ok(self, status=200):
        if self.status == 503 != status:
            raise Unavailable(f"expected {status}, got {self}")
        assert self.status == status, f"expected {status}, got {self}"
        return self.body

    def refused(self, status, code=None):
        """The error object of the contract, with the status and the code (where one is given)."""
        assert self.status == status, f"expected {status}, got {self}"
        error = self.body["error"]
        assert set(self.body) == {"error"} and set(error) == {"code", "message"}, self.body
        assert error["message"], "an error without a message"
        assert code is None or error["code"] == code, f"expected {code}, got {self}"
        return error

    def __str__(self):
        return f"{self.status} {self.raw[:500]!r}"


class Api:
    """HTTP as one user (or none)."""

    def __init__(self, base, token=None):
        self.base = base
        self.token = token
        self._http = aiohttp.ClientSession()

    async def close(self):
        await self._http.close()

    async def request(self, method, path, body=None, headers=None, timeout=15, data=None):
        sent = dict(headers or {})
        if self.token and "Authorization" not in sent:
            sent["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            data = json.dumps(body).encode()
        async with self._http.request(method, f"{self.base}/api/v1{path}", data=data, headers=sent,
                                      timeout=aiohttp.ClientTimeout(total=timeout)) as reply:
            return Reply(reply.status, reply.headers, await reply.read())

    async def get(self, path, **more):
        return await self.request("GET", path, **more)

    async def post(self, path, body=None, **more):
        return await self.request("POST", path, body, **more)

    async def delete(self, path, **more):
        return await self.request("DELETE", path, **more)

    async def insist(self, method, path, body, timeout=PATIENCE, headers=None):
        """Repeats a call that carries its own id until it is decided, through outages of any part."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                reply = await self.request(method, path, body, timeout=5, headers=headers)
                if reply.status not in (502, 503, 504):
                    return reply
                last = str(reply)
            except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
                last = repr(error)
            assert time.monotonic() < deadline, f"{method} {path} was not decided: {last}"
            await asyncio.sleep(0.1)

    async def interactions(self, session_id, per_page=100):
        """All of them, oldest first, page by page."""
        found, page = [], 0
        while True:
            body = (await self.get(f"/sessions/{session_id}/interactions?page={page}&per_page={per_page}")).ok()
            found += body["interactions"]
            page += 1
            if page >= body["totalPages"]:
                assert len(found) == body["totalCount"], (len(found), body["totalCount"])
                return found


class Viewer:
    """One v1 user socket after another, folded into a `View`."""

    protocols = ()
    view_type = View

    def __init__(self, base, session_id, token, reconnect=True):
        self.url = f"{base.replace('http', 'ws', 1)}/api/v1/ws/user?session_id={session_id}"
        self.view = self.view_type(session_id)
        self.frames = []
        self.on_frame = lambda frame: None
        self.connections = 0
        self.connected = False
        self.closes = []
        self.refusals = []
        self._token = token
        self._reconnect = reconnect
        self._bell = Bell()
        self._socket = None
        self._away = False
        self._task = asyncio.ensure_future(self._run())

    async def until(self, condition, what, timeout=PATIENCE):
        """Waits until `condition(view)` holds."""
        await self._bell.until(lambda: condition(self.view), lambda: f"{what}: {self._story()}", timeout)
        return self

    async def opened(self, connections=1, timeout=PATIENCE):
        await self._bell.until(lambda: self.connections >= connections and self.connected and self.view.session,
                               lambda: f"user socket open: {self._story()}", timeout)
        return self

    async def shows(self, text, timeout=PATIENCE):
        return await self.until(lambda v: v.text() == text, f"viewer shows {text!r}", timeout)

    async def sees(self, interaction_id, state, timeout=PATIENCE):
        return await self.until(lambda v: v.state(interaction_id) == state, f"{interaction_id} is {state}", timeout)

    async def closed(self, timeout=PATIENCE):
        """The code with which the (first) socket was closed."""
        await self._bell.until(lambda: self.closes, lambda: f"socket closed: {self._story()}", timeout)
        return self.closes[0]

    async def send(self, data):
        await self._socket.send_str(data)

    async def leave(self):
        """The page is closed without a word, and stays away until `come_back`."""
        self._away = True
        self._socket._conn.transport.abort()
        await self._bell.until(lambda: not self.connected, lambda: f"cut off: {self._story()}")

    def come_back(self):
        self._away = False
        self._bell.ring()

    async def close(self):
        self._reconnect = False
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _story(self):
        view = self.view
        shown = [(i["id"], i["state"], i["response_message"][-80:]) for i in view.ordered()]
        return (f"position {view.position}, shows {shown}, connections {self.connections}, closes {self.closes}, "
                f"refusals {self.refusals[-3:]}, violations {view.violations[:3]}")

    async def _run(self):
        async with aiohttp.ClientSession() as http:
            while True:
                try:
                    await self._once(http)
                except aiohttp.WSServerHandshakeError as refused:
                    self.refusals.append(refused.status)
                except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
                    self.refusals.append(repr(error))
                self.connected = False
                self._bell.ring()
                if not self._reconnect:
                    return
                await asyncio.sleep(0.1)  # the client's own back-off, as a browser has one
                await self._bell.until(lambda: not self._away, "called back", timeout=86400)

    def _take(self, message):
        if message.type is not aiohttp.WSMsgType.TEXT:
            self.view.violations.append(f"{message.type} instead of a text frame: {message.data!r}")
            return
        frame = json.loads(message.data)
        self.frames.append(frame)
        self.view.take(frame)
        self.on_frame(frame)

    def _next_url(self):
        """Where the next connection goes; tells the view what to expect of it."""
        self.view.connected()
        return self.url

    async def _once(self, http):
        async with http.ws_connect(self._next_url(), headers={"Authorization": f"Bearer {self._token}"}, max_msg_size=0,
                                   timeout=5, protocols=self.protocols) as socket:
            self._socket = socket
            self.connections += 1
            self.connected = True
            async for message in socket:
                self._take(message)
                self._bell.ring()
            self.closes.append(socket.close_code)
