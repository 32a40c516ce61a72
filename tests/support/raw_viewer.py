"""A user socket on a bare TCP connection: its client reads when it is told to, and holds the server back when not."""

import asyncio
import base64
import json
import os
import socket

from support.waiting import PATIENCE


class Ended(Exception):
    """The socket is over; `code` is that of its close frame, None where there was none."""

    def __init__(self, code):
        super().__init__(f"the socket ended with {code}")
        self.code = code


class RawViewer:
    """`frame` gives the next frame; between two calls nothing is read beyond a few KiB."""

    def __init__(self, reader, writer, response):
        self._reader = reader
        self._writer = writer
        self.bytes_per_second = None  # as fast as it can
        self.response = response  # the head of the answer to the upgrade
        self.bytes = 0

    @classmethod
    async def open(cls, port, session_id, token, *, v2=False, since=None, receive_bytes=4096):
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        plain.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=plain, limit=4096)
        lines = [f"GET /api/v1/ws/user?session_id={session_id}{'&since=' + since if since else ''} HTTP/1.1",
                 f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                 f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}", f"Authorization: Bearer {token}"]
        if v2:
            lines.append("Sec-WebSocket-Protocol: throughline.v2")
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        response = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)).decode()
        return cls(reader, writer, response)

    @property
    def status(self):
        return int(self.response.split()[1])

    async def close(self):
        self._writer.transport.abort()

    async def frame(self, timeout=PATIENCE):
        """The next text frame, as JSON; pings are answered on the way."""
        return await asyncio.wait_for(self._frame(), timeout)

    async def _frame(self):
        while True:
            try:
                opcode, payload = await self._message()
            except (asyncio.IncompleteReadError, ConnectionError):
                raise Ended(None) from None
            if opcode == 1:
                return json.loads(payload)
            if opcode == 8:
                raise Ended(int.from_bytes(payload[:2], "big") if payload else None)
            if opcode == 9:
                self._writer.write(bytes([0x8A, 0x80 | len(payload)]) + bytes(4) + payload)

    async def _payload(self, length):
        if self.bytes_per_second is None:
            return await self._reader.readexactly(length)
        parts, piece = [], 32 << 10
        for begin in range(0, length, piece):
            parts.append(await self._reader.readexactly(min(piece, length - begin)))
            await asyncio.sleep(piece / self.bytes_per_second)
        return b"".join(parts)

    async def _message(self):
        first, second = await self._reader.readexactly(2)
        length = second & 0x7F
        if length > 125:
            length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8), "big")
        payload = await self._payload(length)
        self.bytes += length
        return first & 0x0F, payload
