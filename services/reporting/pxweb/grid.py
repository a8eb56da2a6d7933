"""Rows and columns: the variables of the stub go down, those of the heading across.

Invariant: the cells stand in the cube in the order stub, then heading; so a row is a stretch of its values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from math import prod

from services.reporting.domain.cube import Cube, Dimension, Number
from services.reporting.pxweb.labels import Labels


class Words(StrEnum):
    """How codes are written, by the names that PxWebApi gives it."""

    CODES = "UseCodes"
    TEXTS = "UseTexts"
    BOTH = "UseCodesAndTexts"


Cell = Number | str
"""A number, or the symbol that says why there is none."""


@dataclass(frozen=True)
class Grid:
    """One cube as rows and columns of words and numbers."""

    cube: Cube
    labels: Labels
    words: Words
    stub: tuple[Dimension, ...]
    heading: tuple[Dimension, ...]

    @property
    def names(self) -> list[str]:
        """What the variables of the stub are called."""
        return [self.name(each) for each in self.stub]

    def name(self, dimension: Dimension) -> str:
        """What a variable is called."""
        return dimension.id if self.words is Words.CODES else self.labels.dimension(dimension)

    def written(self, dimension: Dimension) -> list[str]:
        """Its codes, as they are written."""
        texts = self.labels.codes(self.cube, dimension)
        match self.words:
            case Words.CODES:
                return list(texts)
            case Words.TEXTS:
                return list(texts.values())
            case Words.BOTH:
                return [code if code == text else f"{code} {text}" for code, text in texts.items()]

    def columns(self) -> list[tuple[str, ...]]:
        """Per column what it is of each variable of the heading; one empty one where there is no heading."""
        return list(product(*(self.written(each) for each in self.heading)))

    def rows(self) -> Iterator[tuple[tuple[str, ...], Sequence[Cell]]]:
        """Per row what it is of each variable of the stub, and its cells."""
        width = prod(len(each.codes) for each in self.heading)
        for number, stub in enumerate(product(*(self.written(each) for each in self.stub))):
            yield stub, [cell(self.cube, place) for place in range(number * width, (number + 1) * width)]


def cell(cube: Cube, place: int) -> Cell:
    """The number in a place, or its symbol."""
    value = cube.values[place]
    return cube.status[place].value if value is None else value
