"""Other hours, agreed while the trial runs, change what the subsidy amounts to from their day on."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from contracts.vocabulary import Party
from services.followup.domain.commands import Command, Draft
from services.followup.domain.subsidies import plan_of
from services.followup.showing import hours_on
from tests.unit.followup.followup_facts import STARTED, after, drafting, noon, opened
from tests.unit.followup.test_followup_changes import WAGE, changing
from tests.unit.followup.test_followup_extensions import SUBSIDY
from tests.unit.followup.test_followup_running import answering, proposing
from tests.unit.followup.test_followup_views import case_of


def told(*more: Command) -> list[tuple[date, date, int | None]]:
    """First day, last day and whole NOK of each period of a trial with 40 % of a whole position of 37.5 hours."""
    draft = SUBSIDY[1]
    assert isinstance(draft, Draft)
    person = after([SUBSIDY[0], replace(draft, wage=WAGE, hours_per_week=37.5), *SUBSIDY[2:]], *more).state
    periods = plan_of(person, person.cases["M1"].agreements["A1"]).periods
    return [(each.from_on, each.to_on, each.amount_nok) for each in periods]


def agreed(effective_on: date, hours: float, change_id: str) -> list[Command]:
    asked = proposing(effective_on=effective_on, hours_per_week=hours, change_id=change_id, at=noon(date(2026, 1, 12)))
    return [asked, answering(Party.PARTICIPANT, change_id=change_id, at=noon(date(2026, 1, 13)))]


def test_fewer_hours_from_the_middle_of_a_month_are_paid_as_much_less_from_that_day_on() -> None:
    # 23,462.6112 a month; 30 of 37.5 hours are 80 % of it; part months are days of 30.4375.
    assert told(*agreed(date(2026, 2, 16), 30.0, "X1")) == [
        (date(2025, 12, 1), date(2025, 12, 31), 23_463),
        (date(2026, 1, 1), date(2026, 1, 31), 23_463),
        (date(2026, 2, 1), date(2026, 2, 15), 11_563),
        (date(2026, 2, 16), date(2026, 2, 28), 8_017),
        *((date(2026, month, 1), date(2026, month, last), 18_770) for month, last in ((3, 31), (4, 30), (5, 31))),
    ]


def test_more_hours_than_a_whole_position_are_no_more_than_a_whole_position() -> None:
    assert [amount for _, _, amount in told(*agreed(date(2026, 2, 1), 40.0, "X1"))] == [23_463] * 6


def test_what_is_agreed_last_holds_from_its_day_on() -> None:
    twice = [*agreed(date(2026, 4, 1), 30.0, "X1"), *agreed(date(2026, 3, 1), 15.0, "X2")]
    assert [amount for _, _, amount in told(*twice)] == [23_463] * 3 + [9_385] * 3


def test_a_change_that_nobody_has_accepted_changes_nothing() -> None:
    asked = proposing(effective_on=date(2026, 2, 16), at=noon(date(2026, 1, 12)))
    declined = answering(Party.PARTICIPANT, accepted=False, at=noon(date(2026, 1, 13)))
    assert told(asked) == told() == told(asked, declined)


def test_the_hours_of_a_case_are_those_that_were_agreed_last_of_what_has_begun() -> None:
    changed = case_of(opened(), drafting(), changing(hours_per_week=30.0))
    assert hours_on(changed, "A1", date(2025, 1, 25)) == 30.0, "the draft says so, long before its first day"
    later = proposing(effective_on=date(2025, 4, 1), hours_per_week=20.0)
    story = [*STARTED, later, answering(Party.PARTICIPANT)]
    days = (date(2025, 3, 31), date(2025, 4, 1))
    assert [hours_on(case_of(story), "A1", day) for day in days] == [37.5, 20.0]
    # What is agreed last holds from its day on, also where something for later had been agreed before.
    sooner = proposing(change_id="X2", effective_on=date(2025, 3, 20), hours_per_week=25.0)
    both = [*story, sooner, answering(Party.PARTICIPANT, change_id="X2")]
    assert [hours_on(case_of(both), "A1", day) for day in days] == [25.0, 25.0]
