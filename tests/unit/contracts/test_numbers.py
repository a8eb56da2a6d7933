"""Organisation numbers and national ids: what is let in, and what is found in a text."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.no.fodselsnummer import calc_check_digit1, calc_check_digit2

from contracts.nationalids import Kind, birth_date, find, parse, synthetic
from contracts.orgnumbers import InvalidOrgNumber, is_valid, org_number

BIRTH = "15108695088"
"""The example of python-stdnum's documentation."""


@pytest.mark.parametrize("text", ["988077917", "988 077 917", " 988077917 ", "988\u00a0077\u00a0917"])
def test_spaces_in_an_organisation_number_are_removed(text: str) -> None:
    assert org_number(text) == "988077917"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not_digits"),
        ("98807791x", "not_digits"),
        ("98807791", "not_nine_digits"),
        ("9880779170", "not_nine_digits"),
        ("988077918", "control_digit"),
        ("123456785", "first_digit"),
        ("315486890", "first_digit"),
    ],
)
def test_a_wrong_organisation_number_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidOrgNumber) as caught:
        org_number(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize("number", ["315486890", "212345679", "311122339"])
def test_synthetic_numbers_are_let_in_only_where_that_is_configured(number: str) -> None:
    assert org_number(number, synthetic_allowed=True) == number
    assert not is_valid(number)
    assert is_valid(number, synthetic_allowed=True)


def test_where_the_control_digit_would_be_ten_no_digit_is_valid() -> None:
    weights = (3, 2, 7, 6, 5, 4, 3, 2)
    tens = [
        str(n)
        for n in range(80000000, 80000200)
        if sum(weight * int(digit) for weight, digit in zip(weights, str(n), strict=True)) % 11 == 1
    ]
    assert tens
    assert not any(is_valid(f"{base}{digit}") for base in tens for digit in range(10))


@given(st.integers(80000000, 99999999))
def test_at_most_one_control_digit_is_valid(base: int) -> None:
    assert sum(is_valid(f"{base}{digit}") for digit in range(10)) <= 1


@pytest.mark.parametrize(
    "text",
    [
        BIRTH,
        "151086 95088",
        "151086-95088",
        "15 10 86 95088",
        "15.10.86 950 88",
        "151086\u2013950\u00a088",
        f" {BIRTH}\n",
    ],
)
def test_a_birth_number_is_recognised_with_spaces_hyphens_and_dots(text: str) -> None:
    found = parse(text)
    assert found is not None
    assert (found.number, found.kind, found.synthetic) == (BIRTH, Kind.BIRTH_NUMBER, False)
    assert birth_date(found) == date(1986, 10, 15)


def with_day_part(day_month_year: str) -> str:
    """The first number of the 1900s that has this beginning and two control digits."""
    for individual in range(500):
        base = f"{day_month_year}{individual:03d}"
        first = calc_check_digit1(base)
        number = base + first + calc_check_digit2(base + first)
        if len(number) == 11:
            return number
    raise AssertionError("no number")


@pytest.mark.parametrize(
    ("day_month_year", "kind", "is_synthetic"),
    [
        ("150290", Kind.BIRTH_NUMBER, False),
        ("550290", Kind.D_NUMBER, False),
        ("154290", Kind.BIRTH_NUMBER, True),
        ("156790", Kind.BIRTH_NUMBER, True),
        ("158290", Kind.BIRTH_NUMBER, True),
        ("558290", Kind.D_NUMBER, True),
    ],
)
def test_d_numbers_and_synthetic_numbers_of_every_kind_are_recognised(
    day_month_year: str, kind: Kind, is_synthetic: bool
) -> None:
    found = parse(with_day_part(day_month_year))
    assert found is not None
    assert (found.kind, found.synthetic) == (kind, is_synthetic)
    assert birth_date(found) == date(1990, 2, 15)


@pytest.mark.parametrize("number", ["02013299997", "30108299920"])
def test_numbers_given_from_2032_with_an_old_first_control_digit_are_recognised(number: str) -> None:
    assert parse(number) is not None


def test_numbers_given_from_2032_with_a_new_first_control_digit_are_recognised_without_a_birth_date() -> None:
    # The example of the population register's documentation of the change.
    found = parse("30108299939")
    assert found is not None
    assert not found.first_control_digit_valid
    assert birth_date(found) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1510869508",
        "151086950888",
        "15108695089",
        "32108695088",
        "15138695088",
        "00000000000",
        "fifteen",
        f"x{BIRTH}",
    ],
)
def test_what_is_no_national_id_is_not_taken_for_one(text: str) -> None:
    assert parse(text) is None


def test_every_id_in_a_text_is_found_with_its_place() -> None:
    other = synthetic(date(1996, 4, 17))
    text = f"Ring Ola ({BIRTH[:6]} {BIRTH[6:]}) på 22 22 22 22, eller {other}, ikke 12345678901."
    assert [(text[found.start : found.end], found.id.number) for found in find(text)] == [
        (f"{BIRTH[:6]} {BIRTH[6:]}", BIRTH),
        (other, other),
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"tlf 22 {BIRTH}",
        f"{BIRTH} 22",
        f"nr. 4-{BIRTH}-7",
        f"fnr:{BIRTH}.",
        f"x{BIRTH}y",
        "".join(chr(0x660 + int(d)) for d in BIRTH),
    ],
)
def test_an_id_beside_other_signs_or_in_other_digits_is_found(text: str) -> None:
    assert [found.id.number for found in find(text)] == [BIRTH]


def test_a_longer_number_or_a_column_of_numbers_is_not_read_as_an_id() -> None:
    assert find(f"1{BIRTH}") == ()
    assert find(f"{BIRTH}1") == ()
    assert find(f"{BIRTH[:6]}\n{BIRTH[6:]}") == ()


def test_an_id_does_not_print_its_number() -> None:
    assert BIRTH not in repr(find(f"se {BIRTH}"))


@given(st.dates(date(1940, 1, 1), date(2030, 12, 31)), st.integers(0, 20))
def test_a_synthetic_number_reads_back_as_what_it_was_made_for(born_on: date, serial: int) -> None:
    found = parse(synthetic(born_on, serial))
    assert found is not None
    assert found.synthetic
    assert found.first_control_digit_valid
    assert birth_date(found) == born_on


def test_synthetic_numbers_of_one_day_differ_and_run_out() -> None:
    assert len({synthetic(date(1990, 2, 15), serial) for serial in range(100)}) == 100
    with pytest.raises(ValueError, match="no synthetic number"):
        synthetic(date(1990, 2, 15), 1000)
