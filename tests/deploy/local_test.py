"""The scripts of deploy/local, used as a person uses them: what they refuse, and a system that survives its supervisor."""

import os
import signal
import socket
import subprocess
import time

import jwt
import pytest

from local_system import LOCAL, call, free_block, kill_and_see_it_back, living, script, up


@pytest.mark.parametrize("name", ["install", "build", "up", "down", "token", "watch"])
def test_a_script_is_executable_and_parses(name):
    assert os.access(LOCAL / name, os.X_OK)
    subprocess.run(["bash", "-n", LOCAL / name], check=True, timeout=10)


def test_install_is_quick_when_there_is_nothing_to_do():
    began = time.monotonic()
    done = script("install", "--tests")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert time.monotonic() - began < 5


def test_help_names_every_option_with_its_twin():
    text = script("up", "--help").stdout
    for option in ("state", "gateway-port", "bridge-port", "replica-port", "ops-port", "nats-port", "postgres-port",
                   "replicas", "no-demo", "detach"):
        assert f"--{option}" in text
        assert "THROUGHLINE_LOCAL_" + option.upper().replace("-", "_") in text


def test_an_unknown_option_is_refused_before_anything_happens(state):
    done = script("up", "--no-install", "--no-build", "--state", state / "new", "--colour")
    assert done.returncode == 2 and "--colour" in done.stderr
    assert not (state / "new").exists()


def test_ports_that_are_taken_are_named_with_the_option_that_moves_them(state):
    first = free_block()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first + 2))
        taken.listen()
        done = up(state, first)
    assert done.returncode == 1
    assert f"port {first + 2} (NATS)" in done.stderr and "--nats-port" in done.stderr
    assert f"port {first} " not in done.stderr


def test_missing_binaries_are_said(state):
    done = up(state, free_block(), BUILD_DIR=str(state / "nothing-built"))
    assert done.returncode == 1
    assert "build first" in done.stdout + done.stderr


def test_a_token_is_signed_with_the_secret_of_the_state_folder(state):
    text = script("token", "--state", state, "--days", 1, "alice").stdout.strip()
    claims = jwt.decode(text, (state / "jwt-secret").read_text().strip(), algorithms=["HS256"])
    assert claims["sub"] == "alice" and 86000 < claims["exp"] - time.time() <= 86400
    assert (state / "jwt-secret").stat().st_mode & 0o077 == 0


def test_down_without_a_system_is_no_error(state):
    done = script("down", "--state", state)
    assert done.returncode == 0 and "Nothing runs" in done.stdout


def test_state_survives_and_nothing_is_left_behind(state):
    first = free_block()
    begun = up(state, first, "--no-demo")
    assert begun.returncode == 0, begun.stdout + begun.stderr
    assert "runs already" in up(state, first).stderr
    token = script("token", "--state", state, "alice").stdout.strip()
    session = call(first, token, "POST", "/sessions", {"name": "Kept"})["id"]

    supervisor = int((state / "run" / "supervisor.pid").read_text().split()[0])
    os.kill(supervisor, signal.SIGKILL)
    again = up(state, first, "--no-demo")
    assert again.returncode == 0, again.stdout + again.stderr
    assert call(first, token, "GET", f"/sessions/{session}")["name"] == "Kept"

    running = living(state)
    assert set(running) == {"postgres", "nats", "state-sync", "agent-bridge", "gateway"}
    assert script("down", "--state", state).returncode == 0
    assert not [name for name, pid in running.items() if os.path.exists(f"/proc/{pid}")]


def test_a_killed_service_is_started_again_and_that_is_said(state):
    first = free_block()
    assert up(state, first, "--no-demo").returncode == 0
    for name in ("gateway", "nats", "postgres"):
        kill_and_see_it_back(state, name)
