"""A relay between the clients of one session and the system, that lies where it is told to: for planted faults only."""

import asyncio
import json

import aiohttp
from aiohttp import web

HOP_BY_HOP = {"connection", "upgrade", "host", "content-length", "transfer-encoding", "keep-alive"}


class Honest:
    """Passes everything on. A plant overrides what it changes; each hook gives what is passed on instead, in order.
    `numbered`: whether the session's agent has to be a numbered one."""
    numbered = False

    def to_viewer(self, frame):
        return [frame]

    def from_agent(self, frame):
        return [frame]

    def to_agent(self, frame):
        return [frame]

    def chunk(self, data):
        """Of a stream: one whole event, as text."""
        return [data]

    def answer(self, method, path, body):
        """(status, body) without asking the system, or None."""
        return None


class Relay:
    """One loopback port; `gateway()` and `bridge()` make it the `doors` of a session."""

    def __init__(self, doors, lie):
        self._doors, self._lie = doors, lie
        self._http = None
        self._runner = None
        self._url = None

    def gateway(self):
        return f"http://{self._url}"

    def bridge(self):
        return f"ws://{self._url}"

    async def __aenter__(self):
        self._http = aiohttp.ClientSession(auto_decompress=False)
        application = web.Application(client_max_size=1 << 26)
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, handle_signals=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, shutdown_timeout=0.1)
        await site.start()
        host, port = self._runner.addresses[0]
        self._url = f"{host}:{port}"
        return self

    async def __aexit__(self, *_):
        await self._runner.cleanup()
        await self._http.close()

    async def _serve(self, request):
        headers = {k: v for k, v in request.headers.items()
                   if k.lower() not in HOP_BY_HOP and not k.lower().startswith("sec-websocket")}
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request, headers)
        return await self._call(request, headers)

    async def _socket(self, request, headers):
        agent = request.path.startswith("/api/v1/external-agents/")
        base = self._doors.bridge() if agent else self._doors.gateway().replace("http", "ws", 1)
        offered = [p.strip() for p in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if p.strip()]
        up, down = (self._lie.from_agent, self._lie.to_agent) if agent else (lambda f: [f], self._lie.to_viewer)
        try:
            far = await self._http.ws_connect(base + request.raw_path, headers=headers, protocols=offered,
                                              max_msg_size=0)
        except aiohttp.WSServerHandshakeError as refused:
            return web.Response(status=refused.status)
        near = web.WebSocketResponse(protocols=offered, max_msg_size=0)
        await near.prepare(request)
        ways = [asyncio.ensure_future(self._carry(near, far, up)), asyncio.ensure_future(self._carry(far, near, down))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await far.close()
        await near.close(code=far.close_code or 1001)
        return near

    @staticmethod
    async def _carry(source, target, change):
        async for message in source:
            if message.type is aiohttp.WSMsgType.TEXT:
                for frame in change(json.loads(message.data)):
                    await target.send_str(json.dumps(frame))

    async def _call(self, request, headers):
        body = await request.read()
        made = self._lie.answer(request.method, request.path, json.loads(body) if body else None)
        if made is not None:
            return web.json_response(made[1], status=made[0])
        async with self._http.request(request.method, self._doors.gateway() + request.raw_path, headers=headers,
                                      data=body or None) as reply:
            kept = {k: v for k, v in reply.headers.items() if k.lower() not in HOP_BY_HOP}
            answer = web.StreamResponse(status=reply.status, headers=kept)
            await answer.prepare(request)
            if reply.content_type == "text/event-stream":
                async for event in events_of(reply.content):
                    for told in self._lie.chunk(event):
                        await answer.write(told.encode())
            else:
                await answer.write(await reply.read())
            await answer.write_eof()
            return answer


async def events_of(content):
    event = ""
    async for line in content:
        event += line.decode()
        if line == b"\n":
            yield event
            event = ""
