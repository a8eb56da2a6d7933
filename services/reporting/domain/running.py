"""Cells that are counted on while facts change.

Invariant: they are the cells that counting all groups from the start would give; of what has not changed since, nothing
is counted again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from services.reporting.domain.counting import Cells, Counted, Place, Sums, Variable, finest

Group = TypeVar("Group")


class Running(Generic[Group]):
    """The cells of one table. Facts come in groups of which each is counted by itself, whatever the others hold."""

    def __init__(self, variables: Sequence[Variable], count: Callable[[Group], Iterable[Counted]]) -> None:
        self._sums = Sums(variables)
        self._count = count
        self._counted: Mapping[str, Group] = {}
        self._cells = self._sums.cells()

    def cells(self, groups: Mapping[str, Group]) -> Cells:
        """The cells of these groups, which must not change afterwards. Where `count` raises, nothing has moved."""
        if groups is self._counted:
            return self._cells
        moved: Counter[Place] = Counter()
        for key, group in groups.items():
            before = self._counted.get(key)
            if before is not group and before != group:
                if before is not None:
                    moved.subtract(finest(self._count(before)))
                moved.update(finest(self._count(group)))
        for key in self._counted.keys() - groups.keys():
            moved.subtract(finest(self._count(self._counted[key])))
        if changes := {place: number for place, number in moved.items() if number}:
            self._sums.move(changes)
            self._cells = self._sums.cells()
        self._counted = groups
        return self._cells
