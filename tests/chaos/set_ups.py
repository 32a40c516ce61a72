"""Set-ups that are broken, or look so: each is a plant for a run of its own."""

import asyncio
import contextlib
import subprocess

SHARD_LOCKS = 0x746c01  # the class of the shards' advisory locks

# What state-sync asks PostgreSQL about shards is answered to every replica as if it were alone: each takes all of
# them. Ownership is an optimisation (design 3.5): with as many owners as replicas nothing may go wrong. In place of
# the lock of a shard ({shards}, n) each backend holds one of its own.
EVERYBODY_OWNS_EVERYTHING = """
    create function public.own_class(class integer) returns integer language sql as
      $$ select case when class = {shards} then 700000 + mod(pg_catalog.pg_backend_pid(), 100000) else class end $$;
    create function public.pg_try_advisory_lock(class integer, key integer) returns boolean language sql as
      $$ select pg_catalog.pg_try_advisory_lock(public.own_class(class), key) $$;
    create function public.pg_advisory_unlock(class integer, key integer) returns boolean language sql as
      $$ select pg_catalog.pg_advisory_unlock(public.own_class(class), key) $$;
    create view public.pg_locks as
      select pid, locktype, granted, objid, objsubid, database,
             case when classid = public.own_class({shards})::oid then {shards}::oid else classid end as classid
        from pg_catalog.pg_locks where pid = pg_catalog.pg_backend_pid() and classid <> {shards}::oid;
    alter role throughline set search_path = public, pg_catalog"""


@contextlib.asynccontextmanager
async def several_owners_at_once(system, load):
    system.postgres.execute(EVERYBODY_OWNS_EVERYTHING.replace("{shards}", str(SHARD_LOCKS)))
    for replica in system.replicas("state-sync"):
        replica.kill()
        replica.start()
    for replica in system.replicas("state-sync"):
        await replica.ready()
    yield
    owners = system.postgres.execute("select objid, count(distinct pid) from pg_catalog.pg_locks "
                                     "where classid between 700000 and 799999 group by objid")
    assert len(owners) == 256 and {count for _, count in owners} == {len(system.replicas("state-sync"))}, owners


@contextlib.asynccontextmanager
async def a_database_that_forgets(system, load):
    """In the middle of the run PostgreSQL comes back as it was some seconds before: same system, same timeline, so that
    nobody can tell, and nothing that was acknowledged meanwhile is left."""
    task = asyncio.ensure_future(_forget(system))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _forget(system):
    postgres, data = system.postgres, system.folder / "postgres" / "data"
    await asyncio.sleep(3.0)
    postgres.kill()
    subprocess.run(["cp", "-a", data, f"{data}-before"], check=True)
    postgres.start()
    await postgres.ready()
    await asyncio.sleep(5.0)
    postgres.kill()
    subprocess.run(["rm", "-r", data], check=True)
    subprocess.run(["mv", f"{data}-before", data], check=True)
    postgres.start()
    await postgres.ready()
