"""Every cell of the cubes against plain loops over the same events, on 2,000 simulated cases, in any arrival."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from statistics import median

import pytest

from chassis.projection import Document, Record, fold_all
from contracts.vocabulary import Outcome
from services.reporting.domain.background import Declared, declaration_at
from services.reporting.domain.counting import Spec, Tally, tally
from services.reporting.domain.diversity import MANGFOLD, diversity
from services.reporting.domain.facts import Slot, assigned, slot
from services.reporting.domain.filters import Filter
from services.reporting.domain.periods import Frequency, Period, months
from services.reporting.domain.placements import STAGES, TRAKT, VENTETID, funnel, waiting
from services.reporting.domain.table import Table
from services.reporting.domain.trials import OPPFOLGING, UTFALL, follow_up, outcomes
from services.reporting.views import PROJECTIONS, needs, persons, placement
from tests import overviews as overview
from tests.unit.reporting.plain_tables import PLACES, Plain, plain_tables
from tests.unit.reporting.simulated_world import World
from tests.unit.reporting.simulation import simulate

TODAY = date(2025, 10, 1)
CASES = 2_000


def slots_of(records: Iterable[Record]) -> list[Slot]:
    arrived = list(records)
    to = fold_all(needs, arrived)
    facts = []
    for slot_id, document in fold_all(placement, arrived).items():
        if "need" not in document:
            continue
        by = to.get(document["need"]["need_id"], {}).get("intermediary")
        fact = slot(slot_id, document)
        assert fact is not None
        facts.append(assigned(fact, by))
    return facts


def declared_at_start(records: Iterable[Record], slots: Iterable[Slot]) -> dict[str, Declared]:
    """The ciphertext of a simulation is the declaration itself."""
    documents = fold_all(persons, [record for record in records if isinstance(record.event, persons.reads)])
    of_trial = {trial_id: each for each in documents.values() for trial_id in each.get("trials", ())}
    found: dict[str, Declared] = {}
    for each in slots:
        for trial in each.trials:
            declarations = of_trial[trial.trial_id].get("declarations", [])
            text = declaration_at(declarations, trial.recorded)
            found[trial.trial_id] = {} if text is None else json.loads(text)
    return found


def tallies(
    slots: list[Slot], declared: dict[str, Declared], frequency: Frequency = Frequency.MONTH
) -> dict[str, tuple[Spec, Tally]]:
    counted = (
        (VENTETID, waiting(slots, TODAY, frequency)),
        (TRAKT, funnel(slots, frequency)),
        (UTFALL, outcomes(slots, declared, frequency)),
        (MANGFOLD, diversity(slots, declared, frequency)),
        (OPPFOLGING, follow_up(slots, frequency)),
    )
    periods = months if frequency is Frequency.MONTH else lambda found: tuple(sorted(found))
    return {
        spec.id: (spec, tally(spec, overview.aggregated(units, spec.variables), periods, frequency=frequency))
        for spec, units in counted
    }


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(seed=20, cases=CASES)


@pytest.fixture(scope="module")
def told(world: World) -> list[Slot]:
    return slots_of(world.shuffled())


@pytest.fixture(scope="module")
def declared(world: World, told: list[Slot]) -> dict[str, Declared]:
    return declared_at_start(world.shuffled(), told)


@pytest.fixture(scope="module")
def plain(world: World) -> Plain:
    return plain_tables(world.records(), TODAY, lambda day: f"{day.year}M{day.month:02d}")


def test_every_cell_of_the_five_counted_cubes_equals_plain_loops(
    told: list[Slot], declared: dict[str, Declared], plain: Plain
) -> None:
    for table_id, (_, made) in tallies(told, declared).items():
        counted = {(table_id, content, *at): number for (content, at), number in made.cells.each()}
        expected = {key: number for key, number in plain.cells.items() if key[0] == table_id}
        assert counted == expected, table_id


def test_every_share_and_median_equals_plain_loops(
    told: list[Slot], declared: dict[str, Declared], plain: Plain
) -> None:
    def share(part: int, whole: int) -> Decimal | None:
        return None if not whole else (Decimal(100 * part) / whole).quantize(Decimal("0.1"), ROUND_HALF_UP)

    made = tallies(told, declared)
    waits = made["ventetid"][1]
    for at in {key[2:] for key in plain.cells if key[0] == "ventetid"}:

        def number(content: str, at: tuple[str, ...] = at) -> int:
            return plain.cells.get(("ventetid", content, *at), 0)

        kept, due = number("within_promise"), number("due")
        assert waits.number("within_promise_share", *at) == share(kept, due)
        for mark in ("late_window", "employer_delay"):
            without = share(kept - number(f"within_promise_{mark}"), due - number(mark))
            assert waits.number(f"within_promise_share_without_{mark}", *at) == without
        days = plain.waits.get(at)
        assert waits.number("median", *at) == (None if not days else Decimal(str(float(median(days)))))
    ended = made["utfall"][1]
    for at in {key[2:] for key in plain.cells if key[0] == "utfall"}:
        for after in (3, 6, 12):
            employed, asked = (
                plain.cells.get(("utfall", f"{part}_{after}", *at), 0) for part in ("employed", "confirmed")
            )
            assert ended.number(f"employed_share_{after}", *at) == share(employed, asked)


def test_the_simulation_reaches_every_content_of_every_table(plain: Plain) -> None:
    reached = {(key[0], key[1]) for key in plain.cells}
    for spec in (VENTETID, TRAKT, UTFALL, MANGFOLD, OPPFOLGING):
        wanted = {each.code for each in spec.contents} - set(spec.derived)
        assert {(spec.id, content) for content in wanted} <= reached
    assert {key[2] for key in plain.cells if key[0] == "trakt"} == {code for codes in PLACES.values() for code in codes}


def test_months_add_up_to_the_year_in_every_table(told: list[Slot], declared: dict[str, Declared]) -> None:
    by_year = tallies(told, declared, Frequency.YEAR)
    for table_id, (_, monthly) in tallies(told, declared).items():
        sums: dict[tuple[str, tuple[str, ...]], int] = {}
        for (content, (*codes, month)), number in monthly.cells.each():
            key = content, (*codes, month[:4])
            sums[key] = sums.get(key, 0) + number
        assert sums == dict(by_year[table_id][1].cells.each())


def numbers(table: Table, category: str, count: str) -> dict[str, int]:
    return {str(row[category]): int(str(row[count])) for row in table.rows}


@cache
def of_period(world: World, code: str) -> Plain:
    beginning = "" if code == "all" else code.replace("M", "-")
    return plain_tables(
        world.records(), TODAY, lambda day: code if day.isoformat().startswith(beginning) else "another"
    )


@pytest.mark.parametrize("period", [None, "2024", "2024M02"])
@pytest.mark.parametrize("region", [None, "33", "3312", "3049", "1507"])
def test_the_short_tables_are_the_cells_that_the_filter_asks_for(
    world: World, told: list[Slot], period: str | None, region: str | None
) -> None:
    chosen = Filter(region=region, period=None if period is None else Period.parse(period))
    place = PLACES[region][0] if region in PLACES else region or "0"
    code = period or "all"
    expected = of_period(world, code)

    def cell(table_id: str, content: str, *at: str) -> int:
        return expected.cells.get((table_id, content, *at, code), 0)

    in_place = (place, "total", "total")
    waits = numbers(overview.ventetid(told, chosen, TODAY), "waiting", "slots")
    assert waits.pop("total") == cell("ventetid", "slots", *in_place)
    assert waits == {content: cell("ventetid", content, *in_place) for content in waits}
    assert numbers(overview.trakt(told, chosen), "stage", "number") == {
        stage: cell("trakt", stage, *in_place) for stage in STAGES
    }
    followed = numbers(overview.oppfolging(told, chosen), "follow_up", "number")
    assert followed == {content: cell("oppfolging", content, *in_place) for content in followed}
    if region is None:
        ended = numbers(overview.utfall(told, chosen), "outcome", "trials")
        assert ended.pop("total") == cell("utfall", "closed", *("total",) * 4)
        assert ended == {each.value: cell("utfall", each.value, *("total",) * 4) for each in Outcome}


def test_a_region_chooses_the_same_trials_where_the_table_has_no_regions(told: list[Slot]) -> None:
    parts = [overview.utfall(told, Filter(region=place)) for place in ("03", "33", "55", "15", "18")]
    whole = numbers(overview.utfall(told, Filter()), "outcome", "trials")
    assert whole == {code: sum(numbers(part, "outcome", "trials")[code] for part in parts) for code in whole}


@pytest.mark.parametrize("seed", [1, 300])
def test_every_order_of_arrival_and_every_repetition_gives_the_same_documents(seed: int) -> None:
    world = simulate(seed=seed, cases=150)

    def documents(records: list[Record]) -> dict[str, dict[str, Document]]:
        return {projection.name: fold_all(projection, records) for projection in PROJECTIONS}

    assert documents(world.shuffled()) == documents(world.records())
