"""What is published of counted units: fixed cubes, the same noise everywhere, figures that anybody can recompute."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime
from fractions import Fraction
from itertools import permutations, product

import pytest

from services.reporting.domain.counting import Counted
from services.reporting.domain.cube import CONTENTS, Content, Cube, Dimension, Missing, Role
from services.reporting.domain.definitions import WAITING_TIME
from services.reporting.domain.disclosure.derived import Confidential, DayClass, Median, Open, Share
from services.reporting.domain.disclosure.publishing import Axis, Publication, sealed
from services.reporting.domain.disclosure.workforce import hidden
from services.reporting.domain.parts import Part, assembled, read, written
from services.reporting.domain.periods import Frequency
from services.reporting.domain.publications import PUBLICATIONS, WORKFORCE, Facts, units
from services.reporting.domain.regions import COUNTRY
from services.reporting.domain.releases import Due, Stage
from services.reporting.domain.sealing import differs, made, shape
from services.reporting.domain.table import Kind
from services.reporting.domain.workforce import YearFigures
from tests.unit.reporting.disclosure.population import (
    CODES,
    NAMES,
    PERIOD,
    PLACES,
    TOTAL,
    axis,
    people,
    publication,
    published,
    secrets,
)
from tests.unit.reporting.simulation import simulate
from tests.unit.reporting.test_reporting_recomputed import declared_at_start, slots_of

SECRETS = secrets(1)
CUTOFF = datetime(2026, 1, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def facts() -> Facts:
    records = simulate(11, 900).records()
    slots = slots_of(records)
    return Facts(slots=slots, declared=declared_at_start(records, slots), workforce=[], on=date(2026, 1, 15))


def cube_of(part: Part) -> Cube:
    return assembled(shape(part.table), [part], updated=CUTOFF, complete_to={"dugnad/intake": 1})


def part_of(facts: Facts, table: str, period: str, stage: Stage = Stage.FINAL) -> Part:
    found = made(Due(CUTOFF, table, period, stage), facts, SECRETS, ())
    assert found is not None
    return found.part


# --- the same cell --------------------------------------------------------------------------------------------------


def test_the_same_people_are_the_same_number_in_every_table_cut_and_order() -> None:
    population = people(1)
    target = {"Region": "03", "Tiltak": "work_training", "Bakgrunn": "other"}
    whole = dict(zip(PLACES, published(population, 1), strict=True))
    counted = [each.counted() for each in population]
    for wanted in ((), ("Region",), ("Tiltak",), ("Region", "Tiltak"), ("Region", "Tiltak", "Bakgrunn")):
        at = tuple(target[name] if name in wanted else TOTAL for name in NAMES)
        seen = {int(whole[at])}
        # Other tables, their variables in any order, with and without those that are not asked about.
        for number in range(len(wanted), len(NAMES) + 1):
            for names in permutations(NAMES, number):
                if set(wanted) <= set(names):
                    other = publication(names, table=f"other{len(seen)}{names}")
                    cells = sealed(other, counted, PERIOD, "final", secrets(1))
                    places = list(product(*((TOTAL, *CODES[name]) for name in names)))
                    asked = tuple(target[name] if name in wanted else TOTAL for name in names)
                    seen.add(int(cells.values[places.index(asked)] or 0))
        # A cut of only those people, in whichever table and category they stand.
        those = [each for each in counted if all(each.at[NAMES.index(name)] == target[name] for name in wanted)]
        alone = sealed(publication(()), those, PERIOD, "final", secrets(1))
        seen.add(int(alone.values[0] or 0))
        assert len(seen) == 1, wanted


def test_ten_thousand_random_selections_are_cells_that_were_computed_before(facts: Facts) -> None:
    chance = random.Random(4)
    cube = cube_of(part_of(facts, "ventetid", "2024M05"))
    known = dict(zip(product(*(each.codes for each in cube.dimensions)), cube.values, strict=True))
    for _ in range(10_000):
        chosen = {
            each.id: chance.sample(each.codes, chance.randint(1, min(3, len(each.codes)))) for each in cube.dimensions
        }
        selected = cube.select(chosen)
        found = zip(product(*(each.codes for each in selected.dimensions)), selected.values, strict=True)
        assert all(known[codes] == value for codes, value in found)


def test_counties_and_municipalities_agree_on_the_country(facts: Facts) -> None:
    by_county = cube_of(part_of(facts, "ventetid", "2024M05"))
    by_municipality = cube_of(part_of(facts, "ventetid_kommune", "2024M05"))
    for content in by_municipality.dimension(CONTENTS).codes:
        chosen = {"ContentsCode": content, "Tid": "2024M05", "Region": COUNTRY}
        assert by_municipality.value(**chosen) == by_county.value(**chosen)


def test_noise_is_there_and_one_and_two_are_not(facts: Facts) -> None:
    exact = [each for each in units(PUBLICATIONS["trakt"], facts) if each.at[-1] == "2024M05"]
    cube = cube_of(part_of(facts, "trakt", "2024M05"))
    counts = [value for value in cube.values if value is not None]
    assert not {1, 2} & set(counts)
    assert cube.value(ContentsCode="slots", Tid="2024M05") != sum(each.content == "slots" for each in exact) or any(
        cube.value(ContentsCode=content, Tid="2024M05") != sum(each.content == content for each in exact)
        for content in cube.dimension(CONTENTS).codes
    )


# --- derived figures ------------------------------------------------------------------------------------------------


def test_shares_and_medians_recompute_from_the_published_counts_alone(facts: Facts) -> None:
    seen = set()
    for table, publication_ in PUBLICATIONS.items():
        for period in ("2023M09", "2024M05"):
            cube = cube_of(part_of(facts, table, period))
            axes = [each for each in cube.dimensions if each.id not in (CONTENTS, "Tid")]
            for codes in product(*(each.codes for each in axes)):
                at = dict(zip((each.id for each in axes), codes, strict=True))

                def count(content: str, at: dict[str, str] = at, cube: Cube = cube, period: str = period) -> int:
                    return int(cube.value(**at, ContentsCode=content, Tid=period) or 0)

                for content, figure in publication_.figures.items():
                    place = cube.place({**at, "ContentsCode": content, "Tid": period})
                    value, symbol = cube.values[place], cube.status.get(place)
                    if any(cube.value(**at, ContentsCode=each, Tid=period) is None for each in figure.contents):
                        assert symbol is Missing.CONFIDENTIAL
                        continue
                    if isinstance(figure, Share):
                        part, whole = count(figure.part), count(figure.whole)
                        expected = min(100, (200 * part + whole) // (2 * whole)) if whole >= 20 else None
                        assert (value, symbol) == (expected, None if whole >= 20 else Missing.CONFIDENTIAL)
                    else:
                        total = sum(count(each.content) for each in figure.classes)
                        assert (symbol is Missing.CONFIDENTIAL) == (total < 30)
                    seen.add((type(figure), symbol))
    assert (Share, None) in seen
    assert (Share, Missing.CONFIDENTIAL) in seen
    assert (Median, Missing.CONFIDENTIAL) in seen


def test_a_share_is_whole_per_cent_of_at_least_twenty_and_never_more_than_all() -> None:
    def of(part: int, whole: int) -> object:
        return Share("part", "whole").of({"part": part, "whole": whole}.__getitem__)

    assert of(7, 20) == 35
    assert of(1, 200) == 1
    assert of(23, 21) == 100
    assert of(7, 19) == Confidential()
    assert of(0, 0) == Confidential()


def test_a_median_is_interpolated_in_its_class_from_at_least_thirty() -> None:
    classes = (DayClass("a", 0, 7), DayClass("b", 8, 14), DayClass("c", 15, None))

    def of(*counts: int) -> object:
        return Median(classes).of(dict(zip("abc", counts, strict=True)).__getitem__)

    # 7.5 + (20 - 10) / 20 * 7 = 11
    assert of(10, 20, 10) == 11
    assert of(30, 0, 0) == int(Fraction(-1, 2) + Fraction(15, 30) * 8 + Fraction(1, 2))
    assert of(10, 10, 9) == Confidential()
    assert of(5, 5, 30) == Open()
    assert of(0, 0, 0) == Confidential()


# --- the fixed cube -------------------------------------------------------------------------------------------------


def region(*codes: str) -> Axis:
    return Axis(Dimension("Region", Role.REGION, ("0", *codes), total="0"), 0, lambda code: (code, "0"))


CONTENT = (Content("slots", Kind.COUNT, (WAITING_TIME,)),)


@pytest.mark.parametrize(
    ("axes", "stock", "frequency"),
    [
        ([region("33"), *(axis(name, 1) for name in ("Tiltak", "Bakgrunn", "Region"))], False, Frequency.MONTH),
        ([region("3312"), axis("Tiltak", 1), axis("Bakgrunn", 2)], False, Frequency.MONTH),
        ([region("33"), axis("Tiltak", 1), axis("Bakgrunn", 2)], True, Frequency.QUARTER),
        ([region("33")], True, Frequency.MONTH),
        ([region("3312")], True, Frequency.QUARTER),
        ([Axis(Dimension("Tiltak", Role.CLASSIFICATION, ("a",)), 0, lambda code: (code,))], False, Frequency.MONTH),
    ],
    ids=[
        "four ways",
        "municipalities three ways",
        "a stock three ways",
        "a stock by month",
        "a stock by municipality",
        "without total",
    ],
)
def test_a_cube_that_would_tell_too_much_cannot_be_made(axes: list[Axis], stock: bool, frequency: Frequency) -> None:
    with pytest.raises(ValueError, match="too much"):
        Publication("too much", "t", 1, tuple(axes), CONTENT, frequency, stock=stock)


def test_no_published_table_tells_of_a_state_on_the_day_of_the_release() -> None:
    contents = {each.code for of in PUBLICATIONS.values() for each in of.contents}
    assert not contents & {"running", "overdue", "slots_hired"}
    assert not any(of.by_municipality and len(of.axes) > 2 for of in PUBLICATIONS.values())
    assert not any(len(of.axes) > 3 for of in PUBLICATIONS.values())


def test_a_stock_has_the_same_noise_all_year_and_another_one_the_year_after() -> None:
    stock = Publication("s", "s", 1, (region("33"),), CONTENT, Frequency.QUARTER, stock=True)

    def shown(period: str, number: int) -> int:
        counted = [Counted("slots", ("33", period), "slot", f"{number}/{n}") for n in range(40)]
        return int(sealed(stock, counted, period, "final", SECRETS).values[0] or 0)

    assert all(len({shown(f"2026K{quarter}", n) for quarter in range(1, 5)}) == 1 for n in range(20))
    assert any(shown("2026K1", n) != shown("2027K1", n) for n in range(20))


# --- bytes ----------------------------------------------------------------------------------------------------------


def test_a_part_has_the_same_bytes_whatever_comes_later_and_in_whichever_order(facts: Facts) -> None:
    part = part_of(facts, "mangfold", "2024M05")
    assert read(written(part)) == replace(part, values=list(part.values))
    later = slots_of(simulate(12, 200).records())
    assert not any(each.registered_on.isoformat().startswith("2024-05") for each in facts.slots if each in later)
    shuffled = replace(facts, slots=random.Random(1).sample(list(facts.slots), len(facts.slots)))
    assert written(part_of(shuffled, "mangfold", "2024M05")) == written(part)


def test_a_period_that_was_sealed_without_a_cell_shows_it_as_not_available(facts: Facts) -> None:
    one, other = part_of(facts, "mangfold", "2024M05"), part_of(facts, "mangfold", "2024M06")
    regions = other.dimensions["Region"]
    older = replace(other, dimensions={**other.dimensions, "Region": ("was", *regions[1:])})
    cube = assembled(shape("mangfold"), [older, one], updated=CUTOFF, complete_to={})
    assert cube.time.codes == ("2024M05", "2024M06")
    place = cube.place({"Tid": "2024M06", "ContentsCode": "starts"})
    assert (cube.values[place], cube.status[place]) == (None, Missing.NOT_AVAILABLE)
    assert cube.value(Tid="2024M05", ContentsCode="starts") is not None


# --- the work force -------------------------------------------------------------------------------------------------

FIGURES = {
    "head_count": 400,
    "immigrant_background": 40,
    "country_group_1": 12,
    "country_group_2": 28,
    "reduced_functional_ability": 9,
    "cv_gap": 30,
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        ({"cv_gap": 4}, {"cv_gap", "reduced_functional_ability"}),
        ({"cv_gap": 0}, {"cv_gap", "reduced_functional_ability"}),
        ({"country_group_1": 3}, {"country_group_1", "country_group_2"}),
        ({"cv_gap": 4, "reduced_functional_ability": 90}, {"cv_gap", "country_group_1", "country_group_2"}),
        ({"country_group_1": 3, "cv_gap": 2}, {"country_group_1", "country_group_2", "cv_gap"}),
        (
            {"immigrant_background": 4, "country_group_1": 1, "country_group_2": 3},
            {"immigrant_background", "country_group_1", "country_group_2"},
        ),
        (
            {
                "cv_gap": 4,
                **dict.fromkeys(
                    ("immigrant_background", "country_group_1", "country_group_2", "reduced_functional_ability")
                ),
            },
            {"cv_gap", "head_count"},
        ),
    ],
)
def test_a_small_count_is_hidden_with_a_second_one(changes: dict[str, int | None], expected: set[str]) -> None:
    assert hidden({**FIGURES, **changes}) == expected


def test_the_work_force_of_public_bodies_is_repeated_without_noise_and_nobody_elses() -> None:
    def report(org_number: str, year: int, **changes: int | None) -> YearFigures:
        return YearFigures(org_number, year, {**FIGURES, **changes})

    workforce = [report("111", 2024), report("111", 2025, cv_gap=3), report("222", 2025)]
    facts = Facts(slots=[], declared={}, workforce=workforce, on=date(2026, 4, 15))
    due = Due(CUTOFF, WORKFORCE, "2025", Stage.PRELIMINARY)
    found = made(due, facts, SECRETS, ("111",))
    assert found is not None
    assert found.keyed == {}
    cube = assembled(shape(WORKFORCE, ("111",)), [found.part], updated=CUTOFF, complete_to={})

    def cell(content: str) -> object:
        place = cube.place({"Virksomhet": "111", "Aar": "2025", "ContentsCode": content})
        return cube.status.get(place, cube.values[place])

    assert cell("head_count") == 400
    assert str(cell("immigrant_background_share")) == "10.0"
    assert {cell(f"cv_gap{part}") for part in ("", "_share", "_share_change", "_number_change")} == {
        Missing.CONFIDENTIAL
    }
    assert cell("reduced_functional_ability") is Missing.CONFIDENTIAL
    assert "222" not in cube.dimension("Virksomhet").codes
    assert made(due, facts, SECRETS, ()) is None, "nobody public has reported"
    restated = replace(facts, workforce=[*workforce[:1], report("111", 2025, cv_gap=3, head_count=401)])
    assert differs(due, facts, restated, ("111",))
    assert not differs(due, facts, facts, ("111",))
