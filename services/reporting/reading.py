"""From fact documents to tables: what is loaded for which table, and how complete it is.

Invariant: completeness is read before the facts, so a table never claims an event that it has not counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

import structlog

from chassis.clock import Clock
from chassis.freshness import Freshness
from chassis.keyring import KeyringOfMany, KeyringUnavailable
from chassis.mongo import PyMongoError
from chassis.projector import View
from contracts import followup, intake, matching
from contracts.days import oslo_day
from contracts.registry import SOURCES
from services.reporting import views
from services.reporting.declarations import Declarations
from services.reporting.domain import overview
from services.reporting.domain.background import Declared
from services.reporting.domain.counting import Cells
from services.reporting.domain.counts import DIVERSE, ENDED, PERSONAL, NeedFacts, running
from services.reporting.domain.diversity import CHARACTERISTICS, check_characteristic
from services.reporting.domain.facts import Slot, Trial
from services.reporting.domain.filters import Filter
from services.reporting.domain.placements import TRAKT, VENTETID
from services.reporting.domain.running import Running
from services.reporting.domain.table import Table
from services.reporting.domain.trials import OPPFOLGING
from services.reporting.domain.workforce import YearFigures, arbeidsstyrke
from services.reporting.kept import KeptSlots

COUNT_SECONDS = 30.0
TABLE_IDS = ("ventetid", "trakt", "utfall", "mangfold", "arbeidsstyrke", "oppfolging")
_PLACEMENT_SOURCES = (intake.SOURCE, matching.SOURCE, followup.SOURCE)

Completeness = Mapping[str, int]
"""Per source the last position up to which everything has been folded."""
_ANYTHING = Freshness(())

log = structlog.get_logger()


@dataclass(frozen=True)
class Asked:
    """What a reader asked for; each table takes what concerns it."""

    chosen: Filter = field(default_factory=Filter)
    by: str = "immigrant_background"
    org_number: str | None = None
    base_year: int | None = None


@dataclass(frozen=True)
class Read:
    """A table and how complete it is."""

    table: Table
    complete_to: Completeness


@dataclass(frozen=True)
class Overview:
    """All tables. `diversity` is None where the keyring cannot be reached."""

    waiting: Read
    weeks: Read
    """The starts among them, week by week."""
    funnel: Read
    outcomes: Read
    diversity: Sequence[Read] | None
    """By each characteristic."""
    workforce: Read
    follow_up: Read


class Views(Protocol):
    """Where the facts are: a service that is served, or generations that end at fixed positions."""

    @property
    def clock(self) -> Clock: ...

    def view(self, name: str) -> View: ...


_OF_SLOTS: Mapping[str, tuple[str, Callable[[Cells, Filter], Table]]] = {
    "ventetid": (VENTETID.id, overview.ventetid),
    "ventetid_uker": (VENTETID.id, overview.ventetid_uker),
    "trakt": (TRAKT.id, overview.trakt),
    "utfall": (ENDED, overview.utfall),
    "oppfolging": (OPPFOLGING.id, overview.oppfolging),
}
"""Which cells a table is cut from, and by what."""


class Reading:
    """Queries on the facts of the reporting service."""

    def __init__(self, service: Views, keyring: KeyringOfMany) -> None:
        self._service = service
        self._kept = KeptSlots(service.view)
        self._declarations = Declarations(service.view, keyring, self._forget_declared)
        self._running: dict[str, tuple[date, Running[NeedFacts]]] = {}
        """What has been counted so far, and the day on which."""
        self._counter = ThreadPoolExecutor(1, "counts")

    def _view(self, name: str) -> View:
        return self._service.view(name)

    async def table(self, table_id: str, asked: Asked, fresh: Freshness = _ANYTHING) -> Read:
        """One of `TABLE_IDS`. Raises Refused for what cannot be asked, KeyringUnavailable, Problem where facts lag."""
        if table_id == "arbeidsstyrke":
            figures, complete = await self.workforce(fresh)
            return Read(arbeidsstyrke(figures, asked.org_number, asked.base_year), complete)
        if table_id == "mangfold":
            check_characteristic(asked.by)
            needs, complete = await self.needs(fresh, background=True)
            cells = await self.cells(DIVERSE, await self.with_declared(needs))
            return Read(overview.mangfold(cells, asked.chosen, asked.by), complete)
        needs, complete = await self.needs(fresh)
        cells_of, shown = _OF_SLOTS[table_id]
        return Read(shown(await self.cells(cells_of, needs), asked.chosen), complete)

    async def overview(self, asked: Asked) -> Overview:
        """All tables, of one reading of the facts; `mangfold` by each characteristic.

        Raises Refused for what cannot be asked. An unreachable keyring leaves out what it is needed for, and no more.
        """
        needs, complete = await self.needs(background=True)
        plain = {source: at for source, at in complete.items() if not source.startswith(intake.BACKGROUND_SOURCE)}
        try:
            diverse = await self.cells(DIVERSE, await self.with_declared(needs))
        except KeyringUnavailable:
            diversity = None
        else:
            diversity = [Read(overview.mangfold(diverse, asked.chosen, by), complete) for by in CHARACTERISTICS]

        async def of_slots(table_id: str) -> Read:
            cells_of, shown = _OF_SLOTS[table_id]
            return Read(shown(await self.cells(cells_of, needs), asked.chosen), plain)

        return Overview(
            waiting=await of_slots("ventetid"),
            weeks=await of_slots("ventetid_uker"),
            funnel=await of_slots("trakt"),
            outcomes=await of_slots("utfall"),
            diversity=diversity,
            workforce=await self.table("arbeidsstyrke", asked),
            follow_up=await of_slots("oppfolging"),
        )

    async def cells(self, name: str, needs: Mapping[str, NeedFacts]) -> Cells:
        """What is counted of these needs, for a table or a part of the page (`domain.counts`)."""
        # In a thread, since a country's facts take a while: in one alone, as what is counted on must not move twice at
        # a time, also where whoever asked has gone.
        return await asyncio.get_running_loop().run_in_executor(self._counter, self._count, name, needs)

    def _forget_declared(self) -> None:
        # To count on, it is kept what has been counted of each need.
        for name in PERSONAL:
            self._running.pop(name, None)

    def _count(self, name: str, needs: Mapping[str, NeedFacts]) -> Cells:
        today = self._service.clock.today()
        judged, counts = self._running.get(name, (None, None))
        if counts is None or (judged != today and name == VENTETID.id):
            counts = running(name, today)
        self._running[name] = today, counts
        return counts.cells(needs)

    async def workforce(self, fresh: Freshness = _ANYTHING) -> tuple[list[YearFigures], Completeness]:
        """What employers have reported."""
        complete = await self._complete({intake.SOURCE: (views.workforce.name,)}, fresh)
        documents = await self._view(views.workforce.name).find()
        return [YearFigures.of(document) for document in documents], complete

    async def needs(
        self, fresh: Freshness = _ANYTHING, *, background: bool = False
    ) -> tuple[Mapping[str, NeedFacts], Completeness]:
        """The facts of all slots, by need: the same object as before where none has changed since.

        With `background` complete for what persons have declared, too.
        """
        folds: dict[str, tuple[str, ...]] = dict.fromkeys(_PLACEMENT_SOURCES, (views.placement.name,))
        folds[matching.SOURCE] = (views.placement.name, views.needs.name)
        if background:
            folds = {source: (*names, views.persons.name) for source, names in folds.items()}
            folds[intake.BACKGROUND_SOURCE] = (views.persons.name,)
        complete = await self._complete(folds, fresh)
        return await self._kept.needs(), complete

    async def with_declared(self, needs: Mapping[str, NeedFacts]) -> Mapping[str, NeedFacts]:
        """The needs of which a trial has started, with what participants had declared. Raises KeyringUnavailable."""
        begun = {need_id: each for need_id, each in needs.items() if any(slot.trials for slot in each.slots)}
        declared = await self.declared(trial for each in begun.values() for slot in each.slots for trial in slot.trials)
        return {
            need_id: each._replace(
                declared=tuple(
                    (trial.trial_id, declared[trial.trial_id]) for slot in each.slots for trial in slot.trials
                )
            )
            for need_id, each in begun.items()
        }

    async def slots(self) -> tuple[list[Slot], Completeness]:
        """The facts of all slots, in the order of their ids."""
        needs, complete = await self.needs()
        return sorted((slot for each in needs.values() for slot in each.slots), key=lambda slot: slot.slot_id), complete

    async def declared(self, trials: Iterable[Trial]) -> Mapping[str, Declared]:
        """What the participant of each trial had declared when its start was recorded, by the trial's id.

        Raises KeyringUnavailable: only a destroyed key makes it unknown.
        """
        return await self._declarations.of(trials)

    async def keep_counting(self) -> None:
        """Look from time to time, so that nobody waits while everything is read and counted for the first time: when
        the service has started, and when another generation is served. Nobody's key is asked for."""
        while True:
            try:
                needs, _ = await self.needs()
                for name in sorted({cells_of for cells_of, _ in _OF_SLOTS.values()}):
                    await self.cells(name, needs)
            except PyMongoError as error:
                log.warning("counting_waits", error=type(error).__name__)
            except Exception as error:  # facts that cannot be counted: readers are told, and folding must go on
                log.error("counting_failed", error=type(error).__name__, exc_info=error)
            await asyncio.sleep(COUNT_SECONDS)

    async def journey(
        self, partition_key: str, fresh: Freshness = _ANYTHING
    ) -> tuple[list[dict[str, str]], Completeness] | None:
        """What happened in a case, in the order in which it was recorded; None for a case that nobody has heard of."""
        complete = await self._complete(dict.fromkeys(SOURCES, (views.journey.name,)), fresh)
        document = await self._view(views.journey.name).get(partition_key)
        if document is None:
            return None
        rank = {source: index for index, source in enumerate(SOURCES)}
        told = sorted(
            document["events"].values(),
            key=lambda event: (event["recorded"], rank.get(event["source"], len(rank)), event["position"]),
        )
        events = [
            {"type": event["type"], "day": oslo_day(datetime.fromisoformat(event["occurred"])).isoformat()}
            for event in told
        ]
        return events, complete

    async def _complete(self, folds: Mapping[str, Sequence[str]], fresh: Freshness) -> Completeness:
        await fresh.in_views(*{name: self._view(name) for names in folds.values() for name in names}.values())
        complete = {}
        for log, names in folds.items():
            # A log that was continued after a restored backup counts anew, under a source of its own.
            continued = {source for name in names for source in await self._view(name).continued(log)}
            for source in (log, *sorted(continued)):
                complete[source] = min([await self._view(name).complete_to(source) for name in names])
        return complete

    async def protected_slots(self) -> frozenset[str]:
        """The slots on which somebody has been proposed or has started whose address is protected."""
        documents = await self._view(views.persons.name).find({"protected": True})
        return frozenset(slot_id for each in documents for slot_id in each.get("slots", ()))
