"""What intake shows: needs, candidates without who they are, and what other services say about a need's places.

Invariant: a view holds public parts alone. Needs and candidates are folded from one subject each, so that their events
are in order; of a place each match and each trial says its own part, whatever comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.projection import Document, Projection, Record
from contracts.event import Event
from contracts.followup import TOPIC as FOLLOWUP_TOPIC
from contracts.followup import NoShowReported, TrialClosed, TrialStarted
from contracts.intake import (
    TOPIC,
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
    NeedTextErased,
    NeedWithdrawn,
    QualificationAdded,
    ReadinessRevoked,
)
from contracts.matching import TOPIC as MATCHING_TOPIC
from contracts.matching import MatchCancelled, MatchConfirmed, NeedAssigned

NO_END = "9999-12-31"
"""Sorts behind every day: a need without open slots, or without a last open day, is never due."""


def _need_keys(record: Record) -> Sequence[str]:
    return (record.event.need_id,) if isinstance(record.event, NeedEvent) else ()


def _fold_need(_: str, document: Document | None, record: Record) -> Document:
    return need_after(document or {}, record.event)


def need_after(document: Document, event: Event) -> Document:
    """The public facts of a need after one more event of it."""
    # Each command on a need appends one event of it, so that this is the subject's version, as If-Match wants it.
    version = document.get("version", 0) + 1
    match event:
        case NeedRegistered():
            fresh: Document = {"closed": {}, "withdrawn": None, "expired": None, "revised_on": None}
            return _with_due({**event.data(), **fresh, "version": version})
        case NeedRevised():
            return _with_due({**document, **event.data(), "version": version})
        case NeedWithdrawn():
            how = {"on": event.withdrawn_on.isoformat(), "reason": event.reason}
            return _closed(document, event.slot_ids, "withdrawn", how, version)
        case NeedExpired():
            how = {"on": event.expired_on.isoformat(), "reason": "expired"}
            return _closed(document, event.slot_ids, "expired", how, version)
        case NeedTextErased():
            return {**document, "version": version}
        case _:
            return document


def _closed(document: Document, slots: Sequence[str], name: str, how: Mapping[str, str], version: int) -> Document:
    closed = {**document["closed"], **{key: dict(how) for key in slots}}
    after = {**document, "closed": closed, "version": version}
    # The need itself is withdrawn, or has expired, once none of its slots is left.
    return _with_due({**after, name: dict(how)} if set(closed) >= set(document["slot_ids"]) else after)


def _with_due(document: Document) -> Document:
    left = set(document["slot_ids"]) - set(document["closed"])
    return {**document, "open": bool(left), "due_after": (document["expires_on"] or NO_END) if left else NO_END}


NEEDS = Projection(
    name="needs",
    topics=(TOPIC,),
    reads=(NeedRegistered, NeedRevised, NeedWithdrawn, NeedExpired, NeedTextErased),
    keys=_need_keys,
    fold=_fold_need,
    indexes=(("registered_on", "need_id"), ("org_number", "registered_on", "need_id"), ("due_after",)),
    version=2,
)


def _place_keys(record: Record) -> Sequence[str]:
    match record.event:
        case NeedAssigned() | MatchConfirmed() | MatchCancelled() | TrialStarted() | TrialClosed() | NoShowReported():
            return (record.event.need_id,)
        case _:
            return ()


def _fold_places(_: str, document: Document | None, record: Record) -> Document:
    """Per match whether it is confirmed, per agreement whether nobody came, per trial from when to when."""
    seen: Document = document or {"assigned": None, "matches": {}, "trials": {}, "no_shows": {}}
    match record.event:
        case NeedAssigned() as event:
            return {**seen, "assigned": event.intermediary}
        case MatchConfirmed() as event:
            said = {
                "slot_id": event.slot_id,
                "confirmed_on": event.confirmed_on.isoformat(),
                "intermediary": event.intermediary,
                "cancelled": False,
            }
            return {**seen, "matches": {**seen["matches"], event.match_id: said}}
        case MatchCancelled() as event:
            said = {**seen["matches"].get(event.match_id, {"slot_id": event.slot_id}), "cancelled": True}
            return {**seen, "matches": {**seen["matches"], event.match_id: said}}
        case TrialStarted() as event:
            said = {
                **seen["trials"].get(event.trial_id, {"closed_on": None}),
                "slot_id": event.slot_id,
                "started_on": event.on.isoformat(),
            }
            return {**seen, "trials": {**seen["trials"], event.trial_id: said}}
        case TrialClosed() as event:
            said = {
                **seen["trials"].get(event.trial_id, {"slot_id": event.slot_id, "started_on": None}),
                "closed_on": event.on.isoformat(),
                "outcome": event.outcome,
            }
            return {**seen, "trials": {**seen["trials"], event.trial_id: said}}
        case NoShowReported() as event:
            return {**seen, "no_shows": {**seen["no_shows"], event.match_id: event.on.isoformat()}}
        case _:
            return seen


PLACES = Projection(
    name="places",
    topics=(MATCHING_TOPIC, FOLLOWUP_TOPIC),
    reads=(NeedAssigned, MatchConfirmed, MatchCancelled, TrialStarted, TrialClosed, NoShowReported),
    keys=_place_keys,
    fold=_fold_places,
)


def started_slots(places: Mapping[str, Any] | None) -> dict[str, str]:
    """The slots on which somebody has begun to work, with the day."""
    trials = (places or {}).get("trials", {}).values()
    return {each["slot_id"]: each["started_on"] for each in trials if each["started_on"] is not None}


def confirmed_slots(places: Mapping[str, Any] | None) -> dict[str, str]:
    """The slots for which somebody has been chosen and still is, with the intermediary that follows it up."""
    known = places or {"matches": {}, "no_shows": {}}
    return {
        each["slot_id"]: each["intermediary"]
        for match_id, each in known["matches"].items()
        if not each["cancelled"] and match_id not in known["no_shows"]
    }


def _candidate_keys(record: Record) -> Sequence[str]:
    return (record.event.candidate_id,) if isinstance(record.event, CandidateEvent) else ()


def _fold_candidate(_: str, document: Document | None, record: Record) -> Document | None:
    return None if isinstance(record.event, CandidateErased) else candidate_after(document or {}, record.event)


def candidate_after(document: Document, event: Event) -> Document:
    """The public facts of a candidate after one more event."""
    return {**document, **_changed(document, event)}


def _changed(document: Document, event: Event) -> dict[str, Any]:
    match event:
        case CandidateRegistered():
            return {
                "candidate_id": event.candidate_id,
                "intermediary": event.intermediary,
                "registered_on": event.registered_on.isoformat(),
                "mapping": None,
                "qualifications": [],
                "ready_until": None,
                "consents": [],
                "protected": False,
                "merged_into": None,
            }
        case CandidateMapped():
            mapping = event.data()
            del mapping["candidate_id"]
            return {"mapping": mapping}
        case QualificationAdded():
            qualification = event.data()
            del qualification["candidate_id"]
            return {"qualifications": [*document.get("qualifications", []), qualification]}
        case CandidateAssessed():
            return {"ready_until": event.valid_until.isoformat() if event.ready else None}
        case ReadinessRevoked():
            return {"ready_until": None}
        case ConsentGiven():
            return {"consents": sorted({*document.get("consents", []), event.scope})}
        case ConsentWithdrawn():
            return {"consents": sorted({*document.get("consents", [])} - {event.scope})}
        case AddressProtectionChanged():
            return {"protected": event.protected}
        case CandidateHandedOver():
            return {"intermediary": event.to_intermediary}
        case CandidateMerged():
            return {"merged_into": event.merged_into, "ready_until": None, "consents": []}
        case _:
            return {}


CANDIDATES = Projection(
    name="candidates",
    topics=(TOPIC,),
    reads=(
        CandidateRegistered,
        CandidateMapped,
        QualificationAdded,
        CandidateAssessed,
        ReadinessRevoked,
        ConsentGiven,
        ConsentWithdrawn,
        AddressProtectionChanged,
        CandidateHandedOver,
        CandidateMerged,
        CandidateErased,
    ),
    keys=_candidate_keys,
    fold=_fold_candidate,
    indexes=(("intermediary", "candidate_id"),),
    version=2,
)


def _erased_keys(record: Record) -> Sequence[str]:
    match record.event:
        case CandidateErased() as event:
            return (event.candidate_id,)
        case NeedTextErased() as event:
            return (event.need_id,)
        case _:
            return ()


def _fold_erased(_: str, __: Document | None, ___: Record) -> Document:
    return {}


ERASED = Projection(
    name="erased",
    topics=(TOPIC,),
    reads=(CandidateErased, NeedTextErased),
    keys=_erased_keys,
    fold=_fold_erased,
    version=2,
)
"""Whose key is destroyed, of people and of texts of needs. Replayed against the keyring at each start, since a keyring
may come from a backup."""

PROJECTIONS = (NEEDS, PLACES, CANDIDATES, ERASED)
