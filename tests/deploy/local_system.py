"""The scripts of deploy/local as a person calls them, on free ports."""

import json
import os
import random
import signal
import socket
import subprocess
import time
import urllib.request

from rendered import ROOT

LOCAL = ROOT / "deploy" / "local"


def environment(**more):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("THROUGHLINE_")}
    build = os.environ.get("THROUGHLINE_BUILD", os.environ.get("BUILD_DIR", "build"))
    return {**kept, "BUILD_DIR": build, **more}


def script(name, *arguments, **more):
    return subprocess.run([LOCAL / name, *map(str, arguments)], env=environment(**more), capture_output=True, text=True,
                          timeout=120, check=False)


def free_block(size=20):
    """The first of `size` ports that are free, below the range of outgoing connections."""
    while True:
        first = random.randrange(15000, 31000, size)
        try:
            for port in range(first, first + size):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue


def ports(first):
    return ["--gateway-port", first, "--bridge-port", first + 1, "--nats-port", first + 2, "--postgres-port", first + 3,
            "--replica-port", first + 4, "--ops-port", first + 10]


def up(state, first, *arguments, **more):
    return script("up", "--no-install", "--no-build", "--detach", "--state", state, *ports(first), *arguments, **more)


def call(first, token, method, path, body=None):
    request = urllib.request.Request(f"http://127.0.0.1:{first}/api/v1{path}", method=method)
    request.add_header("Authorization", f"Bearer {token}")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, json.dumps(body).encode() if body else None, timeout=30) as reply:
        return json.loads(reply.read())


def living(state):
    return {name: pid for name, (pid, _) in json.loads((state / "run" / "processes.json").read_text()).items()
            if os.path.exists(f"/proc/{pid}")}


def kill_and_see_it_back(state, name):
    """SIGKILL by the pid file; returns once the supervisor has said that it runs again."""
    before = int((state / "run" / f"{name}.pid").read_text())
    os.kill(before, signal.SIGKILL)
    said, deadline = f"{name} (pid {before}) was killed by SIGKILL; started again", time.monotonic() + 20
    while said not in (log := (state / "log" / "up.log").read_text()):
        assert time.monotonic() < deadline, log
        time.sleep(0.05)
    assert int((state / "run" / f"{name}.pid").read_text()) != before
