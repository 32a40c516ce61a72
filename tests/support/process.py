"""One child process: started, killed, stopped and watched by its pid; its output goes to a file."""

import asyncio
import ctypes
import fcntl
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import time

from support.waiting import until

# What a sanitizer or the C++ runtime prints; none of it may ever stand in a log.
FAULT = re.compile(rb"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|terminate called|Assertion .* failed")

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


_reserved = []


def _reserve(port):
    """Whether no other test run has the port: one whose server is down for a moment looks free to all but its owner."""
    folder = os.path.join(tempfile.gettempdir(), "throughline-ports")
    os.makedirs(folder, exist_ok=True)
    lock = open(os.path.join(folder, str(port)), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return False
    _reserved.append(lock)  # held until this process ends
    return True


def free_port():
    """A loopback port below the range of outgoing connections, so that it stays free while its server is down."""
    for _ in range(200):
        port = random.randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if _reserve(port):
            return port
    raise RuntimeError("no free port found")


def children_of(pid):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as stat:
                    if int(stat.read().rsplit(b")", 1)[1].split()[1]) == pid:
                        found.append(int(entry))
            except (OSError, IndexError):
                pass
    return found


class Process:
    """`start` again after `kill` or `terminate` runs the same command on the same ports."""

    def __init__(self, name, command, log, env=None):
        self.name = name
        self.command = command
        self.log = log
        self.env = env
        self.frozen = False
        self._child = None
        self._scanned = 0

    @property
    def running(self):
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self):
        return self._child.pid

    def start(self):
        # From the main thread only: the parent-death signal goes with the thread that forked.
        assert not self.running, f"{self.name} runs already"
        self.frozen = False
        with open(self.log, "ab") as out:
            self._child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                           env=self.env, preexec_fn=die_with_parent)

    def kill(self):
        """SIGKILL, with everything it forked; gone when this returns."""
        child, self._child = self._child, None
        if child is None:
            return
        forked = children_of(child.pid)
        child.kill()
        child.wait()
        for pid in forked:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def freeze(self):
        """SIGSTOP to it and to what it forked."""
        self.frozen = True
        self._signal_all(signal.SIGSTOP)

    def thaw(self):
        self.frozen = False
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number):
        for pid in [self._child.pid, *children_of(self._child.pid)]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def signal_stop(self):
        self._child.send_signal(signal.SIGTERM)

    async def ended(self, timeout):
        """Waits for the process to end by itself and returns its exit status."""
        child, deadline = self._child, time.monotonic() + timeout
        while child.poll() is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name} still runs {timeout:g} s after it was told to end")
            await asyncio.sleep(0.02)
        self._child = None
        return child.returncode

    async def terminate(self, timeout=15):
        self.signal_stop()
        return await self.ended(timeout)

    async def accepts(self, timeout):
        """Waits until something listens on its `port`."""
        def answers():
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                return False
        await until(answers, lambda: f"{self.name} answers\n{self.tail()}", timeout)

    def fault(self):
        """What is wrong with this process as far as an outsider can see, or None. Looks at each log line once."""
        if self._child is not None and self._child.poll() is not None:
            status, self._child = self._child.returncode, None
            return f"{self.name} ended by itself with status {status}"
        if not os.path.exists(self.log):
            return None
        with open(self.log, "rb") as log:
            log.seek(self._scanned)
            text = log.read()
            self._scanned += len(text)
        hit = FAULT.search(text)
        if hit:
            return f"{self.name}: " + text[hit.start():hit.start() + 2000].decode(errors="replace")
        return None

    def tail(self, lines=40):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, "rb") as log:
            log.seek(max(0, os.path.getsize(self.log) - 16384))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
