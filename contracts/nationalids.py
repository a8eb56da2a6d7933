"""National ids of persons, to validate them and to find them where they must not be.

Invariant: every form that a person writes is found: fødselsnummer, D-number and synthetic numbers, with spaces, hyphens
or dots in them, and also numbers of 2032 and later, whose first control digit has four valid values.
"""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from stdnum.no.fodselsnummer import calc_check_digit1, calc_check_digit2

_SYNTHETIC_MONTHS = (80, 65, 40)
_D_NUMBER_DAYS = 40
# Not across lines: a column of other numbers would be read as one.
_SEPARATOR = r"(?:[^\S\r\n]|[.\-\u00ad\u200b\u2010-\u2015\u2212]){0,3}"
# A look-ahead, so that a number beside other digits ("22 010190 12345") is found whatever stands before it.
_CANDIDATE = re.compile(rf"(?<!\d)(?=((?:\d{_SEPARATOR}){{10}}\d)(?!\d))")


class Kind(StrEnum):
    BIRTH_NUMBER = "birth_number"
    D_NUMBER = "d_number"


@dataclass(frozen=True, repr=False)
class NationalId:
    """A national id, eleven digits. It prints as its kind only: a repr ends up in logs."""

    number: str
    kind: Kind
    synthetic: bool
    first_control_digit_valid: bool
    """False for some numbers given from 2032 on."""

    def __repr__(self) -> str:
        return f"NationalId({self.kind}, synthetic={self.synthetic})"


@dataclass(frozen=True)
class Found:
    """Where in a text a national id stands: `text[start:end]`."""

    start: int
    end: int
    id: NationalId


def parse(text: str) -> NationalId | None:
    """The national id that a text is, and nothing beside it; None where it is none."""
    stripped = text.strip()
    for match in _CANDIDATE.finditer(stripped):
        return _national_id(_digits(match[1])) if match[1] == stripped else None
    return None


def find(text: str) -> tuple[Found, ...]:
    """All national ids in a free text, from left to right, none overlapping another one."""
    return tuple(_found(text))


def birth_date(found: NationalId) -> date | None:
    """The birth date in a number; None where the number does not say the century.

    Numbers given from 2032 on do not: the register's own field has to be asked. Such a number can look like an older
    one, so a date from here is a suggestion for a form, not a fact.
    """
    day, month, year = _day_month_year(found.number)
    century = _century(int(found.number[6:9]), year)
    if century is None or not found.first_control_digit_valid:
        return None
    try:
        return date(century + year, month, day)
    except ValueError:
        return None


def synthetic(born_on: date, serial: int = 0) -> str:
    """A valid synthetic number (month + 80) for tests and demonstrations; `serial` tells those of one day apart."""
    left = serial
    for individual in range(999, -1, -1):
        if _century(individual, born_on.year % 100) != born_on.year // 100 * 100:
            continue
        base = f"{born_on:%d}{born_on.month + 80}{born_on:%y}{individual:03d}"
        first = calc_check_digit1(base)
        second = calc_check_digit2(base + first)
        # A control digit of 10 does not exist: the register skips such a number.
        if len(first + second) == 2:
            if left == 0:
                return base + first + second
            left -= 1
    raise ValueError(f"no synthetic number {serial} for {born_on}")


def _found(text: str) -> Iterator[Found]:
    free_from = 0
    for match in _CANDIDATE.finditer(text):
        if match.start() < free_from:
            continue
        national_id = _national_id(_digits(match[1]))
        if national_id is not None:
            free_from = match.start() + len(match[1])
            yield Found(match.start(), free_from, national_id)


def _digits(text: str) -> str:
    # Digits of other scripts count: somebody with an Arabic keyboard writes the same number.
    return "".join(str(unicodedata.digit(sign)) for sign in text if sign.isdigit())


def _national_id(number: str) -> NationalId | None:
    day, month, year = _day_month_year(number)
    # 2000 + year: of the centuries in question the one in which 29 February of year 00 exists.
    if not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(2000 + year, month)[1]:
        return None
    if calc_check_digit2(number) != number[10]:
        return None
    return NationalId(
        number=number,
        kind=Kind.D_NUMBER if int(number[:2]) > _D_NUMBER_DAYS else Kind.BIRTH_NUMBER,
        synthetic=int(number[2:4]) > _SYNTHETIC_MONTHS[-1],
        first_control_digit_valid=calc_check_digit1(number) == number[9],
    )


def _day_month_year(number: str) -> tuple[int, int, int]:
    day, month, year = int(number[:2]), int(number[2:4]), int(number[4:6])
    added = next((offset for offset in _SYNTHETIC_MONTHS if month > offset), 0)
    return day - _D_NUMBER_DAYS if day > _D_NUMBER_DAYS else day, month - added, year


def _century(individual: int, year: int) -> int | None:
    """By the numbers given before 2032: the first of the ranges that holds."""
    if individual < 500:
        return 1900
    if individual < 750 and year >= 54:
        return 1800
    if year < 40:
        return 2000
    return 1900 if individual >= 900 else None
