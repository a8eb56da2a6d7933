"""Live tables are counted on: what has changed is read again, and it is as if all had been counted from the start."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from chassis.clock import Clock
from chassis.keyring import KeyringUnavailable, seal
from chassis.mongo import ConnectionFailure
from chassis.projection import Document, fold_all
from chassis.projector import Stored, View
from services.reporting import declarations, views
from services.reporting.domain.counting import Tally
from services.reporting.domain.counts import PERSONAL
from services.reporting.live import KEEP_SECONDS, LiveTables
from services.reporting.pxweb.source import Table
from services.reporting.reading import COUNT_SECONDS, Asked, Reading
from tests.unit.reporting.simulation import simulate
from tests.unit.reporting.test_reporting_recomputed import slots_of
from tests.unit.reporting.test_reporting_running import held

KEY = bytes(range(32))


@dataclass
class Documents:
    """The documents of one view with their revisions, and what has been read of them."""

    name: str
    held: dict[str, tuple[int, Document]]
    folded: list[str]
    """What all views have folded."""
    generation: str = "1"
    read: list[str] = field(default_factory=list)
    breaks_after: int | None = None

    def change(self, key: str, document: Document | None) -> None:
        """The document as it is now; None: it is gone."""
        self.folded.append(key)
        if document is None:
            del self.held[key]
        else:
            self.held[key] = self.held.get(key, (0, {}))[0] + 1, document


class Served(View):
    """A view of documents in memory."""

    def __init__(self, of: Documents) -> None:
        self.name, self.sources, self._of = of.name, frozenset(), of

    async def find(self, where: Mapping[str, Any] | None = None, **_: Any) -> list[Document]:
        return []

    async def complete_to(self, source: str) -> int:
        return len(self._of.folded)

    async def continued(self, source: str) -> list[str]:
        return []

    async def counted(self) -> Sequence[object]:
        return [self._of.generation, len(self._of.folded)]

    def stored(self) -> Stored:
        return ServedNow(self._of)


class ServedNow(Stored):
    """The same, as a reader that keeps what it makes of them looks at them."""

    def __init__(self, of: Documents) -> None:
        self.name, self._of = of.generation, of

    async def values(self, field: str) -> dict[str, Any]:
        return {key: rev if field == "rev" else document[field] for key, (rev, document) in self._of.held.items()}

    async def of(self, keys: Sequence[str]) -> list[tuple[int, Document]]:
        if self._of.breaks_after is not None:
            self._of.breaks_after -= 1
            if self._of.breaks_after < 0:
                raise ConnectionFailure("the database went away")
        self._of.read += keys
        return [(self._of.held[key][0], {**self._of.held[key][1], "_id": key}) for key in keys if key in self._of.held]


class Keys:
    """A keyring, and how often it was asked for a key."""

    def __init__(self) -> None:
        self.handed_out = 0
        self.gone: set[str] = set()
        self.away = False

    async def keys(self, persons: Sequence[str]) -> dict[str, bytes]:
        self.handed_out += len(persons)
        return dict.fromkeys(persons, KEY)

    async def destroyed(self, persons: Sequence[str]) -> set[str]:
        if self.away:
            raise KeyringUnavailable("away")
        return self.gone & set(persons)


class World:
    """Live tables of simulated cases, whose time, day, documents and keys a test changes."""

    def __init__(self) -> None:
        records = list(simulate(2, 40).records())
        folded: list[str] = []
        self.views = {
            each.name: Documents(
                each.name, {key: (1, dict(found)) for key, found in fold_all(each, records).items()}, folded
            )
            for each in (views.placement, views.needs)
        }
        self.slots = slots_of(records)
        self.placements, self.needs = self.views["placement"], self.views["needs"]
        self.views["persons"] = Documents("persons", dict(self._persons()), folded)
        self.views["workforce"] = Documents("workforce", {}, folded)
        self.seconds, self.keys, self.clock = 0.0, Keys(), Clock()
        self.clock.set(datetime(2023, 1, 1, 9, tzinfo=UTC))
        self.reading = Reading(self, self.keys)
        self.live = LiveTables(self.reading, self.clock, lambda: self.seconds)

    def _persons(self) -> list[tuple[str, tuple[int, Document]]]:
        """One participant per trial, an immigrant each."""
        found = []
        for trial in (trial for slot in self.slots for trial in slot.trials):
            person = f"C{trial.trial_id}"
            sealed = base64.b64encode(seal(KEY, {"immigrant_background": "immigrant"}, person)).decode()
            declared = {"recorded": "2000-01-01T00:00:00.000Z", "position": 1, "ciphertext": sealed}
            found.append((person, (1, {"trials": {trial.trial_id: True}, "declarations": [declared]})))
        return found

    def view(self, name: str) -> View:
        return Served(self.views[name])

    async def later(self, table_id: str) -> Tally:
        """The table when it is time to look again."""
        self.seconds += KEEP_SECONDS
        return counts(await self.live.table(table_id))

    async def immigrants(self) -> int:
        table = await self.later("mangfold")
        return sum(
            int(table.number("starts", "0", "total", "immigrant_background_immigrant", month) or 0)
            for month in table.cells.periods
        )


def counts(table: Table | None) -> Tally:
    assert isinstance(table, Tally)
    return table


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("table_id", ["ventetid", "trakt", "oppfolging", "utfall", "mangfold"])
async def test_a_table_is_kept_while_nothing_has_been_counted_since(world: World, table_id: str) -> None:
    first = await world.live.table(table_id)
    assert [await world.later(table_id) for _ in range(3)] == [first] * 3
    assert sorted(world.placements.read) == sorted(world.placements.held)


@pytest.mark.parametrize("table_id", ["ventetid", "trakt", "oppfolging", "utfall", "mangfold"])
async def test_what_has_been_counted_since_is_in_the_next_table(world: World, table_id: str) -> None:
    first = counts(await world.live.table(table_id))
    for slot in world.slots[5:]:
        world.placements.change(slot.slot_id, None)
    assert await world.live.table(table_id) is first
    then = await world.later(table_id)
    assert then.complete_to["dugnad/intake"] > first.complete_to["dugnad/intake"]
    assert sum(number for _, number in then.cells.each()) < sum(number for _, number in first.cells.each())
    again = World()
    for slot in world.slots[5:]:
        again.placements.change(slot.slot_id, None)
    assert held(counts(await again.live.table(table_id)).cells) == held(then.cells)


async def test_only_the_documents_that_have_changed_are_read_again(world: World) -> None:
    slot = next(each for each in world.slots if each.start is None and not each.withdrawn)
    await world.reading.overview(Asked())
    world.placements.read.clear()
    document = world.placements.held[slot.slot_id][1]
    world.placements.change(slot.slot_id, {**document, "withdrawn": {"withdrawn_on": "2025-01-01", "reason": "other"}})
    overview = await world.reading.overview(Asked())
    assert world.placements.read == [slot.slot_id]
    withdrawn = {row["waiting"]: row["slots"] for row in overview.waiting.table.rows}["withdrawn"]
    assert withdrawn == sum(each.withdrawn for each in world.slots) + 1


async def test_all_documents_of_another_generation_are_read(world: World) -> None:
    await world.later("trakt")
    kept = sorted(world.placements.held)[:3]
    # With the revisions that the others had.
    world.placements.held = {key: world.placements.held[key] for key in kept}
    world.placements.generation = "2"
    world.placements.read.clear()
    assert {need.slots[0].slot_id for need in (await world.reading.needs())[0].values()} <= set(kept)
    assert sorted(world.placements.read) == kept


async def test_a_reading_that_was_broken_off_leaves_nothing_out(world: World) -> None:
    await world.later("trakt")
    for slot in world.slots[:4]:
        world.placements.change(slot.slot_id, dict(world.placements.held[slot.slot_id][1]))
    gone = world.slots[0].slot_id
    world.placements.change(gone, None)
    world.placements.breaks_after = 0
    with pytest.raises(ConnectionFailure):
        await world.later("trakt")
    world.placements.breaks_after = None
    facts = (await world.reading.slots())[0]
    assert [each.slot_id for each in facts] == sorted(world.placements.held)


async def test_a_need_that_is_assigned_counts_under_whom_it_was_assigned_to(world: World) -> None:
    slot = world.slots[0]
    others = {"nav", "adult_education", "refugee_service"} - {slot.intermediary}
    await world.reading.slots()
    for by in sorted(others):
        world.needs.change(slot.need_id, {"intermediary": by})
        found = {each.slot_id: each.intermediary for each in (await world.reading.slots())[0]}
        assert found[slot.slot_id] == by


async def test_another_day_judges_other_promises(world: World) -> None:
    (waiting, *_) = (each for each in world.slots if each.start is None and not each.withdrawn)
    for slot in world.slots:
        if slot is not waiting:
            world.placements.change(slot.slot_id, None)
    due = []
    for day in (waiting.promise_date, waiting.promise_date + timedelta(days=1)):
        world.clock.set(datetime.combine(day, time(9), UTC))
        table = await world.later("ventetid")
        month = f"{waiting.registered_on.year}M{waiting.registered_on.month:02d}"
        due.append(table.number("due", "0", "total", "total", month))
    assert due == [0, 1]
    assert world.placements.read == [waiting.slot_id]


async def test_a_declaration_is_opened_once_and_nothing_is_counted_of_whose_key_is_gone(world: World) -> None:
    starts = sum(slot.start is not None for slot in world.slots)
    trials = sum(len(slot.trials) for slot in world.slots)
    assert [await world.immigrants() for _ in range(3)] == [starts] * 3
    assert world.keys.handed_out == trials
    started = next(slot.start for slot in world.slots if slot.start is not None)
    world.keys.gone = {f"C{started.trial_id}"}
    assert await world.immigrants() == starts - 1
    world.keys.away = True
    with pytest.raises(KeyringUnavailable):
        await world.immigrants()
    assert (await world.reading.overview(Asked())).diversity is None
    assert world.keys.handed_out == trials


async def test_what_was_opened_is_forgotten_when_nobody_asks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    starts, opened = await world.immigrants(), world.keys.handed_out
    assert PERSONAL & world.reading._running.keys()
    monkeypatch.setattr(declarations, "FORGET_SECONDS", 0.0)
    await world.reading.with_declared((await world.reading.needs())[0])
    # Until the round of the loop in which what is due is done.
    for _ in range(2):
        await asyncio.sleep(0)
    assert world.reading._declarations._opened == {}
    # Nor is it kept as what has been counted.
    assert not PERSONAL & world.reading._running.keys()
    monkeypatch.undo()
    assert await world.immigrants() == starts > 0
    assert world.keys.handed_out == 2 * opened > 0


class Over(Exception):
    """The service has stopped."""


async def test_everything_is_counted_before_anybody_asks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        # The database was away in the first round, and is back.
        world.placements.breaks_after = None
        if len(pauses) == 2:
            # Whatever comes to stand there must not end the process, which folds events, too.
            world.placements.change("S", {"need": {}})
        if len(pauses) == 3:
            raise Over

    monkeypatch.setattr(asyncio, "sleep", pause)
    world.placements.breaks_after = 0
    with pytest.raises(Over):
        await world.reading.keep_counting()
    assert pauses == [COUNT_SECONDS] * 3
    with pytest.raises(AssertionError):
        await world.reading.overview(Asked())
    world.placements.change("S", None)
    everything = sorted(world.placements.held)
    assert sorted(each for each in world.placements.read if each != "S") == everything
    world.placements.read.clear()
    assert world.keys.handed_out == 0
    await world.reading.overview(Asked())
    assert world.placements.read == []


async def test_a_person_who_was_erased_is_counted_as_unknown(world: World) -> None:
    starts = await world.immigrants()
    started = next(slot.start for slot in world.slots if slot.start is not None)
    world.views["persons"].change(f"C{started.trial_id}", None)
    assert await world.immigrants() == starts - 1
