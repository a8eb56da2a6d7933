"""Facts from the events of all services.

Invariant: a fact is set, never counted up; each subject writes fields of its own, so no order between subjects or
topics matters. What counts is decided where tables are computed. Only `persons` (and a candidate's own journey) says
who somebody is, and is gone when they are erased.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.declared import Also, Entry, Item, Of, Rule, Says, Section, Under, UnderEach, declared, instant_text
from chassis.projection import Document, Projection, Record
from contracts import followup as fo
from contracts import intake as it
from contracts import matching as ma
from contracts.event import Event
from contracts.plans import DelayReported
from contracts.registry import SOURCES, TOPICS

# --- placement: one document per slot -------------------------------------------------------------------------------


def _same(*names: str) -> Mapping[str, str]:
    """Fields that facts call as events do."""
    return {name: name for name in names}


def _match(says: Says) -> tuple[str, Rule]:
    return "slot_id", Entry("matches", "match_id", says)


def _agreement(says: Says) -> tuple[str, Rule]:
    return "slot_id", Entry("agreements", "agreement_id", says)


def _trial(says: Says) -> tuple[str, Rule]:
    return "slot_id", Entry("trials", "trial_id", says)


_NEED = _same(
    "need_id", "org_number", "municipality", "occupation", "intermediary", "measure", "start_from", "registered_on",
    "promise_date",
)  # fmt: skip
_DRAFTED = _same("match_id", "measure", "drafted_on", "start_on", "end_on", "rule_version")
_NEVER_DUE = {"missed": UnderEach("check_ins_not_missed_on", Of.NO)}

_PLACEMENT: Mapping[type[Event], tuple[str, Rule]] = {
    it.NeedRegistered: ("slot_ids", Section("need", _NEED)),
    it.NeedWithdrawn: ("slot_ids", Section("withdrawn", _same("withdrawn_on", "reason"))),
    ma.CandidateMatched: _match({**_same("intermediary"), "proposed_on": "matched_on", **_same("rule_version")}),
    ma.CandidateAsked: _match(_same("asked_on")),
    ma.CandidateAccepted: _match(_same("accepted_on")),
    ma.CandidateDeclined: _match({"declined_on": "declined_on", "decline_reason": "reason"}),
    ma.CandidatePresented: _match(_same("presented_on")),
    # Not counted in the period it was made in; a later presentation sets the day again.
    ma.PresentationReversed: _match({"presented_on": Of.NOTHING, "presentation_reversed_on": "reversed_on"}),
    ma.AnswerReversed: _match({"accepted_on": Of.NOTHING}),
    ma.ResponseReversed: _match({"answered_on": Of.NOTHING, "answer": Of.NOTHING}),
    ma.EmployerResponded: _match({"answered_on": "responded_on", "answer": "response"}),
    ma.InterviewHeld: _match({"interview_on": "held_on"}),
    ma.MatchConfirmed: _match(_same("confirmed_on")),
    ma.MatchCancelled: _match({"cancelled_on": "cancelled_on", "cancel_reason": "reason"}),
    fo.AgreementDrafted: _agreement(_DRAFTED),
    fo.AgreementConcluded: _agreement(_same("concluded_on", "measure", "start_on", "end_on")),
    # Not concluded any more until everybody has approved what it says now.
    fo.AgreementChanged: _agreement(
        {"concluded_on": Of.NOTHING, **_same("measure", "start_on", "end_on", "rule_version")}
    ),
    fo.AgreementExpired: _agreement(_same("expired_on")),
    fo.AgreementAnnulled: _agreement({"annulled_on": "annulled_on", "annul_reason": "reason"}),
    fo.NoShowReported: _agreement({"no_show_on": "on", "no_show_position": Of.POSITION}),
    fo.TrialStarted: _trial(
        {
            **_same("agreement_id", "match_id", "measure"),
            "started_on": "on",
            # The first one tells which declaration held: a day that is put right later changes nothing about a person.
            "starts_recorded": Also(Of.RECORDED),
            "started_position": Of.POSITION,
            **_same("end_on", "rule_version"),
        }
    ),
    # The right day follows as another start of the same trial.
    fo.StartReversed: _trial({"start_reversed_on": "reversed_on", **_NEVER_DUE}),
    fo.CheckInHeld: _trial({"held": Also("held_on")}),
    fo.CheckInReversed: _trial({"held_reversed": Also("held_on"), **_NEVER_DUE}),
    fo.CheckInMissed: _trial({"missed": Under("due_on", Of.YES)}),
    fo.TrialExtended: _trial({"extended": Also("extended_on"), **_same("end_on")}),
    fo.TrialShortened: _trial({"shortened": Also({"on": "shortened_on", "reason": "reason"}), **_same("end_on")}),
    fo.TrialClosed: _trial({"closed_on": "on", "outcome": "outcome", "close_reason": "reason"}),
    # The right outcome follows as another closing, of the period that it belongs to.
    fo.OutcomeReversed: _trial(
        {
            "closed_on": Of.NOTHING,
            "outcome": Of.NOTHING,
            "close_reason": Of.NOTHING,
            "outcome_reversed_on": "reversed_on",
        }
    ),
    fo.EmploymentConfirmed: _trial({"still_employed": Under("after_months", "employed")}),
    DelayReported: ("slot_id", Item("delays", _same("caused_by", "reason", "from_on"))),
}

placement = declared("placement", (it.TOPIC, ma.TOPIC, fo.TOPIC), _PLACEMENT, version=4, by_case=True)


# --- needs: what is said of a need without naming its slots ---------------------------------------------------------


def _assignment(_: str, __: Document | None, record: Record) -> Document:
    event = record.event
    return {"intermediary": event.intermediary, "assigned_on": event.assigned_on.isoformat()}


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
    declaration = {"recorded": instant_text(record.recorded), "position": record.position, "ciphertext": ciphertext}
    return {**before, "declarations": [*before.get("declarations", []), declaration]}


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
