"""A private PostgreSQL cluster below the state folder, with the role and the database of state-sync."""

import hashlib
import os
import pathlib
import pwd
import secrets
import shutil
import signal
import subprocess
import urllib.parse

from process import Child

SYSTEM_USER = "postgres"


class Unusable(Exception):
    """The cluster cannot be used; the message says why and what to do."""


def binaries():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"),
                   key=lambda path: (path.parts[-3] == "15", path.parts[-3]))
    if not found:
        raise Unusable("PostgreSQL is not installed: run deploy/local/install")
    return found[-1].parent


class Postgres:
    """PostgreSQL refuses to run as root: then it runs as the user that Debian's package makes."""

    def __init__(self, options, folders, say):
        self._port = options.postgres_port
        self._bin = binaries()
        self._as_user = []
        if os.geteuid() == 0:
            self._as_user = ["setpriv", f"--reuid={SYSTEM_USER}", f"--regid={SYSTEM_USER}", "--init-groups"]
        self._folder = self._reachable(folders.state / "postgres", say)
        self._data = self._folder / "data"
        self._password_file = self._folder / "password"
        settings = {"listen_addresses": "127.0.0.1", "port": self._port, "unix_socket_directories": ""}
        flags = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        # The parent-death signal does not survive a change of user: setpriv sets it after that.
        after = [f"--pdeathsig={signal.SIGINT.name}"] if self._as_user else []
        self.child = Child("postgres", [*self._as_user, *after, self._bin / "postgres", "-D", self._data, *flags],
                           folders, stop_signal=signal.SIGINT)

    @property
    def url(self):
        return f"postgresql://throughline:{self._password()}@127.0.0.1:{self._port}/throughline"

    def create(self):
        """Makes the cluster if there is none. Answers whether it did."""
        if (self._data / "PG_VERSION").exists():
            owner = (self._data / "PG_VERSION").stat().st_uid
            wanted = pwd.getpwnam(SYSTEM_USER).pw_uid if self._as_user else os.geteuid()
            if owner != wanted:
                raise Unusable(f"{self._data} belongs to {pwd.getpwuid(owner).pw_name}, not to "
                               f"{pwd.getpwuid(wanted).pw_name}: it was made by another user; use another --state")
            return False
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_hex(24))
        if self._as_user:
            for path in (self._folder, self._password_file):
                shutil.chown(path, SYSTEM_USER, SYSTEM_USER)
        shutil.rmtree(self._data, ignore_errors=True)
        self._run("initdb", "-D", self._data, "-U", "postgres", f"--pwfile={self._password_file}",
                  "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8")
        return True

    def is_ready(self):
        ready = [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        return subprocess.run(ready, timeout=10, check=False).returncode == 0

    def create_database(self):
        """The role and the database, if they are not there."""
        if self._sql("SELECT 1 FROM pg_roles WHERE rolname = 'throughline'") == "":
            self._sql(f"CREATE ROLE throughline LOGIN PASSWORD '{self._password()}'")
        if self._sql("SELECT 1 FROM pg_database WHERE datname = 'throughline'") == "":
            self._sql("CREATE DATABASE throughline OWNER throughline")

    def _reachable(self, wanted, say):
        if not self._as_user:
            return wanted
        reach = subprocess.run([*self._as_user, "test", "-x", wanted.parent], check=False)
        if reach.returncode == 0:
            return wanted
        mark = hashlib.sha256(str(wanted).encode()).hexdigest()[:12]
        instead = pathlib.Path("/var/lib/postgresql") / f"throughline-{mark}"
        say(f"The user '{SYSTEM_USER}' may not enter {wanted.parent}: the database is kept in {instead}")
        return instead

    def _password(self):
        return urllib.parse.quote(self._password_file.read_text().strip(), safe="")

    def _sql(self, statement):
        environment = {**os.environ, "PGPASSWORD": self._password_file.read_text().strip(), "PGCONNECT_TIMEOUT": "5"}
        return self._run("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self._port,
                         "-U", "postgres", "-d", "postgres", "-c", statement, env=environment).strip()

    def _run(self, program, *arguments, env=None):
        command = [str(part) for part in (self._bin / program, *arguments)]
        if program == "initdb":
            command = [*self._as_user, *command]
        done = subprocess.run(command, env=env, cwd="/", capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise Unusable(f"{program} failed:\n{done.stdout}{done.stderr}")
        return done.stdout
