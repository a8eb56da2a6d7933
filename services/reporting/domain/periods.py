"""Periods in Oslo days: `2025`, its quarters `2025K1` and months `2025M03`, and all time in one.

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

_PERIOD = re.compile(r"(?P<year>[12][0-9]{3})(?:M(?P<month>0[1-9]|1[0-2]))?")
ALL_TIME = "all"


class Frequency(StrEnum):
    """How long the periods of a table are."""

    MONTH = "M"
    QUARTER = "K"
    YEAR = "A"
    ALL = "all"

    def code(self, day: date) -> str:
        """The period in which a day lies."""
        match self:
            case Frequency.MONTH:
                return f"{day.year}M{day.month:02d}"
            case Frequency.QUARTER:
                return f"{day.year}K{(day.month + 2) // 3}"
            case Frequency.YEAR:
                return str(day.year)
            case Frequency.ALL:
                return ALL_TIME


def months(codes: Iterable[str]) -> tuple[str, ...]:
    """Every month from the first to the last of these, also those in which nothing was counted."""
    found = sorted(int(code[:4]) * 12 + int(code[5:]) - 1 for code in codes)
    return tuple(f"{month // 12}M{month % 12 + 1:02d}" for month in range(found[0], found[-1] + 1)) if found else ()


@dataclass(frozen=True, slots=True)
class Period:
    """A calendar year, or one of its months."""

    year: int
    month: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises Refused `bad_period` for anything but `YYYY` and `YYYYMmm`."""
        found = _PERIOD.fullmatch(text)
        if found is None:
            raise Refused("bad_period", ["/period"], status=422)
        month = found["month"]
        return cls(int(found["year"]), None if month is None else int(month))

    @property
    def frequency(self) -> Frequency:
        """Of the tables that have this period."""
        return Frequency.YEAR if self.month is None else Frequency.MONTH

    def __str__(self) -> str:
        return str(self.year) if self.month is None else f"{self.year}M{self.month:02d}"
