"""PostgreSQL fails over to a promoted standby: a new epoch for all, nothing continued over a hole (design 3.4)."""

import json
import time

import aiohttp
import pytest

from support.bench import unused
from support.client import mint
from support.numbered_agent import NumberedAgent
from support.standby import PairedSystem
from support.system import lifetime
from support.waiting import until

SETTINGS = {"stale_after": "30s", "ready_timeout": "2s"}


@pytest.fixture
def system(request):
    """One pair of servers per test: a failover leaves nothing to go back to."""
    made = getattr(request.function, "made", {})
    running = PairedSystem(made.get("replicas"), **{**SETTINGS, **made.get("settings", {})})
    yield from lifetime(running)


def having(replicas=None, **settings):
    def marked(test):
        test.made = {"replicas": replicas, "settings": settings}
        return test
    return marked


def epoch_of(postgres):
    return postgres.execute("select epoch from service_epoch")[0][0]


def position_of(viewer):
    return "{}:{}".format(*viewer.view.position)


async def in_the_middle(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    accepted = await session.prompt("a long answer, please")
    turn = await agent.next_turn()
    turn.text("Before, ")
    await viewer.until(lambda v: v.text() == "Before, ", "the first words")
    return session, viewer, agent, turn, accepted["interaction_id"]


async def in_epoch(viewer, epoch):
    await viewer.until(lambda v: v.position[0] == epoch, f"the viewer is in epoch {epoch}", 30)


async def first_frame(bench, session, since):
    """Of a v2 user socket that says where it stopped."""
    url = f"{bench.system.http_url}/api/v1/ws/user?session_id={session.id}&since={since}"
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(url, protocols=["throughline.v2"],
                                   headers={"Authorization": f"Bearer {mint(session.owner)}"}) as socket:
            return json.loads((await socket.receive(10)).data)


async def first_chunk(bench, session, interaction, last_event_id):
    url = f"{bench.system.http_url}/api/v1/sessions/{session.id}/interactions/{interaction}/stream"
    headers = {"Authorization": f"Bearer {mint(session.owner)}", "Last-Event-ID": last_event_id}
    async with aiohttp.ClientSession() as http:
        async with http.get(url, headers=headers, timeout=aiohttp.ClientTimeout(total=10)) as stream:
            async for line in stream.content:
                if line.startswith(b"data: {"):
                    return json.loads(line[6:])
    return {}


def at_work(postgres):
    """Connections of state-sync on that server."""
    return postgres.execute("select count(*) from pg_stat_activity where application_name ~ '^throughline'")[0][0]


def content(postgres):
    return postgres.execute("select session_id, epoch, seq, version from session_heads order by 1")


@pytest.mark.patience(120)
async def test_a_failover_without_loss_goes_on_in_a_new_epoch(bench):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    await session.at_rest(viewer)
    seen = position_of(viewer)
    await bench.system.standby.has_all_of(bench.system.postgres)
    bench.system.fail_over()
    promoted = time.monotonic()
    turn.text("between, ")
    await in_epoch(viewer, 2)
    assert epoch_of(bench.system.standby) == 2
    await viewer.until(lambda v: v.text() == "Before, between, ", "what was sent meanwhile")
    print(f"shown {time.monotonic() - promoted:.2f} s after the promotion")
    turn.text("after.")
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert done["response_message"] == "Before, between, after."
    await session.same(viewer, await bench.viewer(session))
    assert len(agent.received("chat_message")) == 1, "the prompt was sent again"
    # Nothing was lost: the old position is a stored event of its epoch, and can be resumed.
    events = await session.api.get(f"/sessions/{session.id}/events?since={seen}")
    assert events.status == 200 and b'"epoch":2' in events.raw and b'"epoch":1' not in events.raw
    assert agent.connections == 1 and viewer.connections == 1
    await bench.system.state_sync.ready()


@pytest.mark.patience(120)
async def test_what_an_asynchronous_failover_lost_is_taken_back_openly(bench):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    await session.at_rest(viewer)
    kept = position_of(viewer)
    await bench.system.standby.has_all_of(bench.system.postgres)
    bench.system.stream.cut()
    for number in range(5):
        turn.text(f"lost {number}, ")
        await viewer.until(lambda v, n=number: v.text().endswith(f"lost {n}, "), "words that will be lost")
    lost_session = await bench.session()
    lost_viewer = await bench.watch(lost_session, reconnect=False)
    await lost_viewer.opened()
    await session.at_rest(viewer)
    lost = position_of(viewer)
    bench.system.fail_over()
    await in_epoch(viewer, 2)
    # The stock agent says its whole text again with the next change: the hole closes, and only then is it whole.
    turn.text("found again.")
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert done["response_message"] == "Before, lost 0, lost 1, lost 2, lost 3, lost 4, found again."
    await session.same(viewer, await bench.viewer(session))
    (await session.api.get(f"/sessions/{session.id}/events?since={lost}")).refused(410, "position_unknown")
    assert (await session.api.get(f"/sessions/{session.id}/events?since={kept}")).status == 200
    resumed = [await first_frame(bench, session, since) for since in (lost, kept)]
    assert [f["type"] for f in resumed] == ["session_update", "interaction_patch"], resumed
    assert resumed[0]["session"]["interactions"] and resumed[0]["epoch"] == 2
    assert (await first_chunk(bench, session, interaction, lost)).get("reset") is True
    assert await lost_viewer.closed(15) == 4404
    (await session.api.get(f"/sessions/{lost_session.id}")).refused(404)
    assert len(agent.received("chat_message")) == 1


@pytest.mark.patience(150)
async def test_a_numbered_agent_goes_on_after_a_loss(bench):
    """What was acknowledged and lost is not asked for again; what it says next is taken, on this socket and another."""
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session, kind=NumberedAgent)
    interaction = (await session.prompt("a long answer, please"))["interaction_id"]
    turn = await agent.next_turn()
    turn.text("Before, ")
    await agent.acknowledged()
    await bench.system.standby.has_all_of(bench.system.postgres)
    bench.system.stream.cut()
    for number in range(5):
        turn.text(f"lost {number}, ")
        await agent.acknowledged()
    lost = agent.last_seq
    bench.system.fail_over()
    await in_epoch(viewer, 2)
    turn.text("found again, ")
    await agent.acknowledged()
    whole = "Before, lost 0, lost 1, lost 2, lost 3, lost 4, found again, "
    await viewer.until(lambda v: v.text() == whole, "the whole text")
    bench.system.bridge.kill()
    bench.system.bridge.start()
    await agent.online(2)
    turn.text("after.")
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert done["response_message"] == whole + "after."
    assert agent.resumes[-1][0] == 2 and agent.resumes[-1][1] > lost, agent.resumes
    await session.same(viewer)


@having(stale_after="5s")
@pytest.mark.patience(120)
async def test_a_turn_whose_end_was_lost_is_in_doubt_and_ends(bench):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    await session.at_rest(viewer)
    await bench.system.standby.has_all_of(bench.system.postgres)
    bench.system.stream.cut()
    turn.text("and the end.")
    turn.complete()
    await session.ends(interaction, "complete")
    await viewer.sees(interaction, "complete")
    bench.system.fail_over()
    await in_epoch(viewer, 2)
    done = await session.ends(interaction, "error")
    assert done["error_code"] == "lost_contact" and done["error"]
    await viewer.sees(interaction, "error")
    follow = await session.prompt("and now?")
    turn = await agent.next_turn()
    turn.text("now this")
    turn.complete()
    await session.ends(follow["interaction_id"], "complete")
    await session.same(viewer)


@pytest.mark.patience(120)
async def test_a_prompt_that_was_lost_acts_once_when_it_is_posted_again(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    await bench.system.standby.has_all_of(bench.system.postgres)
    bench.system.stream.cut()
    body = {"content": "posted before, lost, and posted again", "id": unused("lost")}
    first = (await session.api.insist("POST", f"/sessions/{session.id}/messages", body)).ok(202)
    bench.system.fail_over()
    await in_epoch(viewer, 2)
    again = (await session.api.insist("POST", f"/sessions/{session.id}/messages", body)).ok(202)
    assert again["position"].startswith("2:") and first["position"].startswith("1:")
    agent = await bench.agent(session)
    turn = await agent.next_turn()
    turn.text("once")
    turn.complete()
    await session.ends(again["interaction_id"], "complete")
    assert [i["prompt_message"] for i in await session.interactions()] == [body["content"]]
    await session.same(viewer)


@pytest.mark.slow
@pytest.mark.patience(150)
async def test_an_old_primary_that_comes_back_is_not_used(bench):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    await bench.system.standby.has_all_of(bench.system.postgres)
    old, new, state_sync = bench.system.postgres, bench.system.standby, bench.system.state_sync
    bench.system.fail_over()
    await in_epoch(viewer, 2)
    old.start()
    await old.ready()
    before = content(old)
    # A new process meets the old primary first in its list, both of them writable.
    state_sync.kill()
    state_sync.start()
    await state_sync.ready()
    turn.text("new, ")
    await viewer.until(lambda v: v.text() == "Before, new, ", "what only the new primary has")
    assert at_work(new) > 0
    # The new one goes away for a while; the old one is alone, and is no way out.
    new.kill()
    await state_sync.not_ready("outdated", "its epoch is 1, and 2 has been seen")
    reply = await session.post("nobody takes this now", id="later")
    assert reply.status in (503, 504), reply
    new.start()
    await new.ready()
    await state_sync.ready()
    turn.text("and again.")
    turn.complete()
    await session.ends(interaction, "complete")
    assert content(old) == before and epoch_of(old) == 1
    await session.same(viewer)


@having({"state-sync": 2})
@pytest.mark.patience(150)
async def test_a_state_sync_that_knows_only_the_old_primary_is_told_by_the_others(bench):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    await bench.system.standby.has_all_of(bench.system.postgres)
    first, second = bench.system.replicas("state-sync")
    first.kill()
    first.env["THROUGHLINE_DATABASE_URL"] = bench.system.postgres.url
    bench.system.fail_over()
    await in_epoch(viewer, 2)
    bench.system.postgres.start()
    await bench.system.postgres.ready()
    first.start()
    await first.not_ready("outdated")
    before = content(bench.system.postgres)
    turn.text("on the new one.")
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert done["response_message"] == "Before, on the new one."
    await session.same(viewer)
    assert content(bench.system.postgres) == before


@pytest.mark.patience(150)
async def test_a_state_sync_alone_on_the_old_primary_is_told_by_those_it_answers(bench):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    await bench.system.standby.has_all_of(bench.system.postgres)
    state_sync, both = bench.system.state_sync, bench.system.state_sync.env["THROUGHLINE_DATABASE_URL"]
    bench.system.fail_over()
    await in_epoch(viewer, 2)
    turn.text("on the new one, ")
    await viewer.until(lambda v: v.text() == "Before, on the new one, ", "what only the new primary has")
    await session.at_rest(viewer)
    state_sync.kill()
    bench.system.postgres.start()
    await bench.system.postgres.ready()
    state_sync.env["THROUGHLINE_DATABASE_URL"] = bench.system.postgres.url
    state_sync.start()
    frames = len(viewer.frames)
    await state_sync.not_ready("outdated")
    assert len(viewer.frames) == frames, "the old primary was shown"
    state_sync.kill()
    state_sync.env["THROUGHLINE_DATABASE_URL"] = both
    state_sync.start()
    await state_sync.ready()
    turn.text("still.")
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert done["response_message"] == "Before, on the new one, still."
    await session.same(viewer)


@pytest.mark.patience(120)
async def test_a_promotion_beside_a_living_primary_is_noticed(bench):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    await bench.system.standby.has_all_of(bench.system.postgres)
    bench.system.standby.promote()
    await in_epoch(viewer, 2)
    turn.text("over there.")
    turn.complete()
    await session.ends(interaction, "complete")
    await until(lambda: at_work(bench.system.postgres) == 0, "nothing is connected to the old primary")
    assert at_work(bench.system.standby) > 0
    await session.same(viewer)


@pytest.mark.patience(150)
async def test_with_a_synchronous_standby_nothing_acknowledged_is_lost(bench):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    old, new = bench.system.postgres, bench.system.standby
    old.execute("alter system set synchronous_standby_names = '*'")
    old.execute("select pg_reload_conf()")
    synchronous = "select count(*) from pg_stat_replication where sync_state = 'sync'"
    await until(lambda: old.execute(synchronous)[0][0] == 1, "the standby is synchronous")
    turn.text("confirmed, ")
    await viewer.until(lambda v: v.text() == "Before, confirmed, ", "the confirmed words")
    await session.at_rest(viewer)
    shown = len(viewer.frames)
    bench.system.stream.stall()
    body = {"content": "not confirmed by the standby", "id": unused("prompt")}
    turn.text("not confirmed, ")
    reply = await session.post(body["content"], id=body["id"])
    assert reply.status == 504, reply
    assert len(viewer.frames) == shown, "shown before the standby had it"
    bench.system.fail_over()
    await in_epoch(viewer, 2)
    accepted = (await session.api.insist("POST", f"/sessions/{session.id}/messages", body)).ok(202)
    turn.text("and the rest.")
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert done["response_message"] == "Before, confirmed, not confirmed, and the rest."
    turn = await agent.next_turn()
    turn.complete()
    await session.ends(accepted["interaction_id"], None)
    assert len(await session.interactions()) == 2
    await session.same(viewer)


@pytest.mark.slow
@pytest.mark.patience(150)
async def test_a_standby_that_is_away_for_a_while_costs_time_only(bench):
    """Synchronous, without a failover: COMMITs in doubt are neither cancelled nor repeated."""
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    old = bench.system.postgres
    old.execute("alter system set synchronous_standby_names = '*'")
    old.execute("select pg_reload_conf()")
    bench.system.stream.stall()
    turn.text("waits, ")
    in_doubt = "throughline_state_sync_commits_in_doubt_total"

    async def doubted():
        text = (await bench.system.state_sync.ops("/metrics"))[1]
        return any(line.startswith(in_doubt) and float(line.split()[-1]) >= 1 for line in text.splitlines())
    await until(doubted, "a COMMIT is in doubt", 30, every=0.2)
    bench.system.stream.heal()
    await viewer.until(lambda v: v.text() == "Before, waits, ", "what waited", 30)
    turn.text("goes on.")
    turn.complete()
    done = await session.ends(interaction, "complete")
    assert done["response_message"] == "Before, waits, goes on."
    assert epoch_of(old) == 1
    await session.same(viewer)
