"""Check-ins of running trials: what is missed, and how long it stays missing."""

from __future__ import annotations

from datetime import date
from typing import Any

from contracts import followup as fo
from contracts.event import Event
from services.reporting.domain.filters import Filter
from services.reporting.domain.trials import follow_up
from tests.overviews import oppfolging
from tests.unit.reporting.test_reporting_traps import TRIAL, closed, registered, slots, started


def held(day: date, check_in_id: str = "K1") -> fo.CheckInHeld:
    return fo.CheckInHeld(**TRIAL, check_in_id=check_in_id, held_on=day, progress="as_planned")


def missed(day: date) -> fo.CheckInMissed:
    return fo.CheckInMissed(**TRIAL, due_on=day, playbook_version="1")


def followed(*events: Event) -> dict[str, Any]:
    told = slots(registered(date(2025, 1, 2)), started(date(2025, 1, 13)), *events)
    return {str(row["follow_up"]): row["number"] for row in oppfolging(told, Filter()).rows if row["number"]}


def test_a_missed_check_in_is_overdue_until_one_is_held_on_that_day_or_later_or_the_trial_ends() -> None:
    assert followed(missed(date(2025, 2, 3))) == {"missed": 1, "overdue": 1}
    assert followed(held(date(2025, 2, 2)), missed(date(2025, 2, 3))) == {"held": 1, "missed": 1, "overdue": 1}
    assert followed(missed(date(2025, 2, 3)), held(date(2025, 2, 3))) == {"held": 1, "missed": 1}
    assert followed(missed(date(2025, 2, 3)), closed(date(2025, 2, 20))) == {"missed": 1}


def test_a_check_in_that_is_said_to_be_missed_twice_is_missed_once() -> None:
    assert followed(missed(date(2025, 2, 3)), missed(date(2025, 2, 3))) == {"missed": 1, "overdue": 1}


def test_a_check_in_that_is_heard_of_late_does_not_make_the_others_new_records() -> None:
    def counted(*days: int) -> set[tuple[str, str]]:
        events = (held(date(2025, 2, day), f"K{number}") for number, day in enumerate(days))
        told = slots(registered(date(2025, 1, 2)), started(date(2025, 1, 13)), *events)
        return {(each.unit, each.id) for each in follow_up(told)}

    # Two of one day are two.
    assert len(counted(3, 10, 10)) == 3
    assert counted(3, 10, 10) < counted(2, 3, 10, 10)
