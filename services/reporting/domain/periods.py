"""Periods in Oslo days: `2025`, its quarters `2025K1` and months `2025M03`, and several in a row.

Invariant: a day lies in exactly one month, one quarter and one year, so months add up to the year. Days are compared as
dates: no instant at midnight can fall into two periods.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Self

from contracts.refused import Refused

_PERIOD = re.compile(r"(?P<year>[12][0-9]{3})(?:M(?P<month>0[1-9]|1[0-2])|K(?P<quarter>[1-4]))?")


class Frequency(StrEnum):
    """How long the periods of a table are."""

    MONTH = "M"
    QUARTER = "K"
    YEAR = "A"

    def code(self, day: date) -> str:
        """The period in which a day lies."""
        match self:
            case Frequency.MONTH:
                return f"{day.year}M{day.month:02d}"
            case Frequency.QUARTER:
                return f"{day.year}K{(day.month + 2) // 3}"
            case Frequency.YEAR:
                return str(day.year)


def month_number(code: str) -> int:
    """Of a month as tables write it (`2025M03`), counted from year 0."""
    return int(code[:4]) * 12 + int(code[5:]) - 1


def months(codes: Iterable[str]) -> tuple[str, ...]:
    """Every month from the first to the last of these, also those in which nothing was counted."""
    found = sorted(map(month_number, codes))
    return tuple(f"{month // 12}M{month % 12 + 1:02d}" for month in range(found[0], found[-1] + 1)) if found else ()


@dataclass(frozen=True, slots=True)
class Period:
    """A calendar year, or one of its months or quarters."""

    year: int
    month: int | None = None
    quarter: int | None = None

    @classmethod
    def parse(cls, text: str, field: str = "/period") -> Self:
        """Raises Refused `bad_period` for anything but `YYYY`, `YYYYKq` (or `YYYYQq`) and `YYYYMmm`."""
        # In small letters too, and with the Q of English quarters: there is nothing else that they could mean.
        found = _PERIOD.fullmatch(text.upper().replace("Q", "K"))
        if found is None:
            raise Refused("bad_period", [field], status=422)
        month, quarter = (None if found[part] is None else int(found[part]) for part in ("month", "quarter"))
        return cls(int(found["year"]), month, quarter)

    @property
    def months(self) -> tuple[int, int]:
        """The first and the last month of it, counted from year 0."""
        if self.month is not None:
            first, length = self.month - 1, 1
        elif self.quarter is not None:
            first, length = (self.quarter - 1) * 3, 3
        else:
            first, length = 0, 12
        return self.year * 12 + first, self.year * 12 + first + length - 1

    @property
    def frequency(self) -> Frequency:
        """Of the tables that have this period."""
        if self.month is not None:
            return Frequency.MONTH
        return Frequency.YEAR if self.quarter is None else Frequency.QUARTER

    def holds(self, month: str) -> bool:
        """Whether a month (`2025M03`) lies in it."""
        return self.months[0] <= month_number(month) <= self.months[1]

    def __str__(self) -> str:
        if self.month is not None:
            return f"{self.year}M{self.month:02d}"
        return str(self.year) if self.quarter is None else f"{self.year}K{self.quarter}"


@dataclass(frozen=True, slots=True)
class Span:
    """From the first day of a period to the last day of another; both may be the same. Open where there is None."""

    first: Period | None
    last: Period | None

    def __post_init__(self) -> None:
        if self.first is not None and self.last is not None and self.last.months[1] < self.first.months[0]:
            raise Refused("period_reversed", ["/to"], status=422)

    def holds(self, month: str) -> bool:
        """Whether a month (`2025M03`) lies in it."""
        number = month_number(month)
        begun = self.first is None or number >= self.first.months[0]
        return begun and (self.last is None or number <= self.last.months[1])

    def __str__(self) -> str:
        if self.first == self.last and self.first is not None:
            return str(self.first)
        return f"{self.first or ''}–{self.last or ''}"
