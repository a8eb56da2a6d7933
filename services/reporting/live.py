"""The live tables: computed from the facts as they are, and kept for a few seconds.

Invariant: a table is never older than it says: it carries the positions up to which everything is counted, read before
the facts, and is computed anew when they have moved or the time is up. What somebody declared is kept no longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from chassis.clock import Clock
from contracts import intake
from services.reporting.domain import workforce
from services.reporting.domain.counting import Counted, Spec, tallied
from services.reporting.domain.diversity import MANGFOLD, diversity
from services.reporting.domain.facts import Slot
from services.reporting.domain.periods import Frequency, months
from services.reporting.domain.placements import TRAKT, VENTETID, funnel, waiting
from services.reporting.domain.trials import OPPFOLGING, UTFALL, follow_up, outcomes
from services.reporting.pxweb.source import Table
from services.reporting.reading import Completeness, Reading

KEEP_SECONDS = 5.0
_TABLES = ("ventetid", "trakt", "utfall", "mangfold", "arbeidsstyrke", "oppfolging")


@dataclass(frozen=True)
class _Kept:
    at: float
    table: Table | None


class LiveTables:
    """A source of tables (`pxweb.source.Source`) over the facts."""

    def __init__(self, reading: Reading, clock: Clock, now: Callable[[], float] = monotonic) -> None:
        self._reading, self._clock, self._now = reading, clock, now
        self._kept: dict[str, _Kept] = {}
        self._locks = {table_id: asyncio.Lock() for table_id in _TABLES}
        self._facts: tuple[float, list[Slot], Completeness] | None = None

    async def tables(self) -> Sequence[Table]:
        """All that have something to show. Raises KeyringUnavailable."""
        found = [await self.table(table_id) for table_id in _TABLES]
        return [each for each in found if each is not None]

    async def table(self, table_id: str) -> Table | None:
        """Computed, unless it was a moment ago. Raises KeyringUnavailable."""
        if table_id not in self._locks:
            return None
        # Of ten clients that ask at the same time one computes.
        async with self._locks[table_id]:
            kept = self._kept.get(table_id)
            if kept is None or self._now() - kept.at >= KEEP_SECONDS:
                kept = _Kept(self._now(), await self._computed(table_id))
                self._kept[table_id] = kept
            return kept.table

    async def discontinued(self) -> Mapping[str, bool]:
        """None: live tables go on."""
        return {}

    async def _computed(self, table_id: str) -> Table | None:
        at = self._clock.now()
        if table_id == "arbeidsstyrke":
            figures, complete = await self._reading.workforce()
            return workforce.cube(figures, updated=at, complete_to=complete)
        personal = table_id in ("utfall", "mangfold")
        slots, complete = await self._slots()
        if not personal:
            complete = {source: at for source, at in complete.items() if source != intake.BACKGROUND_SOURCE}
        declared = await self._reading.declared(trial for slot in slots for trial in slot.trials) if personal else {}
        match table_id:
            case "ventetid":
                spec, counted = VENTETID, waiting(slots, self._clock.today())
            case "trakt":
                spec, counted = TRAKT, funnel(slots)
            case "utfall":
                spec, counted = UTFALL, outcomes(slots, declared)
            case "mangfold":
                spec, counted = MANGFOLD, diversity(slots, declared)
            case _:
                spec, counted = OPPFOLGING, follow_up(slots)
        return await asyncio.to_thread(_table, spec, counted, at, complete)

    async def _slots(self) -> tuple[list[Slot], Completeness]:
        # One reading for all tables that a client asks for in turn.
        if self._facts is None or self._now() - self._facts[0] >= KEEP_SECONDS:
            begun = self._now()
            self._facts = (begun, *await self._reading.slots(background=True))
        return self._facts[1:]


def _table(spec: Spec, counted: Iterable[Counted], at: datetime, complete: Completeness) -> Table:
    def periods(found: Iterable[str]) -> tuple[str, ...]:
        # A table without a period is none to clients; the month that runs is one in which nothing was counted.
        return months(found) or (Frequency.MONTH.code(at.date()),)

    return tallied(spec, counted, periods, updated=at, complete_to=complete)
