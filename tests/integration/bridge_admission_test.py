"""More agents at once than a bridge lets in: the rest is told when to come again, at once."""

import asyncio
import time

from support.bench import refusal
from support.numbered_agent import NumberedAgent

SETTINGS = {"stale_after": "20s", "ready_timeout": "2s"}
LINKS = ("agent-bridge",)
AT_ONCE = 512


async def test_what_is_too_much_is_503_with_retry_after_and_the_rest_waits(bench):
    session = await bench.session()
    token = await session.agent_token()
    url = f"{bench.system.bridge.url.replace('ws', 'http', 1)}/api/v1/external-agents/sync?session_id={session.id}"
    bench.system.bridge.to_nats.stall()

    async def ask():
        began = time.monotonic()
        status, headers, _ = await refusal(url, {"Authorization": f"Bearer {token}"})
        return status, int(headers.get("Retry-After", 0)), time.monotonic() - began

    answers = await asyncio.gather(*(ask() for _ in range(AT_ONCE + 100)))
    assert {status for status, _, _ in answers} == {503}
    turned_away = [after for _, after, took in answers if took < 4]  # the others wait for state-sync, 5 s at most
    assert 50 <= len(turned_away) <= 100
    assert all(1 <= after <= 4 for after in turned_away)
    assert len(set(turned_away)) > 1, "they would all come again at once"
    bench.system.bridge.to_nats.heal()
    await bench.agent(session, kind=NumberedAgent)
