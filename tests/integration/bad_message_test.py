"""A request that state-sync cannot read is answered at once: its sender need not wait for anything."""

import asyncio
import json

import pytest

from support.nats_wire import NatsWire


class AskingWire(NatsWire):
    async def ask(self, subject, body):
        """The reply to one request."""
        self._writer.write(b"SUB answers 1\r\n" + f"PUB {subject} answers {len(body)}\r\n".encode() + body + b"\r\n")
        await self._writer.drain()
        while not (line := await self._reader.readline()).startswith(b"MSG answers"):
            assert line and not line.startswith(b"-ERR"), line
        return await self._reader.readexactly(int(line.split()[-1]))


@pytest.mark.parametrize("subject", ["tl1.in.0", "tl1.read", "tl1.keys"])
@pytest.mark.parametrize("body", [b"no JSON", b'{"op":"of_the_future","budget_ms":5000}', b'{"op":"rename_session"}'])
async def test_what_cannot_be_read_is_refused(bench, subject, body):
    wire = await AskingWire.connect(bench.system.nats.port)
    reply = await asyncio.wait_for(wire.ask(subject, body), timeout=5)
    await wire.close()
    head, _, rest = reply.partition(b"\n")
    assert json.loads(head)["op"] == "answer" and json.loads(head)["status"] == 400, reply
    assert json.loads(rest)["error"]["code"] == "bad_message", reply
