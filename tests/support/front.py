"""The local front (deploy/local/front.conf) before the gateways and bridges of a test's system: one address for all."""

import pathlib
import sys

from support.process import Process, free_port
from support.waiting import PATIENCE

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "deploy" / "local" / "stack"))

from front_config import front_config  # noqa: E402


class Front(Process):
    """nginx in the foreground."""

    def __init__(self, folder, gateways, bridges):
        self.port = free_port()
        own = pathlib.Path(folder) / "front"
        own.mkdir()
        config = front_config(self.port, own, own, gateways, bridges)
        (own / "front.conf").write_text(config, encoding="utf-8")
        super().__init__("front", ["/usr/sbin/nginx", "-p", str(own), "-c", str(own / "front.conf"), "-e", "stderr"],
                         f"{folder}/front.log")

    async def ready(self, timeout=PATIENCE):
        await self.accepts(timeout)
