"""What PostgreSQL can do to its clients short of losing data: nothing acknowledged is lost, nothing is refused, and it
mends by itself; meanwhile errors are clear and /readyz says why."""

import asyncio
import contextlib
import os
import pathlib
import signal
import subprocess

import psycopg2
import pytest

from support.bench import unused
from support.nats_wire import NatsWire
from support.waiting import until

SETTINGS = {"stale_after": "10s", "ready_timeout": "2s"}
LINKS = ("state-sync",)
COMMITS_IN_DOUBT = "throughline_state_sync_commits_in_doubt_total"


async def in_the_middle(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    accepted = await session.prompt("a long answer, please")
    turn = await agent.next_turn()
    turn.text("Before, ")
    await viewer.until(lambda v: v.text() == "Before, ", "the first words")
    await session.at_rest(viewer)
    return session, viewer, agent, turn, accepted["interaction_id"]


class Trouble:
    """Traffic while PostgreSQL is in trouble, and the proof afterwards that it acted once, in order."""

    def __init__(self, bench, session, viewer, agent, turn, interaction):
        self.bench, self.session, self.viewer, self.agent = bench, session, viewer, agent
        self.turn, self.interaction = turn, interaction
        self.words = "Before, "
        self.body = {"content": "posted in trouble", "id": unused("trouble")}
        self.frames = len(viewer.frames)
        self._posting = None

    def begins(self):
        self.speak("in trouble, ")
        self._posting = asyncio.ensure_future(
            self.session.api.insist("POST", f"/sessions/{self.session.id}/messages", self.body, timeout=60))

    def speak(self, text):
        self.words += text
        self.turn.text(text)

    def nothing_was_shown(self):
        assert len(self.viewer.frames) == self.frames, self.viewer.frames[self.frames:]
        assert not self._posting.done(), self._posting.result()

    async def is_over(self):
        await self.bench.system.state_sync.ready(40)
        accepted = (await self._posting).ok(202)
        self.speak("after.")
        self.turn.complete()
        done = await self.session.ends(self.interaction, "complete")
        assert done["response_message"] == self.words
        turn = await self.agent.next_turn()
        assert turn.prompt == self.body["content"]
        turn.text("heard")
        turn.complete()
        await self.session.ends(accepted["interaction_id"], "complete")
        assert len(await self.session.interactions()) == 2
        assert len(self.agent.received("chat_message")) == 2, "a prompt was sent twice"
        await self.session.same(self.viewer)


async def trouble(bench):
    return Trouble(bench, *await in_the_middle(bench))


async def metric(service, name):
    text = (await service.ops("/metrics"))[1]
    return next((float(line.split()[-1]) for line in text.splitlines() if line.split()[0] == name), 0.0)


async def becomes_read_only(postgres):
    """When this returns, the backends that were there before have been told too."""
    with contextlib.closing(postgres.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("alter system set default_transaction_read_only = on")
        cursor.execute("select pg_reload_conf()")

        def told():
            cursor.execute("show default_transaction_read_only")
            return cursor.fetchone()[0] == "on"
        await until(told, "the setting is in force")


def becomes_writable(postgres):
    with contextlib.closing(postgres.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("set default_transaction_read_only = off")
        cursor.execute("alter system reset default_transaction_read_only")
        cursor.execute("select pg_reload_conf()")


async def shut_down(postgres):
    """A fast shutdown takes the connections with it; SIGTERM, a smart one, would wait for them."""
    os.kill(postgres.pid, signal.SIGINT)
    assert await postgres.ended(15) == 0


@pytest.mark.patience(90)
async def test_restarts_under_a_stream(bench):
    t = await trouble(bench)
    postgres = bench.system.postgres
    for round_number in range(3):
        await shut_down(postgres)
        t.speak(f"down {round_number}, ")
        postgres.start()
        await postgres.ready()
    t.begins()
    await t.is_over()


@pytest.mark.patience(90)
async def test_a_server_that_is_down_for_a_while(bench):
    t = await trouble(bench)
    await shut_down(bench.system.postgres)
    t.begins()
    await bench.system.state_sync.not_ready("database", "unreachable")
    t.nothing_was_shown()
    bench.system.postgres.start()
    await bench.system.postgres.ready()
    await t.is_over()


@pytest.mark.patience(90)
async def test_a_server_that_becomes_read_only(bench):
    t = await trouble(bench)
    await becomes_read_only(bench.system.postgres)
    try:
        t.begins()
        await bench.system.state_sync.not_ready("database", "read-only")
        t.nothing_was_shown()
        assert (await t.session.get())["id"] == t.session.id, "what was committed can be read"
    finally:
        becomes_writable(bench.system.postgres)
    await t.is_over()


@pytest.fixture
def small_disk(system):
    """A file system of 24 MB that the event log lives on while it is used."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    place = pathlib.Path(system.folder) / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0777", "small", str(place)], check=True)
    try:
        (place / "space").mkdir()
        subprocess.run(["chown", "postgres:postgres", str(place / "space")], check=True)
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.patience(90)
async def test_a_full_disk(bench, small_disk):
    t = await trouble(bench)
    postgres = bench.system.postgres
    filler = small_disk / "filler"
    postgres.execute(f"create tablespace small location '{small_disk}/space'")
    postgres.execute("alter table events set tablespace small")
    try:
        with open(filler, "wb") as file:
            try:
                while True:
                    file.write(b"x" * 65536)
                    file.flush()
            except OSError:
                pass
        # What is not compressible and does not fit the pages that the log has already.
        t.speak(os.urandom(100_000).hex())
        t.begins()
        await bench.system.state_sync.not_ready("database", "disk full", "53100")
        assert t.viewer.view.text() == "Before, ", "what does not fit the disk was shown"
        filler.unlink()
        await t.is_over()
    finally:
        filler.unlink(missing_ok=True)
        postgres.execute("alter table events set tablespace pg_default")
        postgres.execute("drop tablespace small")


@pytest.mark.slow
@pytest.mark.patience(90)
async def test_a_table_locked_by_somebody_else(bench):
    t = await trouble(bench)
    connection = bench.system.postgres.connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute("lock table events in share row exclusive mode")
        t.begins()
        await bench.system.state_sync.not_ready("database", "lock timeout", "55P03")
        t.nothing_was_shown()
    connection.close()
    await t.is_over()


@pytest.mark.slow
@pytest.mark.patience(90)
async def test_no_connection_left(bench):
    t = await trouble(bench)
    postgres, state_sync = bench.system.postgres, bench.system.state_sync
    with contextlib.ExitStack() as mine:
        cursor = mine.enter_context(contextlib.closing(postgres.connect())).cursor()

        async def exhausted():
            """Its connections end, and others are faster: there is no room for new ones."""
            cursor.execute("select pg_terminate_backend(pid) from pg_stat_activity "
                           "where application_name ~ '^throughline'")
            ended = cursor.rowcount
            with contextlib.suppress(psycopg2.OperationalError):
                while True:
                    mine.enter_context(contextlib.closing(postgres.connect()))
            return ended == 0 and "exhausted" in (await state_sync.ops("/readyz"))[1]
        await until(exhausted, "no connection is left for state-sync", 30, every=0.1)
        t.begins()
        (await t.session.api.get(f"/sessions/{t.session.id}")).refused(503)
        await state_sync.not_ready("database", "exhausted")
        t.nothing_was_shown()
    await t.is_over()


@pytest.mark.patience(90)
@pytest.mark.parametrize("direction", ["to_server", "to_process"])
async def test_a_line_that_stands_still(bench, direction):
    t = await trouble(bench)
    line = bench.system.state_sync.to_postgres
    line.stall(**{"to_server": False, "to_process": False, direction: True})
    t.begins()
    await bench.system.state_sync.not_ready("database")
    t.nothing_was_shown()
    line.heal()
    await t.is_over()


@contextlib.contextmanager
def slow_commits(postgres, table, condition):
    """A COMMIT that adds such a row takes a second longer."""
    name = unused("slow").replace("-", "_")
    postgres.execute(f"create function {name}() returns trigger language plpgsql as "
                     "$$ begin perform pg_sleep(1); return null; end $$")
    postgres.execute(f"create constraint trigger {name} after insert on {table} deferrable initially deferred "
                     f"for each row when ({condition}) execute function {name}()")
    try:
        yield
    finally:
        postgres.execute(f"drop trigger {name} on {table}")
        postgres.execute(f"drop function {name}()")


def at_work(postgres, condition):
    """Backends of state-sync of which this is true now."""
    return [row[0] for row in postgres.execute("select pid from pg_stat_activity where state = 'active' and "
                                               f"application_name ~ '^throughline' and {condition}")]


@pytest.mark.patience(90)
@pytest.mark.parametrize("what", ["backend", "line"])
async def test_a_commit_without_an_answer_is_in_doubt(bench, what):
    """After 5 s; whether it took effect is settled by a look at the row. On the line it does, behind our back."""
    t = await trouble(bench)
    postgres, state_sync = bench.system.postgres, bench.system.state_sync
    before = await metric(state_sync, COMMITS_IN_DOUBT)
    frozen = []
    with slow_commits(postgres, "events", f"new.session_id = '{t.session.id}'"):
        t.begins()
        pids = await until(lambda: at_work(postgres, "query = 'COMMIT'"), "a writer at COMMIT")
        if what == "line":
            state_sync.to_postgres.stall()
        else:
            frozen = pids
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            async def doubted():
                return await metric(state_sync, COMMITS_IN_DOUBT) > before
            await until(doubted, "the COMMIT is in doubt", 20)
            t.nothing_was_shown()
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
            state_sync.to_postgres.heal()
    await t.is_over()


@pytest.mark.patience(90)
async def test_a_frozen_server(bench):
    t = await trouble(bench)
    bench.system.postgres.freeze()
    t.begins()
    await bench.system.state_sync.not_ready("database")
    t.nothing_was_shown()
    bench.system.postgres.thaw()
    await t.is_over()


@pytest.mark.patience(90)
async def test_a_statement_timeout_of_the_role_is_not_ours(bench):
    """It would cancel a COMMIT that waits for a standby."""
    postgres = bench.system.postgres
    postgres.execute("alter role throughline set statement_timeout = '1ms'")
    try:
        await bench.system.state_sync.terminate()
        bench.system.state_sync.start()
        await bench.system.state_sync.ready()
        t = await trouble(bench)
        t.begins()
        await t.is_over()
    finally:
        connection = postgres.connect("postgres")
        with connection.cursor() as cursor:
            cursor.execute("set statement_timeout = 0")
            cursor.execute("alter role throughline reset statement_timeout")
        connection.close()


@pytest.mark.patience(90)
async def test_a_higher_epoch_that_somebody_has_seen_stops_this_database(bench):
    """As after a restore from a backup: nothing is taken until an operator has said that it is meant."""
    t = await trouble(bench)
    state_sync = bench.system.state_sync
    wire = await NatsWire.connect(bench.system.nats.port)
    await wire.publish("tl1.epoch", b"7")
    await wire.publish("tl1.epoch", b"not a number")
    await wire.close()
    await state_sync.not_ready("outdated", "its epoch is 1, and 7 has been seen", "--new-epoch")
    t.begins()
    raised = subprocess.run([state_sync.command[0], "migrate", "--new-epoch"], env=state_sync.env, capture_output=True,
                            text=True, timeout=60)
    assert raised.returncode == 0, raised
    await t.viewer.until(lambda v: v.position[0] == 8, "the viewer is in epoch 8", 30)
    await t.is_over()


@pytest.mark.patience(90)
async def test_new_epoch_by_hand_goes_on_from_where_it_was(bench):
    t = await trouble(bench)
    state_sync = bench.system.state_sync
    epoch = t.viewer.view.position[0]
    raised = subprocess.run([state_sync.command[0], "migrate", "--new-epoch"], env=state_sync.env, capture_output=True,
                            text=True, timeout=60)
    assert raised.returncode == 0 and f"epoch {epoch + 1}" in raised.stdout, raised
    t.begins()
    await t.viewer.until(lambda v: v.position[0] == epoch + 1, "the viewer is in the new epoch", 30)
    await t.is_over()


@pytest.mark.patience(90)
async def test_killed_in_the_middle_of_a_key_request(bench):
    """Nothing was committed: the gateway's repeat is the first that acts."""
    postgres, state_sync = bench.system.postgres, bench.system.state_sync
    api, name = await bench.api(unused("keyed")), unused("key")
    connection = postgres.connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute("lock table api_keys in share mode")
        posting = asyncio.ensure_future(api.post("/keys", {"name": name}, timeout=40))
        await until(lambda: at_work(postgres, "wait_event_type = 'Lock'"), "the request waits for the table")
        state_sync.kill()
    connection.close()
    state_sync.start()
    await state_sync.ready()
    await works_once(bench, postgres, name, (await posting).ok(201))


@pytest.mark.patience(90)
async def test_killed_between_the_commit_of_a_key_and_its_answer(bench):
    """The repeat finds it done, and shows the secret that nobody has seen yet."""
    postgres, state_sync = bench.system.postgres, bench.system.state_sync
    api, name = await bench.api(unused("keyed")), unused("key")
    with slow_commits(postgres, "api_keys", f"new.name = '{name}'"):
        posting = asyncio.ensure_future(api.post("/keys", {"name": name}, timeout=40))
        await until(lambda: at_work(postgres, "query = 'COMMIT' and wait_event = 'PgSleep'"), "the request commits")
        state_sync.kill()
        stored = "select count(*) from api_keys where name = %s"
        await until(lambda: postgres.execute(stored, name)[0][0] == 1, "the commit is through")
        state_sync.start()
        await state_sync.ready()
        await works_once(bench, postgres, name, (await posting).ok(201))


async def works_once(bench, postgres, name, issued):
    assert postgres.execute("select count(*) from api_keys where name = %s", name)[0][0] == 1
    with_key = await bench.api(token=issued["key"])
    assert (await with_key.get("/sessions")).status == 200
    assert (await with_key.delete(f"/keys/{issued['id']}")).status == 204
