"""The few words of NATS's own protocol that a test needs to speak as a stranger on the wire."""

import asyncio


class NatsWire:
    def __init__(self, reader, writer):
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()  # INFO
        wire = cls(reader, writer)
        writer.write(b'CONNECT {"verbose":false,"pedantic":false,"headers":true}\r\n')
        await wire.flush()
        return wire

    async def publish(self, subject, body, headers=None):
        self.put(subject, body, headers)
        await self.flush()

    def put(self, subject, body, headers=None):
        """Not flushed."""
        if not headers:
            self._writer.write(f"PUB {subject} {len(body)}\r\n".encode() + body + b"\r\n")
            return
        head = b"NATS/1.0\r\n" + b"".join(f"{k}: {v}\r\n".encode() for k, v in headers.items()) + b"\r\n"
        self._writer.write(f"HPUB {subject} {len(head)} {len(head) + len(body)}\r\n".encode() + head + body + b"\r\n")

    async def flush(self):
        """Everything sent so far has been taken by the server when this returns."""
        self._writer.write(b"PING\r\n")
        await self._writer.drain()
        while (line := await self._reader.readline()).strip() != b"PONG":
            if line.strip() == b"PING":
                self._writer.write(b"PONG\r\n")
            assert line and not line.startswith(b"-ERR"), line

    async def listen(self, subject):
        """From now on `next_message` gives what is sent there; this connection does nothing else."""
        self._writer.write(f"SUB {subject} 1\r\n".encode())
        await self.flush()

    async def next_message(self):
        """(subject, body), headers left out."""
        while True:
            line = (await self._reader.readline()).strip()
            assert line and not line.startswith(b"-ERR"), line
            words = line.split()
            if words[0] in (b"MSG", b"HMSG"):
                whole = await self._reader.readexactly(int(words[-1]) + 2)
                head = int(words[-2]) if words[0] == b"HMSG" else 0
                return words[1].decode(), whole[head:-2]
            if words[0] == b"PING":
                self._writer.write(b"PONG\r\n")

    async def close(self):
        self._writer.close()
        await self._writer.wait_closed()
