"""One creation, asked for twice under one id while its first COMMIT waits for a standby that is away: one session."""

import asyncio
import contextlib

import aiohttp
import pytest

from support.bench import unused
from support.client import Unavailable
from support.waiting import until

SETTINGS = {"stale_after": "10s"}


def standby(postgres, names):
    """Every COMMIT waits for these; a superuser's own settings do not count for the others."""
    with contextlib.closing(postgres.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("set synchronous_commit = local")
        cursor.execute(f"alter system set synchronous_standby_names = '{names}'")
        cursor.execute("select pg_reload_conf()")


def waiting(postgres, condition):
    return postgres.execute("select count(*) from pg_stat_activity where application_name ~ '^throughline' "
                            f"and {condition}")[0][0]


async def quietly(call):
    with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError, Unavailable):
        return await call
    return None


@pytest.mark.patience(120)
async def test_a_creation_that_is_repeated_while_its_commit_waits_is_one_session(bench):
    postgres = bench.system.postgres
    api = await bench.api(unused("user"))
    await bench.session()  # the writers are at work
    body, headers = {"name": unused("name")}, {"Idempotency-Key": unused("create")}
    standby(postgres, "ANY 1 (away)")
    try:
        first = asyncio.ensure_future(quietly(api.post("/sessions", body, headers=headers, timeout=60)))
        await until(lambda: waiting(postgres, "wait_event = 'SyncRep'") > 0, "a COMMIT waits for the standby")
        # Each call makes a session id of its own, so that nothing but the answer under their id is the same.
        second = asyncio.ensure_future(quietly(api.post("/sessions", body, headers=headers, timeout=60)))
        await until(lambda: waiting(postgres, "wait_event_type = 'Lock' and query ~ 'answers'") > 0,
                    "the repeat waits for the answer of the first", 40, every=0.02)
    finally:
        standby(postgres, "")
    created = (await api.insist("POST", "/sessions", body, headers=headers)).ok(201)
    for reply in await asyncio.gather(first, second):
        assert reply is None or reply.status in (503, 504) or reply.ok(201) == created, str(reply)
    listed = (await api.get("/sessions")).ok()["sessions"]
    assert [session["id"] for session in listed] == [created["id"]]
