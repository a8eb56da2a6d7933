"""A trial as part of a case's document: pure, from the events of the trial alone.

Invariant: what is sealed is not here; of what the candidate said, only that and when.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.followup import (
    CertificateIssued,
    ChangeAccepted,
    ChangeDeclined,
    ChangeEvent,
    ChangeProposed,
    CheckInHeld,
    CheckInMissed,
    CheckInReversed,
    ClosingTalkHeld,
    EmploymentConfirmed,
    OutcomeReversed,
    StartDisputed,
    StartReversed,
    TrialClosed,
    TrialEvent,
    TrialExtended,
    TrialShortened,
    TrialStarted,
    VoiceGiven,
)

_IDS = ("match_id", "need_id", "slot_id", "candidate_id", "org_number", "trial_id")


def trial_after(trial: Mapping[str, Any], event: TrialEvent, at: int) -> dict[str, Any]:
    """The fields that an event sets. `at`: its place among all events of the case."""
    decision = _decision(trial, event)
    # In the order of the log: of several decisions on one day, which one came last cannot be told from the day.
    decided = {} if decision is None else {"decided": [*trial.get("decided", []), decision]}
    return {**_fields(trial, event, at), **decided}


def _decision(trial: Mapping[str, Any], event: TrialEvent) -> dict[str, Any] | None:
    """What an event says of the content of the agreement, from when on; None where it says nothing of it.

    `effective_on` is null for an extension, which holds from the day after the old last day.
    """
    match event:
        case TrialStarted() if reversals := trial.get("start_reversals"):
            # From another first day the measure may have to end earlier.
            on, what = reversals[-1]["reversed_on"], _told(event, "end_on")
            return {"on": on, "effective_on": on, "what": what}
        case TrialExtended():
            on, what = event.extended_on.isoformat(), _told(event, "end_on", "wage_subsidy_percent")
            return {"on": on, "effective_on": None, "what": what}
        case TrialShortened():
            on = event.shortened_on.isoformat()
            return {"on": on, "effective_on": on, "what": _told(event, "end_on")}
        case ChangeAccepted():
            on, effective_on = event.accepted_on.isoformat(), event.effective_on.isoformat()
            return {"on": on, "effective_on": effective_on, "what": _told(event, "hours_per_week")}
        case _:
            return None


def _fields(trial: Mapping[str, Any], event: TrialEvent, at: int) -> dict[str, Any]:
    match event:
        case TrialStarted():
            kept = {name: value for name, value in event.data().items() if name not in _IDS}
            # The right day of a start that was reversed: what has been held and decided since stays.
            reversals = _with_right_day(trial.get("start_reversals", []), kept["on"], kept["end_on"])
            parts = {"check_ins": trial.get("check_ins", []), "extensions": trial.get("extensions", [])}
            return {**kept, **parts, **({"start_reversals": reversals} if reversals else {})}
        case StartDisputed():
            # Whether it came before the counsellor settled the day or after cannot be told from the day.
            other = {**_told(event, "on", "reported_by", "reported_on"), "at": at}
            return {"disputed": [*trial.get("disputed", []), other]}
        case StartReversed():
            wrong = _told(event, "on", "reversed_on", "reason")
            missed = _without(trial.get("missed", []), event.data()["check_ins_not_missed_on"])
            return {"start_reversals": [*trial.get("start_reversals", []), wrong], "missed": missed, "disputed": []}
        case CheckInHeld():
            held = {
                "check_in_id": event.check_in_id,
                "held_on": event.held_on.isoformat(),
                "progress": event.progress,
            }
            return {"check_ins": [*trial.get("check_ins", []), held]}
        case CheckInReversed():
            wrong = _told(event, "check_in_id", "held_on", "reversed_on", "reason")
            return {
                # Gone from the list that everything is judged by, and kept beside it.
                "check_ins": [each for each in trial["check_ins"] if each["check_in_id"] != event.check_in_id],
                "check_in_reversals": [*trial.get("check_in_reversals", []), wrong],
                "missed": _without(trial.get("missed", []), event.data()["check_ins_not_missed_on"]),
            }
        case CheckInMissed():
            return {"missed": [*trial.get("missed", []), event.due_on.isoformat()]}
        case VoiceGiven():
            voice = {"voice_id": event.voice_id, "given_on": event.given_on.isoformat()}
            return {"voices": [*trial.get("voices", []), voice]}
        case ChangeEvent():
            return _change(trial, event)
        case TrialExtended():
            extension = _told(event, "extended_on", "end_on", "wage_subsidy_percent", "decided_by")
            return {"extensions": [*trial.get("extensions", []), extension], "end_on": extension["end_on"]}
        case TrialShortened():
            shortened = _told(event, "shortened_on", "end_on", "reason", "decided_by")
            return {"shortenings": [*trial.get("shortenings", []), shortened], "end_on": shortened["end_on"]}
        case _:
            return _ending(trial, event)


def _without(days: list[str], never_due: list[str]) -> list[str]:
    return [day for day in days if day not in never_due]


def _with_right_day(reversals: list[dict[str, Any]], on: str, end_on: str) -> list[dict[str, Any]]:
    """The last reversal with what holds instead."""
    return [*reversals[:-1], {**reversals[-1], "right_on": on, "end_on": end_on}] if reversals else []


def _ending(trial: Mapping[str, Any], event: TrialEvent) -> dict[str, Any]:
    match event:
        case ClosingTalkHeld():
            return {"closing_talk_on": event.held_on.isoformat()}
        case TrialClosed():
            return {"closed": _told(event, "on", "outcome", "reason")}
        case OutcomeReversed():
            reversal = _told(event, "reversed_on", "outcome", "reason")
            return {"reversals": [*trial.get("reversals", []), reversal]}
        case CertificateIssued():
            return {"certificate": _told(event, "certificate_id", "issued_on")}
        case EmploymentConfirmed():
            told = _told(event, "after_months", "employed", "on", "confirmed_by")
            return {"employment": [*trial.get("employment", []), told]}
        case _:
            return {}


def _change(trial: Mapping[str, Any], event: ChangeEvent) -> dict[str, Any]:
    changes: list[dict[str, Any]] = trial.get("changes", [])
    match event:
        case ChangeProposed():
            asked = _told(event, "change_id", "effective_on", "hours_per_week", "proposed_by", "proposed_on")
            return {"changes": [*changes, {**asked, "state": "waits", "answered_on": None}]}
        case ChangeAccepted():
            answer = {"state": "accepted", "answered_on": event.accepted_on.isoformat()}
        case ChangeDeclined():
            answer = {"state": "declined", "answered_on": event.declined_on.isoformat()}
        case _:
            return {}
    return {"changes": [{**each, **(answer if each["change_id"] == event.change_id else {})} for each in changes]}


def _told(event: TrialEvent, *names: str) -> dict[str, Any]:
    said = event.data()
    return {name: said[name] for name in names}
