"""A NATS whose max_payload is far below the usual (design 3.8): everything travels in parts, and nothing notices."""

import asyncio

import pytest

from support.system import System

SETTINGS = {"stale_after": "20s", "ready_timeout": "2s"}
MIB = 1 << 20
NARROW = 64 << 10


def write_nats_settings(system, max_payload):
    (system.folder / "nats.conf").write_text(f"max_payload: {max_payload}\n")


@pytest.fixture(scope="module")
def system():
    running = System(**SETTINGS)
    write_nats_settings(running, NARROW)
    running.nats.command += ["-c", str(running.folder / "nats.conf")]
    try:
        asyncio.run(running.start())
        yield running
    finally:
        wrong = asyncio.run(running.stop())
    assert not wrong, "\n".join(wrong)


async def test_a_prompt_of_one_mib_arrives_byte_for_byte(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    prompt = '"🌋' * (MIB // 5)
    accepted = await session.prompt(prompt)
    turn = await agent.next_turn()
    assert turn.prompt == prompt
    turn.text("read")
    turn.complete()
    assert (await session.ends(accepted["interaction_id"], "complete"))["prompt_message"] == prompt
    await session.same(viewer, await bench.viewer(session))


@pytest.mark.patience(120)
async def test_large_answers_reach_v1_v2_and_streams_alike(bench):
    session = await bench.session()
    viewer, second = await bench.viewer(session), await bench.viewer_v2(session)
    agent = await bench.agent(session)
    accepted = await session.prompt("grow")
    turn = await agent.next_turn()
    stream = (await bench.stream(session)).follow(session.id, accepted["interaction_id"])
    for number in range(4):
        turn.text(f"{number} 🌋 " + "word " * (MIB // 8))
    turn.tool("cat", "In Progress", "**cat**\n" + "line\n" * (MIB // 4))
    turn.tool("cat", "Completed", "**cat**\n" + "other\n" * (MIB // 4))
    turn.correct(0, turn.entries[0].content.replace("0 🌋", "0 🌈"))
    late = await bench.viewer(session)
    turn.complete()
    done = await session.ends(accepted["interaction_id"], "complete", timeout=60)
    assert [e["content"] for e in done["response_entries"]] == [e.content for e in turn.entries]
    await stream.ended()
    assert stream.entries == [e.content for e in turn.entries]
    await session.same(viewer, second, late, timeout=40)


@pytest.mark.patience(120)
async def test_a_wire_that_narrows_in_the_middle_of_a_turn_loses_nothing(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    accepted = await session.prompt("go")
    turn = await agent.next_turn()
    turn.text("before " + "x" * (3 * MIB))
    await viewer.until(lambda v: len(v.text()) > 3 * MIB, "the first part", timeout=40)
    bench.system.nats.kill()
    write_nats_settings(bench.system, NARROW // 4)
    try:
        turn.text(" while " + "y" * (3 * MIB))
        await bench.system.revive()
        turn.text(" after " + "z" * (3 * MIB // 2))
        turn.complete()
        done = await session.ends(accepted["interaction_id"], "complete", timeout=60)
        assert done["response_message"] == turn.entries[0].content
        await session.same(viewer, await bench.viewer(session), timeout=40)
    finally:
        bench.system.nats.kill()
        write_nats_settings(bench.system, NARROW)
        await bench.system.revive()
