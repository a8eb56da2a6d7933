"""The live tables: cells of the facts as they are, kept for a few seconds.

Invariant: a table is never older than it says: it carries the positions up to which everything is counted, read before
the facts. When the time is up, it is looked whether anything has been counted since, or anybody's key is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from time import monotonic

from chassis.clock import Clock
from services.reporting.domain import workforce
from services.reporting.domain.counting import Cells, Spec, tally
from services.reporting.domain.counts import PERSONAL
from services.reporting.domain.diversity import MANGFOLD
from services.reporting.domain.periods import Frequency, months
from services.reporting.domain.placements import TRAKT, VENTETID
from services.reporting.domain.trials import OPPFOLGING, UTFALL
from services.reporting.pxweb.source import Table
from services.reporting.reading import Completeness, Reading

KEEP_SECONDS = 5.0
_SPECS: Mapping[str, Spec] = {each.id: each for each in (VENTETID, TRAKT, UTFALL, MANGFOLD, OPPFOLGING)}
_TABLES = ("ventetid", "trakt", "utfall", "mangfold", "arbeidsstyrke", "oppfolging")


@dataclass(frozen=True)
class _Kept:
    looked: float
    table: Table | None
    made_of: tuple[Cells, Completeness, date] | None = None


class LiveTables:
    """A source of tables (`pxweb.source.Source`) over the facts."""

    def __init__(self, reading: Reading, clock: Clock, now: Callable[[], float] = monotonic) -> None:
        self._reading, self._clock, self._now = reading, clock, now
        self._kept: dict[str, _Kept] = {}
        self._locks = {table_id: asyncio.Lock() for table_id in _TABLES}

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
            if kept is None or self._now() - kept.looked >= KEEP_SECONDS:
                kept = await self._fresh(table_id, kept)
                self._kept[table_id] = kept
            return kept.table

    async def discontinued(self) -> Mapping[str, bool]:
        """None: live tables go on."""
        return {}

    async def _fresh(self, table_id: str, kept: _Kept | None) -> _Kept:
        begun, at, today = self._now(), self._clock.now(), self._clock.today()
        if table_id == "arbeidsstyrke":
            figures, complete = await self._reading.workforce()
            return _Kept(begun, workforce.cube(figures, updated=at, complete_to=complete))
        personal = table_id in PERSONAL
        needs, complete = await self._reading.needs(background=personal)
        cells = await self._reading.cells(table_id, await self._reading.with_declared(needs) if personal else needs)
        made_of = (cells, complete, today)
        if kept is not None and kept.made_of == made_of:
            return replace(kept, looked=begun)

        def periods(found: Iterable[str]) -> tuple[str, ...]:
            # A table without a period is none to clients; the month that runs is one in which nothing was counted.
            return months(found) or (Frequency.MONTH.code(today),)

        return _Kept(begun, tally(_SPECS[table_id], cells, periods, updated=at, complete_to=complete), made_of)
