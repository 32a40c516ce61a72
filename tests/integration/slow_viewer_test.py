"""Viewers that read slowly or not at all: bounded memory, shared full states, the same state in the end."""

import asyncio

import pytest

from support.client import mint
from support.raw_viewer import Ended, RawViewer
from support.usage import metric, resident_bytes
from support.view import View, differences
from support.waiting import until

SETTINGS = {"ready_timeout": "2s", "stale_after": "60s"}

MIB = 1 << 20
CHUNK, CHUNKS, LAGGARDS = 100_000, 70, 5  # more than queue and kernels hold between them


async def stalled(bench, session, **options):
    """A viewer that has its first frame and then stops reading."""
    raw = await bench.closing(await RawViewer.open(bench.system.gateway.port, session.id, mint(session.owner), **options))
    assert raw.status == 101
    view = View(session.id)
    view.take(await raw.frame())
    return raw, view


async def catch_up(raw, view, position):
    """Reads on until the view is at the position; gives how many full states came."""
    full = 0
    while view.position != position:
        frame = await raw.frame(timeout=100)
        full += View.is_full(frame)
        view.take(frame)
    assert not view.violations, view.violations[:3]
    return full


@pytest.mark.patience(120)
async def test_laggards_share_full_states_and_end_with_the_same_state(bench):
    session = await bench.session()
    gateway = bench.system.gateway
    agent = await bench.agent(session)
    quick = await bench.viewer(session)
    slow = [await stalled(bench, session) for _ in range(LAGGARDS)]
    accepted = await session.prompt("much")
    turn = await agent.next_turn()
    before, reads = resident_bytes(gateway), await metric(gateway, "throughline_gateway_snapshot_reads_total")
    peak = slowest = 0
    loop = asyncio.get_running_loop()
    for number in range(CHUNKS):
        sent = loop.time()
        turn.text(chr(97 + number % 26) * CHUNK, new=number % 10 == 0)
        await quick.until(lambda v, n=number: f"{chr(97 + n % 26) * CHUNK}" in v.text()[-CHUNK:], "the newest words")
        slowest = max(slowest, loop.time() - sent)
        peak = max(peak, resident_bytes(gateway))
    turn.complete()
    done = await session.ends(accepted["interaction_id"], "complete")
    assert len(done["response_message"]) > 6 * MIB
    grown = (peak - before) / MIB
    # Each holds 1 MiB of frames at most, which they share; the ring of recent events 4 MiB.
    assert grown < 40, f"the gateway grew by {grown:.0f} MiB for {LAGGARDS} laggards"
    assert slowest < 3, f"a laggard held the quick viewer up for {slowest:.1f} s"
    assert await metric(gateway, "throughline_gateway_viewers_lagged_total") >= LAGGARDS
    end = quick.view.position
    full = await asyncio.gather(*(catch_up(raw, view, end) for raw, view in slow))
    stored = await session.interactions()
    for raw, view in slow:
        assert not differences(view, stored)
    assert all(1 <= n <= 4 for n in full), full
    asked = await metric(gateway, "throughline_gateway_snapshot_reads_total") - reads
    assert asked <= 4, f"{asked} reads for {LAGGARDS} laggards"
    await session.same(quick)


@pytest.mark.slow
@pytest.mark.patience(120)
async def test_only_a_viewer_without_any_progress_is_closed_and_only_after_thirty_seconds(bench):
    session = await bench.session()
    gateway = bench.system.gateway
    agent = await bench.agent(session)
    stuck, _ = await stalled(bench, session)
    crawling, seen = await stalled(bench, session)
    await session.prompt("much")
    turn = await agent.next_turn()
    for number in range(60):  # beyond what the kernels hold between them
        turn.text(chr(97 + number % 26) * CHUNK, new=number % 10 == 0)
    turn.complete()
    await session.ends(turn.request_id, "complete")
    loop = asyncio.get_running_loop()
    begun = loop.time()
    end = await session.get()
    crawling.bytes_per_second = 400_000

    async def closed():
        _, text = await gateway.ops("/metrics")
        return 'throughline_gateway_sockets_ended_total{code="4503"} 1' in text
    crawl = asyncio.ensure_future(catch_up(crawling, seen, (end["epoch"], end["seq"])))
    await until(closed, "the stuck viewer is closed", timeout=45, every=0.5)
    took = loop.time() - begun
    assert 27 < took < 40, f"closed after {took:.1f} s"
    await crawl
    assert loop.time() - begun > 31, "the crawling viewer was to be slower than that"
    assert not differences(seen, await session.interactions())
    with pytest.raises(Ended):
        while True:
            await stuck.frame(timeout=60)
