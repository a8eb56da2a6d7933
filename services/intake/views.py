"""What intake shows of its own log: needs, and candidates without who they are.

Invariant: a view holds public parts alone; each document is folded from one subject, so that its events are in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chassis.projection import Document, Projection, Record
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
    match event:
        case NeedRegistered():
            return {**event.data(), "withdrawn": None}
        case NeedWithdrawn():
            withdrawn = {"on": event.withdrawn_on.isoformat(), "reason": event.reason}
            return {**(document or {}), "withdrawn": withdrawn}
        case _:
            return document or {}


NEEDS = Projection(
    name="needs",
    topics=(TOPIC,),
    reads=(NeedRegistered, NeedWithdrawn),
    keys=_need_keys,
    fold=_fold_need,
    indexes=(("org_number", "need_id"),),
)


def _candidate_keys(record: Record) -> Sequence[str]:
    return (record.event.candidate_id,) if isinstance(record.event, CandidateEvent) else ()


def _fold_candidate(_: str, document: Document | None, record: Record) -> Document:
    return {**(document or {}), **_changed(document or {}, record)}


def _changed(document: Document, record: Record) -> dict[str, Any]:
    event = record.event
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

ALL = (NEEDS, CANDIDATES)
