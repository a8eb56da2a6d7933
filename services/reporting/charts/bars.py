"""Bars that lie: a row per category, its label above, its number at the end of the bar.

Invariant: bars are proportional to their numbers from a common zero; what is hidden or unknown has no bar but says so
in words, and is never drawn as nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from markupsafe import Markup

from services.reporting.charts.svg import across, down, element, frame, line, text

PER_LETTER, AROUND = 0.034, 0.05
"""What a letter, and the air around the words, take of the least width that a chart can have (288 px)."""
_LABEL, _BAR, _BETWEEN, _AFTER = 1.45, 1.15, 0.25, 0.7
_MARK = 1.9
"""Heights in lines: of a label, of a bar, between the bars of a row, after a row, of a mark between rows."""
_AIR = "0.5em"


class Fill(StrEnum):
    """How a bar looks; each differs from the others without colour, too."""

    FULL = "full"
    HATCHED = "hatched"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Bar:
    """`value` None: hidden or unknown, and `words` say which."""

    value: int | Decimal | None
    words: str
    fill: Fill = Fill.FULL


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Mark:
    """A line between rows: what it stands after, and what it is."""

    after: int
    """How many rows stand above it."""
    words: str


def bars(chart_id: str, title: str, description: str, rows: Sequence[Row], mark: Mark | None = None) -> Markup:
    """The chart. Raises ValueError for a number below 0, of which there can be none."""
    numbers = [bar.value for row in rows for bar in row.bars if bar.value is not None]
    if any(number < 0 for number in numbers):
        raise ValueError("a bar cannot be shorter than nothing")
    most = max((Decimal(number) for number in numbers), default=Decimal(0))
    longest = longest_bar(rows)
    parts: list[Markup] = []
    y = 0.0
    for index, row in enumerate(rows):
        if mark is not None and mark.after == index:
            parts += _mark(mark.words, y)
            y += _MARK
        parts.append(text(row.label, "0", down(y + 0.95), "label"))
        y += _LABEL
        top = y
        for bar in row.bars:
            parts += _bar(chart_id, bar, y, _part(bar.value, most) * longest)
            y += _BAR + _BETWEEN
        parts.append(line("0", down(top - _BETWEEN / 2), "0", down(y - _BETWEEN / 2), "zero"))
        y += _AFTER
    return frame(chart_id, title, description, y, parts)


def longest_bar(rows: Sequence[Row]) -> float:
    """The part of the width that the longest bar takes: the rest is for the words at its end, on a small screen."""
    letters = max((len(bar.words) for row in rows for bar in row.bars if bar.value is not None), default=0)
    return max(0.25, 1 - AROUND - PER_LETTER * letters)


def _part(value: int | Decimal | None, most: Decimal) -> float:
    return float(Decimal(value) / most) if value and most else 0.0


def _bar(chart_id: str, bar: Bar, y: float, part: float) -> Iterator[Markup]:
    if part:
        fill = {"fill": f"url(#{chart_id}-hatching)"} if bar.fill is Fill.HATCHED else {}
        yield element(
            "rect", x="0", y=down(y), width=across(part), height=down(_BAR), class_=f"bar {bar.fill.value}", **fill
        )
    words = "value" if bar.value is not None else "value missing"
    yield text(bar.words, across(part), down(y + 0.92), words, dx=_AIR)


def _mark(words: str, y: float) -> list[Markup]:
    return [
        line("0", down(y + 0.2), "100%", down(y + 0.2), "mark"),
        text(words, "100%", down(y + 1.4), "marked", text_anchor="end"),
    ]
