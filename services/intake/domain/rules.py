"""Checks that several deciders share.

Invariant: a wrong field is refused with its JSON pointer and 422, before the state is asked; a code is judged by the
list in force on the day of the decision.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable
from datetime import UTC, date, datetime, time
from typing import Literal

from contracts.codelists import current_municipalities, municipalities, occupations
from contracts.days import OSLO, oslo_day
from contracts.intake import LanguageLevels
from contracts.orgnumbers import is_valid
from contracts.refused import Refused

Licence = Literal["AM", "A1", "A2", "A", "B", "BE", "C1", "C1E", "C", "CE", "D1", "D1E", "D", "DE", "S", "T"]
"""Driving licence classes of Norway."""

NO_LEVELS = LanguageLevels()
"""No requirement of a need; nothing mapped of a candidate."""

FULL_WEEK_HOURS = 37.5
LONGEST_WEEK_HOURS = 40.0


def wrong(code: str, *fields: str, **params: object) -> Refused:
    """A refusal of what the command says: 422."""
    return Refused(code, fields, status=422, **params)


def check_occupation(code: str, field: str) -> None:
    """STYRK-08, four digits."""
    if code not in occupations():
        raise wrong("occupation_unknown", field, given=code)


def check_municipality(code: str, field: str) -> None:
    """Of the division in force. An old number is refused with the number that took its place."""
    if code in municipalities():
        return
    if now := current_municipalities(code):
        current = ", ".join(f"{each} {municipalities()[each].name}" for each in now)
        raise wrong("municipality_changed", field, given=code, current=current)
    raise wrong("municipality_unknown", field, given=code)


def check_org_number(number: str, field: str, *, synthetic: bool) -> None:
    """Nine digits, mod 11, beginning with 8 or 9; with 2 or 3 too where synthetic numbers are allowed."""
    if not is_valid(number, synthetic_allowed=synthetic):
        raise wrong("org_number_invalid", field)


def check_hours(hours_per_week: float, field: str) -> None:
    """More than none, at most the week that the law allows."""
    if not 0 < hours_per_week <= LONGEST_WEEK_HOURS:
        raise wrong("hours_per_week_out_of_range", field, longest=LONGEST_WEEK_HOURS)


def check_not_in_future(day: date, field: str, at: datetime) -> None:
    """What is claimed as a fact has happened."""
    if day > oslo_day(at):
        raise wrong("date_in_future", field)


def check_unique(values: Iterable[Hashable], field: str) -> None:
    """A code named twice is a slip of the hand."""
    listed = list(values)
    if len(set(listed)) != len(listed):
        raise wrong("named_twice", field)


def check_listed(codes: Iterable[str], listed: Container[str], field: str, code: str) -> None:
    """Each is of the closed list, none twice; the wrong ones are named by their place."""
    given = list(codes)
    check_unique(given, field)
    if unknown := [index for index, each in enumerate(given) if each not in listed]:
        raise wrong(code, *(f"{field}/{index}" for index in unknown))


def happened(day: date, at: datetime) -> datetime | None:
    """`occurred` of a fact of that day: None on the day of the decision itself, else noon in Oslo."""
    return None if day == oslo_day(at) else datetime.combine(day, time(12), tzinfo=OSLO).astimezone(UTC)
