"""The scripted agent as a program, against the real services."""

import asyncio
import contextlib
import os
import pathlib
import signal

import pytest

from support.system import ROOT
from support.waiting import until

SETTINGS = {"stale_after": "2s", "ready_timeout": "2s"}
TOOL = str(ROOT / "tests" / "tools" / "agent-sim")


@contextlib.asynccontextmanager
async def agent_sim(session, script, *options):
    process = await asyncio.create_subprocess_exec(
        TOOL, "--url", session.bench.system.agent_url, "--session", session.id, "--token", await session.agent_token(),
        "--script", "-", "--time-scale", "0.05", *options,
        stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    process.stdin.write(script.encode())
    process.stdin.close()
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def test_a_script_answers_by_pattern(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    script = r'''
        # the weather
        on /weather/
          text "Looking "
          text "outside \ud83d\udc40"
          tool look "In Progress" "**Tool Call: look**"
          tool look Completed ""
          entry "Sunny {prompt}"
          title "The weather"
        on "break"
          text "so far"
          error "went wrong"
        on #3
          repeat 3 1ms "{n} "
    '''
    async with agent_sim(session, script) as process:
        first = await session.prompt("weather?")
        done = await session.ends(first["interaction_id"], "complete")
        assert [(e["type"], e["content"]) for e in done["response_entries"]] == [
            ("text", "Looking outside 👀"), ("tool_call", "**Tool Call: look**"), ("text", "Sunny weather?")]
        broken = await session.prompt("break")
        assert "went wrong" in (await session.ends(broken["interaction_id"], "error"))["error"]
        third = await session.prompt("anything")
        assert (await session.ends(third["interaction_id"], "complete"))["response_message"] == "1 2 3 "
        fourth = await session.prompt("unmatched")
        assert (await session.ends(fourth["interaction_id"], "complete"))["response_message"] == "ok"
        assert (await session.get())["name"] == "The weather"
        await session.same(viewer)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 5) == 0


async def test_a_script_waits_until_it_is_told_through_a_restart(bench, tmp_path):
    session = await bench.session()
    viewer = await bench.viewer(session)
    go = tmp_path / "go"
    here = tmp_path / "here"
    script = f'on *\n text "before "\n touch {here}\n wait-for-file {go}\n text "after"\n'
    async with agent_sim(session, script):
        accepted = await session.prompt("slowly")
        await until(here.exists, "the script at its waiting point")
        await viewer.shows("before ")
        bench.system.state_sync.kill()
        pathlib.Path(go).touch()
        bench.system.state_sync.start()
        await bench.system.state_sync.ready()
        done = await session.ends(accepted["interaction_id"], "complete")
        assert done["response_message"] == "before after"
        await session.same(viewer)


async def test_a_crash_ends_the_process_and_the_turn(bench):
    session = await bench.session()
    async with agent_sim(session, 'on *\n text "about to"\n wait 50ms\n crash 7\n') as process:
        accepted = await session.prompt("jump")
        assert await asyncio.wait_for(process.wait(), 20) == 7
        assert (await session.ends(accepted["interaction_id"], "error"))["error_code"] == "agent_lost"


async def test_a_disconnect_in_the_script_loses_no_text(bench):
    session = await bench.session()
    async with agent_sim(session, 'on *\n text "a"\n disconnect\n text "b"\n wait 1s\n text "c"\n'):
        accepted = await session.prompt("cut")
        assert (await session.ends(accepted["interaction_id"], "complete"))["response_message"] == "abc"


async def test_a_silent_script_can_be_cancelled(bench):
    session = await bench.session()
    async with agent_sim(session, 'on *\n text "hm"\n silence\n'):
        accepted = await session.prompt("think")
        await until(lambda: running(session), "the turn runs")
        assert (await session.cancel()).ok() == {"status": "cancelled"}
        await session.ends(accepted["interaction_id"], "interrupted")


async def running(session):
    stored = await session.interactions()
    return stored and stored[-1]["response_message"] == "hm"


@pytest.mark.patience(90)
async def test_v2_goes_on_where_it_was_committed_and_a_restart_is_seen(bench, tmp_path):
    session = await bench.session()
    viewer = await bench.viewer(session)
    go, here = tmp_path / "go", tmp_path / "here"
    script = f"""
        on "first"
          text "before "
          touch {here}
          wait-for-file {go}
          text "after"
        on "second"
          text "half of "
          silence
    """
    async with agent_sim(session, script, "--v2"):
        first = await session.prompt("first")
        await until(here.exists, "the script at its waiting point")
        bench.system.bridge.kill()
        go.touch()
        bench.system.bridge.start()
        await bench.system.bridge.ready()
        done = await session.ends(first["interaction_id"], "complete")
        assert done["response_message"] == "before after"
        second = await session.prompt("second")
        await viewer.shows("half of ")
    async with agent_sim(session, "", "--v2"):
        assert (await session.ends(second["interaction_id"], "error"))["error_code"] == "agent_restarted"
        third = await session.prompt("third")
        assert (await session.ends(third["interaction_id"], "complete"))["response_message"] == "ok"
    await session.same(viewer)


async def test_bad_scripts_and_options_say_what_is_wrong():
    for script, words in [('text "x"', "before the first on"), ("on *\n sing\n", "unknown step"),
                          ("on *\n wait long\n", "no duration"), ('on *\n text "open\n', "JSON string")]:
        process = await asyncio.create_subprocess_exec(
            TOOL, "--url", "ws://127.0.0.1:1", "--session", "s", "--token", "t", "--script", "-",
            stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ})
        _, stderr = await process.communicate(script.encode())
        assert process.returncode == 2 and words in stderr.decode(), stderr
