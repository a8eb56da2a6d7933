"""The tables against plain loops over the same events, on some hundred simulated cases, in any order of arrival."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import pytest

from chassis.projection import Document, Record, fold_all
from contracts.vocabulary import Outcome
from services.reporting.domain.facts import Slot, slot
from services.reporting.domain.filters import Filter
from services.reporting.domain.overview import trakt, utfall, ventetid
from services.reporting.domain.periods import Period
from services.reporting.domain.placements import STAGES
from services.reporting.domain.table import Table
from services.reporting.views import PROJECTIONS, needs, placement
from tests.unit.reporting.recompute import recompute
from tests.unit.reporting.simulation import World, simulate

TODAY = date(2025, 10, 1)
CASES = 150


def slots_of(records: Iterable[Record]) -> list[Slot]:
    arrived = list(records)
    assigned = fold_all(needs, arrived)
    facts = []
    for slot_id, document in fold_all(placement, arrived).items():
        by = assigned.get(document["need"]["need_id"], {}).get("intermediary")
        fact = slot(slot_id, document, by)
        assert fact is not None
        facts.append(fact)
    return facts


def numbers(table: Table, category: str, count: str) -> dict[str, int]:
    return {str(row[category]): int(str(row[count])) for row in table.rows}


def figure(table: Table, name: str) -> object:
    return next(figure.value for figure in table.figures if figure.id == name)


@pytest.fixture(scope="module", params=[1, 20, 300])
def world(request: pytest.FixtureRequest) -> World:
    return simulate(seed=request.param, cases=CASES)


@pytest.mark.parametrize("period", [None, "2023", "2024", "2024M02", "2025M06"])
@pytest.mark.parametrize("region", [None, "33", "3312"])
def test_the_tables_equal_plain_loops_over_the_events(world: World, period: str | None, region: str | None) -> None:
    chosen = Filter(region=region, period=None if period is None else Period.parse(period))
    expected = recompute(world.records(), period=(period or "").replace("M", "-"), region=region or "", today=TODAY)
    slots = slots_of(world.shuffled())

    waiting = ventetid(slots, chosen, TODAY)
    assert numbers(waiting, "waiting", "slots") == {**expected.classes, "total": sum(expected.classes.values())}
    assert (figure(waiting, "within_promise"), figure(waiting, "due")) == (expected.kept, expected.due)
    assert figure(waiting, "median") == expected.median
    assert numbers(trakt(slots, chosen), "stage", "number") == expected.funnel
    outcome = utfall(slots, chosen)
    everyone = {code.value: expected.outcomes.get(code, 0) for code in Outcome}
    assert numbers(outcome, "outcome", "trials") == {**everyone, "total": sum(everyone.values())}
    assert figure(outcome, "slots_hired") == expected.hired


def test_the_simulation_reaches_every_class_and_stage(world: World) -> None:
    whole = recompute(world.records(), today=TODAY)
    assert all(whole.classes.values())
    assert all(whole.funnel.values())
    assert whole.outcomes.keys() == set(Outcome)


def test_months_add_up_to_the_year(world: World) -> None:
    slots = slots_of(world.records())
    for year in (2023, 2024, 2025):
        whole = numbers(trakt(slots, Filter(period=Period(year))), "stage", "number")
        months = [
            numbers(trakt(slots, Filter(period=Period(year, month))), "stage", "number") for month in range(1, 13)
        ]
        # A need has one day of registration, so needs add up like everything else.
        assert whole == {stage: sum(month[stage] for month in months) for stage in STAGES}


def test_every_order_of_arrival_and_every_repetition_gives_the_same_documents(world: World) -> None:
    def documents(records: list[Record]) -> dict[str, dict[str, Document]]:
        return {projection.name: fold_all(projection, records) for projection in PROJECTIONS}

    assert documents(world.shuffled()) == documents(world.records())
