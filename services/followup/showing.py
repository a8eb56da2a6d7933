"""Cases, agreements and trials as the API answers them.

Invariant: ids, days and codes alone; free text is added only where a counsellor of the case asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from contracts.followup import CheckInHeld, CheckInReversed, ClosingTalkHeld, StartReversed, TrialClosed
from contracts.vocabulary import AnnulReason, Party, Task
from services.followup.core import Found
from services.followup.domain.agreement import ANNULLED_BY_HAND
from services.followup.steps import (
    agreement_status,
    disputed_days,
    live_agreement,
    next_step,
    status,
    trial_of,
    waiting_for,
)

_IDS = ("match_id", "need_id", "slot_id", "candidate_id", "org_number")
_OF_MATCH = ("municipality", "occupation", "registered_on", "promise_date", "confirmed_on")


NOT_FOR_OTHERS = ("VoiceGiven",)
"""What only the case's counsellor learns of, not even that it happened."""
NOT_FOR_EMPLOYERS = ("CheckInMissed", "CaseTaken")
"""What is between the candidate and those who follow up."""


_ONLY_BY: Mapping[str, Party] = {
    **dict.fromkeys(
        (
            "AgreementDrafted",
            "AgreementChanged",
            "CaseTaken",
            "CheckInHeld",
            "CheckInReversed",
            "StartReversed",
            "ClosingTalkHeld",
            "TrialClosed",
            "OutcomeReversed",
            "CertificateIssued",
        ),
        Party.COUNSELLOR,
    ),
    "VoiceGiven": Party.PARTICIPANT,
}
"""Events that name nobody, since the rules let one party alone bring them about."""
_BY_ITSELF = ("AgreementConcluded", "AgreementExpiring", "AgreementExpired", "CheckInMissed")
"""What follows from the last approval, or from a day that has passed."""
_BY_HAND = frozenset(ANNULLED_BY_HAND) - {AnnulReason.NO_LONGER_AVAILABLE}
"""Reasons that only a counsellor gives; the one left out is also what follows when a person is gone."""


def history_for(case: Mapping[str, Any], party: Party | None) -> list[Mapping[str, Any]]:
    """What has happened, as far as this party may know; `by` is who did it, `by_itself` that nobody had to.

    Both say nothing where it cannot be told.
    """
    hidden: tuple[str, ...] = () if party == Party.COUNSELLOR else NOT_FOR_OTHERS
    if party == Party.EMPLOYER:
        hidden += NOT_FOR_EMPLOYERS
    return [_with_doer(case, each) for each in case["history"] if each["event"] not in hidden]


def _with_doer(case: Mapping[str, Any], entry: Mapping[str, Any]) -> Mapping[str, Any]:
    event = entry["event"]
    by, by_itself = entry["by"] or _ONLY_BY.get(event), event in _BY_ITSELF
    if event == "AgreementAnnulled":
        reasons = {each["annulled"]["reason"] for each in case.get("agreements", {}).values() if "annulled" in each}
        by = Party.COUNSELLOR if reasons <= _BY_HAND else None
        by_itself = reasons.isdisjoint(ANNULLED_BY_HAND)
    return {**entry, "by": by, "by_itself": by_itself}


def case_body(case: Mapping[str, Any], today: date, party: Party | None) -> dict[str, Any]:
    """A case as a party may see it: where it stands, who does what next, and what has happened."""
    agreements = sorted(case.get("agreements", {}).items())
    shown = live_agreement(case) or (agreements[-1] if agreements else None)
    trial = trial_of(case)
    return {
        **{name: case[name] for name in _IDS},
        "intermediary": case["intermediary"],
        **{name: case["match"][name] for name in _OF_MATCH},
        "cancelled": case.get("cancelled"),
        "status": status(case),
        "next_step": _next(case, today, party),
        "tasks": tasks_for(case, party),
        "agreement": None if shown is None else agreement_part(*shown),
        "trial": None if trial is None else trial_for(trial_part(case, *trial), party),
        "history": [{name: each[name] for name in ("event", "on", "by")} for each in history_for(case, party)],
    }


def _next(case: Mapping[str, Any], today: date, party: Party | None) -> dict[str, Any] | None:
    step = next_step(case, today, party)
    if step is None:
        return None
    return {
        "step": step.step,
        "responsible": list(step.responsible),
        "due_on": step.due_on.isoformat(),
        "overdue": step.due_on < today,
    }


def tasks_of(case: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tasks of a case by due day, as far as they have been heard of."""
    tasks = [{"task_id": task_id, **task} for task_id, task in case.get("tasks", {}).items() if "task" in task]
    return sorted(tasks, key=lambda task: (task["due_on"], task["task_id"]))


def tasks_for(case: Mapping[str, Any], party: Party | None) -> list[dict[str, Any]]:
    """The same, as far as this party may know: that nobody has looked after the candidate is no news for employers."""
    hidden = (Task.HOLD_CHECK_IN,) if party == Party.EMPLOYER else ()
    return [task for task in tasks_of(case) if task["task"] not in hidden]


def trial_for(part: Mapping[str, Any], party: Party | None) -> dict[str, Any]:
    """A trial as a party may see it. How it goes, and what was missed, is not told to employers."""
    shown = {name: value for name, value in part.items() if name != "voices" or party == Party.COUNSELLOR}
    if party != Party.EMPLOYER:
        return shown
    shown["check_ins"] = [{name: each[name] for name in ("check_in_id", "held_on")} for each in shown["check_ins"]]
    return {name: value for name, value in shown.items() if name not in ("missed", "check_in_reversals")}


def agreement_part(agreement_id: str, agreement: Mapping[str, Any]) -> dict[str, Any]:
    """An agreement as part of a case."""
    where = agreement_status(agreement)
    return {
        "agreement_id": agreement_id,
        **{name: value for name, value in sorted(agreement.items()) if name != "versions" and value is not None},
        "wage_subsidy_percent": agreement["wage_subsidy_percent"],
        "status": where,
        "waiting_for": list(waiting_for(agreement)) if where == "drafted" else [],
    }


def trial_part(case: Mapping[str, Any], trial_id: str, trial: Mapping[str, Any]) -> dict[str, Any]:
    """A trial as part of a case. Of other days for the start those are told that wait to be settled."""
    return {
        "trial_id": trial_id,
        # What was decided of the content is told as the versions of the agreement.
        **{name: trial[name] for name in sorted(trial) if name != "decided"},
        **({"disputed": disputed_days(case)} if "disputed" in trial else {}),
        "status": "closed" if "closed" in trial else "running",
    }


def agreement_body(found: Found) -> dict[str, Any]:
    """`GET /agreements/{id}`; once it has started, `trial_id` says where it goes on."""
    agreement_id = found.drafted.agreement_id
    body = agreement_part(agreement_id, found.document["agreements"][agreement_id])
    trial = trial_of(found.document)
    started = {"status": "started", "trial_id": trial[0]} if trial is not None else {"trial_id": None}
    return {**_ids(found), **body, **started}


def trial_body(found: Found, party: Party | None) -> dict[str, Any]:
    """`GET /trials/{id}`."""
    trial = trial_of(found.document)
    assert trial is not None, "found by its start"
    return {
        **_ids(found),
        "intermediary": found.drafted.intermediary,
        **trial_for(trial_part(found.document, *trial), party),
    }


def versions(case: Mapping[str, Any], agreement_id: str) -> list[dict[str, Any]]:
    """Every content that the agreement has had: before the start as drafted and changed, after it by what was decided.

    Each holds from `effective_on` until the next one does.
    """
    found = [dict(each) for each in case.get("agreements", {}).get(agreement_id, {}).get("versions", [])]
    trial = trial_of(case)
    if trial is None or trial[1]["agreement_id"] != agreement_id or not found:
        return [{"number": number, **each} for number, each in enumerate(found, 1)]
    last = found[-1]
    for each in trial[1].get("decided", []):
        # What an extension says holds from the day after the old last day.
        begins = each["effective_on"] or (date.fromisoformat(last["end_on"]) + timedelta(days=1)).isoformat()
        if each["what"].items() <= last.items():
            continue
        last = {**last, **each["what"], "on": each["on"], "effective_on": begins}
        found.append(last)
    return [{"number": number, **each} for number, each in enumerate(found, 1)]


def hours_on(case: Mapping[str, Any], agreement_id: str, day: date) -> float:
    """The hours that hold on a day: of what was agreed for that day or an earlier one, what was agreed last."""
    hours = case["agreements"][agreement_id]["hours_per_week"]
    trial = trial_of(case)
    if trial is not None and trial[1]["agreement_id"] == agreement_id:
        accepted = [each for each in trial[1].get("changes", []) if each["state"] == "accepted"]
        begun = [each["hours_per_week"] for each in accepted if each["effective_on"] <= day.isoformat()]
        hours = begun[-1] if begun else hours
    return float(hours)


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Field by field what differs between two versions of the content."""
    said = ("on", "version", "number")
    names = [name for name in {**one, **other} if name not in said]
    return {name: {"from": one.get(name), "to": other.get(name)} for name in names if one.get(name) != other.get(name)}


def with_notes(body: Mapping[str, Any], found: Found) -> dict[str, Any]:
    """The same with the sealed notes, as far as they were opened."""
    notes: dict[str, Any] = {}
    agreed: dict[str, Any] = {}
    taken_back: dict[str, Any] = {}
    closing = talk = None
    reversals: list[Any] = []
    for event in found.loaded.events:
        note = None if event.sealed is None else event.sealed.get("note")
        if isinstance(event, CheckInHeld):
            notes[event.check_in_id] = note
            agreed[event.check_in_id] = None if event.sealed is None else event.sealed.get("agreed")
        elif isinstance(event, CheckInReversed):
            taken_back[event.check_in_id] = note
        elif isinstance(event, StartReversed):
            reversals.append(note)
        elif isinstance(event, TrialClosed):
            closing = note
        elif isinstance(event, ClosingTalkHeld):
            talk = note
    check_ins = [
        {**each, "note": notes.get(each["check_in_id"]), "agreed": agreed.get(each["check_in_id"])}
        for each in body["check_ins"]
    ]
    closed = {"closed": {**body["closed"], "note": closing}} if "closed" in body else {}
    talked = {"closing_talk": {"held_on": body["closing_talk_on"], "note": talk}} if "closing_talk_on" in body else {}
    starts = [{**each, "note": note} for each, note in zip(body.get("start_reversals", []), reversals, strict=True)]
    wrong = [{**each, "note": taken_back.get(each["check_in_id"])} for each in body.get("check_in_reversals", [])]
    told = {name: each for name, each in (("start_reversals", starts), ("check_in_reversals", wrong)) if each}
    return {**body, "check_ins": check_ins, **closed, **talked, **told}


def _ids(found: Found) -> dict[str, Any]:
    return {name: getattr(found.drafted, name) for name in _IDS}
