"""Nothing is published, acknowledged or sent before its commit: a trigger makes the commits of one session fail.

The trigger is deferred, so each statement of the transaction succeeds and only COMMIT itself fails; it counts its
firings in a sequence, which a rollback does not undo, so a test knows that commits were tried.
"""

import asyncio
import contextlib

import aiohttp

from support.bench import unused
from support.waiting import until

SETTINGS = {"stale_after": "3s", "ready_timeout": "2s"}


def events_table(postgres):
    """The append-only log: the one table whose primary key is (session_id, seq)."""
    rows = postgres.execute("""
        select c.conrelid::regclass::text from pg_constraint c
        where c.contype = 'p' and (select array_agg(a.attname::text order by a.attname::text) from pg_attribute a
          where a.attrelid = c.conrelid and a.attnum = any(c.conkey)) = array['seq', 'session_id']""")
    assert len(rows) == 1, rows
    return rows[0][0]


class FailingCommits:
    """While in force every COMMIT that adds an event to the session fails with the SQLSTATE given."""

    def __init__(self, postgres, session_id, sqlstate):
        self._postgres = postgres
        self._session_id = session_id
        self._sqlstate = sqlstate
        self._name = unused("refuse").replace("-", "_")
        self._table = events_table(postgres)

    def __enter__(self):
        name = self._name
        self._postgres.execute(f"create sequence {name}_tried")
        self._postgres.execute(f"""
            create function {name}() returns trigger language plpgsql security definer as $$
            begin
              perform nextval('{name}_tried');
              raise exception 'refused by a test' using errcode = '{self._sqlstate}';
            end $$""")
        self._postgres.execute(f"""
            create constraint trigger {name} after insert on {self._table} deferrable initially deferred
            for each row when (new.session_id::text = '{self._session_id}') execute function {name}()""")
        return self

    def tried(self):
        value, called = self._postgres.execute(f"select last_value, is_called from {self._name}_tried")[0]
        return value if called else 0

    async def tried_times(self, count):
        await until(lambda: self.tried() >= count, lambda: f"{count} commits tried: {self.tried()}")

    def __exit__(self, *error):
        self._postgres.execute(f"drop trigger {self._name} on {self._table}")
        self._postgres.execute(f"drop function {self._name}()")
        self._postgres.execute(f"drop sequence {self._name}_tried")


async def quiet_post(session, body):
    with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError):
        return await session.api.post(f"/sessions/{session.id}/messages", body, timeout=30)
    return None


async def test_a_prompt_whose_commit_fails_is_shown_to_nobody(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    await viewer.until(lambda v: v.session["agent"]["status"] == "ready", "ready")
    await session.at_rest(viewer)
    frames, before = len(viewer.frames), await session.get()
    body = {"content": "not yet", "id": unused("prompt")}
    with FailingCommits(bench.system.postgres, session.id, "P0001") as commits:
        posting = asyncio.ensure_future(quiet_post(session, body))
        await commits.tried_times(3)
        assert not posting.done() or posting.result() is None or posting.result().status >= 500
        assert len(viewer.frames) == frames, viewer.frames[frames:]
        assert agent.received("chat_message") == []
        assert await session.get() == before
        late = await bench.viewer(session)
        assert late.view.position == viewer.view.position
    reply = await posting
    assert reply is None or reply.status in (202, 503, 504), reply
    accepted = (await session.api.insist("POST", f"/sessions/{session.id}/messages", body)).ok(202)
    turn = await agent.next_turn()
    turn.text("now")
    turn.complete()
    await session.ends(accepted["interaction_id"], "complete")
    assert len(agent.received("chat_message")) == 1 and len(await session.interactions()) == 1
    await session.same(viewer, late)


async def test_an_answer_whose_commit_fails_is_shown_to_nobody_and_kept(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    accepted = await session.prompt("speak")
    turn = await agent.next_turn()
    turn.text("seen, ")
    await viewer.shows("seen, ")
    await session.at_rest(viewer)
    frames = len(viewer.frames)
    with FailingCommits(bench.system.postgres, session.id, "P0001") as commits:
        turn.text("not seen yet, ")
        turn.text("nor this.")
        turn.complete()
        await commits.tried_times(3)
        assert len(viewer.frames) == frames, viewer.frames[frames:]
        stored = await session.interactions()
        assert stored[0]["state"] == "waiting" and stored[0]["response_message"] == "seen, "
    done = await session.ends(accepted["interaction_id"], "complete")
    assert done["response_message"] == "seen, not seen yet, nor this."
    await session.same(viewer)
    assert agent.connections == 1


async def test_a_cancel_whose_commit_fails_reaches_no_agent(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    accepted = await session.prompt("run")
    turn = await agent.next_turn()
    queued = await session.prompt("wait")
    turn.text("running")
    await until(lambda: shown(session, "running"), "the running text")
    with FailingCommits(bench.system.postgres, session.id, "P0001") as commits:
        cancelling = asyncio.ensure_future(session.api.post(
            f"/sessions/{session.id}/cancel", {"interaction_id": queued["interaction_id"], "id": "c1"}, timeout=30))
        await commits.tried_times(3)
        assert not cancelling.done() or cancelling.result().status >= 500
        assert [q["interaction_id"] for q in (await session.get())["queue"]] == [queued["interaction_id"]]
    assert (await cancelling).status in (200, 503, 504)
    assert (await session.cancel(interaction_id=queued["interaction_id"])).ok()["status"] in ("cancelled", "noop")
    turn.complete()
    await session.ends(accepted["interaction_id"], "complete")
    assert (await session.get())["queue"] == [] and len(await session.interactions()) == 1


async def shown(session, text):
    stored = await session.interactions()
    return stored and stored[-1]["response_message"] == text


async def test_an_input_the_database_refuses_for_good_is_refused_and_stops_nothing(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    await viewer.until(lambda v: v.session["agent"]["status"] == "ready", "ready")
    await session.at_rest(viewer)
    frames = len(viewer.frames)
    with FailingCommits(bench.system.postgres, session.id, "23514") as commits:
        reply = await session.post("poisonous", id=unused("prompt"))
        assert reply.status >= 400, reply
        assert commits.tried() >= 1
        assert len(viewer.frames) == frames and agent.received("chat_message") == []
        other = await bench.session()
        (await other.post("other sessions do not share its fate")).ok(202)
    accepted = await session.prompt("healthy")
    turn = await agent.next_turn()
    assert turn.prompt == "healthy"
    turn.text("fine")
    turn.complete()
    await session.ends(accepted["interaction_id"], "complete")
    assert [i["prompt_message"] for i in await session.interactions()] == ["healthy"]
    await session.same(viewer)


async def test_a_session_whose_commits_fail_holds_up_no_other(bench):
    failing = await bench.session()
    others = [await bench.session() for _ in range(8)]
    agents = [await bench.agent(other) for other in others]
    body = {"content": "kept", "id": unused("prompt")}
    with FailingCommits(bench.system.postgres, failing.id, "P0001") as commits:
        posting = asyncio.ensure_future(quiet_post(failing, body))
        await commits.tried_times(1)
        for round_number in range(3):
            tried = commits.tried()
            accepted = await asyncio.wait_for(asyncio.gather(*(o.prompt(f"go on {round_number}") for o in others)), 5)
            for other, agent, one in zip(others, agents, accepted):
                turn = await agent.next_turn()
                turn.text("done")
                turn.complete()
                await other.ends(one["interaction_id"], "complete")
            await commits.tried_times(tried + 1)
    await posting
    (await failing.api.insist("POST", f"/sessions/{failing.id}/messages", body)).ok(202)
    assert [q["content"] for q in (await failing.get())["queue"]] == ["kept"]


async def test_a_producer_is_not_told_before_the_commit_that_a_killed_owner_took_with_it(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    body = {"content": "survives its owner", "id": unused("prompt")}
    with FailingCommits(bench.system.postgres, session.id, "P0001") as commits:
        posting = asyncio.ensure_future(quiet_post(session, body))
        await commits.tried_times(1)
        bench.system.state_sync.kill()
    bench.system.state_sync.start()
    await bench.system.state_sync.ready()
    reply = await posting
    assert reply is None or reply.status in (202, 503, 504), reply
    accepted = (await session.api.insist("POST", f"/sessions/{session.id}/messages", body)).ok(202)
    turn = await agent.next_turn()
    turn.text("survived")
    turn.complete()
    await session.ends(accepted["interaction_id"], "complete")
    assert len(await session.interactions()) == 1 and len(agent.received("chat_message")) == 1
