"""From units to cells: each unit is counted in its finest cell and in every total above it, in one pass.

Invariant: a unit stands in exactly one finest cell per content, so any cut of the cube is a sum of finest cells, and
each total is counted, never added up from what is shown. Cells that are counted on as units come and go are those that
all units together give. (A variable that lists several characteristics side by side
has one finest code for each of them; only the codes of one characteristic count in its total.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import product
from typing import TypeVar

from services.reporting.domain.cube import CONTENTS, Content, Cube, Described, Dimension, Missing, Number, Role
from services.reporting.domain.periods import Frequency
from services.reporting.domain.table import Note

Coordinates = tuple[str, ...]
"""A code per variable, in the order of the table's variables: `ContentsCode` is not among them, the period is last."""
Place = tuple[str, Coordinates]
"""A content, and where it is counted."""
Key = TypeVar("Key", bound=Hashable)
_NOTHING: Mapping[str, int] = {}
Spread = Mapping[int, int]
"""How many units took so many days, by the number of days."""
MOST_CLASSIFICATIONS = 3
"""A cell that crosses more of them than this, regions included, would show single persons."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One unit in its finest cell."""

    content: str
    at: Coordinates
    unit: str
    """What is counted: `need`, `slot`, `match`, `trial`, `check_in` …"""
    id: str
    """Which one: never shown; the cell keys of releases are made of it."""


@dataclass(frozen=True)
class Variable:
    """A dimension of a table, and the codes that each finest code counts in, itself included."""

    dimension: Dimension
    parents: Callable[[str], tuple[str, ...]]
    notes: tuple[Note, ...] = ()
    """What a reader of every table with this variable has to know."""


def listed(name: str, codes: Iterable[str], *, labels: str | None = None, total: str = "total") -> Variable:
    """A classification whose codes are all below one total, which stands first."""
    dimension = Dimension(id=name, role=Role.CLASSIFICATION, codes=(total, *codes), total=total, labels=labels)
    return Variable(dimension, lambda code: (code, total))


@dataclass(frozen=True, eq=False)
class Cells:
    """How many units each cell holds. Equal to themselves alone: to compare them all would take as long as counting."""

    numbers: Mapping[Coordinates, Mapping[str, int]]
    """By content, per cell in which something was counted."""
    spread: Mapping[Coordinates, Spread] = field(default_factory=dict)
    """Per cell the days behind a median."""
    periods: Collection[str] = ()
    """Those in which something was counted, in no order."""

    def number(self, content: str, at: Coordinates) -> int:
        """0 for a cell that nothing was counted in."""
        return self.numbers.get(at, _NOTHING).get(content, 0)

    def each(self) -> Iterator[tuple[Place, int]]:
        """All that hold something."""
        return (((content, at), number) for at, of_at in self.numbers.items() for content, number in of_at.items())

    def days(self, at: Coordinates) -> Spread:
        """Nothing for a cell in which no unit took any days."""
        return self.spread.get(at, {})


@dataclass(frozen=True)
class Together:
    """Several periods of the same cells as one: no unit is counted in two of them. Coordinates are without a period."""

    cells: Cells
    periods: Sequence[str]

    def number(self, content: str, at: Coordinates) -> int:
        """The sum of the periods."""
        return sum(self.cells.number(content, (*at, period)) for period in self.periods)

    def days(self, at: Coordinates) -> Spread:
        """Of all periods."""
        found: Counter[int] = Counter()
        for period in self.periods:
            found.update(self.cells.days((*at, period)))
        return found


Derived = Callable[[Cells | Together, Coordinates], Number | None]
"""A share or a median from the counts of its own cell; None where there is nothing to take it of."""


@dataclass(frozen=True)
class Spec:
    """A table of counts, apart from its figures."""

    id: str
    version: int
    variables: tuple[Variable, ...]
    """Without contents and time."""
    contents: tuple[Content, ...]
    derived: Mapping[str, Derived] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


class Sums:
    """The cells of a table while units come and go."""

    def __init__(self, variables: Sequence[Variable]) -> None:
        self._above = [cache(each.parents) for each in variables]
        self._numbers: dict[Coordinates, Mapping[str, int]] = {}
        self._spread: dict[Coordinates, Spread] = {}
        self._periods: dict[str, int] = {}

    def move(self, units: Mapping[Place, int]) -> None:
        """So many more units in each finest cell, or fewer. A content `days:<n>` is a number of days, for medians."""
        numbers: dict[Coordinates, dict[str, int]] = {}
        days: dict[Coordinates, dict[int, int]] = {}
        for (content, (*codes, period)), number in units.items():
            _add(self._periods, period, number)
            took = int(content.removeprefix(DAYS)) if content.startswith(DAYS) else None
            for above_it in product(*(up(code) for up, code in zip(self._above, codes, strict=True))):
                at = (*above_it, period)
                if took is None:
                    _add(numbers.setdefault(at, {}), content, number)
                else:
                    _add(days.setdefault(at, {}), took, number)
        _move(self._numbers, numbers)
        _move(self._spread, days)

    def cells(self) -> Cells:
        """As they are now; they do not change with what moves later."""
        return Cells(dict(self._numbers), dict(self._spread), tuple(self._periods))


def _move(cells: dict[Coordinates, Mapping[Key, int]], moved: Mapping[Coordinates, Mapping[Key, int]]) -> None:
    for at, of_at in moved.items():
        # Another object: cells that were given share what has not moved since.
        after = {**cells.pop(at, {})}
        for key, number in of_at.items():
            _add(after, key, number)
        if after:
            cells[at] = after


def _add(numbers: dict[Key, int], key: Key, number: int) -> None:
    after = numbers.get(key, 0) + number
    if after:
        numbers[key] = after
    else:
        numbers.pop(key, None)


def finest(counted: Iterable[Counted]) -> Counter[Place]:
    """How many units there are in each finest cell."""
    return Counter((each.content, each.at) for each in counted)


DAYS = "days:"


@dataclass(frozen=True, kw_only=True)
class Tally(Described):
    """A table whose cells are counted, and laid out only as far as somebody asks for them."""

    cells: Cells
    derived: Mapping[str, Derived]
    _derived: dict[tuple[str, Coordinates], Number | None] = field(default_factory=dict, repr=False, compare=False)
    """What has been derived already: the cells do not change."""

    def number(self, content: str, *at: str) -> Number | None:
        """One cell: counted or derived."""
        derive = self.derived.get(content)
        return self.cells.number(content, at) if derive is None else derive(self.cells, at)

    def _of(self, content: str, ways: Sequence[Coordinates]) -> list[Number | None]:
        """The cells of one content; none where the coordinates are empty."""
        derive = self.derived.get(content)
        if derive is None:
            numbers = self.cells.numbers
            return [numbers.get(at, _NOTHING).get(content, 0) if at else None for at in ways]
        found: list[Number | None] = []
        for at in ways:
            if (content, at) not in self._derived:
                self._derived[content, at] = derive(self.cells, at) if at else None
            found.append(self._derived[content, at])
        return found

    def select(self, chosen: Mapping[str, Sequence[str]]) -> Cube:
        """The cells with these codes, in the order given; a dimension left out keeps all its codes.

        Raises KeyError for a code that is not there.
        """
        dimensions, contents = self.narrowed(chosen)
        totals = [each.total for each in self.dimensions if each.role not in (Role.CONTENTS, Role.TIME)]
        # A table with few variables has no cell that crosses too many of them.
        bounded = len(totals) > MOST_CLASSIFICATIONS
        place = next(index for index, each in enumerate(dimensions) if each.id == CONTENTS)
        after = list(product(*(each.codes for each in dimensions[place + 1 :])))
        values: list[Number | None] = []
        for before in product(*(each.codes for each in dimensions[:place])):
            ways = [before + codes for codes in after]
            if bounded:
                ways = [at if _crossed(at, totals) <= MOST_CLASSIFICATIONS else () for at in ways]
            for content in contents:
                values += self._of(content.code, ways)
        status = {index: Missing.NOT_AVAILABLE for index, value in enumerate(values) if value is None}
        return Cube(
            id=self.id,
            dimensions=dimensions,
            contents=contents,
            version=self.version,
            notes=self.notes,
            updated=self.updated,
            complete_to=self.complete_to,
            values=values,
            status=status,
        )


def _crossed(at: Coordinates, totals: Sequence[str | None]) -> int:
    """How many classifications are not at their total."""
    return sum(code != total for code, total in zip(at, totals, strict=False))


def tally(
    spec: Spec,
    cells: Cells,
    periods: Callable[[Iterable[str]], tuple[str, ...]],
    *,
    frequency: Frequency = Frequency.MONTH,
    updated: datetime | None = None,
    complete_to: Mapping[str, int] | None = None,
) -> Tally:
    """A table of cells that have been counted. `periods` gives the codes of time from those in which something was."""
    dimensions = (
        *(each.dimension for each in spec.variables),
        Dimension(id=CONTENTS, role=Role.CONTENTS, codes=tuple(each.code for each in spec.contents), labels=spec.id),
        Dimension(id="Tid", role=Role.TIME, codes=periods(cells.periods), labels=frequency),
    )
    return Tally(
        id=spec.id,
        dimensions=dimensions,
        contents=spec.contents,
        version=spec.version,
        notes=(*spec.notes, *(note for each in spec.variables for note in each.notes)),
        updated=updated,
        complete_to=complete_to or {},
        cells=cells,
        derived=spec.derived,
    )
