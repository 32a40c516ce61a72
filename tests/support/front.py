"""The local front (deploy/local/front.conf) before the gateways and bridges of a test's system: one address for all.

As in `deploy/local/up` it is told once of all ports behind it, whether a replica runs there or not: nginx without a master
process does not survive a change of its configuration.
"""

import pathlib

from support.process import Process, free_port
from support.waiting import PATIENCE

TEMPLATE = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "local" / "front.conf"


class Front(Process):
    """nginx in the foreground."""

    def __init__(self, folder, gateways, bridges):
        def servers(ports):
            return "\n".join(f"    server 127.0.0.1:{port} max_fails=0;" for port in ports)

        self.port = free_port()
        own = pathlib.Path(folder) / "front"
        own.mkdir()
        values = {"run": own, "temporary": own, "port": self.port, "gateways": servers(gateways),
                  "bridges": servers(bridges)}
        text = TEMPLATE.read_text(encoding="utf-8")
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        (own / "front.conf").write_text(text, encoding="utf-8")
        super().__init__("front", ["/usr/sbin/nginx", "-p", str(own), "-c", str(own / "front.conf"), "-e", "stderr"],
                         f"{folder}/front.log")

    async def ready(self, timeout=PATIENCE):
        await self.accepts(timeout)
