"""The case as it is shown: what matching and followup say of one confirmed match, by match id.

Invariant: each subject writes fields of its own, so that no order between topics matters; nothing sealed is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from chassis.projection import Document, Projection, Record
from contracts import followup, matching
from contracts.days import oslo_day
from contracts.event import Event
from contracts.followup import (
    AgreementAnnulled,
    AgreementApproved,
    AgreementChanged,
    AgreementConcluded,
    AgreementDrafted,
    AgreementEvent,
    AgreementExpired,
    AgreementExpiring,
    ApprovalRevoked,
    CaseEvent,
    CaseTaken,
    NoShowReported,
    TaskAssigned,
    TaskCompleted,
    TaskEvent,
    TrialClosed,
    TrialEvent,
)
from contracts.matching import MatchCancelled, MatchConfirmed, MatchEvent
from contracts.vocabulary import Task
from services.followup.planview import ASSIGNMENTS, PLANS
from services.followup.trialview import trial_after

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
            after = case_after(before, event, record.position)
        case _:
            return document
    ids = {name: getattr(event, name) for name in _IDS}
    return {**after, **ids, "history": _history(before, record)}


def case_after(document: Document, event: CaseEvent, at: int) -> Document:
    """What followup's own events say: tasks, agreements and trials, each by its id. `at`: the event's place in the log.

    A document is folded with places of one kind: of the ledger here, of its own log where a single trial is shown.
    """
    match event:
        case TaskEvent():
            after = _part(document, "tasks", event.task_id, _task(event))
            # Whose playbook decisions go by: the match names the place also of a case whose tasks did not yet do so.
            said = event.municipality if isinstance(event, TaskAssigned) else None
            if isinstance(event, TaskCompleted) and event.task == Task.SETTLE_START_DATE:
                after = {**after, "settled_at": max(at, document.get("settled_at", at))}
            return {**after, "municipality": document.get("municipality") or said} if said else after
        case AgreementEvent():
            after = _part(document, "agreements", event.agreement_id, _agreement(document, event))
            ends = _ends(event)
            return after if ends is None else {**after, "ended_on": ends}
        case TrialEvent():
            trial = document.get("trials", {}).get(event.trial_id, {})
            after = _part(document, "trials", event.trial_id, trial_after(trial, event, at))
            return {**after, "closed_on": event.on.isoformat()} if isinstance(event, TrialClosed) else after
        case CaseTaken():
            return {**document, "counsellor_id": event.counsellor_id}
        case _:
            return document


def _ends(event: AgreementEvent) -> str | None:
    """The day on which the case ended before a start, if this ends it."""
    match event:
        case AgreementAnnulled():
            return event.annulled_on.isoformat()
        case NoShowReported():
            return event.on.isoformat()
        case _:
            return None


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


_CONTENT = ("measure", "start_on", "end_on", "hours_per_week", "wage_subsidy_percent", "decision_maker_needed")


def _content(event: AgreementDrafted | AgreementChanged) -> dict[str, Any]:
    said = event.data()
    return {name: said[name] for name in (*_CONTENT, "rule_version")}


def _agreement(document: Document, event: AgreementEvent) -> dict[str, Any]:
    before = document.get("agreements", {}).get(event.agreement_id, {})
    match event:
        case AgreementDrafted():
            content = _content(event)
            drafted_on = event.drafted_on.isoformat()
            first = {"version": 1, "on": drafted_on, "effective_on": content["start_on"], **content}
            kept = {"intermediary": event.intermediary, "drafted_on": drafted_on, **content}
            return {**kept, "approvals": [], "versions": [first]}
        case AgreementChanged():
            content = _content(event)
            changed_on = event.changed_on.isoformat()
            effective_on = event.effective_on.isoformat()
            version = {"version": event.content_version, "on": changed_on, "effective_on": effective_on, **content}
            versions = [*before.get("versions", []), version]
            # A fold cannot take a field away from what it is merged into: None says that it no longer holds.
            return {**content, "approvals": [], "concluded_on": None, "expiring": None, "versions": versions}
        case AgreementApproved():
            approval = {
                "party": event.party,
                "approved_on": event.approved_on.isoformat(),
                "on_behalf_of": event.on_behalf_of,
            }
            return {"approvals": [*before.get("approvals", []), approval], "expiring": None}
        case ApprovalRevoked():
            return {"approvals": [], "expiring": None}
        case AgreementConcluded():
            return {"concluded_on": event.concluded_on.isoformat()}
        case AgreementAnnulled():
            return {"annulled": {"on": event.annulled_on.isoformat(), "reason": event.reason}}
        case AgreementExpiring():
            return {"expiring": {"on": event.expires_on.isoformat(), "days_left": event.days_left}}
        case AgreementExpired():
            return {"expired": {"on": event.expired_on.isoformat()}, "expiring": None}
        case NoShowReported():
            return {"no_show": {"on": event.on.isoformat(), "reported_by": event.reported_by}}
        case _:
            return {}


_WHO = ("party", "confirmed_by", "reported_by", "decided_by", "proposed_by", "accepted_by", "declined_by")


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
    return sorted([*history, entry], key=_order)


def _order(entry: dict[str, Any]) -> tuple[Any, ...]:
    # What followup did about a confirmation in the same millisecond comes after it.
    return entry["recorded"], entry["event"] != MatchConfirmed.__name__, entry["source"], entry["position"]


def _by(event: Event) -> str | None:
    return next((getattr(event, name) for name in _WHO if hasattr(event, name)), None)


_OF_CASES = tuple(event for event in get_args(followup.FollowupEvent) if issubclass(event, CaseEvent))

CASES = Projection(
    name="cases",
    topics=(matching.TOPIC, followup.TOPIC),
    reads=(MatchConfirmed, MatchCancelled, *_OF_CASES),
    keys=_keys,
    fold=_fold,
    indexes=(
        ("need_id", "match_id"),
        ("org_number", "match_id"),
        ("intermediary", "match_id"),
        ("candidate_id", "match_id"),
        ("counsellor_id", "match_id"),
    ),
    version=4,
)
PROJECTIONS = (CASES, PLANS, ASSIGNMENTS)
