"""Agents that number what they say (throughline.agent.v2): whatever dies, every word is there once."""

import asyncio
import contextlib
import json
import time

import aiohttp
import pytest

from support.bench import refusal
from support.numbered_agent import NumberedAgent
from support.waiting import until

SETTINGS = {"stale_after": "20s", "ready_timeout": "2s", "max_frame": "256KiB"}
PROTOCOL = "throughline.agent.v2"


class Wire:
    """A v2 socket without any behaviour of its own."""

    def __init__(self, socket):
        self.socket = socket
        self.seen = []

    async def next(self, *kinds, timeout=15):
        """The data of the next frame of these kinds; others are kept in `seen`."""
        deadline = time.monotonic() + timeout
        while True:
            got = await self.socket.receive(timeout=max(0.01, deadline - time.monotonic()))
            assert got.type is aiohttp.WSMsgType.TEXT, f"{got} instead of {kinds}; close {self.socket.close_code}"
            frame = json.loads(got.data)
            self.seen.append(frame["type"])
            if frame["type"] in kinds:
                return frame["data"]

    async def closed(self, timeout=15):
        deadline = time.monotonic() + timeout
        while not self.socket.closed:
            await self.socket.receive(timeout=max(0.01, deadline - time.monotonic()))
        return self.socket.close_code

    async def say(self, seq, event_type, **data):
        await self.socket.send_json({"seq": seq, "event_type": event_type, "data": data})

    async def types(self, seq, text, message):
        await self.say(seq, "message_added", acp_thread_id="t-1", message_id=message, content=text, role="user",
                       entry_type="text", request_id="", timestamp=int(time.time()))

    async def acknowledges(self, seq):
        while True:
            data = await self.next("ack")
            assert set(data) == {"seq"} and data["seq"] <= seq
            if data["seq"] == seq:
                return


@contextlib.asynccontextmanager
async def wire(bench, session, instance="life-1"):
    """Attached when nothing else is any more: nobody is superseded, nobody flaps."""
    async def is_offline():
        return (await session.get())["agent"]["status"] == "offline"
    await until(is_offline, "the earlier socket is gone")
    query = f"session_id={session.id}&instance={instance}"
    async with bench.raw_agent(session, query=query, protocols=(PROTOCOL,)) as socket:
        yield Wire(socket)


async def with_a_thread(bench):
    """A session whose thread `t-1` is known, from a stock agent that has gone."""
    session = await bench.session()
    hand = await bench.hand_agent(session)
    first = (await session.prompt("bind"))["interaction_id"]
    await hand.command("chat_message")
    await hand.created(first)
    await hand.says("bound", message="0", request=first)
    await hand.completes(first)
    await session.ends(first, "complete")
    await hand.close()
    return session


async def prompts(session):
    """Of the turns after the one that made the thread."""
    return [i["prompt_message"] for i in await session.interactions() if i["prompt_message"] != "bind"]


async def count(bench, name):
    _, text = await bench.system.bridge.ops("/metrics")
    return sum(float(line.split()[-1]) for line in text.splitlines()
               if line.startswith(f"throughline_agent_bridge_{name} "))


async def test_it_is_negotiated_and_needs_an_instance(bench):
    session, other = await bench.session(), await bench.session()
    token = await session.agent_token()

    async def status(query, offered=PROTOCOL, bearer=token):
        url = f"{bench.system.agent_url.replace('ws', 'http', 1)}/api/v1/external-agents/sync?{query}"
        headers = {"Authorization": f"Bearer {bearer}", "Sec-WebSocket-Protocol": offered}
        got, answer, _ = await refusal(url, headers)
        return got, answer.get("Sec-WebSocket-Protocol")
    mine = f"session_id={session.id}"
    assert await status(mine) == (400, None)
    assert await status(f"{mine}&instance=") == (400, None)
    assert await status(f"{mine}&instance={'x' * 257}") == (400, None)
    assert await status(f"{mine}&instance=%00%01") == (400, None)
    assert await status(mine, bearer="ha-unknown") == (401, None)
    assert await status(f"session_id={other.id}&instance=a") == (404, None)
    assert await status(f"{mine}&instance={'x' * 256}") == (101, PROTOCOL)
    assert await status(f"{mine}&instance=a", offered=f"something.else, {PROTOCOL}") == (101, PROTOCOL)
    other_mine = f"session_id={other.id}&instance=a"
    token = await other.agent_token()
    assert await status(other_mine, offered="something.else", bearer=token) == (101, None)


async def test_resume_comes_first_and_acks_after_the_commit(bench):
    session = await with_a_thread(bench)
    async with wire(bench, session) as agent:
        data = await agent.next("resume")
        assert data == {"epoch": (await session.get())["epoch"], "seq": 0} and agent.seen == ["resume"]
        await agent.say(1, "thread_title_changed", acp_thread_id="t-1", title="T")
        await agent.types(2, "typed", "1")
        await agent.acknowledges(2)
        assert await prompts(session) == ["typed"]
        bench.system.postgres.freeze()
        read = await count(bench, "frames_total")
        await agent.types(3, "while nothing can be committed", "2")

        async def is_read():
            return await count(bench, "frames_total") > read
        await until(is_read, "the bridge reads it")
        with pytest.raises(asyncio.TimeoutError):
            await agent.next("ack", timeout=1)  # the time in which no ack may come
        bench.system.postgres.thaw()
    async with wire(bench, session) as agent:
        committed = (await agent.next("resume"))["seq"]
        assert committed in (2, 3)
        await agent.types(3, "while nothing can be committed", "2")
        await agent.acknowledges(3)
    assert await prompts(session) == ["typed", "while nothing can be committed"]


async def test_the_number_decides_what_is_new(bench):
    session = await with_a_thread(bench)
    async with wire(bench, session) as agent:
        await agent.next("resume")
        await agent.say(1, "thread_title_changed", acp_thread_id="t-1", title="T")
        await agent.types(2, "once", "1")
        await agent.types(2, "another text under a number that was used", "9")
        await agent.types(3, "twice", "2")
        await agent.acknowledges(3)
        await agent.types(1, "old", "8")
        await agent.acknowledges(3)
    async with wire(bench, session) as agent:
        assert (await agent.next("resume"))["seq"] == 3
        await agent.types(3, "still old", "7")
        await agent.acknowledges(3)
        await agent.types(4, "three times", "3")
        await agent.acknowledges(4)
    async with wire(bench, session, instance="life-2") as agent:
        assert (await agent.next("resume"))["seq"] == 0
        await agent.types(1, "a new life", "0")
        await agent.acknowledges(1)
    async with wire(bench, session) as agent:
        assert (await agent.next("resume"))["seq"] == 4
    assert await prompts(session) == ["once", "twice", "three times", "a new life"]


async def test_frames_without_effect_have_numbers_too(bench):
    session = await bench.session()
    async with wire(bench, session) as agent:
        await agent.next("resume")
        await agent.say(1, "ping", timestamp=1)
        await agent.acknowledges(1)
        await agent.say(2, "from_the_future", anything=[1])
        await agent.acknowledges(2)
        await agent.say(3, "message_added", nothing="of it")
        assert (await agent.next("error"))["code"] == "bad_frame"
        await agent.acknowledges(3)
        await agent.say(4, "chat_response_error", request_id="int_nobody", error="nobody knows")
        await agent.acknowledges(4)
    async with wire(bench, session) as agent:
        assert (await agent.next("resume"))["seq"] == 4


@pytest.mark.parametrize("seq", [None, "2", 0, -1, 1.5, 2 ** 53, True], ids=str)
async def test_a_frame_without_a_usable_number_is_a_bad_frame(bench, seq):
    session = await with_a_thread(bench)
    async with wire(bench, session) as agent:
        await agent.next("resume")
        await agent.say(1, "thread_title_changed", acp_thread_id="t-1", title="T")
        await agent.types(seq, "not taken", "1")
        data = await agent.next("error")
        assert data["code"] == "bad_frame" and "seq" in data["message"]
        await agent.types(2, "taken", "2")
        await agent.acknowledges(2)
    assert await prompts(session) == ["taken"]


async def test_a_gap_closes_1008_but_for_the_first_frame_whose_loss_is_counted(bench):
    session = await with_a_thread(bench)
    skipped = await count(bench, "skipped_frames_total")
    async with wire(bench, session) as agent:
        await agent.next("resume")
        await agent.types(5, "the first may skip", "1")
        await agent.acknowledges(5)
        assert await count(bench, "skipped_frames_total") == skipped + 4
        await agent.types(7, "a later one may not", "2")
        assert await agent.closed() == 1008
    async with wire(bench, session) as agent:
        assert (await agent.next("resume"))["seq"] == 5
        await agent.types(6, "and then it goes on", "2")
        await agent.acknowledges(6)
    assert await prompts(session) == ["the first may skip", "and then it goes on"]


async def in_the_middle(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session, kind=NumberedAgent)
    accepted = await session.prompt("a long answer, please")
    turn = await agent.next_turn()
    turn.text("begun ")
    await viewer.shows("begun ")
    return session, viewer, agent, turn, accepted["interaction_id"]


def speak(turn, first, last):
    """Words, tool calls and new entries, as an agent mixes them."""
    for number in range(first, last):
        if number % 10 == 9:
            turn.tool(f"tool {number}", "In Progress", f"**Tool Call: {number}**")
            turn.tool(f"tool {number}", "Completed", f"**Tool Call: {number}**\ndone 🌋")
        turn.text(f"{number} ")


async def is_whole(session, viewer, agent, turn, interaction):
    done = await session.ends(interaction, "complete")
    assert [e["content"] for e in done["response_entries"]] == [e.content for e in turn.entries]
    await agent.acknowledged()
    assert [i["id"] for i in await session.interactions()] == [interaction]
    await session.same(viewer, await session.bench.viewer(session))
    assert len(agent.received("chat_message")) == 1
    assert agent.resumes[0][1] == 0 and [r for _, r in agent.resumes] == sorted(r for _, r in agent.resumes)


@pytest.mark.slow
@pytest.mark.patience(120)
async def test_the_bridge_is_killed_again_and_again_in_the_middle_of_an_answer(bench):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    for number in range(5):
        speak(turn, number * 40, number * 40 + 20)
        if number % 2:
            await agent.drained()
        bench.system.bridge.kill()
        speak(turn, number * 40 + 20, number * 40 + 40)
        bench.system.bridge.start()
        await agent.online(number + 2)
    turn.complete()
    await is_whole(session, viewer, agent, turn, interaction)


@pytest.mark.patience(120)
async def test_an_end_that_died_with_the_bridge_is_said_again(bench):
    """What a stock agent loses here (and its turn with it), a numbered one does not."""
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    bench.system.bridge.freeze()
    speak(turn, 0, 20)
    turn.complete()
    await agent.drained()
    bench.system.bridge.kill()
    bench.system.bridge.start()
    await is_whole(session, viewer, agent, turn, interaction)


@pytest.mark.patience(120)
@pytest.mark.parametrize("part", ["state-sync", "nats", "postgres"])
async def test_another_part_is_killed_under_an_answer(bench, part):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    process = bench.system.process(part)
    for number in range(3):
        speak(turn, number * 40, number * 40 + 20)
        process.kill()
        speak(turn, number * 40 + 20, number * 40 + 40)
        process.start()
        await process.ready()
    turn.complete()
    await is_whole(session, viewer, agent, turn, interaction)


@pytest.mark.patience(150)
async def test_everything_is_killed_at_once(bench):
    session, viewer, agent, turn, interaction = await in_the_middle(bench)
    for number in range(2):
        speak(turn, number * 40, number * 40 + 20)
        for process in reversed(bench.system.processes):
            process.kill()
        speak(turn, number * 40 + 20, number * 40 + 40)
        await bench.system.revive()
        await agent.online(number + 2)
    turn.complete()
    await is_whole(session, viewer, agent, turn, interaction)


@pytest.mark.patience(90)
async def test_typed_text_acts_once_through_kills(bench):
    """Words that a person typed would show it if they acted twice."""
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session, kind=NumberedAgent)
    await session.prompt("bind")
    first = await agent.next_turn()
    first.text("bound")
    first.complete()
    await agent.acknowledged()
    for number in range(3):
        bench.system.bridge.freeze()
        for words in ("the same words", "and more"):
            typed = agent.type_in_editor(first.thread.id, words)
            typed.text("the same answer")
            typed.complete()
        await agent.drained()
        bench.system.bridge.kill()
        bench.system.bridge.start()
        await agent.online(number + 2)
    await agent.acknowledged()
    assert await prompts(session) == ["the same words", "and more"] * 3
    assert {i["state"] for i in await session.interactions()} == {"complete"}
    await session.same(viewer)
