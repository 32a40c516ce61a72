"""The wire in trouble: a cluster that loses nodes, a wipe under load, floods, secured servers."""

import asyncio
import json
import subprocess
import time

import pytest

from support.bench import unused
from support.nats_cluster import ConfiguredNats, NatsCluster
from support.nats_keys import Accounts
from support.nats_wire import NatsWire
from support.system import System, lifetime
from support.waiting import until

SETTINGS = {"stale_after": "10s", "ready_timeout": "2s"}


def on(wire_of, **more):
    """The test's own system, with NATS as `wire_of(folder)` makes it."""
    def marked(test):
        test.wire_of = wire_of
        test.replicas = {name.replace("_", "-"): n for name, n in more.items()}
        return test
    return marked


@pytest.fixture
def system(request):
    running = System(request.function.replicas, **SETTINGS)
    running.nats = request.function.wire_of(running.folder)
    for service in running.services:
        service.env["THROUGHLINE_NATS_URL"] = running.nats.url
        service.env.update(getattr(running.nats, "environment", {}))
    yield from lifetime(running)


class Stream:
    """A session whose agent says a word every few milliseconds, and a viewer that measures its gaps."""

    def __init__(self, bench, session, viewer, agent, turn, interaction):
        self.session, self.viewer, self.agent, self.turn, self.interaction = session, viewer, agent, turn, interaction
        self.words = 0
        self._seen_at = []
        self._seen = ""
        self._task = asyncio.ensure_future(self._speak())
        self._watch = asyncio.ensure_future(self._measure())

    @classmethod
    async def begin(cls, bench):
        session = await bench.session()
        viewer = await bench.viewer(session)
        agent = await bench.agent(session)
        accepted = await session.prompt("count, please")
        return cls(bench, session, viewer, agent, await agent.next_turn(), accepted["interaction_id"])

    async def _speak(self):
        while True:
            self.turn.text(f"{self.words} ")
            self.words += 1
            await asyncio.sleep(0.01)

    async def _measure(self):
        while True:
            text = self.viewer.view.text()
            if text != self._seen:
                self._seen = text
                self._seen_at.append(time.monotonic())
            await asyncio.sleep(0.005)

    async def flows(self, words=20):
        """Waits until the viewer has seen that many more than have been said now."""
        goal = f" {self.words + words} "
        await self.viewer.until(lambda v: goal in v.text(), f"word {goal}", 30)

    def longest_gap(self):
        return max(b - a for a, b in zip(self._seen_at, self._seen_at[1:]))

    async def ends_whole(self):
        self._task.cancel()
        self.turn.complete()
        done = await self.session.ends(self.interaction, "complete")
        self._watch.cancel()
        assert done["response_message"] == "".join(f"{n} " for n in range(self.words))
        await self.session.same(self.viewer)
        assert len(self.agent.received("chat_message")) == 1


@on(NatsCluster, gateway=2, agent_bridge=2, state_sync=2)
@pytest.mark.patience(120)
async def test_each_node_of_a_cluster_dies_once(bench):
    streams = [await Stream.begin(bench) for _ in range(3)]
    for node in bench.system.nats.nodes:
        await asyncio.gather(*(s.flows() for s in streams))
        served = node.clients()
        node.kill()
        await asyncio.gather(*(s.flows(40) for s in streams))
        node.start()
        await node.ready()
        print(f"{node.name} served {sorted(served)}")
    assert all(s.agent.connections == 1 for s in streams), "an agent was dropped"
    for s in streams:
        await s.ends_whole()
    gap = max(s.longest_gap() for s in streams)
    print(f"longest gap of a viewer: {gap:.2f} s")
    assert gap < 6, f"{gap} s: more than a head check and a round trip"


@on(ConfiguredNats)
@pytest.mark.patience(120)
async def test_wiped_and_restarted_again_and_again_under_load(bench):
    streams = [await Stream.begin(bench) for _ in range(3)]
    nats = bench.system.nats
    for pause in (0, 0.3, 1.2):
        await asyncio.gather(*(s.flows() for s in streams))
        nats.kill()
        await asyncio.sleep(pause)  # the length of the outage is what is tested, nothing is waited for
        nats.start()
        await nats.ready()
    body = {"content": "posted between", "id": unused("between")}
    nats.kill()
    posting = asyncio.ensure_future(
        streams[0].session.api.insist("POST", f"/sessions/{streams[0].session.id}/messages", body, timeout=40))
    nats.start()
    await nats.ready()
    accepted = (await posting).ok(202)
    await asyncio.gather(*(s.flows() for s in streams))
    for s in streams[1:]:
        await s.ends_whole()
    first = streams[0]
    first._task.cancel()
    first.turn.complete()
    turn = await first.agent.next_turn()
    turn.text("heard once")
    turn.complete()
    await first.session.ends(accepted["interaction_id"], "complete")
    done = (await first.session.interactions())[0]
    assert done["response_message"] == "".join(f"{n} " for n in range(first.words))
    await first.session.same(first.viewer)
    print(f"longest gap of a viewer: {max(s.longest_gap() for s in streams):.2f} s")


@on(lambda folder: ConfiguredNats(folder, "max_payload: 131072\nmax_pending: 262144\nwrite_deadline: \"1s\""))
@pytest.mark.patience(120)
@pytest.mark.parametrize("part", ["gateway", "agent-bridge", "state-sync"])
async def test_a_service_that_is_too_slow_is_cut_off_and_converges(bench, part):
    """The server gives up on a frozen client: what it had for it is gone."""
    stream = await Stream.begin(bench)
    await stream.flows()
    process = bench.system.process(part)
    nats = bench.system.nats
    before = nats.monitor("varz")["slow_consumers"]
    wire = await NatsWire.connect(nats.port)
    subject = {"gateway": f"tl1.ev.{stream.session.id}", "agent-bridge": None, "state-sync": "tl1.read"}[part]
    if subject is None:
        subject = next(s for c in nats.monitor("connz?subs=1&limit=1000")["connections"]
                       for s in c.get("subscriptions_list", []) if s.startswith("tl1.bridge."))
    process.freeze()
    try:
        async def given_up():
            for _ in range(50):
                wire.put(subject, b"\x00" * 60_000)
            await wire.flush()
            return nats.monitor("varz")["slow_consumers"] > before
        await until(given_up, "the server gives the frozen client up", 30)
    finally:
        process.thaw()
    await wire.close()
    await stream.flows(50)
    await stream.ends_whole()


def shard_of(session_id):
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    return (alphabet.index(session_id[-2]) * 32 + alphabet.index(session_id[-1])) % 256


def flood_of(part, nats, session):
    """Subject, headers and body of a message that has no effect on that part, however often it comes."""
    if part == "gateway":
        return f"tl1.ev.{session.id}", {"Tl-Epoch": "1", "Tl-Seq": "1", "Tl-Kind": "session_update"}, b"{}"
    if part == "state-sync":
        read = {"op": "read_heads", "sessions": [session.id], "budget_ms": 1}
        return f"tl1.in.{shard_of(session.id)}", {}, json.dumps(read).encode()
    order = {"epoch": 1, "op": "supersede", "attachment": "att_01h2xcejqtf2nbrexx3vqjhp43"}
    subject = next(s for c in nats.monitor("connz?subs=1&limit=1000")["connections"]
                   for s in c.get("subscriptions_list", []) if s.startswith("tl1.bridge."))
    return subject, {}, json.dumps(order).encode() + b"\n"


@on(ConfiguredNats)
@pytest.mark.patience(120)
@pytest.mark.parametrize("part", ["gateway", "agent-bridge", "state-sync"])
async def test_messages_dropped_in_a_flood_are_made_up_for(bench, part):
    """More than a subscription may hold: what is dropped among it is real."""
    stream = await Stream.begin(bench)
    await stream.flows()
    process = bench.system.process(part)
    wire = await NatsWire.connect(bench.system.nats.port)
    subject, headers, body = flood_of(part, bench.system.nats, stream.session)
    process.freeze()
    try:
        for _ in range(60):
            for _ in range(2500):
                wire.put(subject, body, headers)
            await wire.flush()
    finally:
        process.thaw()
    if part != "agent-bridge":  # orders are repeated until they are answered: nothing has to be done about them
        await until(lambda: "messages_dropped" in process.tail(400), f"the {part} notices", 30)
    await wire.close()
    await stream.flows(50)
    await stream.ends_whole()


def secured(folder):
    """User and password with characters that a URL must encode, over TLS with an authority of our own."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=authority")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=nats")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", "server.pem")
    lines = (f'tls {{ cert_file: "{folder}/server.pem", key_file: "{folder}/server.key" }}\n'
             'authorization { user: "svc", password: "p@ss:w/ rd%" }')

    class Secured(ConfiguredNats):
        url = property(lambda self: f"tls://svc:p%40ss%3Aw%2F%20rd%25@localhost:{self.port}")
        environment = {"SSL_CERT_FILE": f"{folder}/ca.pem"}
    return Secured(folder, lines)


@on(secured)
@pytest.mark.patience(90)
async def test_user_password_and_tls(bench):
    stream = await Stream.begin(bench)
    await stream.flows()
    await stream.ends_whole()
    gateway = bench.system.gateway
    good = gateway.env["THROUGHLINE_NATS_URL"]
    for url, authority, words in [
            (good.replace("p%40ss", "wrong"), None, ["nats", "Authentication"]),
            (good, "/dev/null", ["nats", "SSL handshake error"])]:
        gateway.kill()
        gateway.env["THROUGHLINE_NATS_URL"] = url
        gateway.env["SSL_CERT_FILE"] = authority or bench.system.nats.environment["SSL_CERT_FILE"]
        gateway.start()
        await gateway.not_ready(*words)
        assert "svc" not in gateway.tail(400) and "wrong" not in gateway.tail(400), "a secret in the log"
    gateway.kill()
    gateway.env["THROUGHLINE_NATS_URL"] = good
    gateway.env["SSL_CERT_FILE"] = bench.system.nats.environment["SSL_CERT_FILE"]
    gateway.start()
    await gateway.ready()


def with_accounts(folder):
    accounts = Accounts()
    (folder / "service.creds").write_text(accounts.credentials())
    (folder / "stranger.creds").write_text(Accounts().credentials())
    nats = ConfiguredNats(folder, accounts.lines)
    nats.environment = {"THROUGHLINE_NATS_CREDS": f"{folder}/service.creds"}
    return nats


@on(with_accounts)
@pytest.mark.patience(90)
async def test_a_credentials_file(bench):
    stream = await Stream.begin(bench)
    await stream.flows()
    bench.system.nats.kill()
    bench.system.nats.start()
    await stream.flows()
    await stream.ends_whole()
    gateway = bench.system.gateway
    good = gateway.env["THROUGHLINE_NATS_CREDS"]
    for creds, words in [(f"{bench.system.folder}/stranger.creds", ["nats", "Authentication"]),
                         (f"{bench.system.folder}/no_such.creds", ["nats"])]:
        gateway.kill()
        gateway.env["THROUGHLINE_NATS_CREDS"] = creds
        gateway.start()
        await gateway.not_ready(*words)
    gateway.kill()
    gateway.env["THROUGHLINE_NATS_CREDS"] = good
    gateway.start()
    await gateway.ready()


@on(ConfiguredNats)
@pytest.mark.patience(60)
async def test_a_server_without_tls_is_not_spoken_to_where_tls_is_asked_for(bench):
    gateway = bench.system.gateway
    gateway.kill()
    good = gateway.env["THROUGHLINE_NATS_URL"]
    gateway.env["THROUGHLINE_NATS_URL"] = good.replace("nats://", "tls://")
    gateway.start()
    await gateway.not_ready("nats", "Secure")
    gateway.kill()
    gateway.env["THROUGHLINE_NATS_URL"] = good
    gateway.start()
    await gateway.ready()
