"""NATS as a cluster of three, or one server with a configuration of its own."""

import json
import urllib.request

from support.process import free_port
from support.system import Nats


class ConfiguredNats(Nats):
    """One server; `lines` are added to its configuration. Its monitoring port tells who is connected."""

    def __init__(self, folder, lines="", name="nats"):
        super().__init__(folder)
        self.name = name
        self.log = f"{folder}/{name}.log"
        self.monitor_port = free_port()
        config = f"{folder}/{name}.conf"
        with open(config, "w", encoding="utf-8") as file:
            file.write(f'server_name: "{name}"\nlisten: "127.0.0.1:{self.port}"\n'
                       f'http: "127.0.0.1:{self.monitor_port}"\n{lines}\n')
        self.command = ["nats-server", "-c", config]

    def monitor(self, what):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor_port}/{what}", timeout=3) as reply:
            return json.load(reply)

    def clients(self):
        """Names of those connected here, one per connection."""
        return [c.get("name", "") for c in self.monitor("connz?limit=1000")["connections"]]


class NatsCluster:
    """Looks like one process to a `System`; `nodes` are killed and started one by one."""

    name = "nats"

    def __init__(self, folder, lines="", count=3):
        routes = [free_port() for _ in range(count)]
        listed = ", ".join(f'"nats-route://127.0.0.1:{port}"' for port in routes)
        self.nodes = [ConfiguredNats(folder, f'cluster {{ name: "test", listen: "127.0.0.1:{route}", '
                                     f'routes: [{listed}] }}\n{lines}', name=f"nats-{number}")
                      for number, route in enumerate(routes, 1)]

    @property
    def url(self):
        return ",".join(node.url for node in self.nodes)

    @property
    def port(self):
        return self.nodes[0].port

    @property
    def running(self):
        return all(node.running for node in self.nodes)

    @property
    def frozen(self):
        return any(node.frozen for node in self.nodes)

    def start(self):
        for node in self.nodes:
            if not node.running:
                node.start()

    def thaw(self):
        for node in self.nodes:
            if node.running and node.frozen:
                node.thaw()

    def kill(self):
        for node in self.nodes:
            node.kill()

    async def ready(self):
        for node in self.nodes:
            await node.ready()

    def fault(self):
        return next((fault for fault in (node.fault() for node in self.nodes) if fault), None)

    def tail(self, lines=40):
        return "\n".join(f"--- {node.name}\n{node.tail(lines)}" for node in self.nodes)
