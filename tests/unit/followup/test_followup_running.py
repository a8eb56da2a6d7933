"""Trials while they run: check-ins that are missed, the candidate's voice, changes of one party and of both."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from contracts.followup import (
    CaseEvent,
    ChangeAccepted,
    ChangeDeclined,
    ChangeProposed,
    CheckInMissed,
    TaskAssigned,
    TrialShortened,
    VoiceGiven,
)
from contracts.vocabulary import Party, ShortenReason
from services.followup.domain.clock import check_ins
from services.followup.domain.commands import (
    AnswerChange,
    Command,
    GiveVoice,
    LookAtCheckIns,
    ProposeChange,
    Shorten,
)
from services.followup.domain.decide import decide
from services.followup.domain.moments import oslo_midnight
from tests.unit.followup.followup_facts import (
    CARED_FOR,
    IDS,
    STARTED,
    after,
    checking_in,
    closing,
    extending,
    noon,
    played,
)

TRIAL = {**IDS, "trial_id": "trial-A1", "agreement_id": "A1"}


def missing(on: date, **but: Any) -> LookAtCheckIns:
    return LookAtCheckIns(**{"trial_id": "trial-A1", "on": on, "task_id": "T", "at": oslo_midnight(on), **but})


def test_a_missed_check_in_is_said_once_raises_a_task_and_blocks_an_extension_until_one_is_held() -> None:
    started = played(STARTED)[-2]
    assert [look.on for look in check_ins(started)] == [date(2025, 3, 4)]
    missed = CheckInMissed(
        **TRIAL,
        due_on=date(2025, 3, 3),
        playbook_version="playbook-2000",
        occurred=oslo_midnight(date(2025, 3, 4)),
    )
    task = TaskAssigned(**IDS, task_id="T", task="hold_check_in", responsible="counsellor", due_on=date(2025, 3, 4))
    after(STARTED).when(decide, missing(date(2025, 3, 4))).then(missed, task)
    after(STARTED).when(decide, missing(date(2025, 3, 3))).then()
    owed = [*STARTED, missing(date(2025, 3, 4))]
    after(owed).when(decide, missing(date(2025, 3, 20))).then()
    after(owed).when(decide, extending()).then_refused("check_in_owed", status=409)
    held = checking_in(held_on=date(2025, 3, 20), at=noon(date(2025, 3, 20)), agreed="Kurs i kassa")
    events = after(owed).when(decide, held).events
    assert [type(event).__name__ for event in events] == ["CheckInHeld", "TaskCompleted"]
    assert events[0].sealed == {"agreed": "Kurs i kassa"}
    assert after(owed, held).when(decide, extending()).refusal is None


def test_a_check_in_is_not_missed_after_the_last_day_or_the_closing_and_is_due_again_after_an_extension() -> None:
    after(CARED_FOR).when(decide, missing(date(2025, 5, 20))).then()
    extended = [*CARED_FOR, extending()]
    assert [look.on for look in check_ins(played(extended)[-1])] == [date(2025, 4, 26)]
    assert len(after(extended).when(decide, missing(date(2025, 5, 20))).events) == 2
    after(extended, closing()).when(decide, missing(date(2025, 5, 20))).then()
    looks = [look.on for look in check_ins(played(CARED_FOR)[-1])]
    assert date(2025, 4, 7) + timedelta(weeks=6, days=1) in looks


VOICE = GiveVoice(
    trial_id="trial-A1",
    acting=Party.PARTICIPANT,
    actor="K1",
    voice_id="V1",
    answers={"well": "mixed", "text": "Jeg vil lære mer"},
    at=noon(date(2025, 3, 1)),
)


def test_the_voice_of_the_candidate_is_sealed_whole_and_nobody_else_has_one() -> None:
    event = VoiceGiven(
        **TRIAL, voice_id="V1", given_on=date(2025, 3, 1), sealed={"well": "mixed", "text": "Jeg vil lære mer"}
    )
    after(STARTED).when(decide, VOICE).then(event)
    assert "mixed" not in str(event.data())
    for acting in (Party.EMPLOYER, Party.COUNSELLOR, Party.DECISION_MAKER):
        after(STARTED).when(decide, replace(VOICE, acting=acting)).then_refused("not_yours_to_say")
    after(STARTED, closing()).when(decide, VOICE).then_refused("trial_closed")


def shortening(**but: Any) -> Shorten:
    usual: dict[str, Any] = {
        "trial_id": "trial-A1",
        "acting": Party.COUNSELLOR,
        "actor": "the counsellor",
        "end_on": date(2025, 4, 1),
        "reason": ShortenReason.PARTICIPANT_REQUEST,
        "note": None,
        "at": noon(date(2025, 3, 5)),
    }
    return Shorten(**{**usual, **but})


def test_shortening_needs_a_reason_and_an_earlier_day_that_has_not_passed() -> None:
    after(STARTED).when(decide, shortening(note="ny jobb")).then(
        TrialShortened(
            **TRIAL,
            shortened_on=date(2025, 3, 5),
            end_on=date(2025, 4, 1),
            reason="participant_request",
            decided_by="counsellor",
            rule_version="2024-01-01",
            sealed={"note": "ny jobb"},
        )
    )
    for but, code, fields in (
        ({"end_on": date(2025, 5, 2)}, "end_not_earlier", ["/end_on"]),
        ({"end_on": date(2025, 3, 4)}, "end_in_the_past", ["/end_on"]),
        ({"reason": ShortenReason.OTHER}, "note_missing", ["/note"]),
        ({"acting": Party.EMPLOYER}, "not_yours_to_say", []),
    ):
        after(STARTED).when(decide, shortening(**but)).then_refused(code, fields)
    assert after(STARTED, shortening()).state.cases["M1"].agreements["A1"].period == (
        date(2025, 2, 3),
        date(2025, 4, 1),
    )


def proposing(acting: Party = Party.EMPLOYER, **but: Any) -> ProposeChange:
    usual: dict[str, Any] = {
        "trial_id": "trial-A1",
        "acting": acting,
        "actor": acting.value,
        "change_id": "X1",
        "effective_on": date(2025, 3, 10),
        "hours_per_week": 30.0,
        "note": None,
        "at": noon(date(2025, 3, 3)),
    }
    return ProposeChange(**{**usual, **but})


def answering(acting: Party, *, accepted: bool = True, **but: Any) -> AnswerChange:
    usual: dict[str, Any] = {
        "trial_id": "trial-A1",
        "acting": acting,
        "actor": acting.value,
        "change_id": "X1",
        "accepted": accepted,
        "note": None,
        "at": noon(date(2025, 3, 4)),
    }
    return AnswerChange(**{**usual, **but})


CHANGE: dict[str, Any] = {**TRIAL, "change_id": "X1", "effective_on": date(2025, 3, 10), "hours_per_week": 30.0}


@pytest.mark.parametrize(("one", "other"), [(Party.EMPLOYER, Party.PARTICIPANT), (Party.PARTICIPANT, Party.EMPLOYER)])
def test_a_change_proposed_by_one_party_holds_when_the_other_has_accepted_it(one: Party, other: Party) -> None:
    after(STARTED).when(decide, proposing(one)).then(
        ChangeProposed(**CHANGE, proposed_by=one, proposed_on=date(2025, 3, 3))
    )
    proposed = [*STARTED, proposing(one)]
    after(proposed).when(decide, answering(one)).then_refused("your_own_change")
    after(proposed).when(decide, answering(other)).then(
        ChangeAccepted(**CHANGE, accepted_by=other, accepted_on=date(2025, 3, 4))
    )
    for party in (one, other):
        no = answering(party, accepted=False, note="for lite")
        said = ChangeDeclined(**CHANGE, declined_by=party, declined_on=date(2025, 3, 4), sealed={"note": "for lite"})
        after(proposed).when(decide, no).then(said)
        after(proposed, no).when(decide, answering(other)).then_refused("change_unknown", status=404)


def test_one_change_at_a_time_within_the_trial_by_the_two_whose_agreement_it_is() -> None:
    after(STARTED, proposing()).when(decide, proposing(change_id="X2")).then_refused("change_waits")
    for effective_on in (date(2025, 3, 2), date(2025, 5, 3)):
        after(STARTED).when(decide, proposing(effective_on=effective_on)).then_refused(
            "outside_trial", ["/effective_on"], status=422
        )
    for party in (Party.COUNSELLOR, Party.DECISION_MAKER):
        after(STARTED).when(decide, proposing(party)).then_refused("not_yours_to_say")
        after(STARTED, proposing()).when(decide, answering(party)).then_refused("not_yours_to_say")
    shortened: list[Command] = [*STARTED, proposing(), shortening(end_on=date(2025, 3, 6), at=noon(date(2025, 3, 4)))]
    after(shortened).when(decide, answering(Party.PARTICIPANT)).then_refused("outside_trial", status=409)


def test_every_event_of_a_person_is_read_by_the_state() -> None:
    events: list[CaseEvent] = played([*CARED_FOR, proposing(at=noon(date(2025, 3, 3))), extending(), closing()])
    assert {type(event).__name__ for event in events} >= {"ChangeProposed", "TrialExtended", "TrialClosed"}
