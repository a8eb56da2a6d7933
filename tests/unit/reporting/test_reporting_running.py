"""Cells that are counted on are those that counting from the start gives."""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Any

import pytest

from services.reporting.domain.counting import Cells
from services.reporting.domain.counts import DIVERSE, ENDED, running
from tests.overviews import aggregated, needs_of
from tests.tables import declared_by
from tests.unit.reporting.simulation import simulate
from tests.unit.reporting.test_reporting_recomputed import slots_of

COUNTED = ("ventetid", "trakt", "utfall", "mangfold", "oppfolging", ENDED, DIVERSE)
TODAY = date(2025, 10, 1)


def held(cells: Cells) -> tuple[Any, ...]:
    """All that there is to know of cells."""
    return dict(cells.each()), {at: dict(days) for at, days in cells.spread.items()}, set(cells.periods)


@pytest.mark.parametrize("name", COUNTED)
def test_what_is_counted_on_is_what_counting_from_the_start_gives(name: str) -> None:
    slots = slots_of(simulate(9, 60).records())
    needs = needs_of(slots, declared_by(slots))
    counted, chance = running(name, TODAY), Random(4)
    for _ in range(25):
        some = {key: need for key, need in needs.items() if chance.random() < 0.6}
        for key in chance.sample(sorted(some), len(some) // 5):
            # A need some of whose slots are not heard of yet, or of whose participants nothing is known.
            some[key] = some[key]._replace(slots=some[key].slots[:1], declared=())
        assert held(counted.cells(some)) == held(running(name, TODAY).cells(some))
    assert held(counted.cells({})) == held(aggregated([], ()))


def test_cells_that_were_given_do_not_change_with_what_is_counted_later() -> None:
    slots = slots_of(simulate(9, 60).records())
    counted = running("ventetid", TODAY)
    cells = counted.cells(needs_of(slots[:20]))
    before = held(cells)
    counted.cells(needs_of(slots))
    assert held(cells) == before
