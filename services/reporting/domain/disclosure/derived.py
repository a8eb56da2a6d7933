"""Shares and medians of published tables.

Invariant: they are made of published counts only, so nobody learns more from them than from the counts; of few they are
not made at all. A reader can recompute every one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from services.reporting.domain.rounding import rounded

LEAST_DENOMINATOR = 20
"""Of a share."""
LEAST_TOTAL = 30
"""Of a median."""

Count = Callable[[str], int]
"""The published count of a content, in the cell at hand."""


@dataclass(frozen=True, slots=True)
class Confidential:
    """Too few to say."""


@dataclass(frozen=True, slots=True)
class Open:
    """The median lies in the class without an end."""


@dataclass(frozen=True, slots=True)
class Share:
    """The content `part` in per cent of the content `whole`."""

    part: str
    whole: str

    @property
    def contents(self) -> tuple[str, ...]:
        """What it is made of."""
        return (self.part, self.whole)

    def of(self, count: Count) -> int | Confidential:
        """Whole per cent, half up; at most 100, which noise could exceed."""
        whole = count(self.whole)
        if whole < LEAST_DENOMINATOR:
            return Confidential()
        return min(100, int(rounded(Fraction(100 * count(self.part), whole), 0)))


@dataclass(frozen=True, slots=True)
class DayClass:
    """A content that counts what took from `first` to `last` whole days; None: or longer."""

    content: str
    first: int
    last: int | None


@dataclass(frozen=True, slots=True)
class Median:
    """The median of grouped days: L + (n/2 - F) / f · w, with L half a day before the class of width w begins."""

    classes: Sequence[DayClass]
    """Side by side, the shortest first."""

    @property
    def contents(self) -> tuple[str, ...]:
        """What it is made of."""
        return tuple(each.content for each in self.classes)

    def of(self, count: Count) -> int | Confidential | Open:
        """Whole days, half up."""
        counts = [count(each.content) for each in self.classes]
        total = sum(counts)
        if total < LEAST_TOTAL:
            return Confidential()
        below = 0
        for each, number in zip(self.classes, counts, strict=True):
            if 2 * (below + number) >= total:
                if each.last is None:
                    return Open()
                into = (Fraction(total, 2) - below) / number * (each.last - each.first + 1)
                return int(rounded(Fraction(2 * each.first - 1, 2) + into, 0))
            below += number
        raise AssertionError("half of a total is reached in one of its classes")


Figure = Share | Median
