"""Each binary as a process: settings, exit statuses, the operations port, a clean end."""

import asyncio
import re
import subprocess

import pytest

from support.bench import refusal
from support.client import mint
from support.process import free_port
from support.system import SECRET, Postgres, Service, binary, clean_environment
from support.waiting import until

SETTINGS = {"stale_after": "3s", "ready_timeout": "2s"}
SERVICES = ["gateway", "agent-bridge", "state-sync"]


def run(service, *arguments, **settings):
    env = {**clean_environment(), **{"THROUGHLINE_" + k.upper(): v for k, v in settings.items()}}
    return subprocess.run([binary(service), *arguments], env=env, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("service", SERVICES)
def test_help_lists_every_setting_and_version_is_one_line(service):
    shown = run(service, "--help")
    assert shown.returncode == 0
    common = ["NATS_URL", "OPS_LISTEN", "DRAIN_TIMEOUT", "LOG_LEVEL", "LOG_FORMAT"]
    own = {"gateway": ["LISTEN", "JWT_HS256_SECRET", "MAX_FRAME", "ALLOWED_ORIGINS", "TURN_IDLE_TIMEOUT"],
           "agent-bridge": ["LISTEN", "MAX_FRAME", "MAX_ENTRY"],
           "state-sync": ["DATABASE_URL", "STALE_AFTER", "READY_TIMEOUT", "SNAPSHOT_BUDGET"]}
    for setting in common + own[service]:
        assert "THROUGHLINE_" + setting in shown.stdout, setting
        assert "--" + setting.lower().replace("_", "-") in shown.stdout, setting
    version = run(service, "--version")
    assert version.returncode == 0 and re.fullmatch(r"\S.*\n", version.stdout)


@pytest.mark.parametrize("service, arguments, settings, named", [
    ("gateway", [], {}, ["JWT"]),
    ("gateway", [], {"jwt_hs256_secret": "short"}, ["JWT_HS256_SECRET"]),
    ("gateway", [], {"jwt_hs256_secret": SECRET, "turn_idle_timeout": "soon"}, ["TURN_IDLE_TIMEOUT"]),
    ("gateway", [], {"jwt_hs256_secret": SECRET, "max_frame": "8MB", "drain_timeout": "-1s"},
     ["MAX_FRAME", "DRAIN_TIMEOUT"]),
    ("gateway", ["--listen", "nowhere"], {"jwt_hs256_secret": SECRET}, ["LISTEN"]),
    ("agent-bridge", [], {"max_entry": "many"}, ["MAX_ENTRY"]),
    ("agent-bridge", ["--log-level=chatty"], {}, ["LOG_LEVEL"]),
    ("state-sync", [], {}, ["DATABASE_URL"]),
    ("state-sync", [], {"database_url": "postgresql://h/d", "stale_after": "5", "ready_timeout": "1d"},
     ["STALE_AFTER", "READY_TIMEOUT"]),
    ("state-sync", [], {"database_url": "no such thing"}, ["DATABASE_URL"]),
], ids=range(10))
def test_wrong_settings_are_one_line_each_and_status_2(service, arguments, settings, named):
    ended = run(service, *arguments, **settings)
    assert ended.returncode == 2, ended
    lines = [line for line in ended.stderr.splitlines() if line.strip()]
    assert len(lines) == len(named), ended.stderr
    for name in named:
        assert any(name.lower() in line.lower().replace("-", "_") for line in lines), ended.stderr
    assert SECRET not in ended.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_an_unknown_flag_is_status_2(service):
    ended = run(service, "--no-such-flag", jwt_hs256_secret=SECRET, database_url="postgresql://h/d")
    assert ended.returncode == 2 and "no-such-flag" in ended.stderr


def test_migrate_without_a_database_is_status_1():
    ended = run("state-sync", "migrate", database_url=f"postgresql://u@127.0.0.1:{free_port()}/d?connect_timeout=2")
    assert ended.returncode == 1 and ended.stderr.strip()


def test_an_old_schema_is_status_3_unless_told_to_migrate(system):
    connection = system.postgres.connect("postgres")
    with connection.cursor() as cursor:
        cursor.execute("create database empty")
    connection.close()
    url = system.postgres.url.rpartition("/")[0] + "/empty"
    ops = f"127.0.0.1:{free_port()}"
    ended = run("state-sync", database_url=url, nats_url=system.nats.url, ops_listen=ops)
    assert ended.returncode == 3, ended
    assert run("state-sync", "migrate", database_url=url).returncode == 0
    assert run("state-sync", "migrate", database_url=url).returncode == 0


@pytest.mark.parametrize("login, word", [("throughline@{at}/not_there", "not_there"),
                                         ("nobody@{at}/throughline", "nobody")])
async def test_readiness_tells_a_refused_login_from_a_server_that_is_gone(system, tmp_path, login, word):
    service = Service("state-sync", tmp_path, {
        "nats_url": system.nats.url,
        "database_url": "postgresql://" + login.format(at=f"127.0.0.1:{system.postgres.port}")})
    service.start()
    try:
        await not_ready(service, "login_refused")
        assert word in (await service.ops("/readyz"))[1]
    finally:
        service.kill()


async def test_a_server_without_fsync_is_status_4(tmp_path_factory, system):
    unsafe = Postgres(system.folder / "unsafe", fsync=False)
    unsafe.create()
    unsafe.start()
    try:
        await unsafe.ready()
        await unsafe.create_database()
        ended = await asyncio.to_thread(run, "state-sync", "--migrate", database_url=unsafe.url,
                                        nats_url=system.nats.url, ops_listen=f"127.0.0.1:{free_port()}")
        assert ended.returncode == 4, ended
    finally:
        unsafe.kill()


def test_a_flag_wins_over_the_environment():
    ended = run("gateway", "--turn-idle-timeout=wrong", jwt_hs256_secret=SECRET, turn_idle_timeout="90s")
    assert ended.returncode == 2
    ended = run("gateway", "--turn-idle-timeout=1s", "--max-frame", "wrong", jwt_hs256_secret=SECRET,
                turn_idle_timeout="wrong")
    assert ended.returncode == 2 and "turn-idle-timeout" not in ended.stderr.lower().replace("_", "-")


async def test_the_operations_port_of_each_service(bench):
    for service in bench.system.services:
        assert (await service.ops("/healthz"))[0] == 200
        assert (await service.ops("/readyz"))[0] == 200
        status, metrics = await service.ops("/metrics")
        assert status == 200 and re.search(r"^# TYPE \w+ (counter|gauge|histogram)$", metrics, re.M)
        assert (await service.ops("/nothing"))[0] == 404


async def not_ready(service, *words):
    async def says_why():
        status, text = await service.ops("/readyz")
        return status == 503 and any(word in text.lower() for word in words)
    await until(says_why, lambda: f"{service.name} says why it is not ready")
    assert (await service.ops("/healthz"))[0] == 200


async def test_readiness_says_that_nats_is_gone_and_comes_back(bench):
    bench.system.nats.kill()
    for service in bench.system.services:
        await not_ready(service, "nats")
    await bench.system.revive()


async def test_readiness_says_that_the_database_is_gone_and_comes_back(bench):
    bench.system.postgres.kill()
    await not_ready(bench.system.state_sync, "postgres", "database")
    await bench.system.revive()
    await bench.session()


async def test_services_start_without_nats_and_database_and_wait_for_them(bench):
    system = bench.system
    for process in system.processes:
        process.kill()
    for service in system.services:
        service.start()
    await not_ready(system.gateway, "nats")
    await not_ready(system.bridge, "nats")
    await not_ready(system.state_sync, "nats", "postgres", "database")
    await system.revive()
    await bench.session()


@pytest.mark.parametrize("part", ["state-sync", "nats"])
async def test_without_its_peers_every_request_still_ends_with_a_clear_error(bench, part):
    session = await bench.session()
    token = await session.agent_token()
    attach = f"{bench.system.agent_url.replace('ws', 'http', 1)}/api/v1/external-agents/sync?session_id={session.id}"
    watch = f"{bench.system.http_url}/api/v1/ws/user?session_id={session.id}"
    one = f"/sessions/{session.id}"
    if part == "nats":
        bench.system.nats.kill()
        await not_ready(bench.system.gateway, "nats")
        await not_ready(bench.system.bridge, "nats")
    else:
        await bench.system.state_sync.terminate()  # a killed one is for a moment still there for NATS
    post, create, read, listed, attached, watched = await asyncio.gather(
        session.api.post(f"{one}/messages", {"content": "hello", "id": "dead"}, timeout=20),
        session.api.post("/sessions", {}, timeout=20),
        session.api.get(one, timeout=20),
        session.api.get(f"{one}/interactions", timeout=20),
        refusal(attach, {"Authorization": f"Bearer {token}"}),
        refusal(watch, {"Authorization": f"Bearer {mint(session.owner)}"}))
    post.refused(503, "not_accepted")
    create.refused(503, "not_accepted")
    for reply in (read, listed):
        assert reply.status in (503, 504) and reply.body["error"]["code"], reply
    assert attached[0] == 503 and watched[0] == 503
    await bench.system.revive()
    assert (await session.get())["queue"] == []


@pytest.mark.parametrize("part", SERVICES)
async def test_sigterm_ends_with_status_0_and_a_close_code(bench, part):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    accepted = await session.prompt("long")
    turn = await agent.next_turn()
    turn.text("half, ")
    await viewer.shows("half, ")
    process = bench.system.process(part)
    status = await process.terminate(timeout=6)
    assert status == 0, process.tail()
    if part == "gateway":
        assert await viewer.closed() == 1001
    if part == "agent-bridge":
        await agent.until(lambda a: a.closes, "closed")
        assert agent.closes[0] == 1001
    turn.text("whole")
    process.start()
    await process.ready()
    await agent.online()
    turn.complete()
    assert (await session.ends(accepted["interaction_id"], "complete"))["response_message"] == "half, whole"
    await session.same(viewer)


async def test_a_bridge_that_is_told_to_end_hears_its_agents_out(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    accepted = await session.prompt("say it all at once")
    turn = await agent.next_turn()
    for number in range(300):
        turn.text(f"{number} ", new=True)
    turn.complete()
    await agent.drained()
    assert await bench.system.bridge.terminate(timeout=6) == 0, bench.system.bridge.tail()
    done = await session.ends(accepted["interaction_id"], "complete")
    assert len(done["response_entries"]) == 300


async def test_a_bridge_that_cannot_hand_over_still_says_goodbye(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    await session.prompt("never stored")
    turn = await agent.next_turn()
    bench.system.state_sync.kill()
    turn.text("kept by the bridge")

    async def is_read():
        _, metrics = await bench.system.bridge.ops("/metrics")
        kept = re.search(r"^throughline_agent_bridge_outbox_bytes (\d+)", metrics, re.M)
        return kept and int(kept[1]) > 0
    await until(is_read, "the bridge has read what it cannot hand over")
    assert await bench.system.bridge.terminate(timeout=6) == 0, bench.system.bridge.tail()
    await agent.until(lambda a: a.closes, "closed")
    assert agent.closes[0] == 1001


@pytest.mark.parametrize("part", SERVICES)
async def test_a_drain_with_nobody_connected_is_quick(bench, part):
    process = bench.system.process(part)
    assert await process.terminate(timeout=3) == 0
