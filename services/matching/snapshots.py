"""From documents of the views to facts for decisions and to what people are shown.

Invariant: pure; a fact that has not been heard counts against sharing a person, never for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from chassis.projection import Document
from chassis.projector import View
from contracts.event import Event
from contracts.followup import TrialClosed, TrialStarted
from contracts.intake import LanguageLevels
from services.matching.domain.facts import CandidateFacts, NeedFacts, Practice
from services.matching.domain.state import Stage


def need_now(document: Document) -> Document | None:
    """What an employer asks for today: as registered, with what was revised since. None: only rumours of it."""
    registered = document.get("registered")
    return None if registered is None else {**registered, **document.get("revised", {})}


def need_facts(need_id: str, document: Document) -> NeedFacts | None:
    """None while the registration itself has not been heard."""
    registered = need_now(document)
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
        expired_slots=frozenset(document.get("expired", {})),
        certificates=tuple(registered["certificates"]),
        start_to=_day(registered["start_to"]),
    )


def candidate_facts(
    candidate_id: str, document: Document, absorbed: Mapping[str, Document] | None = None
) -> CandidateFacts:
    """What is known of a candidate. `absorbed`: the documents of registrations that were merged into this one."""
    profile, absorbed = document.get("profile"), absorbed or {}
    ended = "merged_into" in document or "erased" in document
    facts = CandidateFacts(
        candidate_id=candidate_id,
        # Nobody is ready whose competence is not known: there is nothing to rank or to show.
        ready=profile is not None and document.get("ready", False) and not ended,
        valid_until=_day(document.get("valid_until")),
        consent=document.get("consent", False) and not ended,
        protected=document.get("protected", False),
        intermediary=document.get("intermediary"),
        proposed=any(each["state"] == "open" for each in document.get("matches", {}).values()),
        placed=any(placed(each) for each in (document, *absorbed.values())),
        absorbed=tuple(sorted(absorbed)),
    )
    if profile is None:
        return facts
    qualifications = document.get("qualifications", {}).values()
    return replace(
        facts,
        municipality=profile["municipality"],
        language=LanguageLevels.model_validate(profile["language"]),
        experience=tuple(Practice(each["occupation"], each["months"]) for each in profile["experience"]),
        qualifications=tuple(Practice(each["occupation"]) for each in qualifications),
        wished_occupations=tuple(profile["wished_occupations"]),
        wished_municipalities=tuple(profile["wished_municipalities"]),
        hours_per_week=profile["hours_per_week"],
        available_from=_day(profile["available_from"]),
        available_to=_day(profile["available_to"]),
        travel_minutes=profile["travel_minutes"],
        licences=tuple(profile["licences"]),
        certificates=tuple(profile["certificates"]),
    )


async def absorbed_in(pool: View, document: Document) -> dict[str, Document]:
    """The registrations that were merged into this one, and into those, with what is known of them."""
    found: dict[str, Document] = {}
    wanted = set(document.get("absorbed", ()))
    while wanted:
        documents = {each["_id"]: each for each in await pool.find({"_id": {"$in": sorted(wanted)}})}
        found.update({name: documents.get(name, {}) for name in wanted})
        wanted = {name for each in documents.values() for name in each.get("absorbed", ())} - found.keys()
    return found


def is_known(document: Document) -> bool:
    """Whether a person is in the pool at all: registered, and neither merged into another registration nor erased."""
    return "registered_on" in document and "merged_into" not in document and "erased" not in document


def placed(document: Document) -> bool:
    """Whether a person has a place: confirmed, or in a trial; a closed trial frees, whatever became of the match."""
    trials: Mapping[str, Mapping[str, str]] = document.get("trials", {})
    confirmed = {name for name, each in document.get("matches", {}).items() if each["state"] == "confirmed"}
    return any("closed_on" not in trials.get(match_id, {}) for match_id in confirmed | set(trials))


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
    """`filled`, `withdrawn`, `expired`, `in_progress` (somebody is proposed) or `open`; what is filled stays so."""
    of_slot = [match for match in matches if match["slot_id"] == slot_id]
    if any(match["stage"] == Stage.CONFIRMED for match in of_slot):
        return "filled"
    if slot_id in need.get("withdrawn", {}):
        return "withdrawn"
    if slot_id in need.get("expired", {}):
        return "expired"
    return "in_progress" if any(match["stage"] != Stage.CANCELLED for match in of_slot) else "open"


def short_profile(document: Document | None) -> Document:
    """What an employer sees of a presented candidate: competence, never a name, an address or a date of birth."""
    profile = (document or {}).get("profile") or {}
    qualifications = (document or {}).get("qualifications", {}).values()
    shown = ("language", "experience", "hours_per_week", "available_from", "licences", "certificates", "skills")
    return {
        **{name: profile.get(name) for name in shown},
        "qualifications": [
            {"kind": each["kind"], "occupation": each["occupation"], "completed_on": each["completed_on"]}
            for each in sorted(qualifications, key=lambda each: (each["completed_on"], each["qualification_id"]))
        ],
    }


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
