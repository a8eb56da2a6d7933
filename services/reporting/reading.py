"""From fact documents to tables: what is loaded for which table, and how complete it is.

Invariant: completeness is read before the facts, so a table never claims an event that it has not counted. Only a
destroyed key makes a background unknown; an unreachable keyring is an error.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from chassis.clock import Clock
from chassis.freshness import Freshness
from chassis.keyring import KeyDestroyed, Keyring, KeyringUnavailable, unseal
from chassis.projection import Document
from chassis.projector import View
from contracts import followup, intake, matching
from contracts.days import oslo_day
from contracts.registry import SOURCES
from services.reporting import views
from services.reporting.domain import overview
from services.reporting.domain.background import Declared, declaration_at
from services.reporting.domain.diversity import check_characteristic, counted_trials
from services.reporting.domain.facts import Slot, Trial, slot
from services.reporting.domain.filters import Filter
from services.reporting.domain.table import Table
from services.reporting.domain.workforce import YearFigures, arbeidsstyrke

TABLE_IDS = ("ventetid", "trakt", "utfall", "mangfold", "arbeidsstyrke", "oppfolging")
_KEYS_AT_ONCE = 16
_PLACEMENT_SOURCES = (intake.SOURCE, matching.SOURCE, followup.SOURCE)

Completeness = Mapping[str, int]
"""Per source the last position up to which everything has been folded."""
_ANYTHING = Freshness(())


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


class Reading:
    """Queries on the facts of the reporting service."""

    def __init__(self, service: Views, keyring: Keyring) -> None:
        self._service = service
        self._keyring = keyring

    def _view(self, name: str) -> View:
        return self._service.view(name)

    async def table(self, table_id: str, asked: Asked, fresh: Freshness = _ANYTHING) -> Read:
        """One of `TABLE_IDS`. Raises Refused for what cannot be asked, KeyringUnavailable, Problem where facts lag."""
        if table_id == "arbeidsstyrke":
            figures, complete = await self.workforce(fresh)
            return Read(arbeidsstyrke(figures, asked.org_number, asked.base_year), complete)
        if table_id == "mangfold":
            check_characteristic(asked.by)
            slots, complete = await self.slots(fresh, background=True)
            declared = await self.declared(trial for _, _, trial, _ in counted_trials(slots))
            return Read(overview.mangfold(slots, asked.chosen, asked.by, declared), complete)
        slots, complete = await self.slots(fresh)
        return Read(self._of_slots(table_id, slots, asked.chosen), complete)

    async def overview(self, asked: Asked) -> Overview:
        """All tables, of one reading of the facts; `mangfold` by each characteristic.

        Raises Refused for what cannot be asked. An unreachable keyring leaves out what it is needed for, and no more.
        """
        slots, complete = await self.slots(background=True)
        plain = {source: at for source, at in complete.items() if not source.startswith(intake.BACKGROUND_SOURCE)}
        try:
            declared = await self.declared(trial for _, _, trial, _ in counted_trials(slots))
        except KeyringUnavailable:
            diversity = None
        else:
            tables = await asyncio.to_thread(overview.each_mangfold, slots, asked.chosen, declared)
            diversity = [Read(table, complete) for table in tables]

        async def of_slots(table_id: str) -> Read:
            # In a thread: a region's facts take a while to count, and others wait for this process.
            return Read(await asyncio.to_thread(self._of_slots, table_id, slots, asked.chosen), plain)

        return Overview(
            waiting=await of_slots("ventetid"),
            weeks=await of_slots("ventetid_uker"),
            funnel=await of_slots("trakt"),
            outcomes=await of_slots("utfall"),
            diversity=diversity,
            workforce=await self.table("arbeidsstyrke", asked),
            follow_up=await of_slots("oppfolging"),
        )

    def _of_slots(self, table_id: str, slots: Sequence[Slot], chosen: Filter) -> Table:
        match table_id:
            case "ventetid":
                return overview.ventetid(slots, chosen, self._service.clock.today())
            case "ventetid_uker":
                return overview.ventetid_uker(slots, chosen, self._service.clock.today())
            case "trakt":
                return overview.trakt(slots, chosen)
            case "utfall":
                return overview.utfall(slots, chosen)
            case "oppfolging":
                return overview.oppfolging(slots, chosen)
        raise ValueError(f"no such table: {table_id}")

    async def workforce(self, fresh: Freshness = _ANYTHING) -> tuple[list[YearFigures], Completeness]:
        """What employers have reported."""
        complete = await self._complete({intake.SOURCE: (views.workforce.name,)}, fresh)
        documents = await self._view(views.workforce.name).find()
        return [YearFigures.of(document) for document in documents], complete

    async def slots(self, fresh: Freshness = _ANYTHING, *, background: bool = False) -> tuple[list[Slot], Completeness]:
        """The facts of all slots. With `background` complete for what persons have declared, too."""
        folds: dict[str, tuple[str, ...]] = dict.fromkeys(_PLACEMENT_SOURCES, (views.placement.name,))
        folds[matching.SOURCE] = (views.placement.name, views.needs.name)
        if background:
            folds = {source: (*names, views.persons.name) for source, names in folds.items()}
            folds[intake.BACKGROUND_SOURCE] = (views.persons.name,)
        complete = await self._complete(folds, fresh)
        return await self._slots(), complete

    async def counted(self) -> Sequence[object]:
        """How much the facts of slots and persons are made of: equal to an earlier answer only if none has changed.

        What has been handled only grows, so its number tells; another generation has progress of its own.
        """
        found: list[object] = []
        for name in (views.placement.name, views.needs.name, views.persons.name):
            progress = self._view(name).progress
            found.append(progress)
            for source in sorted(await progress.sources()):
                highest = await progress.highest(source)
                found.append((source, highest - await progress.missing(source, highest)))
        return found

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

    async def _slots(self) -> list[Slot]:
        assigned = {each["_id"]: each["intermediary"] for each in await self._view(views.needs.name).find()}
        documents = await self._view(views.placement.name).find()
        facts = (slot(each["_id"], each, assigned.get(_need_id(each))) for each in documents)
        return [fact for fact in facts if fact is not None]

    async def declared(self, trials: Iterable[Trial]) -> Mapping[str, Declared]:
        """What the participant of each trial had declared when its start was recorded, by the trial's id.

        Raises KeyringUnavailable: only a destroyed key makes it unknown.
        """
        wanted = {trial.trial_id: trial for trial in trials}
        documents = await self._view(views.persons.name).find({"trials": {"$exists": True}})
        persons = {trial_id: each for each in documents for trial_id in each["trials"]}
        gate = asyncio.Semaphore(_KEYS_AT_ONCE)

        async def opened(trial: Trial) -> Mapping[str, Any]:
            person = persons.get(trial.trial_id)
            declarations = () if person is None else person.get("declarations", ())
            ciphertext = declaration_at(declarations, trial.recorded)
            if person is None or ciphertext is None:
                return {}
            try:
                async with gate:
                    key = await self._keyring.key(person["_id"])
            except KeyDestroyed:
                return {}
            return unseal(key, base64.b64decode(ciphertext), person["_id"])

        values = await asyncio.gather(*(opened(trial) for trial in wanted.values()))
        return dict(zip(wanted, values, strict=True))

    async def protected_slots(self) -> frozenset[str]:
        """The slots on which somebody has been proposed or has started whose address is protected."""
        documents = await self._view(views.persons.name).find({"protected": True})
        return frozenset(slot_id for each in documents for slot_id in each.get("slots", ()))


def _need_id(document: Document) -> str:
    return str(document.get("need", {}).get("need_id"))
