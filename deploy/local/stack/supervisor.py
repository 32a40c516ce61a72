"""Starts children, keeps them running, and ends them; nothing it started is left behind."""

import signal
import time

from process import Record, describe_end

POLL_S = 0.05


class Stopped(Exception):
    """Somebody asked for the end."""


class Supervisor:
    """Owned by the main thread. `grace_s`: how long the services may take to end by themselves."""

    def __init__(self, folders, say, grace_s):
        self._say = say
        self._grace_s = grace_s
        self._children = []
        self._record = Record(folders)
        self._stop_asked = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_stop)

    def _ask_stop(self, _number, _frame):
        self._stop_asked = True

    def start(self, child):
        self._children.append(child)
        child.start()
        self._write_record()

    def wait_until(self, what, is_true, limit_s=60.0):
        """Waits for a condition, keeping everything running meanwhile."""
        deadline = time.monotonic() + limit_s
        while not is_true():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what}: not within {limit_s:g} s\n{self._tails()}")
            self.step()

    def run(self):
        while True:
            self.step()

    def step(self):
        """One round: starts again what has ended. Raises Stopped when it is time to go."""
        if self._stop_asked:
            raise Stopped
        for child in self._children:
            status = child.ended()
            if status is None or not child.may_start_again():
                continue
            before = child.pid
            child.start()
            self._write_record()
            self._say(f"{child.name} (pid {before}) {describe_end(status)}; started again as pid {child.pid}")
        time.sleep(POLL_S)

    def end_all(self):
        """Ends everything before what it relies on: gateways and bridges hand over to state-sync what they hold."""
        deadline = time.monotonic() + self._grace_s
        for kind in ("agent", "edge", "state-sync", "server"):
            group = [child for child in reversed(self._children) if kind_of(child) == kind]
            for child in group:
                child.tell_to_end()
            for child in group:
                if not child.wait_end(deadline):
                    self._say(f"{child.name} did not end in time and was killed")
            deadline = max(deadline, time.monotonic() + 5.0)
        self._record.clear()

    def _write_record(self):
        self._record.write({child.name: child.pid for child in self._children})

    def _tails(self):
        return "\n".join(f"--- {child.name} ({child.log})\n{child.tail()}" for child in self._children)


def kind_of(child):
    if child.name in ("postgres", "nats", "front"):
        return "server"
    if child.name.startswith("state-sync"):
        return "state-sync"
    return "agent" if child.name == "demo-agent" else "edge"
