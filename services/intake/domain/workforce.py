"""Workforce figures: what an employer counts once a year.

Invariant: no group is larger than what it is a part of; None is "unknown" and never zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from contracts.days import oslo_day
from contracts.event import Event
from contracts.intake import WorkforceReported
from services.intake.domain.rules import check_org_number, wrong

FIRST_YEAR = 1990
MOST_PEOPLE = 1_000_000


@dataclass(frozen=True)
class ReportWorkforce:
    org_number: str
    year: int
    head_count: int
    at: datetime
    immigrant_background: int | None = None
    country_group_1: int | None = None
    country_group_2: int | None = None
    reduced_functional_ability: int | None = None
    cv_gap: int | None = None
    synthetic: bool = False
    """Whether synthetic organisation numbers count."""


@dataclass(frozen=True)
class Workforce:
    """The figures that hold: those of the last report for the year."""

    current: WorkforceReported | None = None


def evolve(state: Workforce, event: Event) -> Workforce:
    """A later report restates the year."""
    return Workforce(event) if isinstance(event, WorkforceReported) else state


def decide(command: ReportWorkforce, state: Workforce) -> list[Event]:  # noqa: ARG001 - a report holds whatever was reported before
    """One report. Raises Refused."""
    check_org_number(command.org_number, "/org_number", synthetic=command.synthetic)
    today = oslo_day(command.at)
    if command.year > today.year:
        raise wrong("year_in_future", "/year")
    if command.year < FIRST_YEAR:
        raise wrong("year_too_early", "/year", first=FIRST_YEAR)
    if not 1 <= command.head_count <= MOST_PEOPLE:
        raise wrong("head_count_out_of_range", "/head_count", most=MOST_PEOPLE)
    _check_parts(command)
    return [
        WorkforceReported(
            org_number=command.org_number,
            year=command.year,
            reported_on=today,
            head_count=command.head_count,
            immigrant_background=command.immigrant_background,
            country_group_1=command.country_group_1,
            country_group_2=command.country_group_2,
            reduced_functional_ability=command.reduced_functional_ability,
            cv_gap=command.cv_gap,
        )
    ]


def _check_parts(command: ReportWorkforce) -> None:
    parts = {
        "/immigrant_background": command.immigrant_background,
        "/country_group_1": command.country_group_1,
        "/country_group_2": command.country_group_2,
        "/reduced_functional_ability": command.reduced_functional_ability,
        "/cv_gap": command.cv_gap,
    }
    if negative := [field for field, count in parts.items() if count is not None and count < 0]:
        raise wrong("count_negative", *negative)
    if larger := [field for field, count in parts.items() if count is not None and count > command.head_count]:
        raise wrong("count_above_head_count", *larger)
    groups = {field: parts[field] for field in ("/country_group_1", "/country_group_2") if parts[field] is not None}
    if not groups:
        return
    if command.immigrant_background is None:
        # Groups without their whole could not be shown as shares of it.
        raise wrong("total_needed_for_groups", "/immigrant_background")
    if sum(count for count in groups.values() if count is not None) > command.immigrant_background:
        raise wrong("groups_above_total", *groups)
