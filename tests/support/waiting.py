"""Waiting for a condition with a deadline: the only way a test here waits for anything."""

import asyncio
import time

# Long enough for a loaded 2-core machine under sanitizers; a passing test never gets near it.
PATIENCE = 20.0


async def until(condition, what, timeout=PATIENCE, every=0.02):
    """Polls `condition` (a plain or a coroutine function) until it is true and returns its value."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what() if callable(what) else what}")
        await asyncio.sleep(every)


class Bell:
    """Wakes everybody who waits for a condition over state that one object changes."""

    def __init__(self):
        self._rung = asyncio.Event()

    def ring(self):
        self._rung.set()
        self._rung = asyncio.Event()

    async def until(self, condition, what, timeout=PATIENCE):
        deadline = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"not within {timeout:g} s: {what() if callable(what) else what}")
            # Not `wait_for`, which forgets that it was cancelled when the bell rings at the same moment.
            ringing = asyncio.ensure_future(self._rung.wait())
            try:
                await asyncio.wait({ringing}, timeout=left)
            finally:
                ringing.cancel()
