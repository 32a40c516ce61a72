"""A prompt reaches the agent, its streamed answer reaches every viewer, and all of them see one thing."""

import asyncio

from support.view import joined

SETTINGS = {"stale_after": "3s", "ready_timeout": "2s"}
FAMILY = "👩‍👩‍👧‍👦 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 🇫🇷 e\u0301 \U0001F9D1\U0001F3FD\u200d\U0001F680"


async def test_a_message_over_http_is_answered_on_the_user_socket(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    accepted = (await session.post("Hello?")).ok(202)
    assert set(accepted) == {"prompt_id", "interaction_id", "state", "position"}
    assert accepted["state"] in ("queued", "running")
    epoch, seq = map(int, accepted["position"].split(":"))
    assert epoch == session.created["epoch"] and seq > 1

    turn = await agent.next_turn()
    assert turn.prompt == "Hello?" and turn.request_id == accepted["interaction_id"]
    for word in ("Hello ", "to ", "you."):
        turn.text(word)
        await viewer.until(lambda v, w=word: v.text().endswith(w), "the words as they come")
        assert viewer.view.state(turn.request_id) == "waiting"
    turn.complete(usage={"total_tokens": 7, "input_tokens": 3, "output_tokens": 4, "thought_tokens": 0,
                         "cached_read_tokens": 0, "cached_write_tokens": 0})
    done = await session.ends(turn.request_id, "complete")
    assert done["response_message"] == "Hello to you." and done["prompt_message"] == "Hello?"
    assert done["error"] == "" and done["session_id"] == session.id and done["generation_id"] == 0
    await session.same(viewer)
    after = await session.get()
    assert after["config"]["zed_thread_id"] == turn.thread.id and after["queue"] == []
    assert not {"waiting_interaction_id", "last_request_id", "request_started_at"} & set(after["config"])
    assert after["seq"] == viewer.view.position[1]


async def test_the_routing_keys_are_there_while_a_turn_runs(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    accepted = await session.prompt("work")
    turn = await agent.next_turn()
    config = (await session.get())["config"]
    assert config["waiting_interaction_id"] == config["last_request_id"] == accepted["interaction_id"]
    assert config["request_started_at"]
    turn.text("done")
    turn.complete()
    await session.ends(turn.request_id, "complete")


async def test_commands_have_exactly_the_fields_of_the_contract(bench):
    session = await bench.session(agent_name="claude")
    agent = await bench.agent(session)
    for number in (1, 2):
        await session.prompt(f"prompt {number}")
        turn = await agent.next_turn()
        turn.text("ok")
        turn.complete()
        await session.ends(turn.request_id, "complete")
    first, second = agent.received("chat_message")
    for command in (first, second):
        assert set(command) == {"message", "request_id", "interaction_id", "acp_thread_id", "agent_name", "session_id",
                                "interrupt"}
        assert command["request_id"] == command["interaction_id"] and command["session_id"] == session.id
        assert command["interrupt"] is False
    assert first["acp_thread_id"] is None and second["acp_thread_id"] == turn.thread.id
    assert second["message"] == "prompt 2"


async def test_text_beyond_the_basic_plane_is_exact_at_every_step(bench):
    session = await bench.session(name=FAMILY)
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    await session.prompt(FAMILY)
    turn = await agent.next_turn()
    assert turn.prompt == FAMILY
    for character in FAMILY:
        turn.text(character)
        await viewer.shows(turn.entries[0].content)
    turn.correct(0, FAMILY.replace("🇫🇷", "🇩🇪") + "✅")
    await viewer.shows(FAMILY.replace("🇫🇷", "🇩🇪") + "✅")
    turn.tool("look", "In Progress", "✅ Tool: Running 📤")
    turn.tool("look", "Completed", "✅ Tool: Finished 📥")
    turn.text("𝔢𝔫𝔡")
    turn.complete()
    done = await session.ends(turn.request_id, "complete")
    assert [e["content"] for e in done["response_entries"]] == [e.content for e in turn.entries]
    assert done["prompt_message"] == FAMILY
    await session.same(viewer)


async def test_tool_calls_texts_and_late_corrections_keep_their_order(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    await session.prompt("work")
    turn = await agent.next_turn()
    turn.text("First I look.")
    turn.tool("ls", "Pending", "**Tool Call: ls**")
    turn.tool("ls", "In Progress", "**Tool Call: ls**\na\nb")
    turn.text("Then I think.")
    turn.correct(0, "First, I look around.")
    turn.tool("ls", "Completed", "")
    turn.text("", new=True)  # an empty entry is never shown
    turn.tool("rm", "Failed", "**Tool Call: rm**")
    turn.complete()
    done = await session.ends(turn.request_id, "complete")
    shown = [(e["type"], e["content"], e.get("tool_name"), e.get("tool_status")) for e in done["response_entries"]]
    assert shown == [("text", "First, I look around.", None, None),
                     ("tool_call", "**Tool Call: ls**\na\nb", "ls", "Completed"),
                     ("text", "Then I think.", None, None),
                     ("tool_call", "**Tool Call: rm**", "rm", "Failed")]
    assert [e["message_id"] for e in done["response_entries"]] == ["1", "2", "3", "5"]
    await session.same(viewer)


async def test_a_viewer_that_comes_at_any_step_has_the_text_so_far_and_ends_with_the_rest(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    viewers = [await bench.viewer(session)]
    accepted = await session.prompt("count")
    viewers.append(await bench.viewer(session))
    turn = await agent.next_turn()
    for number in range(8):
        turn.text(f"{number} 🧮 ", new=number % 3 == 0)
        await viewers[0].shows(joined([{"content": e.content} for e in turn.entries]))
        late = await bench.viewer(session)
        first = late.frames[0]["session"]["interactions"]
        assert [i["id"] for i in first] == [accepted["interaction_id"]], "the first frame is older than what others saw"
        assert first[0]["state"] == "waiting" and first[0]["response_message"] == viewers[0].view.text()
        await late.shows(joined([{"content": e.content} for e in turn.entries]))
        viewers.append(late)
    turn.complete()
    await session.ends(turn.request_id, "complete")
    viewers.append(await bench.viewer(session))
    await session.same(*viewers)


async def test_viewers_that_come_and_go_under_a_fast_stream_never_see_a_gap(bench):
    session = await bench.session()
    agent = await bench.agent(session)
    accepted = await session.prompt("stream")
    turn = await agent.next_turn()
    viewers = [await bench.viewer(session)]

    async def stream():
        for number in range(300):
            turn.text(f"{number} 🌊 ")
            if number % 10 == 0:
                await agent.drained()
        turn.complete()

    async def join():
        while viewers[0].view.state(accepted["interaction_id"]) == "waiting" and len(viewers) < 25:
            viewers.append(await bench.viewer(session))

    await asyncio.gather(stream(), join())
    done = await session.ends(turn.request_id, "complete")
    assert done["response_message"] == "".join(f"{n} 🌊 " for n in range(300))
    await session.same(*viewers)


async def test_sessions_do_not_see_each_other(bench):
    sessions = [await bench.session() for _ in range(6)]
    viewers = [await bench.viewer(s) for s in sessions]
    agents = [await bench.agent(s) for s in sessions]

    async def run(session, agent, number):
        for _ in range(3):
            await session.prompt(f"prompt of {number}")
            turn = await agent.next_turn()
            assert turn.prompt == f"prompt of {number}"
            turn.text(f"answer of {number}")
            turn.complete()
            assert (await session.ends(turn.request_id, "complete"))["response_message"] == f"answer of {number}"

    await asyncio.gather(*(run(s, a, n) for n, (s, a) in enumerate(zip(sessions, agents))))
    for session, viewer in zip(sessions, viewers):
        await session.same(viewer)


async def test_events_on_the_socket_have_every_seq_once_from_creation_to_the_end(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    start = viewer.view.position
    agent = await bench.agent(session)
    await session.prompt("go")
    turn = await agent.next_turn()
    turn.text("there")
    turn.complete()
    await session.ends(turn.request_id, "complete")
    await session.same(viewer)
    head = await session.get()
    assert sorted(viewer.view.events) == [(start[0], n) for n in range(start[1] + 1, head["seq"] + 1)]


async def test_a_title_from_the_agent_names_the_session(bench):
    session = await bench.session(name="before")
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    await session.prompt("name yourself")
    turn = await agent.next_turn()
    turn.text("…")
    turn.retitle("After 🏷")
    turn.complete()
    await viewer.until(lambda v: v.session["name"] == "After 🏷", "the new name")
    assert (await session.get())["name"] == "After 🏷"


async def test_the_agents_status_is_shown_as_it_changes(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    assert viewer.view.session["agent"]["status"] == "offline"
    agent = await bench.agent(session, time_scale=0.2)
    await viewer.until(lambda v: v.session["agent"]["status"] == "ready", "ready")
    seen = [f["session"]["agent"]["status"] for f in viewer.frames if f["type"] == "session_update"]
    assert [s for n, s in enumerate(seen) if n == 0 or seen[n - 1] != s] == ["offline", "online", "ready"]
    await agent.close()
    await viewer.until(lambda v: v.session["agent"]["status"] == "offline", "offline")
    assert (await session.get())["agent"]["status"] == "offline"


async def test_control_characters_never_reach_a_viewer(bench):
    session = await bench.session()
    viewer = await bench.viewer(session)
    agent = await bench.agent(session)
    await session.prompt("noise\u0000\u0007")
    turn = await agent.next_turn()
    turn.text("a\u0000b\u0001c\td\ne\u0085f\ufffeg")
    turn.complete()
    done = await session.ends(turn.request_id, "complete")
    assert done["response_message"] == "abc\td\nefg"
    await session.same(viewer)


async def test_many_turns_are_listed_in_order_and_in_pages(bench):
    session = await bench.session()

    async def echo(turn):
        turn.text(f"re {turn.prompt}")
        turn.complete()

    await bench.agent(session, answer=echo)
    ids = []
    for number in range(12):
        ids.append((await session.prompt(f"p{number}"))["interaction_id"])
    await session.ends(ids[-1], "complete")
    url = f"/sessions/{session.id}/interactions?per_page=5&page="
    for order, expected in (("asc", ids), ("desc", ids[::-1])):
        found = []
        for page in range(3):
            body = (await session.api.get(f"{url}{page}&order={order}")).ok()
            assert (body["page"], body["pageSize"], body["totalCount"], body["totalPages"]) == (page, 5, 12, 3)
            found += [i["id"] for i in body["interactions"]]
        assert found == expected
    assert [i["response_message"] for i in await session.interactions()] == [f"re p{n}" for n in range(12)]
    viewer = await bench.viewer(session)
    await session.same(viewer)
