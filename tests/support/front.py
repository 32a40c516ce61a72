"""The local front (deploy/local/front.conf) before the gateways and bridges of a test's system: one address for all."""

import pathlib
import signal

from support.process import Process, free_port
from support.waiting import PATIENCE

TEMPLATE = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "local" / "front.conf"


class Front(Process):
    """nginx in the foreground; `targets` tells it of replicas that come and go, and ends no connection."""

    def __init__(self, folder, gateways, bridges):
        self.port = free_port()
        self._folder = pathlib.Path(folder) / "front"
        self._folder.mkdir()
        self._config = self._folder / "front.conf"
        self._write(gateways, bridges)
        super().__init__("front", ["/usr/sbin/nginx", "-p", str(self._folder), "-c", str(self._config), "-e", "stderr"],
                         f"{folder}/front.log")

    def _write(self, gateways, bridges):
        def servers(ports):
            return "\n".join(f"    server 127.0.0.1:{port} max_fails=0;" for port in ports)

        values = {"run": self._folder, "temporary": self._folder, "port": self.port, "gateways": servers(gateways),
                  "bridges": servers(bridges)}
        text = TEMPLATE.read_text(encoding="utf-8")
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        self._config.write_text(text, encoding="utf-8")

    def targets(self, gateways, bridges):
        self._write(gateways, bridges)
        if self.running:
            self._signal_all(signal.SIGHUP)

    async def ready(self, timeout=PATIENCE):
        await self.accepts(timeout)
