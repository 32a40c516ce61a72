"""TCP links that a test can cut, stall and heal, and fronts that spread connections over replicas.

The bytes are carried by a process of its own (`python3 -m support.links`), so that a test's own work delays none of
them; it reads one command per line of JSON and answers each with a line.
"""

import asyncio
import json
import pathlib
import subprocess
import sys

from support.process import die_with_parent, free_port

CHUNK = 64 * 1024


class Link:
    """A loopback port behind which `targets` (ports) stand: the first that accepts, a different one each time."""

    def __init__(self, carrier, number, targets):
        self.port = free_port()
        self.broken = False
        self._carrier = carrier
        self._number = number
        self._tell("open", port=self.port, targets=targets)

    def cut(self):
        """Ends every connection and refuses new ones, until `heal`."""
        self._tell("cut", broken=True)

    def refuse(self):
        """Refuses new connections until `heal`; those that are there live on."""
        self._tell("refuse", broken=True)

    def stall(self, to_server=True, to_process=True):
        """Carries nothing more in these directions, and keeps what is sent, until `heal`; nobody sees a connection end.

        New connections are accepted and stand still too."""
        self._tell("stall", broken=True, to_server=to_server, to_process=to_process)

    def heal(self):
        """Carries everything again, what was kept first."""
        self._tell("heal", broken=False)

    def targets(self, ports):
        """New connections go to these."""
        self._tell("targets", targets=ports)

    def _tell(self, what, broken=None, **more):
        self._carrier.tell({"do": what, "link": self._number, **more})
        if broken is not None:
            self.broken = broken


class Links:
    """All links of one system and the process that carries them, started with the first."""

    def __init__(self, log):
        self._log = log
        self._child = None
        self._made = []

    def add(self, targets):
        link = Link(self, len(self._made), targets)
        self._made.append(link)
        return link

    def heal(self):
        for link in self._made:
            if link.broken:
                link.heal()

    def tell(self, command):
        if self._child is None:
            self._start()
        self._child.stdin.write(json.dumps(command) + "\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline()
        assert answer == "done\n", f"links: {command}: {answer!r}"

    def _start(self):
        tests = pathlib.Path(__file__).resolve().parents[1]
        command = [sys.executable, "-B", "-m", "support.links"]
        with open(self._log, "ab") as out:
            self._child = subprocess.Popen(command, cwd=tests, stderr=out, text=True, bufsize=1, stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, preexec_fn=die_with_parent)

    def stop(self):
        if self._child is not None:
            self._child.kill()
            self._child.communicate()


class _Carried:
    """One link inside the carrying process."""

    def __init__(self, port, targets):
        self._port = port
        self._next = 0
        self._open = set()
        self._server = None
        self.targets = targets
        self._to_server, self._to_process = asyncio.Event(), asyncio.Event()

    async def heal(self):
        self._to_server.set()
        self._to_process.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, backlog=1024)

    async def refuse(self):
        if self._server is not None:
            self._server.close()
            self._server = None

    async def cut(self):
        await self.refuse()
        for writer in list(self._open):
            writer.transport.abort()

    def stall(self, to_server, to_process):
        if to_server:
            self._to_server.clear()
        if to_process:
            self._to_process.clear()

    async def _serve(self, reader, writer):
        far = None
        self._open.add(writer)
        try:
            await self._to_server.wait()
            far = await self._connect()
            if far is None or writer.transport.is_closing():
                return
            self._open.add(far[1])
            await asyncio.gather(self._carry(reader, far[1], self._to_server),
                                 self._carry(far[0], writer, self._to_process))
        except OSError:
            pass
        finally:
            for end in [writer] + ([far[1]] if far else []):
                self._open.discard(end)
                end.transport.abort()

    async def _connect(self):
        self._next += 1
        for offset in range(len(self.targets)):
            try:
                port = self.targets[(self._next + offset) % len(self.targets)]
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
        return None

    @staticmethod
    async def _carry(reader, writer, flows):
        while True:
            data = await reader.read(CHUNK)
            await flows.wait()
            if not data:
                break
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


async def carry():
    links = {}
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        command = json.loads(line)
        what, number = command["do"], command["link"]
        if what == "open":
            links[number] = _Carried(command["port"], command["targets"])
        link = links[number]
        if what == "cut":
            await link.cut()
        elif what == "refuse":
            await link.refuse()
        elif what == "stall":
            link.stall(command["to_server"], command["to_process"])
        elif what == "targets":
            link.targets = command["targets"]
        else:
            await link.heal()
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(carry())
