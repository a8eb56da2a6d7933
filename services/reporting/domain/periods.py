"""Periods of a table: `2025`, or the month `2025M03`, in Oslo days.

Invariant: a day lies in exactly one month and in exactly one year, so months add up to the year. Both ends are dates,
compared as dates: no instant at midnight can fall into two periods.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Self

from contracts.refused import Refused

_PERIOD = re.compile(r"(?P<year>[12][0-9]{3})(?:M(?P<month>0[1-9]|1[0-2]))?")


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

    def __contains__(self, day: date) -> bool:
        return day.year == self.year and self.month in (None, day.month)

    def __str__(self) -> str:
        return str(self.year) if self.month is None else f"{self.year}M{self.month:02d}"
