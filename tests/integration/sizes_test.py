"""Large things (design 3.8, section 7): bodies above NATS's usual max_payload, entries and turns above their bounds."""

import pytest

from support.client import Unavailable
from support.view import differences, entries_sha256, joined
from support.waiting import until

SETTINGS = {"stale_after": "20s", "ready_timeout": "2s"}
MIB = 1 << 20
MARK = "\n\n[truncated]"


async def answered(session, agent, parts):
    """One turn that says each of the parts as an entry of its own; returns the stored interaction."""
    accepted = await session.prompt("go")
    turn = await agent.next_turn()
    for part in parts:
        turn.text(part, new=True)
    turn.complete()

    async def ended():
        read = (await session.api.get(f"/sessions/{session.id}?skipInteractions=1")).ok()
        return read["interactions_total"] and "waiting_interaction_id" not in read["config"]
    await until(ended, "the turn ends", timeout=60, every=0.2)  # not by reading all of it again and again
    return await session.ends(accepted["interaction_id"], None, timeout=60)


async def same_one_by_one(session, *viewers):
    """As `Session.same`, for interactions of which no two fit into one answer."""
    async def agree():
        try:
            stored = await session.api.interactions(session.id, per_page=1)
        except Unavailable:
            return False
        return not any(differences(viewer.view, stored) for viewer in viewers)
    await until(agree, "viewers show what GET returns", timeout=60, every=0.2)


@pytest.mark.parametrize("unit", ["x", '"', "é", "🌋"], ids=["plain", "escaped", "two-bytes", "astral"])
async def test_a_prompt_of_one_mib_arrives_byte_for_byte(bench, unit):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    prompt = unit * (MIB // len(unit.encode()))
    accepted = await session.prompt(prompt)
    turn = await agent.next_turn()
    assert turn.prompt == prompt
    turn.text("read")
    turn.complete()
    assert (await session.ends(accepted["interaction_id"], "complete"))["prompt_message"] == prompt
    await session.same(viewer, await bench.viewer(session))


@pytest.mark.patience(90)
async def test_a_queue_of_large_prompts_is_seen_and_sent_in_order(bench):
    """The full state then is larger than any one prompt: it carries the whole queue."""
    session = await bench.session()
    prompts = [f"{number} " + "🌋" * ((MIB - 8) // 4) for number in range(6)]
    for prompt in prompts:
        await session.prompt(prompt)
    viewer = await bench.viewer(session)
    assert [q["content"] for q in viewer.view.session["queue"]] == prompts
    agent = await bench.agent(session)
    for prompt in prompts:
        turn = await agent.next_turn()
        assert turn.prompt == prompt
        turn.text("read")
        turn.complete()
    last = (await session.prompt("last"))["interaction_id"]
    turn = await agent.next_turn()
    turn.text("read")
    turn.complete()
    await session.ends(last, "complete")
    assert [i["prompt_message"] for i in await session.interactions()] == [*prompts, "last"]
    await viewer.sees(last, "complete")


@pytest.mark.patience(120)
async def test_updates_of_several_mib_reach_every_viewer(bench):
    """One entry grows, is corrected near its beginning, and a tool call's output comes whole each time."""
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    accepted = await session.prompt("grow")
    turn = await agent.next_turn()
    text = ""
    for number in range(6):
        more = f"{number} 🌋 " + "word " * (MIB // 8)
        text += more
        turn.text(more)
    turn.tool("cat", "In Progress", "**cat**\n" + "line\n" * (MIB // 2))
    turn.tool("cat", "Completed", "**cat**\n" + "other\n" * (MIB // 2))
    turn.correct(0, text.replace("0 🌋", "0 🌈"))
    late = await bench.viewer(session)
    turn.complete()
    done = await session.ends(accepted["interaction_id"], "complete", timeout=60)
    assert [e["content"] for e in done["response_entries"]] == [e.content for e in turn.entries]
    await session.same(viewer, late, await bench.viewer(session), timeout=40)


@pytest.mark.patience(90)
async def test_an_entry_above_8_mib_is_cut_on_a_code_point_and_marked(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    done = await answered(session, agent, ["🌋" * (9 * MIB // 4), "x" * (8 * MIB), "x" * (8 * MIB + 1)])
    first, second, third = (e["content"] for e in done["response_entries"])
    assert done["state"] == "complete" and "error_code" not in done
    assert first.endswith("🌋" + MARK) and 8 * MIB - 4 < len(first.encode()) <= 8 * MIB
    assert second == "x" * (8 * MIB)
    assert third.endswith("x" + MARK) and len(third) == 8 * MIB
    await session.same(viewer, timeout=40)


@pytest.mark.patience(150)
async def test_a_turn_above_32_mib_stores_no_more_text_and_says_so(bench):
    """Its text is there whole and by entries, so it is twice that as JSON."""
    session = await bench.session()
    agent = await bench.agent(session)
    done = await answered(session, agent, [str(number) + "x" * (6 * MIB) for number in range(7)] + ["the end"])
    stored = sum(len(e["content"]) for e in done["response_entries"])
    assert done["state"] == "complete" and done["error_code"] == "turn_truncated"
    assert 30 * MIB < stored <= 32 * MIB, stored
    assert done["entries_sha256"] == entries_sha256(done["response_entries"])
    viewer = await bench.viewer(session)
    after = await answered(session, agent, ["small again"])
    assert (after["state"], after["response_message"]) == ("complete", "small again")
    await same_one_by_one(session, viewer)
    (await session.api.get(f"/sessions/{session.id}/interactions")).refused(413, "too_large")


@pytest.mark.patience(120)
async def test_a_new_viewer_of_a_running_turn_gets_it_whole_whatever_its_size(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    viewer = await bench.viewer(session)
    accepted = await session.prompt("go")
    turn = await agent.next_turn()
    parts = [f"{number} 🌋 " + "word " * (MIB // 2) for number in range(4)]
    for part in parts:
        turn.text(part, new=True)
    whole = joined([{"content": part} for part in parts])
    await viewer.until(lambda v: len(v.text()) == len(whole), "all of it", timeout=40)
    late = await bench.viewer(session)
    assert late.frames[0]["session"]["interactions"][0]["response_message"] == whole
    turn.text("!")
    turn.complete()
    await session.ends(accepted["interaction_id"], "complete", timeout=40)
    await session.same(viewer, late, timeout=40)
