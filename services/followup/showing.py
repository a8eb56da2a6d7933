"""Cases, agreements and trials as the API answers them.

Invariant: ids, days and codes alone; free text is added only where a counsellor of the case asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from contracts.followup import CheckInHeld, TrialClosed
from services.followup.core import Found
from services.followup.steps import agreement_status, live_agreement, next_step, status, trial_of, waiting_for

_IDS = ("match_id", "need_id", "slot_id", "candidate_id", "org_number")
_OF_MATCH = ("municipality", "occupation", "registered_on", "promise_date", "confirmed_on")


def case_body(case: Mapping[str, Any], today: date) -> dict[str, Any]:
    """A case: where it stands, who does what next, and what has happened."""
    agreements = sorted(case.get("agreements", {}).items())
    shown = live_agreement(case) or (agreements[-1] if agreements else None)
    trial = trial_of(case)
    return {
        **{name: case[name] for name in _IDS},
        "intermediary": case["intermediary"],
        **{name: case["match"][name] for name in _OF_MATCH},
        "cancelled": case.get("cancelled"),
        "status": status(case),
        "next_step": _next(case, today),
        "tasks": _tasks(case),
        "agreement": None if shown is None else agreement_part(*shown),
        "trial": None if trial is None else trial_part(*trial),
        "history": [{name: each[name] for name in ("event", "on", "by")} for each in case["history"]],
    }


def _next(case: Mapping[str, Any], today: date) -> dict[str, Any] | None:
    step = next_step(case, today)
    if step is None:
        return None
    return {
        "step": step.step,
        "responsible": list(step.responsible),
        "due_on": step.due_on.isoformat(),
        "overdue": step.due_on < today,
    }


def _tasks(case: Mapping[str, Any]) -> list[dict[str, Any]]:
    # A completion may have been folded a moment before its task was.
    tasks = [{"task_id": task_id, **task} for task_id, task in case.get("tasks", {}).items() if "task" in task]
    return sorted(tasks, key=lambda task: (task["due_on"], task["task_id"]))


def agreement_part(agreement_id: str, agreement: Mapping[str, Any]) -> dict[str, Any]:
    """An agreement as part of a case."""
    where = agreement_status(agreement)
    return {
        "agreement_id": agreement_id,
        **{name: agreement[name] for name in sorted(agreement)},
        "status": where,
        "waiting_for": list(waiting_for(agreement)) if where == "drafted" else [],
    }


def trial_part(trial_id: str, trial: Mapping[str, Any]) -> dict[str, Any]:
    """A trial as part of a case."""
    return {
        "trial_id": trial_id,
        **{name: trial[name] for name in sorted(trial)},
        "status": "closed" if "closed" in trial else "running",
    }


def agreement_body(found: Found) -> dict[str, Any]:
    """`GET /agreements/{id}`; once it has started, `trial_id` says where it goes on."""
    agreement_id = found.drafted.agreement_id
    body = agreement_part(agreement_id, found.document["agreements"][agreement_id])
    trial = trial_of(found.document)
    started = {"status": "started", "trial_id": trial[0]} if trial is not None else {"trial_id": None}
    return {**_ids(found), **body, **started}


def trial_body(found: Found) -> dict[str, Any]:
    """`GET /trials/{id}`."""
    trial = trial_of(found.document)
    assert trial is not None, "found by its start"
    return {**_ids(found), "intermediary": found.drafted.intermediary, **trial_part(*trial)}


def with_notes(body: Mapping[str, Any], found: Found) -> dict[str, Any]:
    """The same with the sealed notes, as far as they were opened."""
    notes: dict[str, Any] = {}
    closing = None
    for event in found.loaded.events:
        note = None if event.sealed is None else event.sealed.get("note")
        if isinstance(event, CheckInHeld):
            notes[event.check_in_id] = note
        elif isinstance(event, TrialClosed):
            closing = note
    check_ins = [{**each, "note": notes.get(each["check_in_id"])} for each in body["check_ins"]]
    closed = {"closed": {**body["closed"], "note": closing}} if "closed" in body else {}
    return {**body, "check_ins": check_ins, **closed}


def _ids(found: Found) -> dict[str, Any]:
    return {name: getattr(found.drafted, name) for name in _IDS}
