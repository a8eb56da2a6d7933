"""What followup does when the business clock has come to a time.

Invariant: a timer is called for by an event and judged by the log: whatever has happened meanwhile decides whether
anything is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from chassis.decisions import Loaded
from chassis.reactor import Occasion
from chassis.timers import Timed, Timer
from contracts.event import Event
from contracts.followup import (
    AgreementApproved,
    AgreementChanged,
    AgreementDrafted,
    AgreementEvent,
    ApprovalRevoked,
    CaseEvent,
    CheckInHeld,
    TrialEvent,
    TrialExtended,
    TrialStarted,
)
from contracts.plans import PlanMade
from services.followup.domain.clock import Look, check_ins, deadlines, expiries
from services.followup.domain.commands import LookAtCheckIns, LookAtDraft
from services.followup.domain.decide import decide
from services.followup.domain.slot import SayDeadline, decide_slot
from services.followup.domain.state import Person
from services.followup.subjects import (
    agreement_subject,
    case_subject,
    person_of,
    person_subject,
    slot_in,
    slot_subject,
    trial_subject,
)


def _schedule_deadlines(event: Event) -> Iterator[Timer]:
    assert isinstance(event, PlanMade)
    for look in deadlines(event):
        yield Timer("deadline", event.slot_id, look.at, {"slot_id": event.slot_id, "day": str(look.day)})


def _deadline_subjects(timer: Timer, _: Mapping[str, Loaded]) -> list[str]:
    return [slot_subject(timer.data["slot_id"])]


def _say_deadline(timer: Timer, loaded: Mapping[str, Loaded], occasion: Occasion) -> Sequence[Event]:
    slot_id = timer.data["slot_id"]
    return decide_slot(
        SayDeadline(at=occasion.now, slot_id=slot_id, day=int(timer.data["day"])), slot_in(loaded, slot_id)
    )


def _schedule_expiry(event: Event) -> Iterator[Timer]:
    assert isinstance(event, AgreementEvent)
    return _timers("draft", {"agreement_id": event.agreement_id}, event, expiries(event))


def _draft_subjects(timer: Timer, _: Mapping[str, Loaded]) -> list[str]:
    return [agreement_subject(timer.data["agreement_id"]), *_case_and_person(timer)]


def _look_at_draft(timer: Timer, loaded: Mapping[str, Loaded], occasion: Occasion) -> Sequence[Event]:
    agreement_id, on = timer.data["agreement_id"], _on(timer)
    command = LookAtDraft(at=occasion.now, agreement_id=agreement_id, on=on, task_id=occasion.new_id())
    return decide(command, _person(timer, loaded))


def _schedule_check_ins(event: Event) -> Iterator[Timer]:
    assert isinstance(event, TrialEvent)
    return _timers("check-in", {"trial_id": event.trial_id}, event, check_ins(event))


def _trial_subjects(timer: Timer, _: Mapping[str, Loaded]) -> list[str]:
    return [trial_subject(timer.data["trial_id"]), *_case_and_person(timer)]


def _look_at_check_ins(timer: Timer, loaded: Mapping[str, Loaded], occasion: Occasion) -> Sequence[Event]:
    trial_id, on = timer.data["trial_id"], _on(timer)
    command = LookAtCheckIns(at=occasion.now, trial_id=trial_id, on=on, task_id=occasion.new_id())
    return decide(command, _person(timer, loaded))


def _timers(name: str, about: Mapping[str, str], event: CaseEvent, looks: Iterable[Look]) -> Iterator[Timer]:
    """A timer for each day to look at what `about` names by its one id."""
    (key,) = about.values()
    data = {**about, "match_id": event.match_id, "candidate_id": event.candidate_id}
    for look in looks:
        yield Timer(name, key, look.at, {**data, "on": look.on.isoformat()})


def _on(timer: Timer) -> date:
    return date.fromisoformat(timer.data["on"])


def _person(timer: Timer, loaded: Mapping[str, Loaded]) -> Person:
    return person_of(loaded[person_subject(timer.data["candidate_id"])])


def _case_and_person(timer: Timer) -> list[str]:
    return [case_subject(timer.data["match_id"]), person_subject(timer.data["candidate_id"])]


TIMED = (
    Timed("deadline", (PlanMade,), _schedule_deadlines, _deadline_subjects, _say_deadline),
    Timed(
        "draft",
        (AgreementDrafted, AgreementChanged, AgreementApproved, ApprovalRevoked),
        _schedule_expiry,
        _draft_subjects,
        _look_at_draft,
    ),
    Timed(
        "check-in",
        (TrialStarted, CheckInHeld, TrialExtended),
        _schedule_check_ins,
        _trial_subjects,
        _look_at_check_ins,
    ),
)
