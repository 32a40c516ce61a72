"""The front of several replicas: nginx as a child like the others, with its configuration in the state folder."""

import os
import shutil

from front_config import front_config
from places import places
from process import Child

# Debian keeps it outside the search path of people.
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def program():
    found = shutil.which("nginx", path=PATH)
    if found is None:
        raise RuntimeError("nginx is not installed: run deploy/local/install")
    return found


def configuration(options, folders):
    """The text of the configuration for these options."""
    def ports(service):
        return [place.port for place in places(options) if place.service == service]

    return front_config(options.gateway_port, folders.run, folders.state / "front", ports("gateway"),
                        ports("agent-bridge"))


def front(options, folders):
    """The child; it is started once and knows its replicas by their ports, whether they run or not."""
    path = folders.run / "front.conf"
    path.write_text(configuration(options, folders), encoding="utf-8")
    (folders.state / "front").mkdir(exist_ok=True)
    return Child("front", [program(), "-p", folders.state, "-c", path, "-e", "stderr"], folders)
