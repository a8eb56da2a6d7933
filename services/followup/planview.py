"""The plan of a slot as it is shown: what intake, matching and followup say of one slot, by slot id.

Invariant: each subject writes fields of its own, so that no order between topics matters; which tasks are done follows
from them when asked, so that a match that ends opens again what it had done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.projection import Document, Projection, Record
from contracts import followup, intake, matching
from contracts.event import Event
from contracts.followup import (
    AgreementAnnulled,
    AgreementChanged,
    AgreementConcluded,
    AgreementEvent,
    AgreementExpired,
    NoShowReported,
    TrialStarted,
)
from contracts.intake import NeedExpired, NeedRegistered, NeedWithdrawn
from contracts.matching import (
    CandidateAsked,
    CandidateDeclined,
    CandidateMatched,
    CandidatePresented,
    EmployerResponded,
    InterviewHeld,
    MatchCancelled,
    MatchConfirmed,
    MatchEvent,
    NeedAssigned,
    PresentationReversed,
    ResponseReversed,
)
from contracts.plans import (
    DeadlineApproaching,
    DeadlineMissed,
    DelayReported,
    PlanEnded,
    PlanMade,
    PlanTaskCompleted,
    SlotEvent,
)

_NEED = (
    "need_id",
    "org_number",
    "municipality",
    "occupation",
    "measure",
    "registered_on",
    "promise_date",
    "start_from",
)
_OF_MATCH: Mapping[type[Event], Mapping[str, str]] = {
    CandidateMatched: {"propose": "matched_on"},
    CandidateAsked: {"ask": "asked_on"},
    CandidateDeclined: {"ended": "declined_on"},
    CandidatePresented: {"present": "presented_on"},
    EmployerResponded: {"answer": "responded_on"},
    InterviewHeld: {"meet": "held_on"},
    MatchConfirmed: {"confirmed": "confirmed_on"},
    MatchCancelled: {"ended": "cancelled_on"},
}


def _keys(record: Record) -> Sequence[str]:
    event = record.event
    if isinstance(event, NeedRegistered | NeedWithdrawn | NeedExpired):
        return event.slot_ids
    slot_id = getattr(event, "slot_id", None)
    return () if slot_id is None else (slot_id,)


def _fold(slot_id: str, document: Document | None, record: Record) -> Document:
    before: Document = {"slot_id": slot_id, **(document or {})}
    event = record.event
    match event:
        case NeedRegistered():
            said = event.data()
            return {**before, "need": {name: said[name] for name in _NEED}}
        case NeedWithdrawn():
            return {**before, "withdrawn": {"on": event.withdrawn_on.isoformat(), "reason": event.reason}}
        case NeedExpired():
            return {**before, "expired_on": event.expired_on.isoformat()}
        case MatchEvent():
            return _part(before, "matches", event.match_id, _match(event))
        case AgreementEvent():
            return _part(before, "agreements", event.agreement_id, _agreement(event))
        case TrialStarted():
            return _part(before, "trials", event.trial_id, {"match_id": event.match_id, "on": event.on.isoformat()})
        case SlotEvent():
            return {**before, **_slot(before, event)}
        case _:
            return before


def _part(document: Document, name: str, part_id: str, said: dict[str, Any]) -> Document:
    parts = document.get(name, {})
    return {**document, name: {**parts, part_id: {**parts.get(part_id, {}), **said}}}


def _match(event: MatchEvent) -> dict[str, Any]:
    if isinstance(event, PresentationReversed):
        return {"present": None}
    if isinstance(event, ResponseReversed):
        return {"answer": None}
    return {task: getattr(event, field).isoformat() for task, field in _OF_MATCH[type(event)].items()}


def _agreement(event: AgreementEvent) -> dict[str, Any]:
    match event:
        case AgreementConcluded():
            return {"match_id": event.match_id, "concluded_on": event.concluded_on.isoformat()}
        case AgreementChanged():
            return {"match_id": event.match_id, "concluded_on": None}
        case _:
            return {"match_id": event.match_id, "ended": True}


def _slot(before: Document, event: SlotEvent) -> dict[str, Any]:
    match event:
        case PlanMade():
            said = event.data()
            names = ("registered_on", "promise_date", "playbook_version", "tasks")
            # Beside the plan, so that lists can be asked by them.
            asked_by = {name: said[name] for name in ("need_id", "org_number", "intermediary", "registered_on")}
            return {**asked_by, "plan": {name: said[name] for name in names}}
        case PlanTaskCompleted():
            return {"done": {**before.get("done", {}), event.task: event.completed_on.isoformat()}}
        case DelayReported():
            names = ("caused_by", "reason", "from_on", "reported_on")
            delay = {name: value for name, value in event.data().items() if name in names}
            return {"delays": [*before.get("delays", []), delay]}
        case DeadlineApproaching():
            return {"said": [*before.get("said", []), {"day": event.day, "on": event.on.isoformat()}]}
        case DeadlineMissed():
            return {"missed_on": event.on.isoformat()}
        case PlanEnded():
            return {"ended": {"on": event.ended_on.isoformat(), "reason": event.reason}}
        case _:
            return {}


PLANS = Projection(
    name="plans",
    topics=(intake.TOPIC, matching.TOPIC, followup.TOPIC),
    reads=(
        NeedRegistered,
        NeedWithdrawn,
        NeedExpired,
        *_OF_MATCH,
        PresentationReversed,
        ResponseReversed,
        PlanMade,
        PlanTaskCompleted,
        DelayReported,
        DeadlineApproaching,
        DeadlineMissed,
        PlanEnded,
        AgreementChanged,
        AgreementConcluded,
        AgreementAnnulled,
        AgreementExpired,
        NoShowReported,
        TrialStarted,
    ),
    keys=_keys,
    fold=_fold,
    indexes=(("need_id", "slot_id"), ("org_number", "slot_id"), ("intermediary", "slot_id")),
)


def _assignment(_: str, document: Document | None, record: Record) -> Document | None:
    event = record.event
    return {"intermediary": event.intermediary} if isinstance(event, NeedAssigned) else document


ASSIGNMENTS = Projection(
    name="assignments",
    topics=(matching.TOPIC,),
    reads=(NeedAssigned,),
    keys=lambda record: (record.event.need_id,) if isinstance(record.event, NeedAssigned) else (),
    fold=_assignment,
    indexes=(("intermediary",),),
)
"""Who works on a need: it names no slots, so it is joined when asked."""
