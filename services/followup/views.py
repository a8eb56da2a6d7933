"""The case as it is shown: what matching and followup say of one confirmed match, by match id.

Invariant: each subject writes fields of its own, so that no order between topics matters; nothing sealed is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chassis.projection import Document, Projection, Record
from contracts import followup, matching
from contracts.days import oslo_day
from contracts.event import Event
from contracts.followup import (
    AgreementAnnulled,
    AgreementApproved,
    AgreementConcluded,
    AgreementDrafted,
    AgreementEvent,
    ApprovalRevoked,
    CaseEvent,
    CheckInHeld,
    NoShowReported,
    TaskAssigned,
    TaskCompleted,
    TaskEvent,
    TrialClosed,
    TrialEvent,
    TrialExtended,
    TrialStarted,
)
from contracts.matching import MatchCancelled, MatchConfirmed, MatchEvent

_IDS = ("match_id", "need_id", "slot_id", "candidate_id", "org_number")
_MATCH = ("intermediary", "municipality", "occupation", "measure", "registered_on", "promise_date", "confirmed_on")


def _keys(record: Record) -> Sequence[str]:
    return (record.event.match_id,) if isinstance(record.event, CaseEvent | MatchEvent) else ()


def _fold(_: str, document: Document | None, record: Record) -> Document | None:
    event = record.event
    before = document or {}
    match event:
        case MatchConfirmed():
            said = event.data()
            # Apart from `match`, so that lists can be asked by it: a case is shown once its match has been heard of.
            after = {**before, "intermediary": event.intermediary, "match": {name: said[name] for name in _MATCH}}
        case MatchCancelled():
            if "match" not in before:
                # Never confirmed, so never a case: of one match, the confirmation comes first.
                return None
            after = {**before, "cancelled": {"on": event.cancelled_on.isoformat(), "reason": event.reason}}
        case CaseEvent():
            after = case_after(before, event)
        case _:
            return document
    ids = {name: getattr(event, name) for name in _IDS}
    return {**after, **ids, "history": _history(before, record)}


def case_after(document: Document, event: CaseEvent) -> Document:
    """What followup's own events say: tasks, agreements and trials, each by its id."""
    match event:
        case TaskEvent():
            return _part(document, "tasks", event.task_id, _task(event))
        case AgreementEvent():
            return _part(document, "agreements", event.agreement_id, _agreement(document, event))
        case TrialEvent():
            return _part(document, "trials", event.trial_id, _trial(document, event))
        case _:
            return document


def _part(document: Document, name: str, part_id: str, said: dict[str, Any]) -> Document:
    parts = document.get(name, {})
    return {**document, name: {**parts, part_id: {**parts.get(part_id, {}), **said}}}


def _task(event: TaskEvent) -> dict[str, Any]:
    match event:
        case TaskAssigned():
            return {"task": event.task, "responsible": event.responsible, "due_on": event.due_on.isoformat()}
        case TaskCompleted():
            return {"completed_on": event.completed_on.isoformat()}
        case _:
            return {}


def _agreement(document: Document, event: AgreementEvent) -> dict[str, Any]:
    approvals = document.get("agreements", {}).get(event.agreement_id, {}).get("approvals", [])
    match event:
        case AgreementDrafted():
            said = event.data()
            kept = {name: value for name, value in said.items() if name not in (*_IDS, "agreement_id")}
            return {**kept, "approvals": []}
        case AgreementApproved():
            approval = {
                "party": event.party,
                "approved_on": event.approved_on.isoformat(),
                "on_behalf_of": event.on_behalf_of,
            }
            return {"approvals": [*approvals, approval]}
        case ApprovalRevoked():
            return {"approvals": []}
        case AgreementConcluded():
            return {"concluded_on": event.concluded_on.isoformat()}
        case AgreementAnnulled():
            return {"annulled": {"on": event.annulled_on.isoformat(), "reason": event.reason}}
        case NoShowReported():
            return {"no_show": {"on": event.on.isoformat(), "reported_by": event.reported_by}}
        case _:
            return {}


def _trial(document: Document, event: TrialEvent) -> dict[str, Any]:
    trial = document.get("trials", {}).get(event.trial_id, {})
    match event:
        case TrialStarted():
            said = event.data()
            kept = {name: value for name, value in said.items() if name not in (*_IDS, "trial_id")}
            return {**kept, "check_ins": [], "extensions": []}
        case CheckInHeld():
            check_in = {
                "check_in_id": event.check_in_id,
                "held_on": event.held_on.isoformat(),
                "progress": event.progress,
            }
            return {"check_ins": [*trial.get("check_ins", []), check_in]}
        case TrialExtended():
            extension = {
                "extended_on": event.extended_on.isoformat(),
                "end_on": event.end_on.isoformat(),
                "wage_subsidy_percent": event.wage_subsidy_percent,
                "decided_by": event.decided_by,
            }
            extensions = [*trial.get("extensions", []), extension]
            return {"extensions": extensions, "end_on": extension["end_on"]}
        case TrialClosed():
            return {"closed": {"on": event.on.isoformat(), "outcome": event.outcome, "reason": event.reason}}
        case _:
            return {}


_WHO = ("party", "confirmed_by", "reported_by", "decided_by")


def _history(before: Document, record: Record) -> list[dict[str, Any]]:
    """What happened, as it was recorded; tasks are left out, since they follow from the rest."""
    history: list[dict[str, Any]] = before.get("history", [])
    if isinstance(record.event, TaskEvent):
        return history
    entry = {
        "recorded": record.recorded.isoformat(timespec="milliseconds"),
        "source": record.source,
        "position": record.position,
        "event": type(record.event).__name__,
        "on": oslo_day(record.occurred).isoformat(),
        "by": _by(record.event),
    }
    # Two topics arrive in any order: sorted by what does not depend on it.
    return sorted([*history, entry], key=lambda each: (each["recorded"], each["source"], each["position"]))


def _by(event: Event) -> str | None:
    return next((getattr(event, name) for name in _WHO if hasattr(event, name)), None)


CASES = Projection(
    name="cases",
    topics=(matching.TOPIC, followup.TOPIC),
    reads=(
        MatchConfirmed,
        MatchCancelled,
        TaskAssigned,
        TaskCompleted,
        AgreementDrafted,
        AgreementApproved,
        ApprovalRevoked,
        AgreementConcluded,
        AgreementAnnulled,
        TrialStarted,
        NoShowReported,
        CheckInHeld,
        TrialExtended,
        TrialClosed,
    ),
    keys=_keys,
    fold=_fold,
    indexes=(
        ("need_id", "match_id"),
        ("org_number", "match_id"),
        ("intermediary", "match_id"),
        ("candidate_id", "match_id"),
    ),
)
PROJECTIONS = (CASES,)
