"""What the candidate says calls for a talk, and nobody but the counsellor is told so."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from contracts.vocabulary import Party
from services.followup.showing import case_body
from services.followup.steps import NextStep, Step, group, next_step
from tests.unit.followup.followup_facts import STARTED, checking_in, noon
from tests.unit.followup.test_followup_running import VOICE, missing, proposing
from tests.unit.followup.test_followup_views import case_of

SAID = date(2025, 3, 1)
HEAR = NextStep(Step.HEAR_VOICE, (Party.COUNSELLOR,), date(2025, 3, 4))


def test_a_counsellor_has_three_days_to_talk_to_a_candidate_who_has_said_something() -> None:
    case = case_of(STARTED, VOICE)
    assert next_step(case, SAID, Party.COUNSELLOR) == HEAR
    assert [group(case, Party.COUNSELLOR, day) for day in (date(2025, 3, 4), date(2025, 3, 5))] == ["due", "overdue"]


def test_a_check_in_on_that_day_or_later_is_the_talk_and_an_earlier_one_is_not() -> None:
    for held_on, heard in ((date(2025, 2, 28), False), (SAID, True), (date(2025, 3, 2), True)):
        case = case_of(STARTED, VOICE, checking_in(held_on=held_on, at=noon(date(2025, 3, 2))))
        assert (next_step(case, SAID, Party.COUNSELLOR) == HEAR) is not heard


def test_an_employer_is_told_who_follows_up_and_never_that_nobody_has() -> None:
    case = case_of(STARTED, missing(date(2025, 3, 4)))
    for today in (date(2025, 3, 4), date(2025, 3, 20)):
        told = case_body(case, today, Party.EMPLOYER)["next_step"]
        assert told == {
            "step": "follow_up",
            "responsible": ["counsellor"],
            "due_on": today.isoformat(),
            "overdue": False,
        }
        assert case_body(case, today, Party.PARTICIPANT)["next_step"]["step"] == "check_in"


def test_after_the_last_day_a_trial_waits_to_be_closed_and_neither_for_a_check_in_nor_for_an_answer() -> None:
    case = case_of(STARTED, missing(date(2025, 3, 4)), proposing())
    last = date(2025, 5, 2)
    close = NextStep(Step.CLOSE, (Party.COUNSELLOR,), last)
    for party in (Party.COUNSELLOR, Party.PARTICIPANT):
        assert [next_step(case, day, party) == close for day in (last, last + timedelta(days=1))] == [False, True]


@pytest.mark.parametrize("party", [Party.EMPLOYER, Party.PARTICIPANT, Party.DECISION_MAKER, None])
def test_nobody_else_is_told_that_there_is_anything_to_talk_about(party: Party | None) -> None:
    told, without = (case_body(case_of(*commands), SAID, party) for commands in ((STARTED, VOICE), (STARTED,)))
    assert told["next_step"] == without["next_step"]
