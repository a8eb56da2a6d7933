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

    @property
    def decimals(self) -> int:
        """How many are shown; a count has none."""
        return 0 if self.kind is Kind.COUNT else 1


@dataclass(frozen=True)
class Cube:
    """The cells of one table, or of a part of it."""

    id: str
    dimensions: tuple[Dimension, ...]
    values: Sequence[Number | None]
    contents: tuple[Content, ...]
    """One per code of `ContentsCode`, in its order."""
    version: int
    """Of the table's shape: which variables and codes there are, and what they mean."""
    status: Mapping[int, Missing] = field(default_factory=lambda: MappingProxyType({}))
    """Why there is no number, by the place of each cell whose value is None."""
    notes: tuple[Note, ...] = ()
    updated: datetime | None = None
    """When the last event that is counted was recorded (live) or the release was sealed. None: nothing was counted."""
    complete_to: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Per source the position up to which everything is counted."""

    def __post_init__(self) -> None:
        if len(self.values) != prod(self.size):
            raise ValueError(f"{self.id}: {len(self.values)} values do not fill {self.size}")
        if tuple(each.code for each in self.contents) != self.dimension(CONTENTS).codes:
            raise ValueError(f"{self.id}: its contents are not the codes of {CONTENTS}")
        missing = {place for place, value in enumerate(self.values) if value is None}
        if missing != set(self.status):
            raise ValueError(f"{self.id}: a cell has either a value or a status")

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
        kept: list[Dimension] = []
        places = [0]
        for each in self.dimensions:
            codes = tuple(chosen.get(each.id, each.codes))
            index = {code: at for at, code in enumerate(each.codes)}
            at = [index[code] for code in codes]
            places = [place * len(each.codes) + one for place in places for one in at]
            kept.append(narrowed(each, codes))
        return Cube(
            id=self.id,
            dimensions=tuple(kept),
            values=[self.values[place] for place in places],
            contents=tuple(one for code in self._contents(kept) for one in self.contents if one.code == code),
            version=self.version,
            status={new: self.status[old] for new, old in enumerate(places) if old in self.status},
            notes=self.notes,
            updated=self.updated,
            complete_to=self.complete_to,
        )

    @staticmethod
    def _contents(dimensions: Sequence[Dimension]) -> tuple[str, ...]:
        return next(each.codes for each in dimensions if each.id == CONTENTS)


def narrowed(dimension: Dimension, codes: Sequence[str]) -> Dimension:
    """The dimension with some of its codes: its total and its codelists only as far as they are still there."""
    left = set(codes)
    codelists = (Codelist(each.id, tuple(code for code in each.codes if code in left)) for each in dimension.codelists)
    return Dimension(
        id=dimension.id,
        role=dimension.role,
        codes=tuple(codes),
        total=dimension.total if dimension.total in left else None,
        codelists=tuple(each for each in codelists if each.codes),
        labels=dimension.labels,
    )
