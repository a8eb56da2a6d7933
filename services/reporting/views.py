"""Facts from the events of all services.

Invariant: a fact is set, never counted up; each subject writes fields of its own, so no order between subjects or
topics matters. What counts is decided where tables are computed. Only `persons` (and a candidate's own journey) says
who somebody is, and is gone when they are erased.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from chassis.projection import Document, Projection, Record
from contracts import followup as fo
from contracts import intake as it
from contracts import matching as ma
from contracts.event import Event
from contracts.plans import DelayReported
from contracts.registry import SOURCES, TOPICS

Fields = Mapping[str, Any]


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def instant_text(instant: datetime) -> str:
    """UTC with milliseconds: sorts as text in the order of time."""
    return (instant if instant.tzinfo is UTC else instant.astimezone(UTC)).isoformat(timespec="milliseconds")


# --- placement: one document per slot -------------------------------------------------------------------------------


def _need(event: it.NeedRegistered, _: Record) -> Fields:
    return {
        "need_id": event.need_id,
        "org_number": event.org_number,
        "municipality": event.municipality,
        "occupation": event.occupation,
        "intermediary": event.intermediary,
        "measure": event.measure,
        "start_from": _text(event.start_from),
        "registered_on": _text(event.registered_on),
        "promise_date": _text(event.promise_date),
    }


def _withdrawn(event: it.NeedWithdrawn, _: Record) -> Fields:
    return {"withdrawn_on": _text(event.withdrawn_on), "reason": event.reason}


_OF_NEED: dict[type[Event], tuple[str, Callable[[Any, Record], Fields]]] = {
    it.NeedRegistered: ("need", _need),
    it.NeedWithdrawn: ("withdrawn", _withdrawn),
}


def _presentation_reversed(event: ma.PresentationReversed, _: Record) -> Fields:
    # Not counted in the period it was made in; a later presentation sets the day again.
    return {"presented_on": None, "presentation_reversed_on": _text(event.reversed_on)}


def _answer_reversed(_: ma.AnswerReversed, __: Record) -> Fields:
    return {"accepted_on": None}


def _response_reversed(_: ma.ResponseReversed, __: Record) -> Fields:
    return {"answered_on": None, "answer": None}


def _started(event: fo.TrialStarted, record: Record) -> Fields:
    return {
        "agreement_id": event.agreement_id,
        "match_id": event.match_id,
        "measure": event.measure,
        "started_on": _text(event.on),
        # The first one tells which declaration held: a day that is put right later changes nothing about a person.
        "starts_recorded": [instant_text(record.recorded)],
        "started_position": record.position,
        "end_on": _text(event.end_on),
        "rule_version": event.rule_version,
    }


def _never_due(event: fo.StartReversed | fo.CheckInReversed) -> Fields:
    never_due = {day.isoformat(): False for day in event.check_ins_not_missed_on}
    return {"missed": never_due} if never_due else {}


_MATCH = ("matches", "match_id")
_AGREEMENT = ("agreements", "agreement_id")
_TRIAL = ("trials", "trial_id")

_OF_SLOT: dict[type[Event], tuple[tuple[str, str], Callable[[Any, Record], Fields]]] = {
    ma.CandidateMatched: (
        _MATCH,
        lambda e, _: {
            "intermediary": e.intermediary,
            "proposed_on": _text(e.matched_on),
            "rule_version": e.rule_version,
        },
    ),
    ma.CandidateAsked: (_MATCH, lambda e, _: {"asked_on": _text(e.asked_on)}),
    ma.CandidateAccepted: (_MATCH, lambda e, _: {"accepted_on": _text(e.accepted_on)}),
    ma.CandidateDeclined: (_MATCH, lambda e, _: {"declined_on": _text(e.declined_on), "decline_reason": e.reason}),
    ma.CandidatePresented: (_MATCH, lambda e, _: {"presented_on": _text(e.presented_on)}),
    ma.PresentationReversed: (_MATCH, _presentation_reversed),
    ma.AnswerReversed: (_MATCH, _answer_reversed),
    ma.ResponseReversed: (_MATCH, _response_reversed),
    ma.EmployerResponded: (_MATCH, lambda e, _: {"answered_on": _text(e.responded_on), "answer": e.response}),
    ma.InterviewHeld: (_MATCH, lambda e, _: {"interview_on": _text(e.held_on)}),
    ma.MatchConfirmed: (_MATCH, lambda e, _: {"confirmed_on": _text(e.confirmed_on)}),
    ma.MatchCancelled: (_MATCH, lambda e, _: {"cancelled_on": _text(e.cancelled_on), "cancel_reason": e.reason}),
    fo.AgreementDrafted: (
        _AGREEMENT,
        lambda e, _: {
            "match_id": e.match_id,
            "measure": e.measure,
            "drafted_on": _text(e.drafted_on),
            "start_on": _text(e.start_on),
            "end_on": _text(e.end_on),
            "rule_version": e.rule_version,
        },
    ),
    fo.AgreementConcluded: (
        _AGREEMENT,
        lambda e, _: {
            "concluded_on": _text(e.concluded_on),
            "measure": e.measure,
            "start_on": _text(e.start_on),
            "end_on": _text(e.end_on),
        },
    ),
    # Not concluded any more until everybody has approved what it says now.
    fo.AgreementChanged: (
        _AGREEMENT,
        lambda e, _: {
            "concluded_on": None,
            "measure": e.measure,
            "start_on": _text(e.start_on),
            "end_on": _text(e.end_on),
            "rule_version": e.rule_version,
        },
    ),
    fo.AgreementExpired: (_AGREEMENT, lambda e, _: {"expired_on": _text(e.expired_on)}),
    fo.AgreementAnnulled: (
        _AGREEMENT,
        lambda e, _: {"annulled_on": _text(e.annulled_on), "annul_reason": e.reason},
    ),
    fo.NoShowReported: (_AGREEMENT, lambda e, r: {"no_show_on": _text(e.on), "no_show_position": r.position}),
    fo.TrialStarted: (_TRIAL, _started),
    # The right day follows as another start of the same trial.
    fo.StartReversed: (_TRIAL, lambda e, _: {"start_reversed_on": _text(e.reversed_on), **_never_due(e)}),
    fo.CheckInHeld: (_TRIAL, lambda e, _: {"held": [_text(e.held_on)]}),
    fo.CheckInReversed: (_TRIAL, lambda e, _: {"held_reversed": [_text(e.held_on)], **_never_due(e)}),
    fo.CheckInMissed: (_TRIAL, lambda e, _: {"missed": {e.due_on.isoformat(): True}}),
    fo.TrialExtended: (_TRIAL, lambda e, _: {"extended": [_text(e.extended_on)], "end_on": _text(e.end_on)}),
    fo.TrialShortened: (
        _TRIAL,
        lambda e, _: {
            "shortened": [{"on": _text(e.shortened_on), "reason": e.reason}],
            "end_on": _text(e.end_on),
        },
    ),
    fo.TrialClosed: (
        _TRIAL,
        lambda e, _: {"closed_on": _text(e.on), "outcome": e.outcome, "close_reason": e.reason},
    ),
    # The right outcome follows as another closing, of the period that it belongs to.
    fo.OutcomeReversed: (
        _TRIAL,
        lambda e, _: {
            "closed_on": None,
            "outcome": None,
            "close_reason": None,
            "outcome_reversed_on": _text(e.reversed_on),
        },
    ),
    fo.EmploymentConfirmed: (_TRIAL, lambda e, _: {"still_employed": {str(e.after_months): e.employed}}),
}


def _delay(event: DelayReported) -> Fields:
    return {"caused_by": event.caused_by, "reason": event.reason, "from_on": _text(event.from_on)}


def _placement_keys(record: Record) -> Sequence[str]:
    return record.event.slot_ids if record.kind in _OF_NEED else (record.event.slot_id,)


def _placement(_: str, document: Document | None, record: Record) -> Document:
    event, kind = record.event, record.kind
    before: Document = document or {}
    if kind in _OF_NEED:
        section, of_need = _OF_NEED[kind]
        return {**before, section: of_need(event, record)}
    if kind is DelayReported:
        return {**before, "delays": [*before.get("delays", []), _delay(event)]}
    (section, id_field), of_slot = _OF_SLOT[kind]
    entries, entry_id, fields = before.get(section, {}), getattr(event, id_field), of_slot(event, record)
    entry = entries.get(entry_id)
    return {**before, section: {**entries, entry_id: fields if entry is None else _set(entry, fields)}}


def _set(entry: Fields, fields: Fields) -> Fields:
    """The entry with these fields. Of what there may be several (check-ins, extensions), all stay, in their order:
    they are of one subject, whose events come once and in the order of their positions."""
    after = {**entry, **fields}
    for name, value in fields.items():
        if isinstance(value, list):
            after[name] = [*entry.get(name, ()), *value]
        elif isinstance(value, dict):
            after[name] = {**entry.get(name, {}), **value}
    return after


placement = Projection(
    name="placement",
    topics=(it.TOPIC, ma.TOPIC, fo.TOPIC),
    reads=(*_OF_NEED, *_OF_SLOT, DelayReported),
    keys=_placement_keys,
    fold=_placement,
    version=4,
    by_case=True,
    slim=True,
)


# --- needs: what is said of a need without naming its slots ---------------------------------------------------------


def _assignment(_: str, __: Document | None, record: Record) -> Document:
    event = record.event
    return {"intermediary": event.intermediary, "assigned_on": _text(event.assigned_on)}


needs = Projection(
    name="needs",
    topics=(ma.TOPIC,),
    reads=(ma.NeedAssigned,),
    keys=lambda record: (record.event.need_id,),
    fold=_assignment,
    by_case=True,
    slim=True,
)


# --- workforce: one document per employer and year ------------------------------------------------------------------


def _workforce_keys(record: Record) -> Sequence[str]:
    event = record.event
    return (f"{event.org_number}-{event.year}",) if isinstance(event, it.WorkforceReported) else ()


def _workforce(_: str, __: Document | None, record: Record) -> Document:
    event: Event = record.event
    return event.data()


workforce = Projection(
    name="workforce",
    topics=(it.TOPIC,),
    reads=(it.WorkforceReported,),
    keys=_workforce_keys,
    fold=_workforce,
    by_case=True,
)


# --- persons: whatever facts know of somebody, so that an erasure takes all of it ------------------------------------


def _person_keys(record: Record) -> Sequence[str]:
    event: Any = record.event
    return (event.candidate_id,)


def _person(_: str, document: Document | None, record: Record) -> Document | None:
    before: Document = document or {}
    match record.event:
        case it.CandidateErased():
            # The reference goes with the background: no fact of a slot says who it was.
            return None
        case it.AddressProtectionChanged(protected=protected):
            return {**before, "protected": protected}
        case ma.CandidateMatched(slot_id=slot_id):
            return {**before, "slots": {**before.get("slots", {}), slot_id: True}}
        case fo.TrialStarted(slot_id=slot_id, trial_id=trial_id):
            slots = {**before.get("slots", {}), slot_id: True}
            return {**before, "slots": slots, "trials": {**before.get("trials", {}), trial_id: True}}
        case it.BackgroundDeclared(ciphertext=ciphertext):
            return _declaring(before, record, ciphertext)
        case _:
            return _declaring(before, record, None)


def _declaring(before: Document, record: Record, ciphertext: str | None) -> Document:
    # All declarations stay: which one held at a start is known only when the start is.
    declared = {"recorded": instant_text(record.recorded), "position": record.position, "ciphertext": ciphertext}
    return {**before, "declarations": [*before.get("declarations", []), declared]}


persons = Projection(
    name="persons",
    topics=(it.TOPIC, it.BACKGROUND_TOPIC, ma.TOPIC, fo.TOPIC),
    reads=(
        *SOURCES[it.BACKGROUND_SOURCE],
        it.AddressProtectionChanged,
        it.CandidateErased,
        ma.CandidateMatched,
        fo.TrialStarted,
    ),
    keys=_person_keys,
    fold=_person,
)


# --- journey: what happened in a case, by day -----------------------------------------------------------------------


def _journey(_: str, document: Document | None, record: Record) -> Document | None:
    if record.kind is it.CandidateErased:
        return None
    events = (document or {}).get("events", {})
    told = {
        "type": record.kind.__name__,
        "occurred": instant_text(record.occurred),
        "recorded": instant_text(record.recorded),
        "source": record.source,
        "position": record.position,
    }
    return {"events": {**events, record.id: told}}


journey = Projection(
    name="journey",
    topics=TOPICS,
    reads=tuple(event for events in SOURCES.values() for event in events),
    keys=lambda record: (record.partition_key,),
    fold=_journey,
    version=2,
    by_case=True,
    slim=True,
)

PROJECTIONS = (placement, needs, workforce, persons, journey)
