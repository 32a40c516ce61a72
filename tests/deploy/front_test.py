"""Several replicas behind one address: the front's rules with replicas made of a few lines, and the whole system."""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import aiohttp
import pytest

from front import front, program
from local_system import call, free_block, kill_and_see_it_back, living, script, up
from places import replica_counts
from support.client import Viewer
from support.stock_agent import StockAgent

REPLICAS = "gateway=2,agent-bridge=2,state-sync=2"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def options_for(first, replicas=REPLICAS):
    return argparse.Namespace(replicas=replica_counts(replicas), gateway_port=first, replica_port=first + 4,
                              ops_port=first + 10, bridge_port=first + 1, nats_port=first + 2, postgres_port=first + 3)


class Paths:
    def __init__(self, state):
        self.state, self.run, self.log = state, state / "run", state / "log"
        for folder in (self.run, self.log):
            folder.mkdir()


@contextlib.contextmanager
def running_front(state, first):
    child = front(options_for(first), Paths(state))
    child.start()
    try:
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", first), 1).close()
                break
            assert time.monotonic() < deadline and child.ended() is None, child.tail()
            time.sleep(0.02)
        yield
    finally:
        child.tell_to_end()
        child.wait_end(time.monotonic() + 5)


class Replica:
    """Takes requests and gives each the same bytes; with none, it dies on every request."""

    def __init__(self, port, answer):
        self.heads = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    head = connection.recv(65536)
                    if head:
                        self.heads.append(head.decode())
                        connection.sendall(self._answer)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@contextlib.contextmanager
def replicas(first, answers):
    """{offset from the first replica port: answer}"""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(Replica(first + 4 + n, a))) for n, a in answers.items()]


def ask(first, method, path="/api/v1/sessions", **headers):
    data = b"{}" if method == "POST" else None
    request = urllib.request.Request(f"http://127.0.0.1:{first}{path}", data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def test_the_configuration_is_valid(state):
    front(options_for(free_block()), Paths(state))
    done = subprocess.run([program(), "-t", "-p", state, "-c", state / "run" / "front.conf", "-e", "stderr"],
                          capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 0, done.stderr
    assert "@" not in (state / "run" / "front.conf").read_text().replace("between @ signs", "")


@pytest.mark.parametrize("text, named", [("gateways=2", "gateways"), ("gateway=0", "gateway=0"), ("gateway", "gateway"),
                                         ("gateway=17", "1 to 16")])
def test_replicas_that_make_no_sense_are_refused_before_anything_happens(state, text, named):
    done = script("up", "--no-install", "--no-build", "--state", state / "new", "--replicas", text)
    assert done.returncode == 2 and "--replicas" in done.stderr and named in done.stderr
    assert not (state / "new").exists()


def test_what_was_sent_to_a_replica_that_died_goes_to_the_next_only_where_that_is_safe(state):
    first = free_block()
    with running_front(state, first), replicas(first, {0: b"", 1: b""}) as both:
        status, body = ask(first, "POST")
        assert status == 504 and json.loads(body)["error"]["code"] == "outcome_unknown"
        assert sum(len(replica.heads) for replica in both) == 1
    with running_front_again(state, first), replicas(first, {0: b"", 1: b""}) as both:
        assert ask(first, "GET", "/api/v1/sessions?access_token=a-secret")[0] == 504
        assert [len(replica.heads) for replica in both] == [1, 1]
    assert "a-secret" not in (state / "log" / "front.log").read_text()


@contextlib.contextmanager
def running_front_again(state, first):
    """Without what the last one has learned of its replicas."""
    for folder in ("run", "log"):
        (state / folder).rename(state / f"{folder}-before")
    with running_front(state, first):
        yield


def test_a_replica_that_cannot_be_reached_costs_no_request(state):
    first = free_block()
    with running_front(state, first), replicas(first, {1: ANSWER}) as (living_one,):
        for method in ("POST", "GET", "PUT", "DELETE") * 3:
            assert ask(first, method) == (200, b"ok")
        assert len(living_one.heads) == 12


def test_paths_hosts_and_upgrades_arrive_as_they_were_sent(state):
    first = free_block()
    answers = {0: ANSWER, 1: ANSWER, 2: ANSWER.replace(b"ok", b"br"), 3: ANSWER.replace(b"ok", b"br")}
    with running_front(state, first), replicas(first, answers) as found:
        assert ask(first, "GET", "/api/v1/sessions/a%2Fb//c?x=%20y")[1] == b"ok"
        assert ask(first, "GET", "/api/v1/external-agents/sync?session_id=s", Upgrade="websocket")[1] == b"br"
        heads = [head for replica in found for head in replica.heads]
    assert heads[0].startswith("GET /api/v1/sessions/a%2Fb//c?x=%20y HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{first}\r\n" in heads[0] and "Connection: close\r\n" in heads[0]
    assert "Upgrade: websocket\r\n" in heads[1] and "Connection: upgrade\r\n" in heads[1]


async def chunks_of(response):
    """The data of each SSE event as it arrives."""
    async for line in response.content:
        if line.startswith(b"data: "):
            yield line[6:].decode().strip()


class Person:
    """One user of the system behind the front, with a session, its agent and a viewer of it."""

    def __init__(self, state, first):
        self.base = f"http://127.0.0.1:{first}"
        self.token = script("token", "--state", state, "alice").stdout.strip()
        self.session = call(first, self.token, "POST", "/sessions", {"name": "Behind the front"})["id"]
        self._agent_token = call(first, self.token, "POST", f"/sessions/{self.session}/agent-token", {})["token"]

    async def __aenter__(self):
        self.viewer = Viewer(self.base, self.session, self.token)
        self.agent = StockAgent(self.base.replace("http", "ws"), self.session, self._agent_token, time_scale=0.1,
                                throttle_s=0).start()
        await self.viewer.opened()
        await self.agent.online()
        return self

    async def __aexit__(self, *_):
        await self.viewer.close()
        await self.agent.close()
        assert not self.viewer.view.violations

    def chat(self, http, text):
        body = {"session_id": self.session, "stream": True,
                "messages": [{"role": "user", "content": {"content_type": "text", "parts": [text]}}]}
        return http.post(f"{self.base}/api/v1/sessions/chat", json=body,
                         headers={"Authorization": f"Bearer {self.token}"}, timeout=60)


async def one_address_serves_all(person):
    async with person, aiohttp.ClientSession() as http:
        async with http.get(person.base + "/") as page:
            assert page.status == 200 and "html" in page.headers["Content-Type"]
        async with person.chat(http, "Hello?") as response:
            assert response.status == 200
            chunks = chunks_of(response)
            turn = await person.agent.next_turn()
            turn.text("Unbuffered")
            while "Unbuffered" not in await anext(chunks):
                pass
            turn.complete()
            assert [chunk async for chunk in chunks][-1] == "[DONE]"
        await person.viewer.shows("Unbuffered")


async def a_page_goes_on_after(person, kill):
    async with person, aiohttp.ClientSession() as http:
        async with person.chat(http, "Count"):
            turn = await person.agent.next_turn()
            shown = ""
            for name in ("gateway-1", "gateway-2", "agent-bridge-1", "agent-bridge-2", "state-sync-1", "front"):
                connections = person.agent.connections
                await asyncio.to_thread(kill, name)
                if name.startswith("agent-bridge") and not person.agent.connected:
                    await person.agent.online(connections + 1)
                turn.text(f"{name} ")
                shown += f"{name} "
                await person.viewer.shows(shown, timeout=60)
            turn.complete()
            await person.viewer.sees(turn.request_id, "complete", timeout=60)


def test_one_address_serves_people_streams_and_agents_and_outlives_each_replica(state):
    first = free_block()
    begun = up(state, first, "--no-demo", "--replicas", REPLICAS)
    assert begun.returncode == 0, begun.stdout + begun.stderr
    running = living(state)
    assert set(running) == {"postgres", "nats", "front", "gateway-1", "gateway-2", "agent-bridge-1", "agent-bridge-2",
                            "state-sync-1", "state-sync-2"}
    for name, pid in running.items():
        assert int((state / "run" / f"{name}.pid").read_text()) == pid
    asyncio.run(one_address_serves_all(Person(state, first)))
    asyncio.run(a_page_goes_on_after(Person(state, first), lambda name: kill_and_see_it_back(state, name)))
    now = living(state)
    assert script("down", "--state", state).returncode == 0
    assert not [name for name, pid in now.items() if os.path.exists(f"/proc/{pid}")]
