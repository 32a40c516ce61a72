"""Those who look: v1 and v2 sockets and streams, each coming back by itself as a page does."""

import asyncio
import json
import time

import aiohttp

from chaos.gaps import Lag
from chaos.views import ChatView, NumberedView
from support.view import TERMINAL, View

OPEN_S = 5.0  # a page gives up on an upgrade that is not answered
SILENCE_S = 45.0  # v2: without a heartbeat this long the client reconnects (design 5.4)
BACK_OFF_S = (0.1, 1.0)
# Closes and refusals that only say: try again.
CLOSES = {1000, 1001, 1006, 4503, None}
RETRY = {503, 504}
# How a connection ends: by itself; by the viewer's own will; because the gateway asked to come back elsewhere.
LOST, LEFT, MOVED = "lost", "left", "moved"
BROKEN = (aiohttp.ClientError, OSError, asyncio.TimeoutError, ConnectionError)


class BackOff:
    def __init__(self, rng):
        self._rng = rng
        self._delay = BACK_OFF_S[0]

    def reset(self):
        self._delay = BACK_OFF_S[0]

    async def wait(self):
        await asyncio.sleep(self._delay * self._rng.uniform(0.5, 1.0))
        self._delay = min(BACK_OFF_S[1], self._delay * 2)


class Watcher:
    """One user socket after another. `doors.gateway()` names where to connect; `life_s` bounds how long it stays before
    it leaves and comes again by its own will, None for ever."""

    def __init__(self, http, doors, session, name, token, numbered, rng, life_s=None):
        self.name = name
        self.numbered = numbered
        self.view = NumberedView(session.id) if numbered else View(session.id)
        self.view.events = session.ledger
        self.lag = Lag(session.said)
        self.faults = []
        self.connections = 0
        self._http, self._doors, self._session, self._rng, self._life_s = http, doors, session, rng, life_s
        self._headers = {"Authorization": f"Bearer {token}"}
        self._socket = None
        self._asked = {}  # id -> future of the answer
        self._task = asyncio.ensure_future(self._run())

    async def close(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def failed(self):
        """The exception that ended it, if any: a defect of the test."""
        return None if not self._task.done() or self._task.cancelled() else self._task.exception()

    def abort(self):
        """Its connection is gone, without a word."""
        if self._socket is not None and self._socket._conn is not None and self._socket._conn.transport:
            self._socket._conn.transport.abort()

    def length_of(self, interaction_id):
        interaction = self.view.interactions.get(interaction_id)
        if interaction is None:
            return 0
        if interaction["state"] in TERMINAL:
            return None
        return sum(len(entry["content"]) for entry in interaction["response_entries"] or ())

    async def ask(self, frame, timeout=8.0):
        """The answer to a v2 client frame; None when it did not come: then nobody knows, and the same may be asked
        again."""
        if self._socket is None or self._socket.closed:
            await asyncio.sleep(0.2)
            return None
        answer = self._asked[frame["id"]] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send_str(json.dumps(frame))
            return await asyncio.wait_for(answer, timeout)
        except BROKEN:
            return None
        finally:
            self._asked.pop(frame["id"], None)

    async def _run(self):
        back_off = BackOff(self._rng)
        while True:
            before = self.connections
            end = await self._once()
            self._socket = None
            if self.connections > before:
                back_off.reset()
            if end is LEFT:
                await asyncio.sleep(self._rng.uniform(0.0, 2.0))
                self.lag.skip()
            elif end is LOST:
                await back_off.wait()

    async def _once(self):
        """One connection to its end, and how it ended."""
        since = self.view.since if self.numbered and self._rng.random() < 0.9 else None
        url = f"{self._doors.gateway()}/api/v1/ws/user?session_id={self._session.id}"
        protocols = ("throughline.v2",) if self.numbered else ()
        try:
            opening = self._http.ws_connect(url + (f"&since={since}" if since else ""), headers=self._headers,
                                            protocols=protocols, max_msg_size=0, heartbeat=None)
            self._socket = await asyncio.wait_for(opening, OPEN_S)
        except aiohttp.WSServerHandshakeError as refused:
            if refused.status not in RETRY:
                self.faults.append(f"the upgrade was refused with {refused.status}")
            return LOST
        except BROKEN:
            return LOST
        self.connections += 1
        self.view.connected(since) if self.numbered else self.view.connected()
        leave_at = time.monotonic() + self._rng.uniform(*self._life_s) if self._life_s else float("inf")
        try:
            return await self._read(leave_at)
        finally:
            await asyncio.shield(asyncio.ensure_future(self._drop(self._socket)))

    @staticmethod
    async def _drop(socket):
        if socket._conn is not None and socket._conn.transport:
            socket._conn.transport.abort()
        await socket.close()

    async def _read(self, leave_at):
        heard, why = time.monotonic(), LEFT
        while True:
            now = time.monotonic()
            if now >= leave_at:
                return why
            limit = min(leave_at, heard + SILENCE_S) - now if self.numbered else leave_at - now
            try:
                message = await self._socket.receive(timeout=max(0.001, min(limit, 3600.0)))
            except asyncio.TimeoutError:
                if self.numbered and time.monotonic() >= heard + SILENCE_S:
                    return LOST
                continue
            except BROKEN:
                return LOST
            heard = time.monotonic()
            if message.type is not aiohttp.WSMsgType.TEXT:
                if self._socket.close_code not in CLOSES:
                    self.faults.append(f"closed with {self._socket.close_code}: {message}")
                return LOST
            if self._take(json.loads(message.data)) and why is LEFT:
                leave_at, why = min(leave_at, heard + self.view.reconnect_after_ms / 1000), MOVED

    def _take(self, frame):
        """Whether the gateway asks to come back elsewhere."""
        self.view.take(frame)
        self.lag.shown(time.time(), self.length_of)
        if not self.numbered:
            return False
        while self.view.answers:
            answer = self.view.answers.pop()
            waiting = self._asked.get(answer.get("id"))
            if waiting and not waiting.done():
                waiting.set_result(answer)
        return self.view.reconnect_after_ms is not None


class Follower:
    """One answer over HTTP, resumed on whatever gateway there is until it has ended."""

    def __init__(self, http, doors, session, interaction_id, token, rng):
        self.interaction_id = interaction_id
        self.view = ChatView(session.id)
        self.lag = Lag(session.said_in(interaction_id))
        self.lag.skip()
        self.faults = []
        self._http, self._doors, self._session, self._rng = http, doors, session, rng
        self._headers = {"Authorization": f"Bearer {token}"}
        self._task = asyncio.ensure_future(self._run())

    async def close(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @property
    def done(self):
        return self.view.done

    def failed(self):
        return None if not self._task.done() or self._task.cancelled() else self._task.exception()

    def length_of(self, _interaction_id):
        return None if self.view.outcome else sum(len(entry["content"]) for entry in self.view.entries)

    async def _run(self):
        back_off = BackOff(self._rng)
        path = f"/api/v1/sessions/{self._session.id}/interactions/{self.interaction_id}/stream"
        while not self.view.done:
            headers = dict(self._headers)
            if self.view.last_id:
                headers["Last-Event-ID"] = self.view.last_id
            # A stream says something every 15 s (design 5.3.1).
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=OPEN_S, sock_read=40)
            try:
                async with self._http.get(self._doors.gateway() + path, headers=headers, timeout=timeout) as reply:
                    if reply.status == 200:
                        back_off.reset()
                        self.view.connected()
                        await self._read(reply)
                    elif reply.status not in RETRY:
                        self.faults.append(f"answered {reply.status}: {(await reply.text())[:200]}")
                        return
            except BROKEN:
                pass
            if not self.view.done:
                await back_off.wait()

    async def _read(self, reply):
        event_id, data = None, None
        async for line in reply.content:
            if line.startswith(b"id: "):
                event_id = line[4:].decode().strip()
            elif line.startswith(b"data: "):
                data = line[6:].decode().rstrip("\n")
            elif line == b"\n" and data is not None:
                # Only a whole event counts: one that was cut off is told again.
                self.view.take(event_id, data)
                self.lag.shown(time.time(), self.length_of)
                event_id, data = None, None
