"""A check-in that was recorded wrongly: it never was, and what was missed without it is said at once."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from contracts.followup import CheckInMissed, CheckInReversed
from contracts.vocabulary import CheckInReversalReason, Party
from services.followup.domain.commands import Command
from services.followup.domain.decide import decide
from services.followup.showing import case_body
from services.followup.steps import NextStep, Step, next_step
from tests.unit.followup.followup_facts import (
    IDS,
    STARTED,
    after,
    checking_in,
    closing,
    extending,
    noon,
    played,
    taking_back,
)
from tests.unit.followup.test_followup_running import VOICE, missing
from tests.unit.followup.test_followup_views import case_of

TRIAL = {**IDS, "trial_id": "trial-A1", "agreement_id": "A1"}
DUE = date(2025, 3, 3)
"""Of the first check-in of the usual trial: four weeks after 3 February."""


def held(day: date, check_in_id: str = "C1") -> Command:
    return checking_in(held_on=day, at=noon(day), check_in_id=check_in_id)


def kinds(commands: list[Command], command: Command) -> list[str]:
    return [type(event).__name__ for event in after(commands).when(decide, command).events]


def test_a_check_in_that_was_not_held_is_taken_back_with_a_reason_and_its_note_is_sealed() -> None:
    early = held(date(2025, 2, 17))
    event = CheckInReversed(
        **TRIAL,
        check_in_id="C1",
        held_on=date(2025, 2, 17),
        reversed_on=date(2025, 2, 18),
        reason="not_held",
        sealed={"note": "Feil sak"},
    )
    back = taking_back(at=noon(date(2025, 2, 18)), note="Feil sak")
    after(STARTED, early).when(decide, back).then(event)
    assert "Feil sak" not in str(event.data())
    after(STARTED, early, back).when(decide, back).then_refused("check_in_unknown", status=404)
    after(STARTED).when(decide, back).then_refused("check_in_unknown", status=404)
    other = taking_back(reason=CheckInReversalReason.OTHER)
    after(STARTED, early).when(decide, other).then_refused("note_missing", ["/note"], status=422)
    for acting in (Party.EMPLOYER, Party.PARTICIPANT, Party.DECISION_MAKER):
        after(STARTED, early).when(decide, taking_back(acting=acting)).then_refused("not_yours_to_say")


def test_what_nobody_missed_because_of_it_is_missed_and_owed_again() -> None:
    in_time = [*STARTED, held(date(2025, 3, 2))]
    after(in_time).when(decide, missing(DUE + timedelta(days=1))).then()
    assert kinds(in_time, taking_back()) == ["CheckInReversed", "CheckInMissed", "TaskAssigned"]
    back = [*in_time, taking_back()]
    assert [event.due_on for event in played(back) if isinstance(event, CheckInMissed)] == [DUE]
    after(back).when(decide, missing(DUE + timedelta(days=1))).then()
    late = extending(at=noon(date(2025, 3, 7)))
    assert after(in_time).when(decide, late).refusal is None
    after(back).when(decide, late).then_refused("check_in_owed", status=409)
    assert after(back, held(date(2025, 3, 7), "C2")).when(decide, late).refusal is None


def test_what_was_answered_too_late_is_owed_again_and_is_not_said_twice() -> None:
    late = [*STARTED, missing(DUE + timedelta(days=1)), held(date(2025, 3, 5))]
    assert kinds(late, taking_back()) == ["CheckInReversed", "TaskAssigned"]


def test_what_was_only_due_by_it_was_never_missed_and_the_other_talk_still_counts() -> None:
    both = [*STARTED, held(date(2025, 2, 28)), held(DUE, "C2")]
    forgotten = [*both, missing(date(2025, 4, 15))]
    (event, *rest) = after(forgotten).when(decide, taking_back(check_in_id="C2", at=noon(date(2025, 4, 16)))).events
    assert isinstance(event, CheckInReversed)
    assert event.check_ins_not_missed_on == (date(2025, 4, 14),)
    # Six weeks after 28 February it was due just as well.
    assert [type(each).__name__ for each in rest] == ["CheckInMissed"]
    trial = after(forgotten, taking_back(check_in_id="C2", at=noon(date(2025, 4, 16)))).state.trial("trial-A1")
    assert trial is not None
    assert (*trial[2].held_on, *trial[2].missed) == (date(2025, 2, 28), date(2025, 4, 11))


@pytest.mark.parametrize("day", [date(2025, 5, 2), date(2025, 6, 1)])
def test_after_the_closing_it_is_taken_back_too_and_nobody_is_asked_for_another(day: date) -> None:
    over = [*STARTED, held(date(2025, 3, 2)), closing(at=noon(date(2025, 5, 2)))]
    assert kinds(over, taking_back(at=noon(day))) == ["CheckInReversed", "CheckInMissed"]


def test_it_is_gone_from_what_is_shown_and_judged_and_both_stay_in_the_history() -> None:
    spoken = case_of(STARTED, VOICE, held(date(2025, 3, 2)), taking_back())
    trial = spoken["trials"]["trial-A1"]
    assert (trial["check_ins"], trial["missed"]) == ([], ["2025-03-03"])
    wrong = {"check_in_id": "C1", "held_on": "2025-03-02", "reversed_on": "2025-03-06", "reason": "not_held"}
    assert trial["check_in_reversals"] == [wrong]
    events = [each["event"] for each in spoken["history"]]
    assert (events.count("CheckInHeld"), events.count("CheckInReversed")) == (1, 1)
    owed = NextStep(Step.CHECK_IN, (Party.COUNSELLOR,), date(2025, 3, 6))
    assert next_step(spoken, date(2025, 3, 6), Party.COUNSELLOR) == owed
    told = case_body(spoken, date(2025, 3, 6), Party.EMPLOYER)["trial"]
    assert "check_in_reversals" not in told
    early = [VOICE, held(date(2025, 3, 2)), taking_back(at=noon(date(2025, 3, 2)))]
    heard = NextStep(Step.HEAR_VOICE, (Party.COUNSELLOR,), date(2025, 3, 4))
    assert next_step(case_of(STARTED, early), date(2025, 3, 2), Party.COUNSELLOR) == heard
