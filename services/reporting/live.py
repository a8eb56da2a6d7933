"""The live tables: computed from the facts as they are, and kept for a few seconds.

Invariant: a table is never older than it says: it carries the positions up to which everything is counted, read before
the facts. When the time is up, it is looked whether anything has been counted since; only then, and on another day, is
it computed anew. What somebody declared is never kept longer.
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
_PERSONAL = ("utfall", "mangfold")
_TABLES = ("ventetid", "trakt", "utfall", "mangfold", "arbeidsstyrke", "oppfolging")


@dataclass(frozen=True)
class _Kept:
    at: float
    table: Table | None
    basis: tuple[object, ...]
    """What it was computed of."""


@dataclass(frozen=True, eq=False)
class _Facts:
    """One reading of the facts; another one is not equal to it, whatever it holds."""

    counted: Sequence[object]
    slots: list[Slot]
    complete: Completeness


class LiveTables:
    """A source of tables (`pxweb.source.Source`) over the facts."""

    def __init__(self, reading: Reading, clock: Clock, now: Callable[[], float] = monotonic) -> None:
        self._reading, self._clock, self._now = reading, clock, now
        self._kept: dict[str, _Kept] = {}
        self._locks = {table_id: asyncio.Lock() for table_id in _TABLES}
        self._facts: tuple[float, _Facts] | None = None
        self._reads = asyncio.Lock()

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
                kept = await self._fresh(table_id, kept)
                self._kept[table_id] = kept
            return kept.table

    async def discontinued(self) -> Mapping[str, bool]:
        """None: live tables go on."""
        return {}

    async def _fresh(self, table_id: str, kept: _Kept | None) -> _Kept:
        begun, at = self._now(), self._clock.now()
        if table_id == "arbeidsstyrke":
            figures, complete = await self._reading.workforce()
            return _Kept(begun, workforce.cube(figures, updated=at, complete_to=complete), ())
        facts = await self._read()
        # The day tells which promises can be judged. A key may be gone without a new fact: what it opened is read anew.
        basis = (facts, self._clock.today())
        if kept is not None and kept.basis == basis and table_id not in _PERSONAL:
            return _Kept(begun, kept.table, basis)
        return _Kept(begun, await self._computed(table_id, facts, at), basis)

    async def _computed(self, table_id: str, facts: _Facts, at: datetime) -> Table:
        personal = table_id in _PERSONAL
        slots, complete = facts.slots, facts.complete
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

    async def _read(self) -> _Facts:
        # One reading for all tables that a client asks for in turn.
        async with self._reads:
            if self._facts is None or self._now() - self._facts[0] >= KEEP_SECONDS:
                begun = self._now()
                # Before the facts: what is counted in between is counted again, never overlooked.
                counted = await self._reading.counted()
                facts = None if self._facts is None else self._facts[1]
                if facts is None or facts.counted != counted:
                    facts = _Facts(counted, *await self._reading.slots(background=True))
                self._facts = (begun, facts)
            return self._facts[1]


def _table(spec: Spec, counted: Iterable[Counted], at: datetime, complete: Completeness) -> Table:
    def periods(found: Iterable[str]) -> tuple[str, ...]:
        # A table without a period is none to clients; the month that runs is one in which nothing was counted.
        return months(found) or (Frequency.MONTH.code(at.date()),)

    return tallied(spec, counted, periods, updated=at, complete_to=complete)
