"""A second PostgreSQL that streams from the first, and a system whose state-sync knows both addresses."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from support.system import POSTGRES_BIN, Postgres, System
from support.waiting import PATIENCE, until


class Standby(Postgres):
    """A copy of a running primary. It streams over `link`, so that a test can hold commits back from it."""

    def __init__(self, folder, name="standby"):
        super().__init__(folder)
        self.name = name

    def copy(self, port):
        """Like `create`, from the server at that port."""
        self._make_folder()
        self._run("pg_basebackup", "-h", "127.0.0.1", "-p", str(port), "-U", "throughline", "-D", str(self._data),
                  "-X", "stream", "-R", "-c", "fast", "--no-sync")

    def promote(self):
        self._run("pg_ctl", "promote", "-D", str(self._data), "-w", "-t", "30")

    def _make_folder(self):
        self._folder.mkdir(parents=True)
        subprocess.run(["chown", "postgres:postgres", str(self._folder)], check=bool(self._as_postgres))

    def _run(self, tool, *arguments):
        done = subprocess.run([*self._as_postgres, str(POSTGRES_BIN / tool), *arguments], capture_output=True, text=True,
                              cwd="/", timeout=60)
        assert done.returncode == 0, f"{tool}: {done.stdout}{done.stderr}"

    async def has_all_of(self, primary, timeout=PATIENCE):
        """Waits until everything that the primary has committed so far is here."""
        lsn = primary.execute("select pg_current_wal_lsn()")[0][0]

        def replayed():
            return self.execute("select pg_last_wal_replay_lsn() >= %s::pg_lsn", lsn)[0][0]
        await until(replayed, f"the standby has replayed {lsn}", timeout, every=0.05)


class PairedSystem(System):
    """With a streaming standby. state-sync is given both addresses, the first primary's first."""

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self.standby = None
        # In memory where that can be: a first start makes every file durable, which takes seconds on a busy disk.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self._place = pathlib.Path(tempfile.mkdtemp(prefix="throughline-", dir=memory))
        self._place.chmod(0o755)
        self._second = Standby(self._place / "standby")
        self.stream = self.links.add([self.postgres.port])
        both = f"127.0.0.1:{self.postgres.port},127.0.0.1:{self._second.port}"
        for replica in self.replicas("state-sync"):
            replica.env["THROUGHLINE_DATABASE_URL"] = f"postgresql://throughline@{both}/throughline"

    @property
    def processes(self):
        return super().processes + ([self.standby] if self.standby else [])

    async def start(self):
        await super().start()
        self._second.copy(self.stream.port)
        self.standby = self._second
        self.standby.start()
        await self.standby.ready()
        await self.standby.has_all_of(self.postgres)

    async def stop(self):
        wrong = await super().stop()
        shutil.rmtree(self._place, ignore_errors=True)
        return wrong

    def fail_over(self):
        """The primary dies, the standby takes its place."""
        self.postgres.kill()
        self.standby.promote()
