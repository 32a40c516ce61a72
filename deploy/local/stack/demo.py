"""The demo: a session that is there again after a restart, and a scripted agent that answers in it."""

import json
import sys
import time
import urllib.error
import urllib.request

from options import ROOT
from places import agent_port
from process import Child

AGENT = ROOT / "tests" / "tools" / "agent-sim"
SCRIPT = ROOT / "deploy" / "local" / "demo.script"


ATTEMPTS = 20


def call(options, token, method, path, body=None):
    """(status, JSON) of a request to the gateway. Repeats what was not accepted: then nothing has happened."""
    for attempt in range(ATTEMPTS):
        answer = call_once(options, token, method, path, body)
        if answer[0] != 503 or attempt + 1 == ATTEMPTS:
            return answer
        time.sleep(0.5)


def call_once(options, token, method, path, body):
    request = urllib.request.Request(f"http://127.0.0.1:{options.gateway_port}/api/v1{path}", method=method)
    request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode(errors="replace")


def demo_session(options, folders, token):
    """(session id, agent token), made once and kept."""
    kept = folders.state / "demo.json"
    if kept.exists():
        demo = json.loads(kept.read_text())
        if call(options, token, "GET", f"/sessions/{demo['session']}?skipInteractions=1")[0] == 200:
            return demo["session"], demo["agent_token"]
    session = expect(201, call(options, token, "POST", "/sessions", {"name": "Demo"}))["id"]
    agent_token = expect(201, call(options, token, "POST", f"/sessions/{session}/agent-token", {}))["token"]
    kept.touch(mode=0o600)
    kept.write_text(json.dumps({"session": session, "agent_token": agent_token}))
    return session, agent_token


def demo_agent(options, folders, session, agent_token):
    command = [sys.executable, AGENT, "--url", f"ws://127.0.0.1:{agent_port(options)}", "--session", session,
               "--token", agent_token, "--script", SCRIPT]
    return Child("demo-agent", command, folders)


def expect(status, answer):
    if answer[0] != status:
        raise RuntimeError(f"the gateway answered {answer[0]}: {answer[1]}")
    return answer[1]
