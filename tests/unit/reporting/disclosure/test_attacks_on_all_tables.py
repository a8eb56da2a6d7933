"""Attacks on all published tables together, made of simulated cases as a release makes them.

Each is tried on an unprotected build too: one that fails there would prove nothing.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from services.reporting.domain.disclosure.workforce import LEAST_SHOWN, hidden
from services.reporting.domain.facts import Slot
from services.reporting.domain.publications import TOGETHER
from services.reporting.domain.regions import UNKNOWN
from services.reporting.domain.releases import Schedule, Stage
from services.reporting.releasekeys import ReleaseSettings, schedule_of
from tests.unit.reporting.disclosure.released import PERIOD, SEEDS, At, Cell, Cells, everything, facts, released
from tests.unit.reporting.disclosure.system import (
    Question,
    Range,
    System,
    endings,
    endings_beside_hires,
    is_finest,
    of_hidden,
    of_noised,
    starts,
    waiting,
)

LEAST_ON_UNPROTECTED = 0.95
QUESTIONS = {starts: 35, endings: 25, waiting: 10}
"""With how many small cells per seed are tried."""


# --- one number for the same people ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_units_are_the_same_number_in_every_table_and_content(seed: int) -> None:
    shown: dict[tuple[str, frozenset[str]], set[int]] = defaultdict(set)
    tables: dict[tuple[str, frozenset[str]], set[str]] = defaultdict(set)
    for (table, _, _), cell in everything(seed).items():
        if cell.shown is None:
            continue
        assert (cell.shown > 0) <= (cell.true > 0), "none stays none"
        assert cell.shown not in {1, 2}
        if cell.ids:
            shown[cell.unit, cell.ids].add(cell.shown)
            tables[cell.unit, cell.ids].add(table)
    assert all(len(numbers) == 1 for numbers in shown.values())
    assert sum(len(each) > 1 for each in tables.values()) > 300, "the tables have hardly anybody in common"


# --- bounds by linear programming -----------------------------------------------------------------------------------


def small_cells(question: Question, cells: Cells, seed: int, most: int) -> list[At]:
    """Some of the finest published cells with one to four units."""
    found = [at for at in question.sums[0] if is_finest(at) and 1 <= cells[at].true <= 4]
    return random.Random(seed).sample(found, min(most, len(found)))


def rare_outcomes(question: Question, cells: Cells, *_: int) -> list[At]:
    """Every outcome of a measure, and of all, with one to four trials."""
    margins = [at for at in question.sums[0] if at[0] == "utfall" and at[1] != "closed" and is_margin(at)]
    return [at for at in margins if 1 <= cells[at].true <= 4]


def is_margin(at: At) -> bool:
    """Whether nothing that people declared parts it."""
    _, _, (_, *declared) = at
    return set(declared) == {"total"}


def but_for_closed(at: At, cell: Cell) -> Range:
    """An unprotected build that hides every count under five, totals too, but not how many were closed."""
    return (1, 4) if 1 <= cell.true <= 4 and at[1] != "closed" else (cell.true, cell.true)


def noised(_: At, cell: Cell) -> Range:
    """What is published."""
    return of_noised(cell.shown)


def widths(
    ask: Callable[[int], Question],
    most: int,
    *stages: str,
    seen: Callable[[At, Cell], Range] = noised,
    chosen: Callable[[Question, Cells, int, int], list[At]] = small_cells,
) -> Iterator[int]:
    """How far apart the bounds of each small cell are, from everything that is published of the same units."""
    for seed in SEEDS:
        question = ask(seed)
        versions = [everything(seed, stage, question.published) for stage in stages]

        def known(at: At, versions: list[Cells] = versions) -> Range:
            ranges = [seen(at, cells[at]) for cells in versions]
            return max(least for least, _ in ranges), min(most for _, most in ranges)

        system = System(question, {at: known(at) for at in question.sums[0]})
        for at in chosen(question, versions[0], seed, most):
            least, most_of_all = system.range_of(at)
            assert least <= versions[0][at].true <= most_of_all, "the attack misunderstands what is published"
            yield most_of_all - least


def test_all_tables_together_give_no_small_cell_away_and_bound_few_more_narrowly_than_three() -> None:
    found = [width for ask, most in QUESTIONS.items() for width in widths(ask, most, "final")]
    assert len(found) >= 200
    assert min(found) >= 2
    # A total that is shown as none holds five at most: three of its cells that are shown hold one to three each.
    assert sum(width < 3 for width in found) <= 0.02 * len(found)


def test_all_tables_together_give_the_small_cells_away_where_these_are_only_hidden() -> None:
    found = [width for ask in QUESTIONS for width in widths(ask, 6, "final", seen=of_hidden)]
    assert sum(width == 0 for width in found) >= LEAST_ON_UNPROTECTED * len(found)


def test_two_stages_of_people_of_whom_nobody_changed_give_no_small_cell_away() -> None:
    # The worst case: whoever attacks knows that all hundred changes were elsewhere.
    found = [width for ask in (starts, endings) for width in widths(ask, 25, "final", "preliminary")]
    assert len(found) >= 150
    assert min(found) >= 2
    assert sum(width < 3 for width in found) <= 0.05 * len(found)


def test_rare_outcomes_are_bounded_by_no_count_of_what_was_closed_nor_by_the_hires_of_another_table() -> None:
    for stages in (("final",), ("final", "preliminary")):
        found = list(widths(endings_beside_hires, 0, *stages, chosen=rare_outcomes))
        assert len(found) >= 75
        assert min(found) >= 3, "each can have been at least four numbers"


def test_rare_outcomes_are_the_rest_of_what_was_closed_where_they_are_only_hidden() -> None:
    found = list(widths(endings_beside_hires, 0, "final", seen=but_for_closed, chosen=rare_outcomes))
    assert sum(width == 0 for width in found) >= 0.9 * len(found)
    assert max(found) <= 1


# --- one slot moves between two tables ------------------------------------------------------------------------------


def started_elsewhere(slot: Slot) -> Slot | None:
    """As it had been before somebody started, in another measure than the employer had in mind."""
    if slot.start is None or slot.wished_measure == slot.measure:
        return None
    return replace(slot, measure=slot.wished_measure, trials=())


def protected_later(slot: Slot) -> Slot | None:
    """As it had been before the address of somebody on it was protected."""
    return slot if slot.region != UNKNOWN else None


MOVES: Mapping[str, tuple[Callable[[Slot], Slot | None], Callable[[Slot], Slot]]] = {
    "a start in another measure": (started_elsewhere, lambda slot: slot),
    "an address that is protected": (protected_later, lambda slot: replace(slot, region=UNKNOWN)),
}


def differing(schedule: Schedule, before: list[Slot], after: list[Slot], seed: int) -> set[tuple[str, ...]]:
    """The cells of `slots` that differ between two tables; what changed did so just before the later one was made."""
    tables = [each for each in schedule.timetables if each.table in {"trakt", "ventetid"}]
    cutoffs = [schedule.cutoff(PERIOD, each.preliminary) for each in tables]
    changed_at = max(cutoffs) - timedelta(days=1)
    versions: list[dict[tuple[str, ...], int]] = []
    for timetable, cutoff in zip(tables, cutoffs, strict=True):
        known = replace(facts(seed), slots=after if cutoff > changed_at else before)
        cells = released(known, timetable.table, PERIOD, Stage.PRELIMINARY, seed)
        versions.append({at: cell.shown or 0 for (_, content, at), cell in cells.items() if content == "slots"})
    one, other = versions
    return {at for at in one.keys() | other.keys() if one.get(at, 0) != other.get(at, 0)}


def apart(schedule: Schedule) -> Schedule:
    """The same, but for tables of the funnel that are published a month earlier."""
    return replace(
        schedule,
        timetables=tuple(
            replace(each, preliminary=each.preliminary - 1) if each.table.startswith("trakt") else each
            for each in schedule.timetables
        ),
    )


@pytest.mark.parametrize("move", MOVES)
def test_one_slot_that_moves_is_seen_between_tables_of_two_dates_and_ours_have_one(move: str) -> None:
    (was, is_now), ours = MOVES[move], schedule_of(ReleaseSettings())
    assert {"trakt", "ventetid"} <= TOGETHER[0]
    tried = found = 0
    for seed in SEEDS:
        slots = [each for each in facts(seed).slots if f"{each.registered_on:%YM%m}" == PERIOD]
        movable = [each for each in slots if was(each) is not None]
        for target in random.Random(seed).sample(movable, 5):
            earlier = was(target)
            assert earlier is not None
            before, after = ([one if each is target else each for each in slots] for one in (earlier, is_now(target)))
            assert differing(ours, before, after, seed) == set()
            tried += 1
            found += bool(differing(apart(ours), before, after, seed))
    assert found >= LEAST_ON_UNPROTECTED * tried


# --- the work force -------------------------------------------------------------------------------------------------

ROW = (
    "head_count",
    "immigrant_background",
    "country_group_1",
    "country_group_2",
    "reduced_functional_ability",
    "cv_gap",
)
LARGEST_TRIED = 9
Row = dict[str, int]


def rows(seed: int, number: int) -> Iterator[Row]:
    """Employers of 40, with few in each group; the country groups add up to those with immigrant background."""
    chance = random.Random(seed)
    for _ in range(number):
        one, other, reduced, gap = (chance.randint(0, LARGEST_TRIED) for _ in range(4))
        yield dict(zip(ROW, (40, one + other, one, other, reduced, gap), strict=True))


def read_back(row: Row, unseen: frozenset[str]) -> list[Row]:
    """All rows that would look the same, by somebody who knows the rule and that the groups add up."""
    names = sorted(unseen)
    found = []
    for numbers in product(range(2 * LARGEST_TRIED + 1), repeat=len(names)):
        other = {**row, **dict(zip(names, numbers, strict=True))}
        whole = other["country_group_1"] + other["country_group_2"] == other["immigrant_background"]
        if whole and hidden(other) == unseen:
            found.append(other)
    return found


def narrow(row: Row, unseen: frozenset[str]) -> list[bool]:
    """For each count under 5 whether the rows that look the same leave it fewer than four values."""
    alike = read_back(row, unseen)
    assert row in alike
    small = [name for name in ROW if row[name] < LEAST_SHOWN]
    return [max(each[name] for each in alike) - min(each[name] for each in alike) < 3 for name in small]


def test_what_public_bodies_publish_leaves_each_hidden_count_at_least_four_values() -> None:
    tried = 0
    for seed in SEEDS:
        for row in rows(seed, 40):
            unseen = hidden(row)
            if 0 < len(unseen) <= 3:
                assert not any(narrow(row, unseen)), row
                tried += 1
    assert tried >= 40


def test_hiding_only_the_small_count_gives_one_of_two_country_groups_away() -> None:
    tried = found = 0
    for seed in SEEDS:
        for row in rows(seed, 200):
            small = {name for name in ROW if row[name] < LEAST_SHOWN}
            if len(small) == 1 and small < {"country_group_1", "country_group_2"}:
                (name,) = small
                (other,) = {"country_group_1", "country_group_2"} - small
                found += row["immigrant_background"] - row[other] == row[name]
                tried += 1
    assert tried >= 20
    assert found >= LEAST_ON_UNPROTECTED * tried


def test_no_country_group_is_the_difference_of_two_counts_that_are_shown() -> None:
    for seed in SEEDS:
        for row in rows(seed, 200):
            unseen = hidden(row)
            assert len(unseen.intersection(("immigrant_background", "country_group_1", "country_group_2"))) != 1, row
