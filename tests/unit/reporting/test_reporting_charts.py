"""Charts: bars as long as their numbers, unknown said and never drawn, nothing that the pages' policy forbids."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.pages import STATIC
from services.reporting.charts.bars import AROUND, PER_LETTER, Bar, Fill, Mark, Row, bars, longest_bar
from services.reporting.charts.lines import MOST_SERIES, Series, lines, top_of

SMALLEST = 288
"""CSS pixels that a chart has on the smallest screen."""
NUMBERS = st.lists(st.one_of(st.none(), st.integers(0, 10**9)), min_size=1, max_size=12)
SHARES = st.dictionaries(st.integers(1990, 2040), st.one_of(st.none(), st.decimals(0, 100, places=1)), max_size=20)
LABELS = st.text(st.characters(exclude_categories=["C"]), max_size=30)


def rows(numbers: list[int | None], label: str = "x") -> list[Row]:
    return [Row(label, [Bar(number, ".. finnes ikke" if number is None else str(number))]) for number in numbers]


def parsed(chart: str) -> ElementTree.Element:
    return ElementTree.fromstring(chart)


def widths(chart: str) -> list[float]:
    return [float(each.attrib["width"].removesuffix("%")) for each in parsed(chart).findall("rect")]


def words(chart: str, class_: str = "") -> list[str]:
    found = parsed(chart).iter("text")
    return [str(each.text or "") for each in found if not class_ or class_ in each.attrib["class"].split()]


@given(NUMBERS)
def test_bars_are_proportional_and_their_numbers_fit_behind_them(numbers: list[int | None]) -> None:
    chart = bars("c", "t", "d", rows(numbers))
    drawn = [number for number in numbers if number]
    found = widths(chart)
    assert len(found) == len(drawn)
    if drawn:
        for number, width in zip(drawn, found, strict=True):
            assert width == pytest.approx(100 * longest_bar(rows(numbers)) * number / max(drawn), abs=0.001)
        assert max(found) / 100 * SMALLEST + 9 * len(str(max(drawn))) <= SMALLEST
    assert "nan" not in chart.lower()
    assert "inf" not in chart.replace(".. finnes", "").lower()


@given(NUMBERS)
def test_what_is_not_known_is_said_and_nothing_is_drawn_for_it(numbers: list[int | None]) -> None:
    chart = bars("c", "t", "d", rows(numbers))
    assert words(chart, "value").count("0") == numbers.count(0)
    assert words(chart, "missing") == [".. finnes ikke"] * numbers.count(None)


def test_a_hidden_number_is_said_like_an_unknown_one_and_takes_no_room_from_the_bars() -> None:
    hidden = Row("Lier", [Bar(None, ": skjult av hensyn til personvern"), Bar(4, "4")])
    chart = bars("c", "t", "d", [hidden])
    assert words(chart, "missing") == [": skjult av hensyn til personvern"]
    assert widths(chart) == [pytest.approx(100 * (1 - AROUND - PER_LETTER), abs=0.001)]


def test_there_is_no_less_than_nothing() -> None:
    with pytest.raises(ValueError, match="shorter than nothing"):
        bars("c", "t", "d", rows([-1]))


@given(LABELS)
def test_labels_are_text_whatever_is_in_them(label: str) -> None:
    chart = bars("c", label, label, [Row(label, [Bar(1, label)])], Mark(0, label))
    assert words(chart) == [label] * 3
    assert {each.tag for each in parsed(chart).iter()} <= {
        *("svg", "title", "desc", "defs", "pattern", "rect", "path", "text", "line")
    }


def test_a_label_cannot_become_an_element_or_leave_its_attribute() -> None:
    chart = bars('"><script>', "<b>", "&", [Row("<script>alert(1)</script>", [Bar(1, "1")])])
    assert "<script" not in chart
    assert "<b>" not in chart
    assert "&lt;script&gt;alert(1)" in chart


@pytest.mark.parametrize(
    "chart",
    [
        bars("c", "t", "d", [Row("a", [Bar(2, "2"), Bar(1, "1", Fill.HATCHED)])], Mark(1, "28")),
        lines("c", "t", "d", [Series({2011: Decimal(7), 2017: Decimal(11)}, "a", "b")], {0: "0", 20: "20"}),
    ],
)
def test_a_chart_is_a_named_picture_without_style_script_or_address(chart: str) -> None:
    svg = parsed(chart)
    assert svg.attrib["role"] == "img"
    named = {each.attrib["id"]: each.tag for each in svg if "id" in each.attrib}
    assert named[svg.attrib["aria-labelledby"]] == "title"
    assert named[svg.attrib["aria-describedby"]] == "desc"
    for each in svg.iter():
        assert each.tag not in ("script", "style", "foreignObject", "a", "image", "use")
        assert not {name for name in each.attrib if name.startswith("on") or name in ("style", "href")}
    assert {each for each in chart.split('fill="')[1:] if not each.startswith("url(#c-hatching)")} == set()


def test_bars_of_one_row_differ_without_colour() -> None:
    chart = bars("c", "t", "d", [Row("a", [Bar(2, "x: 2"), Bar(1, "y: 1", Fill.HATCHED), Bar(1, "z: 1", Fill.OPEN)])])
    full, hatched, opened = parsed(chart).findall("rect")
    assert full.attrib["class"] == "bar full"
    assert hatched.attrib["fill"] == "url(#c-hatching)"
    assert opened.attrib["class"] == "bar open"


@given(st.decimals(0, 100_000, places=1))
def test_the_scale_holds_the_highest_share_in_few_whole_steps(most: Decimal) -> None:
    top, step = top_of(most)
    assert top >= most
    assert top % step == 0
    assert 1 <= top // step <= 5
    assert top - step < max(most, Decimal(1))


@given(st.lists(SHARES, min_size=1, max_size=MOST_SERIES))
def test_a_line_joins_only_years_that_are_known_and_says_where_years_lie_between(
    given_points: list[dict[int, Decimal | None]],
) -> None:
    known = [share for points in given_points for share in points.values() if share is not None]
    top, step = top_of(max(known, default=Decimal(0)))
    scale = {value: str(value) for value in range(0, top + 1, step)}
    chart = lines("c", "t", "d", [Series(points, "n", "l") for points in given_points], scale)
    svg = parsed(chart)
    years = sorted({year for points in given_points for year in points})
    for number, points in enumerate(given_points):
        drawn = [each for each in svg.iter("line") if f"of{number}" in each.attrib["class"].split()]
        pairs = [
            (one, other)
            for one, other in pairwise(years)
            if points.get(one) is not None and points.get(other) is not None
        ]
        assert len(drawn) == len(pairs)
        apart = [each for each in drawn if "apart" in each.attrib["class"].split()]
        assert len(apart) == sum(other > one + 1 for one, other in pairs)
        signs = [each for each in svg.iter("path") if each.attrib.get("class") == f"sign of{number}"]
        # One more beside its name.
        assert len(signs) == 1 + sum(share is not None for share in points.values())
    assert len([each for each in svg.iter("text") if str(each.text) in map(str, years)]) <= 5 + len(scale)
    assert "nan" not in chart.lower()


def test_a_share_that_the_scale_does_not_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="room"):
        lines("c", "t", "d", [Series({2020: Decimal(30)}, "a", "b")], {0: "0", 20: "20"})


def test_points_stand_as_high_as_their_shares() -> None:
    points: dict[int, Decimal | None] = {2011: Decimal(0), 2012: Decimal(10), 2013: Decimal(20)}
    chart = lines("c", "t", "d", [Series(points, "a", "b")], {0: "0", 20: "20"})
    nested = [each for each in parsed(chart).iter("svg") if "x" in each.attrib][:3]
    heights = [float(each.attrib["y"].removesuffix("em")) for each in nested]
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2])
    places = [float(each.attrib["x"].removesuffix("%")) for each in nested]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1])


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2, of `#rrggbb`."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_mark_of_a_chart_stands_out_from_the_page() -> None:
    sheet = (STATIC / "dugnad.css").read_text(encoding="utf-8")
    named = dict(re.findall(r"(--[a-z-]+): (#[0-9a-f]{6});", sheet))
    marks = dict(re.findall(r"\.chart \.((?:line|sign)\.of\d) {[^}]*(?:stroke|fill): (#[0-9a-f]{6});", sheet))
    assert len(marks) == 2 * MOST_SERIES
    marks |= {name: named[name] for name in ("--brand", "--brand-dark", "--wrong", "--field-line", "--quiet", "--ink")}
    paper = luminance(named["--paper"])
    assert {name for name, colour in marks.items() if (paper + 0.05) / (luminance(colour) + 0.05) < 3} == set()
