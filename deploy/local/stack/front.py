"""The front of several replicas: nginx as a child like the others, with its configuration in the state folder."""

import os
import shutil

from options import ROOT
from places import places
from process import Child

TEMPLATE = ROOT / "deploy" / "local" / "front.conf"
# Debian keeps it outside the search path of people.
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def program():
    found = shutil.which("nginx", path=PATH)
    if found is None:
        raise RuntimeError("nginx is not installed: run deploy/local/install")
    return found


def configuration(options, folders):
    """The text of the configuration for these options."""
    def servers(service):
        return "\n".join(f"    server 127.0.0.1:{place.port} max_fails=0;"
                         for place in places(options) if place.service == service)

    text = TEMPLATE.read_text(encoding="utf-8")
    values = {"run": folders.run, "temporary": folders.state / "front", "port": options.gateway_port,
              "gateways": servers("gateway"), "bridges": servers("agent-bridge")}
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def front(options, folders):
    """The child; it is started once and knows its replicas by their ports, whether they run or not."""
    path = folders.run / "front.conf"
    path.write_text(configuration(options, folders), encoding="utf-8")
    (folders.state / "front").mkdir(exist_ok=True)
    return Child("front", [program(), "-p", folders.state, "-c", path, "-e", "stderr"], folders)
