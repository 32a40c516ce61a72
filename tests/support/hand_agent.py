"""An agent socket that a test writes frame by frame: what no stock agent would say in this order can be said here."""

import asyncio
import json
import time

import aiohttp

from support.waiting import PATIENCE, Bell


class HandAgent:
    """Reads by itself; `command` hands out what came, kind by kind, each once."""

    def __init__(self, socket, thread="t-1"):
        self.socket = socket
        self.thread = thread
        self.commands = []  # every command received, in order
        self._taken = set()
        self._bell = Bell()
        self._reader = asyncio.ensure_future(self._read())

    async def close(self):
        await self.socket.close()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def cut(self):
        """No close frame: the connection is gone."""
        self.socket._conn.transport.abort()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def closed(self, timeout=PATIENCE):
        await self._bell.until(self._reader.done, "the bridge closes the socket", timeout)
        return self.socket.close_code

    def received(self, kind):
        return [command["data"] for command in self.commands if command["type"] == kind]

    async def command(self, kind, timeout=PATIENCE):
        """The oldest command of that kind that was not handed out yet."""
        def waiting():
            return next((n for n, c in enumerate(self.commands) if c["type"] == kind and n not in self._taken), None)
        found = await self._bell.until(lambda: None if waiting() is None else (waiting(),),
                                       lambda: f"a {kind}: {self.commands[-5:]}", timeout)
        self._taken.add(found[0])
        return self.commands[found[0]]["data"]

    async def emit(self, event_type, **data):
        await self.socket.send_str(json.dumps({"event_type": event_type, "data": data}))

    async def ready(self, name="zed-agent"):
        await self.emit("agent_ready", agent_name=name, thread_id=None)

    async def created(self, request, thread=None):
        self.thread = thread or self.thread
        await self.emit("thread_created", acp_thread_id=self.thread, request_id=request)

    async def says(self, content, message="1", request="", thread=None, **more):
        await self.emit("message_added", acp_thread_id=thread or self.thread, message_id=message, content=content,
                        role="assistant", entry_type="text", request_id=request, timestamp=int(time.time()), **more)

    async def calls(self, content, message, status, tool="ls", request="", thread=None):
        await self.emit("message_added", acp_thread_id=thread or self.thread, message_id=message, content=content,
                        role="assistant", entry_type="tool_call", tool_name=tool, tool_status=status,
                        request_id=request, timestamp=int(time.time()))

    async def types(self, content, message, request="", thread=None):
        await self.emit("message_added", acp_thread_id=thread or self.thread, message_id=message, content=content,
                        role="user", entry_type="text", request_id=request, timestamp=int(time.time()))

    async def completes(self, request="", thread=None, usage=None):
        await self.emit("message_completed", acp_thread_id=thread or self.thread, message_id="0", request_id=request,
                        agent_name="zed-agent", usage=usage)

    async def fails_load(self, error, request="", thread=None):
        await self.emit("thread_load_error", acp_thread_id=thread or self.thread, request_id=request, error=error)

    async def _read(self):
        try:
            async for message in self.socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self.commands.append(json.loads(message.data))
                    self._bell.ring()
        finally:
            self._bell.ring()
