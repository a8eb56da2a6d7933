"""Which days the subsidy is paid for where the last day has moved: each of them once, and none after the end."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest

from contracts.vocabulary import Measure, Party, ShortenReason
from services.followup.domain.commands import Command, Shorten
from services.followup.domain.subsidies import plan_of
from tests.unit.followup.followup_facts import (
    REDUCED,
    after,
    approvals,
    checking_in,
    closing,
    drafting,
    noon,
    opened,
    played,
    starting,
)
from tests.unit.followup.test_followup_extensions import SUBSIDY, deciding
from tests.unit.followup.test_followup_start import disputing, settling

EXTENDED: list[Command] = [*SUBSIDY, deciding(end_on=date(2026, 8, 31))]
"""From 1 June, which was to be the day after the last one."""


def shortening(end_on: date, at: date) -> Command:
    return Shorten(
        at=noon(at),
        trial_id="trial-A1",
        acting=Party.DECISION_MAKER,
        actor="the decision maker",
        end_on=end_on,
        reason=ShortenReason.EMPLOYER_REQUEST,
        note=None,
    )


def paid(commands: list[Command]) -> list[tuple[date, date, int]]:
    person = after(commands).state
    periods = plan_of(person, person.cases["M1"].agreements["A1"]).periods
    assert all(following.from_on == each.to_on + timedelta(days=1) for each, following in pairwise(periods))
    return [(each.from_on, each.to_on, each.percent) for each in periods]


@pytest.mark.parametrize(
    "end",
    [
        shortening(date(2026, 5, 25), date(2026, 5, 20)),
        closing(on=date(2026, 5, 25), at=noon(date(2026, 5, 25))),
    ],
)
def test_nothing_is_paid_after_an_end_that_was_moved_before_an_extension_that_had_been_decided(end: Command) -> None:
    assert paid(EXTENDED)[-1] == (date(2026, 8, 1), date(2026, 8, 31), 30)
    assert paid([*EXTENDED, end])[-1] == (date(2026, 5, 1), date(2026, 5, 25), 40)


def test_a_second_extension_takes_the_place_of_the_one_that_was_cut_and_pays_no_day_twice() -> None:
    cut = [*EXTENDED, shortening(date(2026, 5, 25), date(2026, 5, 20))]
    again = [*cut, deciding(end_on=date(2026, 7, 31), at=noon(date(2026, 5, 21)))]
    assert [each[:2] for each in paid(again)[-4:]] == [
        (date(2026, 5, 1), date(2026, 5, 25)),
        (date(2026, 5, 26), date(2026, 5, 31)),
        (date(2026, 6, 1), date(2026, 6, 30)),
        (date(2026, 7, 1), date(2026, 7, 31)),
    ]


def test_an_extension_that_was_decided_for_reduced_work_capacity_is_paid_by_that_table() -> None:
    held = checking_in(held_on=date(2026, 5, 4), at=noon(date(2026, 5, 4)))
    longer = deciding(end_on=date(2027, 5, 31), eligibility=REDUCED)
    extended = [*SUBSIDY, held, longer]
    assert played(extended)[-1].wage_subsidy_percent == 60  # type: ignore[attr-defined]
    found = {from_on: percent for from_on, _, percent in paid(extended)}
    assert (found[date(2026, 5, 1)], found[date(2026, 6, 1)], found[date(2026, 12, 1)]) == (40, 60, 50)


def test_nothing_is_paid_after_the_end_that_follows_the_right_start() -> None:
    begun = [
        opened(),
        drafting(measure=Measure.TEMPORARY_WAGE_SUBSIDY, wage_subsidy_percent=40, end_on=date(2025, 12, 31)),
        *approvals(decided=True),
        starting(on=date(2025, 2, 20), at=noon(date(2025, 2, 20))),
        checking_in(held_on=date(2025, 12, 1), at=noon(date(2025, 12, 1))),
        deciding(end_on=date(2026, 2, 10), at=noon(date(2025, 12, 2))),
        deciding(end_on=date(2026, 2, 19), at=noon(date(2025, 12, 3))),
    ]
    assert paid(begun)[-1] == (date(2026, 2, 11), date(2026, 2, 19), 30)
    right = [disputing(date(2025, 2, 4), date(2025, 12, 4)), settling(date(2025, 2, 4), date(2025, 12, 5))]
    assert paid([*begun, *right])[-1] == (date(2026, 2, 1), date(2026, 2, 3), 30)
