"""Cells with their keys: how many units, and the sum of their keys.

Invariant: a cell of a total is the sum of its finest cells, in `n` and in `ks`; so any cut can be made of the finest
cells, and the units themselves are not needed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

from services.reporting.domain.counting import Coordinates, Counted
from services.reporting.domain.disclosure.keys import KEY_SPACE, Secrets, draw, record_key
from services.reporting.domain.disclosure.noise import noised


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell before noise. Never shown."""

    unit: str
    """What is counted in it; empty where nothing is."""
    n: int
    ks: int
    """The sum of the keys of its units, mod 2^64."""

    def __add__(self, other: Cell) -> Cell:
        if self.unit != other.unit:
            raise ValueError(f"{self.unit} and {other.unit} are not counted together")
        return Cell(self.unit, self.n + other.n, (self.ks + other.ks) % KEY_SPACE)

    def published(self, secrets: Secrets, period: str, stage: str) -> int:
        """The count with its noise."""
        return noised(self.n, draw(secrets, self.unit, period, stage, self.ks))


Place = tuple[str, Coordinates]
"""A content, and a code per dimension but `ContentsCode`."""


Parents = Callable[[str], tuple[str, ...]]
"""The codes of one variable that a finest code counts in."""


def finest(counted: Iterable[Counted], secrets: Secrets, parents: Sequence[Parents]) -> dict[Place, Cell]:
    """The finest cells. Raises ValueError for a unit that would be counted twice in one cell.

    A unit may stand in several finest cells (of characteristics side by side) that have no total in common.
    """
    cells: dict[Place, Cell] = {}
    stands: dict[tuple[str, str, str], list[Coordinates]] = {}
    for each in counted:
        stands.setdefault((each.content, each.unit, each.id), []).append(each.at)
        one = Cell(each.unit, 1, record_key(secrets, each.unit, each.id))
        place = (each.content, each.at)
        cells[place] = cells[place] + one if place in cells else one
    for (content, unit, _), places in stands.items():
        if len(places) > 1:
            counted_in = [one for at in places for one in _above(parents, at)]
            if len(set(counted_in)) < len(counted_in):
                raise ValueError(f"a {unit} is counted twice in a cell of {content}")
    return cells


def with_totals(cells: Mapping[Place, Cell], parents: Sequence[Parents]) -> dict[Place, Cell]:
    """Every cell that is not empty: the finest ones, and the totals above them."""
    cached = [cache(each) for each in parents]
    summed: dict[Place, Cell] = {}
    for (content, at), cell in cells.items():
        for one in _above(cached, at):
            place = (content, one)
            summed[place] = summed[place] + cell if place in summed else cell
    return summed


def _above(parents: Sequence[Parents], at: Coordinates) -> Iterator[Coordinates]:
    return product(*(up(code) for up, code in zip(parents, at, strict=True)))
