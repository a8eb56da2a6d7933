"""From counted units to the cells of one published period.

Invariant: every cell that can ever be asked for is computed here, once; a table crosses at most three classifications,
two where it tells of municipalities or of a stock, and whatever is counted carries noise. What somebody declared is
told of rows with enough people only: noise hides how many they are, but not that they all are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from itertools import product

from services.reporting.domain.counting import Coordinates, Counted
from services.reporting.domain.cube import CONTENTS, Content, Dimension, Missing, Number, Role
from services.reporting.domain.disclosure.cells import Place, finest, with_totals
from services.reporting.domain.disclosure.derived import Confidential, Figure, Open
from services.reporting.domain.disclosure.keys import Secrets
from services.reporting.domain.periods import Frequency

TIME = "Tid"
MOST_CLASSIFICATIONS = 3
MOST_OF_MUNICIPALITIES = 2
MOST_OF_STOCKS = 2
LEAST_ROW = 10
"""Published count of a row that is parted by what people declared."""
_MUNICIPALITY_DIGITS = 4


@dataclass(frozen=True)
class Axis:
    """A variable of a published table, made of a variable of the live one."""

    dimension: Dimension
    place: int
    """Where the live variable stands in the coordinates of a unit."""
    codes: Callable[[str], tuple[str, ...]]
    """The codes of the live variable that a finest code counts in; those that the dimension lacks are not published."""
    declared: bool = False
    """Whether it is about what people declared of themselves."""

    def above(self, code: str) -> tuple[str, ...]:
        """The published codes that a unit with this finest code counts in."""
        return tuple(each for each in self.codes(code) if each in self.dimension.codes)


@dataclass(frozen=True)
class Publication:
    """A table as it is published: its fixed cube. Raises ValueError for a cube that would tell too much."""

    id: str
    of: str
    """The live table that it is made of."""
    version: int
    axes: tuple[Axis, ...]
    contents: tuple[Content, ...]
    frequency: Frequency
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """The contents that are not counted, and how they are made."""
    stock: bool = False
    """Whether it counts what is there at an instant: the same people again and again."""
    codelists: Mapping[str, date] = field(default_factory=dict)
    """The dated code lists that it is counted by, and of when they are."""

    def __post_init__(self) -> None:
        for axis in self.axes:
            if axis.dimension.total is None:
                raise ValueError(f"{self.id}: {axis.dimension.id} has no total")
        if self.stock and self.frequency is not Frequency.QUARTER:
            raise ValueError(f"{self.id}: a stock is published by quarter")
        if self.stock and self.by_municipality:
            raise ValueError(f"{self.id}: a stock is published by county")
        if len(self.axes) > self.most:
            raise ValueError(f"{self.id}: it crosses at most {self.most} classifications")

    @property
    def by_municipality(self) -> bool:
        """Whether it tells of single municipalities."""
        return any(
            len(code) == _MUNICIPALITY_DIGITS
            for axis in self.axes
            if axis.dimension.role is Role.REGION
            for code in axis.dimension.codes
        )

    @property
    def most(self) -> int:
        """How many classifications it may cross, regions among them."""
        if self.by_municipality:
            return MOST_OF_MUNICIPALITIES
        return MOST_OF_STOCKS if self.stock else MOST_CLASSIFICATIONS

    def rows(self, at: Coordinates) -> Iterator[Coordinates]:
        """The cells that it is a part of by what people declared: all have to be large enough for it to be shown."""
        ways = (
            dict.fromkeys((code, str(axis.dimension.total))) if axis.declared else (code,)
            for axis, code in zip(self.axes, at, strict=True)
        )
        return (row for row in product(*ways) if row != at)

    def noise_period(self, period: str) -> str:
        """What the noise of a period is drawn by: a stock has the same all year, or it would average out."""
        return period[:4] if self.stock else period

    def counted(self, units: Iterable[Counted], period: str) -> list[Counted]:
        """The units that it counts in a period, each in its finest published cell."""
        contents = {each.code for each in self.contents} - set(self.figures)
        places = [axis.place for axis in self.axes]
        return [
            Counted(each.content, tuple(each.at[place] for place in places), each.unit, each.id)
            for each in units
            if each.content in contents and each.at[-1] == period
        ]

    def dimensions(self, period: str) -> tuple[Dimension, ...]:
        """Of one period: its classifications, the contents, and time."""
        return (
            *(axis.dimension for axis in self.axes),
            Dimension(
                id=CONTENTS, role=Role.CONTENTS, codes=tuple(each.code for each in self.contents), labels=self.of
            ),
            Dimension(TIME, Role.TIME, (period,), labels=self.frequency),
        )


@dataclass(frozen=True)
class Sealed:
    """The cells of one period, and what they were made of until that is destroyed."""

    values: tuple[Number | None, ...]
    """Dense and row-major over the publication's dimensions."""
    status: Mapping[int, Missing]
    keyed: Mapping[Place, tuple[str, int, int]]
    """Per finest cell the unit, `n` and `ks`: never shown."""


def sealed(publication: Publication, units: Iterable[Counted], period: str, stage: str, secrets: Secrets) -> Sealed:
    """All cells of one period at one stage."""
    fine = finest(publication.counted(units, period), secrets, [axis.above for axis in publication.axes])
    cells = with_totals(fine, [axis.above for axis in publication.axes])
    drawn_by = publication.noise_period(period)

    @cache
    def count(content: str, at: Coordinates) -> int:
        cell = cells.get((content, at))
        return 0 if cell is None else cell.published(secrets, drawn_by, stage)

    @cache
    def shown(content: str, at: Coordinates) -> int | None:
        if any(count(content, row) < LEAST_ROW for row in publication.rows(at)):
            return None
        return count(content, at)

    values: list[Number | None] = []
    status: dict[int, Missing] = {}
    for at in product(*(axis.dimension.codes for axis in publication.axes)):
        for content in publication.contents:
            value = _value(publication.figures.get(content.code), content.code, at, shown)
            if isinstance(value, Missing):
                status[len(values)] = value
            values.append(None if isinstance(value, Missing) else value)
    keyed = {place: (cell.unit, cell.n, cell.ks) for place, cell in fine.items()}
    return Sealed(tuple(values), status, keyed)


def _value(
    figure: Figure | None, content: str, at: Coordinates, shown: Callable[[str, Coordinates], int | None]
) -> int | Missing:
    counts = {code: shown(code, at) for code in ((content,) if figure is None else figure.contents)}
    known = {code: number for code, number in counts.items() if number is not None}
    if len(known) < len(counts):
        return Missing.CONFIDENTIAL
    if figure is None:
        return known[content]
    made = figure.of(known.__getitem__)
    match made:
        case Confidential():
            return Missing.CONFIDENTIAL
        case Open():
            return Missing.NOT_AVAILABLE
        case _:
            return made
