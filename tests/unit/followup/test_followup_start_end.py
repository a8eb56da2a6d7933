"""The last day of a trial whose start is put right: what the measure allows from there, of what was agreed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from contracts.vocabulary import Party, ShortenReason
from services.followup.domain.commands import Shorten
from tests.unit.followup.followup_facts import (
    CONCLUDED,
    FIT,
    REDUCED,
    approvals,
    checking_in,
    drafting,
    extending,
    noon,
    opened,
    played,
    starting,
)
from tests.unit.followup.test_followup_start import LATER, disputing, settling, started_in


@pytest.mark.parametrize(("fit", "end"), [({}, date(2026, 2, 2)), ({"eligibility": REDUCED}, date(2026, 2, 9))])
def test_the_last_day_follows_where_the_measure_would_last_too_long_from_the_right_day(
    fit: dict[str, Any], end: date
) -> None:
    begun = [opened(), drafting(**fit), *approvals(), starting(on=LATER, at=noon(LATER)), disputing(date(2025, 2, 3))]
    held = [checking_in(held_on=day, at=noon(day)) for day in (date(2025, 3, 3), date(2025, 4, 14))]
    longest = extending(end_on=date(2026, 2, 9), **fit)
    events = played([*begun, *held, longest, settling(date(2025, 2, 3), date(2025, 4, 26))])
    assert started_in(events).end_on == end


def test_an_extension_on_a_capacity_known_later_is_not_cut_to_the_shorter_limit() -> None:
    begun = [*CONCLUDED, starting(on=LATER, at=noon(LATER)), disputing(date(2025, 2, 3))]
    held = [checking_in(held_on=day, at=noon(day)) for day in (date(2025, 3, 3), date(2025, 4, 14))]
    longest = extending(end_on=date(2026, 8, 9), eligibility=REDUCED)
    events = played([*begun, *held, longest, settling(date(2025, 2, 3), date(2025, 4, 26))])
    assert started_in(events).end_on == date(2026, 8, 2)


def test_a_day_that_was_settled_by_mistake_and_cut_the_trial_gives_the_last_day_back_when_it_is_put_right() -> None:
    begun = [*CONCLUDED, starting(on=LATER, at=noon(LATER)), disputing(date(2025, 2, 3))]
    held = [checking_in(held_on=day, at=noon(day)) for day in (date(2025, 3, 3), date(2025, 4, 14))]
    # Beyond a year, on what was known by then alone.
    for end_on, fit, cut in (
        (date(2026, 2, 9), FIT, date(2026, 2, 2)),
        (date(2026, 8, 9), REDUCED, date(2026, 8, 2)),
    ):
        longest = extending(end_on=end_on, eligibility=fit)
        mistaken = [*begun, *held, longest, settling(date(2025, 2, 3), date(2025, 4, 26))]
        assert started_in(played(mistaken)).end_on == cut
        again = disputing(LATER, date(2025, 4, 27), task_id="again")
        undone = settling(LATER, date(2025, 4, 28), task_id="again")
        assert started_in(played([*mistaken, again, undone])).end_on == end_on
        # What was decided since holds.
        shorter = Shorten(
            at=noon(date(2025, 4, 27)),
            trial_id="trial-A1",
            acting=Party.COUNSELLOR,
            actor="the counsellor",
            end_on=date(2025, 6, 30),
            reason=ShortenReason.EMPLOYER_REQUEST,
            note=None,
        )
        assert started_in(played([*mistaken, shorter, again, undone])).end_on == date(2025, 6, 30)
