"""Which codes an expression means."""

from __future__ import annotations

import pytest

from chassis.problems import Problem
from services.reporting.pxweb.expressions import matching, split

CODES = ("0", "03", "0301", "33", "3303", "3312", "99")
MONTHS = ("2025M10", "2025M11", "2025M12", "2026M01", "2026M02")


def region(*expressions: str) -> list[str]:
    return list(matching(expressions, CODES, "Region", time=False))


def month(*expressions: str) -> list[str]:
    return list(matching(expressions, MONTHS, "Tid", time=True))


@pytest.mark.parametrize(
    ("expression", "codes"),
    [
        ("*", list(CODES)),
        ("33*", ["33", "3303", "3312"]),
        ("*03", ["03", "3303"]),
        ("*03*", ["03", "0301", "3303"]),
        ("??", ["03", "33", "99"]),
        ("33??", ["3303", "3312"]),
        ("[range(03,33)]", ["03", "0301", "33"]),
        ("RANGE(03, 33)", ["03", "0301", "33"]),
        ("from(3303)", ["3303", "3312", "99"]),
        ("[to(03)]", ["0", "03"]),
        ("top(2)", ["0", "03"]),
        ("Top(2,1)", ["03", "0301"]),
        ("bottom(1)", ["99"]),
        ("bottom(2,1)", ["3303", "3312"]),
        ("[0301]", ["0301"]),
    ],
)
def test_an_expression_means_these_codes_in_their_order(expression: str, codes: list[str]) -> None:
    assert region(expression) == codes


@pytest.mark.parametrize(
    ("expression", "codes"),
    [
        ("top(2)", ["2026M01", "2026M02"]),
        ("top(1,1)", ["2026M01"]),
        ("bottom(2)", ["2025M10", "2025M11"]),
        ("2025m1?", ["2025M10", "2025M11", "2025M12"]),
        ("from(2026M01)", ["2026M01", "2026M02"]),
        ("top(99)", list(MONTHS)),
    ],
)
def test_the_top_of_time_is_the_latest_and_the_answer_ascends(expression: str, codes: list[str]) -> None:
    assert month(expression) == codes


def test_several_expressions_are_one_answer_in_the_order_of_the_variable_each_code_once() -> None:
    assert region("3312", "33*", "0") == ["0", "33", "3303", "3312"]


def test_an_exact_code_wins_over_an_expression_whatever_its_case() -> None:
    codes = ("top(1)", "A*", "Ab")
    assert matching(["A*"], codes, "V", time=False) == ("A*",)
    assert matching(["TOP(1)"], codes, "V", time=False) == ("top(1)",)
    assert matching(["aB"], codes, "V", time=False) == ("Ab",)


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("zz*", "wildcard_without_hit"),
        ("*a*b*c*", "wildcard_without_hit"),
        ("404", "unknown_value"),
        ("range(03)", "bad_expression"),
        ("range(33,03)", "bad_expression"),
        ("top(1,7)", "unknown_value"),
        ("bottom(2,99)", "unknown_value"),
        ("range(03,404)", "unknown_value"),
        ("from()", "bad_expression"),
        ("top(0)", "bad_expression"),
        ("top(x)", "bad_expression"),
        ("top(1,2,3)", "bad_expression"),
        ("sum(03,33)", "unknown_value"),
    ],
)
def test_what_means_nothing_is_refused(expression: str, code: str) -> None:
    with pytest.raises(Problem) as refusal:
        region(expression)
    assert (refusal.value.status, refusal.value.code) == (400, code)


def test_a_list_is_split_at_commas_that_stand_outside_of_brackets() -> None:
    assert split("a, [range(b,c)] ,top(1,2),,d") == ["a", "[range(b,c)]", "top(1,2)", "d"]


def test_a_hundred_stars_are_answered_at_once() -> None:
    long = "0" * 5_000
    assert matching(["*" * 100 + "0"], (long,), "V", time=False) == (long,)


def test_more_expressions_than_are_evaluated_are_refused_and_codes_are_not_counted() -> None:
    codes = [f"{number:04d}" for number in range(2_000)]
    assert len(matching(codes, codes, "V", time=False)) == 2_000
    assert len(matching(["00*"] * 500, codes, "V", time=False)) == 100
    with pytest.raises(Problem) as refusal:
        matching([f"{code}*" for code in codes], codes, "V", time=False)
    assert refusal.value.code == "too_many_expressions"
