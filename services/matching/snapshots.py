"""From documents of the views to facts for decisions and to what people are shown.

Invariant: pure; a fact that has not been heard counts against sharing a person, never for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from chassis.projection import Document
from contracts.event import Event
from contracts.followup import TrialClosed, TrialStarted
from contracts.intake import LanguageLevels
from services.matching.domain.facts import CandidateFacts, NeedFacts, Practice
from services.matching.domain.state import Stage


def need_facts(need_id: str, document: Document) -> NeedFacts | None:
    """None while the registration itself has not been heard."""
    registered = document.get("registered")
    if registered is None:
        return None
    return NeedFacts(
        need_id=need_id,
        org_number=registered["org_number"],
        slot_ids=tuple(registered["slot_ids"]),
        withdrawn_slots=frozenset(document.get("withdrawn", {})),
        intermediary=(document.get("assigned") or registered)["intermediary"],
        municipality=registered["municipality"],
        occupation=registered["occupation"],
        measure=registered["measure"],
        hours_per_week=registered["hours_per_week"],
        start_from=_day(registered["start_from"]),
        language=LanguageLevels.model_validate(registered["language"]),
        licences=tuple(registered["licences"]),
        registered_on=date.fromisoformat(registered["registered_on"]),
        promise_date=date.fromisoformat(registered["promise_date"]),
    )


def candidate_facts(candidate_id: str, document: Document) -> CandidateFacts:
    """What is known of a candidate."""
    profile = document.get("profile")
    facts = CandidateFacts(
        candidate_id=candidate_id,
        # Nobody is ready whose competence is not known: there is nothing to rank or to show.
        ready=profile is not None and document.get("ready", False),
        valid_until=_day(document.get("valid_until")),
        consent=document.get("consent", False),
        protected=document.get("protected", False),
        placed=placed(document),
    )
    if profile is None:
        return facts
    qualifications = document.get("qualifications", {}).values()
    return CandidateFacts(
        candidate_id=candidate_id,
        ready=facts.ready,
        valid_until=facts.valid_until,
        consent=facts.consent,
        protected=facts.protected,
        placed=facts.placed,
        municipality=profile["municipality"],
        language=LanguageLevels.model_validate(profile["language"]),
        experience=tuple(Practice(each["occupation"], each["months"]) for each in profile["experience"]),
        qualifications=tuple(Practice(each["occupation"]) for each in qualifications),
        wished_occupations=tuple(profile["wished_occupations"]),
        hours_per_week=profile["hours_per_week"],
        available_from=_day(profile["available_from"]),
        licences=tuple(profile["licences"]),
    )


def placed(document: Document) -> bool:
    """Whether a person has a place: confirmed, or in a trial; a closed trial frees, whatever became of the match."""
    trials: Mapping[str, Mapping[str, str]] = document.get("trials", {})
    confirmed = {name for name, each in document.get("matches", {}).items() if each["state"] == "confirmed"}
    return any("closed_on" not in trials.get(match_id, {}) for match_id in confirmed | set(trials))


def listed_for(intermediary: str, document: Document) -> bool:
    """Whether counsellors of an intermediary meet a person in a ranking at all: by consent, or as their own."""
    return bool(document.get("consent", False)) or document.get("intermediary") == intermediary


def trial_events(document: Document | None) -> tuple[Event, ...]:
    """What followup has told of the trial of a match, as events."""
    trial = (document or {}).get("trial", {})
    kinds = (("started_on", TrialStarted), ("closed_on", TrialClosed))
    return tuple(
        kind.from_data(trial[name]["data"], occurred=datetime.fromisoformat(trial[name]["occurred"]))
        for name, kind in kinds
        if name in trial
    )


def slot_state(slot_id: str, need: Document, matches: Sequence[Document]) -> str:
    """`filled`, `withdrawn`, `in_progress` (somebody is proposed) or `open`; what is filled stays so."""
    of_slot = [match for match in matches if match["slot_id"] == slot_id]
    if any(match["stage"] == Stage.CONFIRMED for match in of_slot):
        return "filled"
    if slot_id in need.get("withdrawn", {}):
        return "withdrawn"
    return "in_progress" if any(match["stage"] != Stage.CANCELLED for match in of_slot) else "open"


def short_profile(document: Document | None) -> Document:
    """What an employer sees of a presented candidate: competence, never a name, an address or a date of birth."""
    profile = (document or {}).get("profile") or {}
    qualifications = (document or {}).get("qualifications", {}).values()
    shown = ("language", "experience", "hours_per_week", "available_from", "licences")
    return {
        **{name: profile.get(name) for name in shown},
        "qualifications": [
            {"kind": each["kind"], "occupation": each["occupation"], "completed_on": each["completed_on"]}
            for each in sorted(qualifications, key=lambda each: (each["completed_on"], each["qualification_id"]))
        ],
    }


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
