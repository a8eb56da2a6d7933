"""SVG elements, and the frame that all charts have.

Invariant: what goes in is escaped; there is no script, no style attribute and no address, so the pages' policy holds.
Across, places are per cent of the width, and down they are `em` of the text: a chart is as wide as its page, from
320 px to paper, while its text keeps its size and grows with the reader's.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from html import escape

from markupsafe import Markup

Number = int | float | Fraction


def element(tag: str, /, *children: str, **attributes: str) -> Markup:
    """An element. Children that are not `Markup` are text. In names of attributes an underscore at the end is dropped
    (`class_`), the others are hyphens."""
    given = "".join(f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"' for name, value in attributes.items())
    inner = "".join(child if isinstance(child, Markup) else escape(child, quote=False) for child in children)
    return Markup(f"<{tag}{given}>{inner}</{tag}>" if children else f"<{tag}{given}/>")  # noqa: S704


def across(part: Number) -> str:
    """A place or a width, as a part of the width from 0 to 1."""
    return f"{_short(float(part) * 100)}%"


def down(lines: Number) -> str:
    """A place or a height in lines of text."""
    return f"{_short(float(lines))}em"


def _short(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def frame(chart_id: str, title: str, description: str, height: Number, parts: Iterable[Markup]) -> Markup:
    """The chart as one picture with a name and a description; what it shows stands in the table below it."""
    return element(
        "svg",
        element("title", title, id=f"{chart_id}-title"),
        element("desc", description, id=f"{chart_id}-desc"),
        _hatching(chart_id),
        *parts,
        class_="chart",
        role="img",
        aria_labelledby=f"{chart_id}-title",
        aria_describedby=f"{chart_id}-desc",
        width="100%",
        height=down(height),
    )


def _hatching(chart_id: str) -> Markup:
    # An id of its own: where a picture before it were hidden, its pattern would be gone for all that follow.
    stripe = element("path", d="M-1,1 l2,-2 M0,6 l6,-6 M5,7 l2,-2", class_="stripe")
    pattern = element(
        "pattern",
        element("rect", width="6", height="6", class_="ground"),
        stripe,
        id=f"{chart_id}-hatching",
        width="6",
        height="6",
        patternUnits="userSpaceOnUse",
    )
    return element("defs", pattern)


def text(words: str, x: str, y: str, class_: str = "words", **more: str) -> Markup:
    """Words at a place; `y` is their base line."""
    return element("text", words, x=x, y=y, class_=class_, **more)


def line(x1: str, y1: str, x2: str, y2: str, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)
