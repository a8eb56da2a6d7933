"""What intake shows of its own log: needs, and candidates without who they are.

Invariant: a view holds public parts alone; each document is folded from one subject, so that its events are in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chassis.projection import Document, Projection, Record
from contracts.event import Event
from contracts.intake import (
    TOPIC,
    AddressProtectionChanged,
    CandidateAssessed,
    CandidateEvent,
    CandidateMapped,
    CandidateRegistered,
    ConsentGiven,
    ConsentWithdrawn,
    NeedEvent,
    NeedRegistered,
    NeedWithdrawn,
    QualificationAdded,
    ReadinessRevoked,
)


def _need_keys(record: Record) -> Sequence[str]:
    return (record.event.need_id,) if isinstance(record.event, NeedEvent) else ()


def _fold_need(_: str, document: Document | None, record: Record) -> Document:
    event = record.event
    # Each command on a need appends one event of it, so that this is the subject's version, as If-Match wants it.
    version = (document or {}).get("version", 0) + 1
    match event:
        case NeedRegistered():
            return {**event.data(), "withdrawn": None, "version": version}
        case NeedWithdrawn():
            withdrawn = {"on": event.withdrawn_on.isoformat(), "reason": event.reason}
            return {**(document or {}), "withdrawn": withdrawn, "version": version}
        case _:
            return document or {}


NEEDS = Projection(
    name="needs",
    topics=(TOPIC,),
    reads=(NeedRegistered, NeedWithdrawn),
    keys=_need_keys,
    fold=_fold_need,
    indexes=(("registered_on", "need_id"), ("org_number", "registered_on", "need_id")),
)


def _candidate_keys(record: Record) -> Sequence[str]:
    return (record.event.candidate_id,) if isinstance(record.event, CandidateEvent) else ()


def _fold_candidate(_: str, document: Document | None, record: Record) -> Document:
    return candidate_after(document or {}, record.event)


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
    ),
    keys=_candidate_keys,
    fold=_fold_candidate,
    indexes=(("intermediary", "candidate_id"),),
)

PROJECTIONS = (NEEDS, CANDIDATES)
