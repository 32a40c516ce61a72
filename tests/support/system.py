"""The whole system on private ports below a folder of its own: PostgreSQL, NATS and the three services."""

import asyncio
import collections
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

import psycopg2

from support.front import Front
from support.links import Links
from support.process import Process, free_port
from support.waiting import PATIENCE, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
POSTGRES_BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
SECRET = "integration-secret-of-more-than-32-bytes"
SANITIZERS = {"ASAN_OPTIONS": "abort_on_error=0:exitcode=66", "UBSAN_OPTIONS": "print_stacktrace=1",
              "LSAN_OPTIONS": f"suppressions={ROOT}/tests/support/leaks.txt"}


def build_folder():
    return (ROOT / os.environ.get("THROUGHLINE_BUILD", "build")).resolve()


def binary(service):
    return str(build_folder() / "services" / service / service)


def clean_environment():
    """The caller's environment without settings of ours: a test says all of them itself."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("THROUGHLINE_")}
    return {**kept, **SANITIZERS}


def variable(setting):
    return "THROUGHLINE_" + setting.upper()


class Postgres(Process):
    """A private cluster with fsync as given; the role, the database and the only user are `throughline`."""

    def __init__(self, folder, fsync=True):
        self.port = free_port()
        self._folder = pathlib.Path(folder)
        self._data = self._folder / "data"
        self._fsync = fsync
        self._as_postgres = []
        if os.geteuid() == 0:
            self._as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups",
                                 "--pdeathsig=SIGKILL"]
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self._folder,
                    "fsync": "on" if fsync else "off", "shared_buffers": "32MB",
                    "dynamic_shared_memory_type": "mmap"}  # in the folder: a killed server leaves none behind
        command = [*self._as_postgres, str(POSTGRES_BIN / "postgres"), "-D", str(self._data)]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        super().__init__("postgres", command, str(self._folder / "postgres.log"))

    @property
    def url(self):
        return self.url_by(self.port)

    @staticmethod
    def url_by(port):
        return f"postgresql://throughline@127.0.0.1:{port}/throughline"

    def create(self):
        self._folder.mkdir(parents=True)
        if self._as_postgres:
            shutil.chown(self._folder, "postgres", "postgres")
        subprocess.run([*self._as_postgres, str(POSTGRES_BIN / "initdb"), "-D", str(self._data), "-U", "throughline",
                        "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"], check=True, capture_output=True)

    def connect(self, database="throughline"):
        """A connection that commits each statement."""
        url = self.url.rpartition("/")[0]
        connection = psycopg2.connect(f"{url}/{database}?connect_timeout=5")
        connection.autocommit = True
        return connection

    def execute(self, sql, *arguments):
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, arguments)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    async def ready(self, timeout=PATIENCE):
        def answers():
            if not self.running:  # a successor of a killed server may find its shared memory still in use
                self.start()
            try:
                self.connect("postgres").close()
                return True
            except psycopg2.OperationalError:
                return False
        await until(answers, f"PostgreSQL answers\n{self.tail()}", timeout, every=0.05)

    async def create_database(self):
        connection = self.connect("postgres")
        with connection.cursor() as cursor:
            cursor.execute("create database throughline")
        connection.close()


class Nats(Process):
    def __init__(self, folder):
        self.port = free_port()
        super().__init__("nats", ["nats-server", "-a", "127.0.0.1", "-p", str(self.port)], f"{folder}/nats.log")

    @property
    def url(self):
        return self.url_by(self.port)

    @staticmethod
    def url_by(port):
        return f"nats://127.0.0.1:{port}"

    async def ready(self, timeout=PATIENCE):
        await self.accepts(timeout)


class Service(Process):
    """One replica of one of the three binaries, set by environment variables only."""

    def __init__(self, service, folder, settings, arguments=(), name=None, links=None, port=None):
        self.service = service
        self.ops_port = free_port()
        self.port = port or (free_port() if service != "state-sync" else None)
        self.links = links or {}
        values = {"ops_listen": f"127.0.0.1:{self.ops_port}", **settings}
        if self.port:
            values["listen"] = f"127.0.0.1:{self.port}"
        env = {**clean_environment(), **{variable(k): str(v) for k, v in values.items()}}
        name = name or service
        super().__init__(name, [binary(service), *arguments], f"{folder}/{name}.log", env)

    @property
    def to_nats(self):
        """The link between this replica and NATS; only where the system was made with links for its service."""
        return self.links["nats"]

    @property
    def to_postgres(self):
        return self.links["postgres"]

    @property
    def url(self):
        """Of the public port of this replica alone."""
        return f"{'ws' if self.service == 'agent-bridge' else 'http'}://127.0.0.1:{self.port}"

    async def ops(self, path):
        """(status, text) of the operations port; (0, reason) while nothing answers."""
        def fetch():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.ops_port}{path}", timeout=3) as reply:
                    return reply.status, reply.read().decode()
            except urllib.error.HTTPError as refused:
                return refused.code, refused.read().decode()
            except OSError as error:
                return 0, str(error)
        return await asyncio.to_thread(fetch)

    async def ready(self, timeout=PATIENCE):
        last = (0, "never asked")

        async def is_ready():
            nonlocal last
            assert self.running, f"{self.name} ended while it started\n{self.tail()}"
            last = await self.ops("/readyz")
            return last[0] == 200
        await until(is_ready, lambda: f"{self.name} is ready: {last}\n{self.tail()}", timeout)

    async def not_ready(self, *words, timeout=30):
        """Waits until /readyz says no, for a reason that names all of these."""
        last = None

        async def says():
            nonlocal last
            last = await self.ops("/readyz")
            return last[0] == 503 and all(word in last[1] for word in words)
        await until(says, lambda: f"/readyz of {self.name} names {words}: {last}\n{self.tail()}", timeout, every=0.1)


class System:
    """Everything, started together. A setting goes to each service that knows it.

    `replicas`: how many of each service, one where it is not named. `links`: services whose every replica reaches
    NATS and PostgreSQL through links of its own that can be cut, stalled and healed. `front`: clients go through the
    local front, with so many replicas of each service behind it at most."""

    KNOWN = {
        "gateway": {"turn_idle_timeout", "max_frame", "allowed_origins", "drain_timeout", "log_level"},
        "agent-bridge": {"max_frame", "max_entry", "drain_timeout", "log_level"},
        "state-sync": {"stale_after", "ready_timeout", "snapshot_budget", "drain_timeout", "log_level"},
    }

    def __init__(self, replicas=None, links=(), front=0, **settings):
        replicas = replicas or {}
        unknown = set(settings) - set().union(*self.KNOWN.values())
        assert not unknown, f"unknown settings: {unknown}"
        assert not (set(replicas) | set(links)) - set(self.KNOWN), f"unknown services: {replicas} {links}"
        self._settings = {"drain_timeout": "5s", **settings}
        self._linked = set(links)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="throughline-"))
        self.folder.chmod(0o755)
        self.links = Links(self.folder / "links.log")
        self.postgres = Postgres(self.folder / "postgres")
        self.nats = Nats(self.folder)
        self._by_service = {"state-sync": [], "agent-bridge": [], "gateway": []}
        self._made = collections.Counter()
        self._places = {s: [free_port() for _ in range(front)] for s in ("gateway", "agent-bridge")}
        self.front = Front(self.folder, *self._places.values()) if front else None
        for service in self._by_service:
            for _ in range(replicas.get(service, 1)):
                self._make(service)
        fronted = [s for s in ("gateway", "agent-bridge") if replicas.get(s, 1) > 1 and not front]
        self._fronts = {service: self.links.add(self._ports(service)) for service in fronted}

    def _make(self, service):
        """One more replica, not started. The first has the service's name, the others a number behind it."""
        self._made[service] += 1
        number = self._made[service]
        ports = {"nats": self.nats.port, "postgres": self.postgres.port}
        if service != "state-sync":
            ports.pop("postgres")
        links = {part: self.links.add([port]) for part, port in ports.items()} if service in self._linked else {}
        ports.update({part: link.port for part, link in links.items()})
        values = {"nats_url": Nats.url_by(ports["nats"])}
        if service == "state-sync":
            values["database_url"] = Postgres.url_by(ports["postgres"])
        if service == "gateway":
            values["jwt_hs256_secret"] = SECRET
        values.update({k: v for k, v in self._settings.items() if k in self.KNOWN[service]})
        name = service if number == 1 else f"{service}-{number}"
        place = self._places[service].pop(0) if self.front and service in self._places else None
        replica = Service(service, self.folder, values, name=name, links=links, port=place)
        self._by_service[service].append(replica)
        return replica

    def _ports(self, service):
        return [replica.port for replica in self._by_service[service]]

    def replicas(self, service):
        return self._by_service[service]

    async def add(self, service):
        """One more replica, ready."""
        replica = self._make(service)
        replica.start()
        await replica.ready()
        if service in self._fronts:
            self._fronts[service].targets(self._ports(service))
        return replica

    async def retire(self, replica, timeout=15):
        """Drains a replica for good. Returns its exit status."""
        service = replica.service
        self._by_service[service].remove(replica)
        if service in self._fronts:
            self._fronts[service].targets(self._ports(service))
        status = await replica.terminate(timeout)
        if self.front and service in self._places:
            self._places[service].append(replica.port)
        return status

    @property
    def services(self):
        return [replica for replicas in self._by_service.values() for replica in replicas]

    @property
    def processes(self):
        return [self.postgres, self.nats, *([self.front] if self.front else []), *self.services]

    gateway = property(lambda self: self._by_service["gateway"][0])
    bridge = property(lambda self: self._by_service["agent-bridge"][0])
    state_sync = property(lambda self: self._by_service["state-sync"][0])

    def _front_port(self, service):
        return (self.front or self._fronts.get(service) or self._by_service[service][0]).port

    @property
    def http_url(self):
        """Of the gateway; where there are several, of a front that gives each connection to the next that accepts."""
        return f"http://127.0.0.1:{self._front_port('gateway')}"

    @property
    def agent_url(self):
        return f"ws://127.0.0.1:{self._front_port('agent-bridge')}"

    def process(self, name):
        return next(p for p in self.processes if p.name == name)

    async def start(self):
        self.postgres.create()
        self.postgres.start()
        self.nats.start()
        await self.postgres.ready()
        await self.postgres.create_database()
        await self.nats.ready()
        self.migrate()
        await self.revive()

    def migrate(self):
        done = subprocess.run([binary("state-sync"), "migrate"], env=self.state_sync.env, capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 0, f"migrate: {done.returncode}\n{done.stdout}{done.stderr}"

    async def revive(self):
        """Starts what does not run and waits until everything is ready, in the order the parts need each other."""
        self.links.heal()
        for process in self.processes:
            if not process.running:
                process.start()
            elif process.frozen:
                process.thaw()
        for process in self.processes:
            await process.ready()

    def faults(self):
        return [fault for fault in (p.fault() for p in self.processes) if fault]

    def tails(self):
        return [(p.name, p.tail()) for p in self.processes]

    async def stop(self):
        """Services by SIGTERM, each of which must exit 0; the rest by SIGKILL. Returns what was wrong."""
        wrong = self.faults()
        self.links.heal()
        running = [s for s in self.services if s.running]
        try:
            for service in running:
                if service.frozen:
                    service.thaw()
                service.signal_stop()
            for service in running:
                try:
                    status = await service.ended(15)
                    if status != 0:
                        wrong.append(f"{service.name} ended with status {status} on SIGTERM\n{service.tail()}")
                except AssertionError as late:
                    wrong.append(f"{late}\n{service.tail()}")
            wrong += self.faults()
        finally:
            for process in reversed(self.processes):
                process.kill()
            self.links.stop()
            if os.environ.get("THROUGHLINE_KEEP") is None:
                shutil.rmtree(self.folder, ignore_errors=True)
        return wrong


def lifetime(running):
    """What a fixture yields from: `running` started, and ended well; its logs are printed when it does not come up."""
    try:
        asyncio.run(running.start())
    except BaseException:
        for name, tail in running.tails():
            print(f"--- {name}\n{tail}")
        asyncio.run(running.stop())
        raise
    yield running
    wrong = asyncio.run(running.stop())
    assert not wrong, "\n".join(wrong)


def json_of(text):
    try:
        return json.loads(text)
    except ValueError:
        return None
