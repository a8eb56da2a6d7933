"""Whether this process has just been standing still: stopped by a signal, frozen with its machine, or starved.

Invariant: a command that lay in a buffer meanwhile is not carried out. Its client has long asked again elsewhere, and
may have been told a refusal that would no longer be true.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic

BEAT_SECONDS = 0.25
STILL_SECONDS = 3.0
"""A gap between two beats that is no longer a busy moment."""
WAKING_SECONDS = 2.0
"""So long after it everything is taken for what lay in the buffers: it was sent nobody knows when."""


class Pulse:
    """Beats while the process runs."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._woke: float | None = None

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Beat while the block runs."""
        self._last = monotonic()
        task = asyncio.create_task(self._beat(), name="pulse")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self._last = None

    def just_woke(self) -> bool:
        """Whether what arrives now may have been sent long ago."""
        now = monotonic()
        # Asked before the first beat after it: requests come out of the buffers first.
        self._note(now)
        return self._woke is not None and now - self._woke < WAKING_SECONDS

    async def _beat(self) -> None:
        while True:
            self._note(monotonic())
            await asyncio.sleep(BEAT_SECONDS)

    def _note(self, now: float) -> None:
        if self._last is None:
            return
        if now - self._last > STILL_SECONDS:
            self._woke = now
        self._last = now
