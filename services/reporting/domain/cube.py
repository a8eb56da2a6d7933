"""A cube: every cell of a table with explicit totals, in codes and exact numbers, without a word of text.

Invariant: the values are dense and row-major over the dimensions, the last one running fastest; a cell without a value
says why, a cell with one never does. Nothing outside this cube has to be added up: totals are codes like others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from math import prod
from types import MappingProxyType

from services.reporting.domain.definitions import Definition
from services.reporting.domain.table import Kind, Note

Number = int | Decimal
CONTENTS = "ContentsCode"
"""The id of the dimension of contents, in every cube."""


class Role(StrEnum):
    """What a dimension is to clients. The values are those of JSON-stat but for `contents`, its `metric`."""

    TIME = "time"
    REGION = "region"
    CONTENTS = "contents"
    CLASSIFICATION = "classification"


class Missing(StrEnum):
    """Why there is no number, by the symbol that is shown."""

    CONFIDENTIAL = ":"
    NOT_AVAILABLE = ".."


@dataclass(frozen=True, slots=True)
class Codelist:
    """A named choice of a dimension's own codes. It never makes a sum: all its cells are cells of the cube."""

    id: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dimension:
    """A variable. Codes are ASCII and stand in the order in which they are shown; labels are put on later."""

    id: str
    role: Role
    codes: tuple[str, ...]
    total: str | None = None
    """The code that holds all others together, in `codes`; None: the variable has to be chosen from."""
    codelists: tuple[Codelist, ...] = ()
    labels: str | None = None
    """Where the labels of its codes stand; None: under the dimension's own id."""

    def __post_init__(self) -> None:
        known = set(self.codes)
        if len(known) != len(self.codes):
            raise ValueError(f"{self.id}: a code stands twice")
        if not all(code.isascii() and code for code in self.codes):
            raise ValueError(f"{self.id}: codes are ASCII and not empty")
        if self.total is not None and self.total not in known:
            raise ValueError(f"{self.id}: the total {self.total} is not one of its codes")
        for codelist in self.codelists:
            if not known.issuperset(codelist.codes):
                raise ValueError(f"{self.id}: {codelist.id} has codes that the dimension has not")

    @property
    def eliminated(self) -> bool:
        """Whether a query may leave it out."""
        return self.total is not None


@dataclass(frozen=True, slots=True)
class Content:
    """What one code of `ContentsCode` counts or measures, and by which definitions."""

    code: str
    kind: Kind
    definitions: tuple[Definition, ...]
    whole: bool = False
    """Whether it is given in whole per cent or days: released figures are."""

    @property
    def decimals(self) -> int:
        """How many are shown; a count has none."""
        return 0 if self.whole or self.kind is Kind.COUNT else 1


@dataclass(frozen=True, kw_only=True)
class Described:
    """What a table is, whatever its cells hold."""

    id: str
    dimensions: tuple[Dimension, ...]
    contents: tuple[Content, ...]
    """One per code of `ContentsCode`, in its order."""
    version: int
    """Of the table's shape: which variables and codes there are, and what they mean."""
    notes: tuple[Note, ...] = ()
    updated: datetime | None = None
    """When it was read (live) or the release was sealed."""
    complete_to: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Per source the position up to which everything is counted."""

    def __post_init__(self) -> None:
        if tuple(each.code for each in self.contents) != self.dimension(CONTENTS).codes:
            raise ValueError(f"{self.id}: its contents are not the codes of {CONTENTS}")

    @property
    def size(self) -> tuple[int, ...]:
        """How many codes each dimension has."""
        return tuple(len(each.codes) for each in self.dimensions)

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """Of all contents, each once."""
        return tuple(dict.fromkeys(definition for each in self.contents for definition in each.definitions))

    def dimension(self, name: str) -> Dimension:
        """By its id. Raises KeyError."""
        for each in self.dimensions:
            if each.id == name:
                return each
        raise KeyError(name)

    @property
    def time(self) -> Dimension:
        """The dimension of periods. Raises ValueError where there is none."""
        for each in self.dimensions:
            if each.role is Role.TIME:
                return each
        raise ValueError(f"{self.id} has no periods")

    def narrowed(self, chosen: Mapping[str, Sequence[str]]) -> tuple[tuple[Dimension, ...], tuple[Content, ...]]:
        """Dimensions and contents of the part with these codes; a dimension left out keeps all its codes.

        Raises KeyError for a code that is not there.
        """
        dimensions = tuple(narrowed(each, chosen.get(each.id, each.codes)) for each in self.dimensions)
        contents = {each.code: each for each in self.contents}
        codes = next(each.codes for each in dimensions if each.id == CONTENTS)
        return dimensions, tuple(contents[code] for code in codes)


@dataclass(frozen=True, kw_only=True)
class Cube(Described):
    """The cells of one table, or of a part of it."""

    values: Sequence[Number | None]
    status: Mapping[int, Missing] = field(default_factory=lambda: MappingProxyType({}))
    """Why there is no number, by the place of each cell whose value is None."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.values) != prod(self.size):
            raise ValueError(f"{self.id}: {len(self.values)} values do not fill {self.size}")
        missing = {place for place, value in enumerate(self.values) if value is None}
        if missing != set(self.status):
            raise ValueError(f"{self.id}: a cell has either a value or a status")

    def place(self, codes: Mapping[str, str]) -> int:
        """Where the cell of these codes stands; a dimension left out is at its total. Raises KeyError."""
        place = 0
        for each in self.dimensions:
            code = codes.get(each.id, each.total)
            if code not in each.codes:
                raise KeyError(f"{each.id}={code}")
            place = place * len(each.codes) + each.codes.index(code)
        return place

    def value(self, **codes: str) -> Number | None:
        """The number in one cell, `value(Tid="2025M01", ContentsCode="slots")`. Raises KeyError."""
        return self.values[self.place(codes)]

    def select(self, chosen: Mapping[str, Sequence[str]]) -> Cube:
        """The part with these codes, in the order given; a dimension left out keeps all its codes.

        Raises KeyError for a code that is not there.
        """
        dimensions, contents = self.narrowed(chosen)
        places = [0]
        for each, kept in zip(self.dimensions, dimensions, strict=True):
            index = {code: at for at, code in enumerate(each.codes)}
            at = [index[code] for code in kept.codes]
            places = [place * len(each.codes) + one for place in places for one in at]
        return Cube(
            id=self.id,
            dimensions=dimensions,
            contents=contents,
            version=self.version,
            notes=self.notes,
            updated=self.updated,
            complete_to=self.complete_to,
            values=[self.values[place] for place in places],
            status={new: self.status[old] for new, old in enumerate(places) if old in self.status},
        )


def narrowed(dimension: Dimension, codes: Sequence[str]) -> Dimension:
    """The dimension with some of its codes: its total and its codelists only as far as they are still there.

    Raises KeyError for a code that it has not.
    """
    left = set(codes)
    if missing := sorted(left.difference(dimension.codes)):
        raise KeyError(f"{dimension.id}={missing[0]}")
    codelists = (Codelist(each.id, tuple(code for code in each.codes if code in left)) for each in dimension.codelists)
    return Dimension(
        id=dimension.id,
        role=dimension.role,
        codes=tuple(codes),
        total=dimension.total if dimension.total in left else None,
        codelists=tuple(each for each in codelists if each.codes),
        labels=dimension.labels,
    )
