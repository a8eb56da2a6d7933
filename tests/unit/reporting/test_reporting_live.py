"""Live tables are kept as long as nothing has been counted since, and not a day longer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta

import pytest

from chassis.clock import Clock
from chassis.freshness import Freshness
from services.reporting.domain.background import Declared
from services.reporting.domain.counting import Tally
from services.reporting.domain.facts import Slot, Trial
from services.reporting.domain.workforce import YearFigures
from services.reporting.live import KEEP_SECONDS, LiveTables
from services.reporting.pxweb.source import Table
from services.reporting.reading import Completeness, Reading
from tests.unit.reporting.simulation import simulate
from tests.unit.reporting.test_reporting_recomputed import slots_of

_ANYTHING = Freshness(())


class Facts(Reading):
    """Facts as a test has them, and how often they were read."""

    def __init__(self) -> None:
        self.found = slots_of(simulate(2, 20).records())
        self.position = 1
        self.read = self.opened = 0

    async def counted(self) -> list[object]:
        return [("dugnad/intake", self.position)]

    async def slots(self, fresh: Freshness = _ANYTHING, *, background: bool = False) -> tuple[list[Slot], Completeness]:
        self.read += 1
        return list(self.found), {"dugnad/intake": self.position}

    async def declared(self, trials: Iterable[Trial]) -> Mapping[str, Declared]:
        self.opened += 1
        return {}

    async def workforce(self, fresh: Freshness = _ANYTHING) -> tuple[list[YearFigures], Completeness]:
        return [], {}


class World:
    """Live tables, whose time and day a test sets."""

    def __init__(self) -> None:
        self.facts, self.seconds = Facts(), 0.0
        self.clock = Clock()
        self.clock.set(datetime(2023, 1, 1, 9, tzinfo=UTC))
        self.live = LiveTables(self.facts, self.clock, lambda: self.seconds)

    async def later(self, table_id: str) -> Table | None:
        """The table when it is time to look again."""
        self.seconds += KEEP_SECONDS
        return await self.live.table(table_id)


def counts(table: Table | None) -> Tally:
    assert isinstance(table, Tally)
    return table


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("table_id", ["ventetid", "trakt", "oppfolging"])
async def test_a_table_is_kept_while_nothing_has_been_counted_since(world: World, table_id: str) -> None:
    first = await world.live.table(table_id)
    assert [await world.later(table_id) for _ in range(3)] == [first] * 3
    assert world.facts.read == 1


@pytest.mark.parametrize("table_id", ["ventetid", "trakt", "oppfolging", "utfall", "mangfold"])
async def test_what_has_been_counted_since_is_in_the_next_table(world: World, table_id: str) -> None:
    first = counts(await world.live.table(table_id))
    world.facts.found, world.facts.position = world.facts.found[:5], 2
    assert await world.live.table(table_id) is first
    then = counts(await world.later(table_id))
    assert then.complete_to == {"dugnad/intake": 2}
    assert sum(then.cells.numbers.values()) < sum(first.cells.numbers.values())


async def test_another_day_judges_other_promises(world: World) -> None:
    (waiting, *_) = (each for each in world.facts.found if each.start is None and not each.withdrawn)
    world.facts.found = [waiting]
    due = []
    for day in (waiting.promise_date, waiting.promise_date + timedelta(days=1)):
        world.clock.set(datetime.combine(day, time(9), UTC))
        table = counts(await world.later("ventetid"))
        month = f"{waiting.registered_on.year}M{waiting.registered_on.month:02d}"
        due.append(table.number("due", "0", "total", "total", month))
    assert due == [0, 1]
    assert world.facts.read == 1


async def test_what_somebody_declared_is_opened_again_each_time(world: World) -> None:
    await world.live.table("mangfold")
    for _ in range(3):
        await world.later("mangfold")
    assert (world.facts.read, world.facts.opened) == (1, 4)
