"""A table: codes and exact numbers, without a word of text.

Invariant: every cell is a code of a closed list, a whole number, an exact decimal or unknown (None); labels are put on
when it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from services.reporting.domain.definitions import Definition

Cell = str | int | Decimal | None


class Kind(StrEnum):
    """What stands in a column, and how it is shown."""

    CATEGORY = "category"
    """A code; its label stands in the catalogues under `code.<column>.<code>`."""
    TEXT = "text"
    YEAR = "year"
    COUNT = "count"
    PER_CENT = "per_cent"
    CHANGE = "change"
    """Per cent, shown with its sign."""
    DAYS = "days"


@dataclass(frozen=True, slots=True)
class Column:
    id: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Figure:
    """A number beside the table; its label stands in the catalogues under `figure.<table>.<id>`."""

    id: str
    kind: Kind
    value: Cell


@dataclass(frozen=True, slots=True)
class Note:
    """What a reader has to know; the sentence stands in the catalogues under `note.<key>`."""

    key: str
    params: Mapping[str, date | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in the order in which they are shown."""

    id: str
    definitions: tuple[Definition, ...]
    columns: tuple[Column, ...]
    rows: Sequence[Mapping[str, Cell]]
    figures: Sequence[Figure] = ()
    notes: tuple[Note, ...] = ()
    filters: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show: the page then says what to do."""
        cells = [*(cell for row in self.rows for cell in row.values()), *(figure.value for figure in self.figures)]
        return not any(cell for cell in cells if isinstance(cell, (int, Decimal)))


def counted_rows(category: str, count: str, numbers: Mapping[str, int]) -> list[Mapping[str, Cell]]:
    """A row per code, and the total, which is their sum."""
    rows: list[Mapping[str, Cell]] = [{category: code, count: number} for code, number in numbers.items()]
    return [*rows, {category: "total", count: sum(numbers.values())}]
