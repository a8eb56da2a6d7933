"""Somebody is known to be alone in a row of `mangfold`, and what they declared is asked for.

The noise hides how many there are, not that they are all the same: in a row of one a single code is not none, and a
total that is the same number as one of its rows holds nobody else. So no row of few is parted by what people declared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import pytest

from services.reporting.domain.background import CODES
from services.reporting.domain.disclosure import publishing
from services.reporting.domain.diversity import CHARACTERISTICS, joined
from services.reporting.domain.publications import PUBLICATIONS
from tests.unit.reporting.disclosure.released import PERIOD, SEEDS, Cell, Cells, facts, released

TABLE, COUNTRY, TOTAL = "mangfold", "0", "total"
PERIODS = (PERIOD, "2024M02", "2024M09")
Read = Callable[[Cell], int | None]
"""What of a cell is seen."""


@dataclass(frozen=True)
class Target:
    """Somebody who is alone in a row, and one characteristic of theirs."""

    cells: Cells
    content: str
    row: tuple[str, str]
    codes: tuple[str, ...]

    def cell(self, row: tuple[str, str], code: str) -> Cell:
        return self.cells[TABLE, self.content, (*row, code)]

    @property
    def truth(self) -> str:
        return next(code for code in self.codes if self.cell(self.row, code).ids)

    @property
    def usual(self) -> str:
        """What somebody guesses who sees the whole country only."""
        return max(self.codes, key=lambda code: self.cell((COUNTRY, TOTAL), code).true)

    def lines(self) -> Iterator[tuple[tuple[str, str], list[tuple[str, str]]]]:
        """The totals of the row, each with all the other rows in it."""
        rows = {at[:2] for (_, _, at), cell in self.cells.items() if cell.true and at[0] != COUNTRY and at[1] != TOTAL}
        region, measure = self.row
        others = sorted((each[0], each[1]) for each in rows if each != self.row)
        yield (region, TOTAL), [each for each in others if each[0] == region]
        yield (COUNTRY, measure), [each for each in others if each[1] == measure]


def targets() -> Iterator[Target]:
    for seed in SEEDS:
        for period in PERIODS:
            cells = released(facts(seed), TABLE, period, "final", seed)
            for (_, content, (region, measure, code)), cell in cells.items():
                if cell.true == 1 and code == TOTAL and region != COUNTRY and measure != TOTAL:
                    for each in CHARACTERISTICS:
                        codes = tuple(joined(each, one) for one in CODES[each])
                        yield Target(cells, content, (region, measure), codes)


def of_own_row(target: Target, read: Read) -> str | None:
    """The one code that is not none."""
    seen = [code for code in target.codes if read(target.cell(target.row, code))]
    return seen[0] if len(seen) == 1 else None


def guessed(target: Target, read: Read) -> str:
    """From the row itself, and from what differs between a total and the only other row that has any of a code."""
    own = of_own_row(target, read)
    inside = set() if own is None else {own}
    outside = set() if own is None else {*target.codes} - inside
    for total, others in target.lines():
        for code in target.codes:
            shown = read(target.cell(total, code))
            rest = [number for row in others if (number := read(target.cell(row, code)))]
            if shown and len(rest) <= 1:
                (outside if rest == [shown] else inside).add(code)
    found = inside - outside
    return found.pop() if len(found) == 1 else target.usual


def rates(read: Read) -> tuple[float, float]:
    """In how many the row itself tells; and how much more often the guess is right than the usual one."""
    counts = Counter[str]()
    for target in targets():
        counts["tried"] += 1
        counts["told"] += of_own_row(target, read) == target.truth
        counts["gained"] += (guessed(target, read) == target.truth) - (target.usual == target.truth)
    assert counts["tried"] >= 500
    return counts["told"] / counts["tried"], counts["gained"] / counts["tried"]


def test_who_is_alone_in_a_row_is_not_found_in_it_nor_in_what_differs_from_its_totals() -> None:
    told, gained = rates(lambda cell: cell.shown)
    assert told == 0
    assert gained <= 0.05


def test_who_is_alone_in_a_row_of_exact_counts_is_found() -> None:
    told, gained = rates(lambda cell: cell.true)
    assert told >= 0.95
    assert gained > 0.1


def test_who_is_alone_in_a_row_is_often_found_where_noise_is_the_only_protection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publishing, "LEAST_ROW", 0)
    told, gained = rates(lambda cell: cell.shown)
    assert told > 0.2
    assert gained > 0.05


@pytest.mark.parametrize("table", ["mangfold", "utfall", "utfall_alder"])
def test_what_people_declared_is_hidden_where_a_published_row_is_below_ten_and_nowhere_else(table: str) -> None:
    publication = PUBLICATIONS[table]
    declared = {"Bakgrunn", "Kjonn", "Alder", "Kjennetegn"}
    hidden = seen = 0
    for seed in SEEDS:
        cells = released(facts(seed), table, PERIOD, "final", seed)
        for (_, content, at), cell in cells.items():
            # Anybody can tell from the published table alone.
            ways = [
                {code, TOTAL} if axis.dimension.id in declared else {code}
                for axis, code in zip(publication.axes, at, strict=True)
            ]
            rows = [cells[table, content, row].shown for row in set(product(*ways)) - {at}]
            assert (cell.shown is None) == any(row is None or row < 10 for row in rows)
            hidden += cell.shown is None
            seen += bool(rows) and cell.shown is not None
    assert min(hidden, seen) > 100
