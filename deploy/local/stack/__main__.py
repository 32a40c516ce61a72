"""`stack up|down|token|watch|options`: what the scripts of deploy/local do once Python is there."""

import argparse
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

from identity import jwt_secret, user_token
from options import up_parser, with_state
from postgres import Unusable
from process import Record, started_at
from supervisor import Stopped, Supervisor
from system import Folders, announcement, ports_in_use, start_system

SUPERVISOR = "supervisor"
STARTED = "started"


def say(text):
    print(f"==> {text}", flush=True)


def fail(text):
    print(f"deploy/local/up: {text}", file=sys.stderr, flush=True)
    return 1


def seconds(duration):
    """Seconds of a duration as the services take it; 25 for what they will refuse themselves."""
    for unit, factor in (("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600)):
        if duration.endswith(unit) and duration[:-len(unit)].isdigit():
            return int(duration[:-len(unit)]) * factor
    return 25


def supervisor_pid(folders):
    try:
        pid, began = (folders.run / f"{SUPERVISOR}.pid").read_text().split()
        return int(pid) if started_at(int(pid)) == int(began) else None
    except (OSError, ValueError):
        return None


def end_leftovers(folders):
    """Ends what a supervisor that was killed has left, if anything. Nothing else can be in the record."""
    record = Record(folders)
    left = record.living()
    for name, pid in left.items():
        say(f"Ending {name} (pid {pid}), left by an earlier run")
        os.kill(pid, signal.SIGINT if name == "postgres" else signal.SIGTERM)
    deadline = time.monotonic() + 10
    while record.living() and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in record.living().values():
        os.kill(pid, signal.SIGKILL)
    record.clear()


def up(options):
    folders = Folders(options.state)
    if (pid := supervisor_pid(folders)) is not None:
        return fail(f"it runs already with {options.state} (pid {pid}); deploy/local/down ends it")
    try:
        folders.create()
    except OSError as error:
        return fail(f"the state folder cannot be used: {error}")
    end_leftovers(folders)
    if taken := ports_in_use(options):
        return fail("some ports cannot be used\n  " + "\n  ".join(taken))
    if options.detach and "THROUGHLINE_LOCAL_DETACHED" not in os.environ:
        return up_detached(folders)
    return supervise(options, folders)


def supervise(options, folders):
    pid_file = folders.run / f"{SUPERVISOR}.pid"
    pid_file.write_text(f"{os.getpid()} {started_at(os.getpid())}\n")
    grace_s = seconds(os.environ.get("THROUGHLINE_DRAIN_TIMEOUT", "5s")) + 5
    supervisor = Supervisor(folders, say, grace_s)
    # A socket is a file: what is started here inherits as many as the machine allows.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    status = 0
    try:
        token, session = start_system(options, folders, supervisor, say)
        print(announcement(options, folders, token, session), flush=True)
        (folders.run / STARTED).touch()
        supervisor.run()
    except Stopped:
        say("Ending")
    except (RuntimeError, Unusable, OSError, subprocess.SubprocessError) as error:
        status = fail(str(error))
    finally:
        supervisor.end_all()
        (folders.run / STARTED).unlink(missing_ok=True)
        pid_file.unlink(missing_ok=True)
    return status


def up_detached(folders):
    """Runs the supervisor in the background, shows what it says, and returns when the system runs or cannot start."""
    log = folders.log / "up.log"
    started = folders.run / STARTED
    started.unlink(missing_ok=True)
    environment = {**os.environ, "THROUGHLINE_LOCAL_DETACHED": "1"}
    with open(log, "wb") as out:
        child = subprocess.Popen([sys.executable, *sys.argv], env=environment, stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=out, start_new_session=True)
    with open(log, encoding="utf-8", errors="replace") as shown:
        while True:
            is_started, status = started.exists(), child.poll()
            print(shown.read(), end="", flush=True)
            if is_started or status is not None:
                return 0 if is_started else status
            time.sleep(0.05)


def down(arguments):
    about = "Ends what deploy/local/up started."
    parser = with_state(argparse.ArgumentParser(prog="deploy/local/down", description=about))
    folders = Folders(parser.parse_args(arguments).state)
    pid = supervisor_pid(folders)
    if pid is None and not Record(folders).living():
        say(f"Nothing runs with {folders.state}")
        return 0
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        while supervisor_pid(folders) is not None:
            time.sleep(0.05)
    end_leftovers(folders)
    say("Ended")
    return 0


def token(arguments):
    parser = with_state(argparse.ArgumentParser(prog="deploy/local/token", description="Prints a user token."))
    parser.add_argument("--days", type=int, default=30, help="how long it is good for [30]")
    parser.add_argument("user", help="the user id (sub)")
    chosen = parser.parse_args(arguments)
    print(user_token(jwt_secret(chosen.state), chosen.user, chosen.days))
    return 0


def main():
    command, *arguments = sys.argv[1:]
    if command in ("up", "options"):
        options = up_parser("deploy/local/up").parse_args(arguments)
        return up(options) if command == "up" else 0
    if command == "watch":
        from watch import watch  # needs aiohttp, which nothing else here does
        return watch(arguments)
    return {"down": down, "token": token}[command](arguments)


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
    sys.exit(main())
