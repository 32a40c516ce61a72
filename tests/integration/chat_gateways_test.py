"""Streams of one answer that move to another gateway: each goes on where its own client stopped."""

import json

import pytest

SETTINGS = {"stale_after": "20s", "ready_timeout": "2s"}
REPLICAS = {"gateway": 2}


def place(event_id):
    return tuple(map(int, event_id.split(":")))


def whole(turn):
    return "\n\n".join(entry.content for entry in turn.entries)


async def say(turn, streams, texts):
    """One text after the other, each an event of its own: the next is said when these streams show it."""
    for number, text in enumerate(texts):
        turn.text(text, new=number % 3 == 2)
        for stream in streams:
            await stream.shows(whole(turn))


async def patches_of(session, interaction, after):
    """The positions of the answer's patches behind that one, as the log has them."""
    read = await session.api.get(f"/sessions/{session.id}/events?since={after}")
    assert read.status == 200
    return [f"{e['epoch']}:{e['seq']}" for e in map(json.loads, read.raw.decode().splitlines())
            if e["type"] == "interaction_patch" and e["interaction_id"] == interaction]


@pytest.mark.patience(90)
@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
@pytest.mark.parametrize("watched", [False, True], ids=["a new watch", "a watch that was there"])
async def test_two_streams_go_on_on_the_other_gateway_each_from_its_own_place(bench, together, watched):
    first, second = bench.system.replicas("gateway")
    session = await bench.session()
    agent = await bench.agent(session)
    request = (await session.prompt("a long answer"))["interaction_id"]
    turn = await agent.next_turn()
    turn.text("for both 📤 ")
    ahead, behind = [(await bench.stream(session, gateway=first)).follow(session.id, request) for _ in range(2)]
    if watched:
        await bench.viewer(session, gateway=second)
    await say(turn, (ahead, behind), ("one ", "two ", "three "))
    behind.hold()
    await say(turn, (ahead,), (f"{number} 🌊 " for number in range(6)))
    first.kill()
    for stream in (ahead, behind):
        await stream.close()
        stream.base = second.url
    assert place(behind.last_id) < place(ahead.last_id)
    turn.text("while nobody listens ")
    for stream in (ahead, behind):
        stream.follow(session.id, request, stream.last_id)
        if not together:
            await stream.shows(whole(turn))
    for stream in (ahead, behind):
        await stream.shows(whole(turn))
    await say(turn, (ahead, behind), ("and ", "on "))
    turn.complete()
    done = await session.ends(request, "complete")
    for stream in (ahead, behind):
        await stream.ended()
        assert stream.text == done["response_message"] == whole(turn)
        assert stream.entries == [e["content"] for e in done["response_entries"]]
        assert [n for n, body in enumerate(stream.bodies) if isinstance(body, dict) and body.get("reset")] == [0]
        opening = stream.events[0][0]
        told = [i for i, body in stream.events[1:] if isinstance(body, dict) and body.get("entry_patches")]
        assert told == await patches_of(session, request, opening), "a gap, or an event that came twice"
