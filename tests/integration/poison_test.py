"""A frame that its owner does not survive is refused in the end, and its turn says so (design 3.6)."""

import contextlib

from support.bench import unused
from support.waiting import until

SETTINGS = {"stale_after": "60s", "ready_timeout": "2s"}
LIVES = 4  # lost until a frame is taken for poison: two before it is suspect, two that have said they try it


class StuckCommits:
    """While in force the COMMIT of an event that holds the text does not end before its client is gone."""

    def __init__(self, postgres, text):
        self._postgres = postgres
        self._text = text
        self._name = unused("stuck").replace("-", "_")
        self._table = postgres.execute("""
            select c.conrelid::regclass::text from pg_constraint c
            where c.contype = 'p' and (select array_agg(a.attname::text order by a.attname::text) from pg_attribute a
              where a.attrelid = c.conrelid and a.attnum = any(c.conkey)) = array['seq', 'session_id']""")[0][0]

    def __enter__(self):
        name = self._name
        self._postgres.execute(f"create sequence {name}_tried")
        self._postgres.execute(f"""
            create function {name}() returns trigger language plpgsql security definer as $$
            begin
              perform nextval('{name}_tried');
              perform pg_sleep(60);
              raise exception 'still there';
            end $$""")
        self._postgres.execute(f"""
            create constraint trigger {name} after insert on {self._table} deferrable initially deferred
            for each row when (strpos(new.body::text, '{self._text}') > 0) execute function {name}()""")
        return self

    def tried(self):
        value, called = self._postgres.execute(f"select last_value, is_called from {self._name}_tried")[0]
        return value if called else 0

    def __exit__(self, *error):
        # Waits for the last of them, whose client is gone.
        self._postgres.execute(f"drop trigger {self._name} on {self._table}")
        self._postgres.execute(f"drop function {self._name}()")
        self._postgres.execute(f"drop sequence {self._name}_tried")


async def answered(session, agent, prompt):
    interaction = (await session.prompt(prompt))["interaction_id"]
    turn = await agent.next_turn()
    turn.text(f"answer to {prompt}")
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert done["response_message"] == f"answer to {prompt}"


async def test_a_frame_that_kills_every_owner_is_refused_and_its_turn_ends_as_poison(bench):
    session, other = await bench.session(), await bench.session()
    agent, other_agent = await bench.agent(session), await bench.agent(other)
    viewer = await bench.viewer(session)
    owner = bench.system.state_sync
    await answered(session, agent, "first")
    await answered(other, other_agent, "elsewhere")
    interaction = (await session.prompt("second"))["interaction_id"]
    turn = await agent.next_turn()
    turn.text("harmless")

    async def shown():
        return (await session.interactions())[-1]["response_message"] == "harmless"
    await until(shown, "the harmless part is stored")
    with contextlib.ExitStack() as stack:
        commits = stack.enter_context(StuckCommits(bench.system.postgres, "deadly"))
        turn.text(" and deadly")
        for life in range(1, LIVES + 1):
            await until(lambda: commits.tried() >= life, f"owner {life} tries it", timeout=30, every=0.02)
            owner.kill()
            owner.start()
            await owner.ready()
        done = await session.ends(interaction, "error", timeout=30)
        assert done["error_code"] == "poison" and done["response_message"] == "harmless"
        assert commits.tried() == LIVES
        await answered(other, other_agent, "elsewhere again")
    turn.complete()
    await answered(session, agent, "third")
    await session.same(viewer)
