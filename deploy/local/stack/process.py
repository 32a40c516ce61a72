"""Child processes: each in a session of its own, with a log and a pid file, ended and started again by its pid."""

import ctypes
import json
import os
import signal
import subprocess
import time

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def started_at(pid):
    """When the process began, in clock ticks since boot: with the pid it names one process. None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read().rsplit(b")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] == b"Z" else int(fields[19])


def describe_end(status):
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"


class Child:
    """`command` is run with `env`; its output goes to `<logs>/<name>.log`. It is told to end by `stop_signal`."""

    def __init__(self, name, command, folders, env=None, stop_signal=signal.SIGTERM):
        self.name = name
        self.stop_signal = stop_signal
        self._command = [str(part) for part in command]
        self._env = env
        self.log = folders.log / f"{name}.log"
        self.pid_file = folders.run / f"{name}.pid"
        self._popen = None
        self._began = 0.0
        self._quick_ends = 0
        self._not_before = 0.0

    @property
    def pid(self):
        return self._popen.pid

    def start(self):
        # A terminal's Ctrl-C must reach the supervisor only, and nothing may outlive a supervisor that was killed.
        def prepare():
            _libc.prctl(_PR_SET_PDEATHSIG, self.stop_signal)
        with open(self.log, "ab") as out:
            self._popen = subprocess.Popen(self._command, env=self._env, stdin=subprocess.DEVNULL, stdout=out,
                                           stderr=out, start_new_session=True, preexec_fn=prepare)
        self._began = time.monotonic()
        self.pid_file.write_text(f"{self.pid}\n")

    def ended(self):
        """The exit status as subprocess gives it, once it has ended; else None."""
        return None if self._popen is None else self._popen.poll()

    def may_start_again(self):
        """Notes an end, and answers whether it is time to start again: soon, but later each time it did not last."""
        now = time.monotonic()
        if self._not_before == 0.0:
            self._quick_ends = self._quick_ends + 1 if now - self._began < 5 else 0
            self._not_before = now + min(5.0, 0.1 * 2 ** min(self._quick_ends, 6))
        if now < self._not_before:
            return False
        self._not_before = 0.0
        return True

    def tell_to_end(self):
        if self._popen is not None and self._popen.poll() is None:
            self._popen.send_signal(self.stop_signal)

    def wait_end(self, deadline):
        """Waits for the end, and makes one when the deadline (monotonic) passes. Answers whether it ended by itself."""
        if self._popen is None:
            return True
        try:
            self._popen.wait(max(0.0, deadline - time.monotonic()))
            in_time = True
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
            in_time = False
        self.pid_file.unlink(missing_ok=True)
        return in_time

    def tail(self, lines=15):
        try:
            with open(self.log, "rb") as log:
                log.seek(max(0, os.path.getsize(self.log) - 8192))
                return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


class Record:
    """What runs, written down in the state folder, so that `down` and the next `up` find it and nothing else."""

    def __init__(self, folders):
        self._path = folders.run / "processes.json"

    def write(self, named_pids):
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps({name: [pid, started_at(pid)] for name, pid in named_pids.items()}))
        temporary.replace(self._path)

    def living(self):
        """name -> pid of those that still are the processes that were started."""
        try:
            entries = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return {name: pid for name, (pid, began) in entries.items() if began is not None and started_at(pid) == began}

    def clear(self):
        self._path.unlink(missing_ok=True)
