"""What employers are called, asked of intake while a page is made.

Invariant: the number is what is known. A name that does not come, now or at all, leaves the page standing without it,
and never for longer than two seconds. Names of employers are public; they are kept for an hour, in this process alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Protocol

import httpx

from chassis.errors import DependencyDown
from chassis.keyring import ServiceTokenSource
from chassis.telemetry import carry

SECONDS = 2.0
HELD_SECONDS = 3600.0
PAUSE_SECONDS = 30.0
"""After intake has not answered in time."""
_AT_ONCE = 16


class EmployerNames(Protocol):
    """Where the names of employers come from."""

    async def of(self, org_numbers: Iterable[str]) -> dict[str, str]:
        """The names of those that can be told, by their numbers. Never raises for what is not there."""
        ...


class IntakeEmployers:
    """Intake's look into the register of units, over HTTP, with this service's own token."""

    def __init__(
        self,
        base_url: str,
        tokens: ServiceTokenSource,
        *,
        client: httpx.AsyncClient | None = None,
        elapsed: Callable[[], float] = monotonic,
    ) -> None:
        self._base_url, self._tokens, self._elapsed = base_url.rstrip("/"), tokens, elapsed
        self._client = client or httpx.AsyncClient(timeout=2 * SECONDS, event_hooks={"request": [carry]})
        self._held: dict[str, tuple[float, str | None]] = {}
        self._again_at = -inf

    async def of(self, org_numbers: Iterable[str]) -> dict[str, str]:
        wanted = list(dict.fromkeys(org_numbers))
        now = self._elapsed()
        self._held = {number: kept for number, kept in self._held.items() if now - kept[0] < HELD_SECONDS}
        missing = [number for number in wanted if number not in self._held]
        if missing and now >= self._again_at:
            # What has come by then is shown; the rest comes some time later.
            try:
                async with asyncio.timeout(SECONDS):
                    await self._ask(missing)
            except (TimeoutError, DependencyDown):
                # Else every page would wait for an intake that hangs.
                self._again_at = self._elapsed() + PAUSE_SECONDS
        found = {number: self._held[number][1] for number in wanted if number in self._held}
        return {number: name for number, name in found.items() if name is not None}

    async def _ask(self, org_numbers: list[str]) -> None:
        headers = {"Authorization": f"Bearer {await self._tokens.token()}"}
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(org_number: str) -> None:
            # One that fails says nothing of the others, and is asked for again the next time.
            with suppress(httpx.HTTPError, ValueError, KeyError, TypeError):
                async with slots:
                    answer = await self._client.get(f"{self._base_url}/employers/{org_number}", headers=headers)
                if answer.status_code in (httpx.codes.OK, httpx.codes.NOT_FOUND):
                    name = str(answer.json()["name"]) if answer.is_success else None
                    self._held[org_number] = self._elapsed(), name

        await asyncio.gather(*map(one, org_numbers))
