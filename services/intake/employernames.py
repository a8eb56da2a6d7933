"""What the employers of a list are called, by the register of units.

Invariant: the number is what is known. A name that does not come leaves the list standing without it, and never for
longer than two seconds; a register that has not answered is left in peace for half a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from math import inf
from time import monotonic

from chassis.employers import PAUSE_SECONDS, SECONDS
from chassis.errors import DependencyDown
from services.intake.registry import Register

_AT_ONCE = 16


class ListedEmployers:
    """Names of many employers at once. The register itself keeps what it was told, and judges when that is too old."""

    def __init__(self, register: Register, elapsed: Callable[[], float] = monotonic) -> None:
        self._register, self._elapsed = register, elapsed
        self._again_at = -inf
        self._told: dict[str, str] = {}
        """For while the register is left in peace."""

    async def of(self, org_numbers: Iterable[str]) -> dict[str, str]:
        """The names of those that can be told, by their numbers. Never raises for what is not there."""
        wanted = list(dict.fromkeys(org_numbers))
        if self._elapsed() < self._again_at:
            return {number: self._told[number] for number in wanted if number in self._told}
        found: dict[str, str] = {}
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(org_number: str) -> None:
            async with slots:
                try:
                    unit = await self._register.unit(org_number)
                except DependencyDown:
                    self._again_at = self._elapsed() + PAUSE_SECONDS
                    return
            if unit is not None:
                found[org_number] = unit.name

        try:
            async with asyncio.timeout(SECONDS):
                await asyncio.gather(*map(one, wanted))
        except TimeoutError:
            # What has come by then is shown.
            self._again_at = self._elapsed() + PAUSE_SECONDS
        self._told |= found
        return found
