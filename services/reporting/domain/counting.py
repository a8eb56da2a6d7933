"""From units to cells: each unit is counted in its finest cell and in every total above it, in one pass.

Invariant: a unit stands in exactly one finest cell per content, so any cut of the cube is a sum of finest cells, and
each total is counted, never added up from what is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

Coordinates = tuple[str, ...]
"""A code per dimension but `ContentsCode`, in the order of the table's dimensions."""
Parents = Callable[[str], tuple[str, ...]]
"""The codes of one dimension that a finest code counts in, itself included."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One unit in its finest cell."""

    content: str
    at: Coordinates
    unit: str
    """What is counted: `need`, `slot`, `match`, `trial`, `check_in` …"""
    id: str
    """Which one: never shown; the cell keys of releases are made of it."""


def aggregated(counted: Iterable[Counted], parents: Sequence[Parents]) -> Counter[tuple[str, Coordinates]]:
    """How many units each cell holds, by content and coordinates; a cell that is not there holds none."""
    finest = Counter((each.content, each.at) for each in counted)
    above = [cache(each) for each in parents]
    cells: Counter[tuple[str, Coordinates]] = Counter()
    for (content, at), number in finest.items():
        for one in product(*(up(code) for up, code in zip(above, at, strict=True))):
            cells[content, one] += number
    return cells
