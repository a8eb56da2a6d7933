"""Shares over years: a line per characteristic, each with a sign and a dash of its own.

Invariant: a share that is unknown is a gap and is named in words, never a zero; a line over years that nobody reported
is another kind of line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import ceil

from markupsafe import Markup

from services.reporting.charts.svg import across, down, element, frame, line, text

LEFT, RIGHT = 0.15, 0.94
"""Where the first and the last year stand."""
TOP, HEIGHT = 1.6, 11.0
"""Where the highest share stands, and how far below it zero, in lines of text."""
_MOST_YEARS_NAMED = 5
_STEPS = (1, 2, 5)
_SIGNS = (
    "M-5,0 a5,5 0 1,0 10,0 a5,5 0 1,0 -10,0 z",
    "M-4.5,-4.5 h9 v9 h-9 z",
    "M0,-6 l6,6 l-6,6 l-6,-6 z",
    "M0,-6 l6,10.5 h-12 z",
    "M-2,-6 h4 v4 h4 v4 h-4 v4 h-4 v-4 h-4 v-4 h4 z",
)
MOST_SERIES = len(_SIGNS)


@dataclass(frozen=True, slots=True)
class Series:
    """Per cent by year; a year that is left out or None is unknown."""

    points: Mapping[int, Decimal | None]
    name: str
    last: str
    """What stands under its name: the last share, or that there is none."""


def top_of(most: Decimal) -> tuple[int, int]:
    """The highest line of the scale and the step of its lines, both whole per cent: two to five steps."""
    step = next(
        size * 10**power for power in range(9) for size in _STEPS if size * 10**power * 5 >= max(most, Decimal(1))
    )
    return ceil(max(most, Decimal(1)) / step) * step, step


def lines(chart_id: str, title: str, description: str, series: Sequence[Series], scale: Mapping[int, str]) -> Markup:
    """The chart. `scale` has the words of each line of the scale, 0 among them, by its per cent (`top_of`).

    Raises ValueError for more series than there are signs, or a share that the scale does not hold.
    """
    known = [value for each in series for value in each.points.values() if value is not None]
    top = max(scale)
    if len(series) > MOST_SERIES or any(not 0 <= value <= top for value in known):
        raise ValueError("more than the chart has room for")
    years = sorted({year for each in series for year in each.points})
    bottom = TOP + HEIGHT
    parts = [*_scale(scale, top), *_years(years, bottom)]
    for number, each in enumerate(series):
        parts += _drawn(number, each, years, top)
    y = bottom + 2.6
    for number, each in enumerate(series):
        parts += [_sign(number, "0.7em", down(y - 0.33)), text(each.name, "1.7em", down(y), "label")]
        known_at_all = any(value is not None for value in each.points.values())
        parts.append(text(each.last, "1.7em", down(y + 1.25), "value" if known_at_all else "value missing"))
        y += 3.0
    return frame(chart_id, title, description, y - 1.2, parts)


def _scale(scale: Mapping[int, str], top: int) -> Iterator[Markup]:
    for value, words in scale.items():
        y = _y(Decimal(value), top)
        yield line("0", y, "100%", y, "grid" if value else "zero")
        yield text(words, "0", y, "scale", dy="-0.25em")


def _years(years: Sequence[int], bottom: float) -> Iterator[Markup]:
    # From the last one backwards, so that it is always named.
    every = max(1, -(-len(years) // _MOST_YEARS_NAMED))
    for year in years[::-1][::every]:
        yield text(str(year), _x(year, years), down(bottom + 1.2), "scale", text_anchor="middle")


def _drawn(number: int, series: Series, years: Sequence[int], top: int) -> Iterator[Markup]:
    places = [(year, series.points.get(year)) for year in years]
    for (year, value), (later, next_value) in pairwise(places):
        if value is not None and next_value is not None:
            # Between years that are not neighbours nothing is known: a faint line leads the eye and no more.
            class_ = f"line of{number}" if later == year + 1 else f"line of{number} apart"
            yield line(_x(year, years), _y(value, top), _x(later, years), _y(next_value, top), class_)
    for year, value in places:
        if value is not None:
            yield _sign(number, _x(year, years), _y(value, top))


def _sign(number: int, x: str, y: str) -> Markup:
    # In a picture of its own: a path cannot stand at a per cent of the width.
    path = element("path", d=_SIGNS[number], class_=f"sign of{number}")
    return element("svg", path, x=x, y=y, width="1", height="1", overflow="visible")


def _x(year: int, years: Sequence[int]) -> str:
    span = years[-1] - years[0]
    return across(LEFT + (RIGHT - LEFT) * ((year - years[0]) / span if span else 0.5))


def _y(value: Decimal, top: int) -> str:
    return down(TOP + HEIGHT * (1 - float(value) / top))
