"""What matching has heard: needs, the pool of candidates, and its own matches.

Invariant: each subject writes fields of its own, so that order between subjects does not matter; nothing here comes
from the background log; whether somebody is free is derived when asked.
"""

from __future__ import annotations

from typing import Any

from chassis.projection import Document, Projection, Record
from chassis.startcheck import epoch_of
from contracts import followup, intake, matching
from contracts.event import Event
from contracts.followup import CaseEvent, TrialClosed, TrialStarted
from contracts.intake import (
    AddressProtectionChanged,
    CandidateAssessed,
    CandidateErased,
    CandidateEvent,
    CandidateHandedOver,
    CandidateMapped,
    CandidateMerged,
    CandidateRegistered,
    ConsentGiven,
    ConsentWithdrawn,
    NeedEvent,
    NeedExpired,
    NeedRegistered,
    NeedRevised,
    NeedWithdrawn,
    QualificationAdded,
    ReadinessRevoked,
)
from contracts.matching import (
    AnswerReversed,
    CandidateAccepted,
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
from contracts.vocabulary import ConsentScope
from services.matching.domain.state import Stage

EPOCH_BITS = 44


def _about_need(record: Record) -> list[str]:
    assert isinstance(record.event, NeedEvent | NeedAssigned)
    return [record.event.need_id]


def _fold_need(_: str, document: Document | None, record: Record) -> Document:
    need = document or {}
    data = record.event.data()
    match record.event:
        case NeedRegistered():
            shown = ("org_number", "slot_ids", "registered_on", "promise_date")
            return {**need, **{name: data[name] for name in shown}, "registered": data}
        case NeedWithdrawn():
            end = {"on": data["withdrawn_on"], "reason": data["reason"]}
            return {**need, "withdrawn": {**need.get("withdrawn", {}), **dict.fromkeys(data["slot_ids"], end)}}
        case NeedExpired():
            return {
                **need,
                "expired": {**need.get("expired", {}), **dict.fromkeys(data["slot_ids"], data["expired_on"])},
            }
        case NeedRevised():
            return {**need, "revised": data}
        case NeedAssigned():
            step = {"on": data["assigned_on"], "intermediary": data["intermediary"], "previous": data["previous"]}
            return {**need, "assigned": step, "assignments": [*need.get("assignments", []), step]}
        case _:
            return need


NEEDS = Projection(
    name="needs",
    topics=(intake.TOPIC, matching.TOPIC),
    reads=(NeedRegistered, NeedRevised, NeedWithdrawn, NeedExpired, NeedAssigned),
    keys=_about_need,
    fold=_fold_need,
    indexes=(("slot_ids",), ("org_number", "registered_on"), ("registered_on",)),
    version=2,
)


def _about_candidate(record: Record) -> list[str]:
    event = record.event
    assert isinstance(event, CandidateEvent | MatchEvent | CaseEvent)
    if isinstance(event, CandidateMerged):
        return [event.candidate_id, event.merged_into]
    return [event.candidate_id]


def _fold_candidate(name: str, document: Document | None, record: Record) -> Document:
    person = document or {}
    if isinstance(record.event, CandidateErased) or person.get("erased"):
        # Nothing but the random id; not removed, since copies of the pool have to hear of it.
        person = {"erased": True, "last": person.get("last", {})}
    else:
        person = _folded(name, person, record)
    # The last place heard in each log: whoever keeps a copy asks for what lies above a place.
    name, place = place_in(record.source, record.position)
    last = person.get("last", {})
    return {**person, "last": {**last, name: max(place, last.get(name, 0))}}


def place_in(source: str, position: int) -> tuple[str, int]:
    """The log of a source, and a number that grows along it, also where it was continued under a new source."""
    return source.rpartition("/")[2].partition("~")[0], (epoch_of(source) << EPOCH_BITS) + position


def _folded(name: str, person: Document, record: Record) -> Document:
    event, data = record.event, record.event.data()
    match event:
        case CandidateRegistered():
            return {**person, "intermediary": data["intermediary"], "registered_on": data["registered_on"]}
        case CandidateHandedOver():
            return {**person, "intermediary": data["to_intermediary"]}
        case CandidateMerged():
            if name == event.candidate_id:
                return {**person, "merged_into": event.merged_into}
            return {**person, "absorbed": sorted({*person.get("absorbed", []), event.candidate_id})}
        case CandidateMapped():
            return {**person, "profile": data}
        case QualificationAdded():
            qualifications = {**person.get("qualifications", {}), data["qualification_id"]: data}
            return {**person, "qualifications": qualifications}
        case CandidateAssessed():
            return {**person, "ready": data["ready"], "valid_until": data["valid_until"]}
        case ReadinessRevoked():
            return {**person, "ready": False}
        case ConsentGiven() | ConsentWithdrawn():
            if event.scope != ConsentScope.MATCHING:
                return person
            return {**person, "consent": isinstance(event, ConsentGiven)}
        case AddressProtectionChanged():
            return {**person, "protected": data["protected"]}
        case TrialStarted() | TrialClosed():
            trial = {**person.get("trials", {}).get(event.match_id, {}), _trial_end(event): data["on"]}
            return {**person, "trials": {**person.get("trials", {}), event.match_id: trial}}
        case CandidateMatched() | MatchConfirmed():
            state = "open" if isinstance(event, CandidateMatched) else "confirmed"
            live = {"slot_id": event.slot_id, "need_id": event.need_id, "state": state}
            return {**person, "matches": {**person.get("matches", {}), event.match_id: live}}
        case MatchCancelled():
            rest = {name: each for name, each in person.get("matches", {}).items() if name != event.match_id}
            return {**person, "matches": rest}
        case _:
            return person


def _trial_end(event: Event) -> str:
    return "started_on" if isinstance(event, TrialStarted) else "closed_on"


POOL = Projection(
    name="pool",
    topics=(intake.TOPIC, matching.TOPIC, followup.TOPIC),
    reads=(
        CandidateRegistered,
        CandidateHandedOver,
        CandidateMerged,
        CandidateErased,
        CandidateMapped,
        QualificationAdded,
        CandidateAssessed,
        ReadinessRevoked,
        ConsentGiven,
        ConsentWithdrawn,
        AddressProtectionChanged,
        CandidateMatched,
        MatchConfirmed,
        MatchCancelled,
        TrialStarted,
        TrialClosed,
    ),
    keys=_about_candidate,
    fold=_fold_candidate,
    indexes=(("last.intake",), ("last.matching",), ("last.followup",)),
    version=2,
)


def _about_match(record: Record) -> list[str]:
    assert isinstance(record.event, MatchEvent | CaseEvent)
    return [record.event.match_id]


def _fold_match(_: str, document: Document | None, record: Record) -> Document:
    match, event = document or {}, record.event
    if isinstance(event, TrialStarted | TrialClosed):
        # The whole event: decisions read it as if it stood in this service's own log.
        told = {"data": event.data(), "occurred": record.occurred.isoformat()}
        return {**match, "trial": {**match.get("trial", {}), _trial_end(event): told}}
    return fold_own(match, event)


def fold_own(match: Document, event: Event) -> Document:
    """A match after one more of its own events."""
    return {**match, **_match_fields(event, match)}


def _match_fields(event: Event, match: Document) -> dict[str, Any]:
    data = event.data()
    match event:
        case CandidateMatched():
            return {**data, "stage": Stage.PROPOSED.value}
        case CandidateAsked():
            return {"stage": Stage.ASKED.value, "asked_on": data["asked_on"], "deadline": data["deadline"]}
        case CandidateAccepted():
            said = {"accepted_on": data["accepted_on"], "answered_by": data["answered_by"]}
            return {"stage": Stage.ACCEPTED.value, **said}
        case CandidateDeclined():
            declined = {"on": data["declined_on"], "reason": data["reason"]}
            return {"declined": declined, "answered_by": data["answered_by"]}
        case AnswerReversed():
            return {"stage": Stage.ASKED.value, "accepted_on": None, "answered_by": None}
        case CandidatePresented():
            return {"stage": Stage.PRESENTED.value, "presented_on": data["presented_on"]}
        case PresentationReversed():
            gone: dict[str, Any] = {"presented_on": None, "response": None, "interviews": []}
            return {**gone, "stage": Stage.ACCEPTED.value, "reversed_on": data["reversed_on"]}
        case EmployerResponded():
            said = {"on": data["responded_on"], "response": data["response"], "reason": data["reason"]}
            return {"response": said}
        case ResponseReversed():
            return {"response": None}
        case InterviewHeld():
            return {"interviews": [*match.get("interviews", []), data["held_on"]]}
        case MatchConfirmed():
            about = ("confirmed_on", "confirmed_by")
            return {"stage": Stage.CONFIRMED.value, **{name: data[name] for name in about}}
        case MatchCancelled():
            end = {"on": data["cancelled_on"], "reason": data["reason"]}
            return {"stage": Stage.CANCELLED.value, "cancelled": end}
        case _:
            return {}


MATCHES = Projection(
    name="matches",
    topics=(matching.TOPIC, followup.TOPIC),
    reads=(
        CandidateMatched,
        CandidateAsked,
        CandidateAccepted,
        CandidateDeclined,
        CandidatePresented,
        PresentationReversed,
        EmployerResponded,
        AnswerReversed,
        ResponseReversed,
        InterviewHeld,
        MatchConfirmed,
        MatchCancelled,
        TrialStarted,
        TrialClosed,
    ),
    keys=_about_match,
    fold=_fold_match,
    indexes=(("slot_id",), ("need_id",), ("candidate_id",), ("org_number",), ("stage",)),
    version=2,
)

PROJECTIONS = (NEEDS, POOL, MATCHES)
