"""Large sessions: a bounded first frame and pages behind it, an answer of 10 MB at a flat cost."""

import asyncio
import json
import time

import pytest

from support.client import mint
from support.raw_viewer import RawViewer
from support.usage import cpu_seconds, resident_bytes
from support.view import check_interaction, entries_sha256
from support.waiting import until

SETTINGS = {"ready_timeout": "2s", "stale_after": "60s"}

MIB = 1 << 20
TURNS, TURN_CHARACTERS, UNDERWAY = 1000, 45_000, 40
ENTRIES, UPDATES, CHUNK = 10, 50, 20_000


def text_of(number):
    line = f"{number:05d} é📤 \"quoted\"\n"
    return (line * (TURN_CHARACTERS // len(line) + 1))[:TURN_CHARACTERS - number % 7]


@pytest.mark.slow
@pytest.mark.patience(120)
async def test_a_thousand_turns_open_in_one_bounded_frame_and_the_rest_comes_in_pages(bench):
    session = await bench.session()
    count = 0

    async def answer(turn):
        nonlocal count
        turn.text(text_of(count))
        count += 1
        turn.complete()

    await bench.agent(session, answer=answer)
    for posted in range(TURNS):
        await until(lambda posted=posted: posted - count < UNDERWAY, lambda: f"turn {count} ends", every=0.002)
        last = (await session.prompt("on"))["interaction_id"]
    await session.ends(last, "complete", timeout=60)

    before = resident_bytes(bench.system.gateway)
    began = time.monotonic()
    viewer = await bench.closing(await RawViewer.open(bench.system.gateway.port, session.id, mint(session.owner),
                                                      receive_bytes=MIB))
    first = await viewer.frame()
    took = time.monotonic() - began
    shown = first["session"]["interactions"]
    assert first["session"]["interactions_total"] == TURNS
    assert 5 <= len(shown) < 30 and viewer.bytes < 1.5 * MIB, (len(shown), viewer.bytes)
    assert took < 2, f"the first frame took {took:.2f} s"
    assert [i["ordinal"] for i in shown] == list(range(TURNS - len(shown) + 1, TURNS + 1))

    began, texts = time.monotonic(), []
    for page in range(TURNS // 100):
        body = (await session.api.get(f"/sessions/{session.id}/interactions?page={page}")).ok()
        assert (body["totalCount"], body["totalPages"], body["pageSize"]) == (TURNS, TURNS // 100, 100)
        assert [i["ordinal"] for i in body["interactions"]] == list(range(page * 100 + 1, page * 100 + 101))
        for interaction in body["interactions"]:
            assert not check_interaction(interaction)
            texts.append(interaction["response_message"])
    took = time.monotonic() - began
    assert sorted(texts) == sorted(text_of(n) for n in range(TURNS))
    assert sum(len(text.encode()) for text in texts) > 50 * MIB
    assert took < 20, f"the pages took {took:.2f} s"
    whole = f"/sessions/{session.id}/interactions?per_page=1000"
    (await session.api.get(whole)).refused(413, "too_large")
    newest = (await session.api.get(f"/sessions/{session.id}/interactions?order=desc&per_page={len(shown)}")).ok()
    assert newest["interactions"] == shown[::-1]
    grown = resident_bytes(bench.system.gateway) - before
    assert grown < 96 * MIB, f"the gateway grew by {grown / MIB:.0f} MiB"


class Follower:
    """Reads a v1 socket, and keeps of the newest turn how long its entries are and what was said of them."""

    def __init__(self, raw):
        self.raw = raw
        self.units = {}
        self.seq = 0
        self.terminal = None
        self.task = asyncio.ensure_future(self._run())

    async def close(self):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.raw.close()

    async def _run(self):
        while True:
            frame = await self.raw.frame(timeout=60)
            assert not self.seq or frame["seq"] == self.seq + 1, (self.seq, frame["seq"])
            self.seq = frame["seq"]
            for patch in frame.get("entry_patches") or []:
                assert patch["patch_offset"] == self.units.get(patch["index"], 0), "a patch that is no append"
                self.units[patch["index"]] = patch["total_length"]
            if frame["type"] == "interaction_update" and frame["interaction"]["state"] != "waiting":
                self.terminal = frame["interaction"]


@pytest.mark.patience(120)
async def test_ten_megabytes_stream_at_a_cost_that_does_not_grow_with_them(bench):
    session = await bench.session()
    viewers = []
    for _ in range(3):
        raw = await RawViewer.open(bench.system.gateway.port, session.id, mint(session.owner), receive_bytes=MIB)
        viewers.append(await bench.closing(Follower(raw)))
    agent = await bench.agent(session)
    await session.prompt("long")
    turn = await agent.next_turn()
    parts = (bench.system.gateway, bench.system.state_sync)
    marks = []
    before = resident_bytes(bench.system.gateway)
    for number in range(ENTRIES):
        marks.append([cpu_seconds(p) for p in parts])
        for step in range(UPDATES):
            turn.text(chr(97 + step % 26) * CHUNK, new=step == 0)
            whole = (step + 1) * CHUNK
            await until(lambda: all(v.units.get(number) == whole for v in viewers),
                        lambda: f"entry {number}, {whole}: {[v.units for v in viewers]}", every=0.001)
    marks.append([cpu_seconds(p) for p in parts])
    grown = resident_bytes(bench.system.gateway) - before
    turn.complete()
    done = await session.ends(turn.request_id, "complete")
    await until(lambda: all(v.terminal for v in viewers), "every viewer has the end")
    assert all(v.terminal == done for v in viewers)
    assert len(done["response_message"]) == ENTRIES * UPDATES * CHUNK + 2 * (ENTRIES - 1)
    assert done["entries_sha256"] == entries_sha256(done["response_entries"])
    per_event = [[(b - a) / UPDATES * 1e6 for a, b in zip(marks[n], marks[n + 1])] for n in range(ENTRIES)]
    for which, name in enumerate(("gateway", "state-sync")):
        costs = [round(c[which]) for c in per_event]
        early, late = sum(costs[1:4]) / 3, sum(costs[-3:]) / 3
        assert late < 3 * early + 200, f"{name}: microseconds per event by the MB: {costs}"
    assert grown < 32 * MIB, f"the gateway grew by {grown / MIB:.0f} MiB: {json.dumps(per_event)}"
