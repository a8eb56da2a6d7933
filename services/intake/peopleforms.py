"""The forms about candidates: their fields, and what they say as the API would be told it.

Invariant: pure; each form is one command, so that a slip in one never stops another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chassis.requests import StrictModel
from contracts.vocabulary import EducationLevel, Intermediary, LanguageSource, QualificationKind, RevokeReason
from services.intake import requests as bodies
from services.intake.inputs import (
    SKILLS,
    Input,
    Typed,
    capitals,
    certificate_options,
    language_of_form,
    levels,
    municipality_options,
    number,
    numbers,
    occupation_code,
    of_enum,
    plain,
    skill_options,
    words,
)

PAST_WORK = 3
"""Rows of experience in the form; the API takes more."""

PERSON = (
    Input("name", required=True),
    Input("national_id", required=True),
    Input("birth_date", "date"),
    Input("phone"),
    Input("email"),
)
_MAPPING = (
    Input("municipality", "choice", required=True, options=municipality_options),
    Input("hours_per_week", "number", required=True, least=0.5, most=40, step="0.5", default="37.5"),
    Input("mapped_on", "date"),
    *(Input(f"language_{skill}", "choice", options=levels, said=f"level_{skill}") for skill in SKILLS),
    Input("evidence_source", "choice", options=of_enum(LanguageSource, "language_source")),
    Input("evidence_on", "date"),
    *(
        each
        for row in range(1, PAST_WORK + 1)
        for each in (Input(f"experience_{row}", "occupation"), Input(f"experience_months_{row}", "number", most=720))
    ),
    Input("wished_1", "occupation"),
    Input("wished_2", "occupation"),
    Input("wished_municipality", "choice", options=municipality_options),
    Input("travel_minutes", "number", most=240),
    Input("available_from", "date"),
    Input("available_to", "date"),
    Input("education_level", "choice", options=of_enum(EducationLevel, "education_level")),
    Input("skills", "checks", options=skill_options),
    Input("certificates", "checks", options=certificate_options),
    Input("licences"),
    Input("notes", "note"),
    Input("limits", "note"),
)
_QUALIFICATION = (
    Input("kind", "choice", required=True, options=of_enum(QualificationKind, "qualification_kind")),
    Input("title", required=True, said="course_title"),
    Input("provider", required=True),
    Input("occupation", "occupation", required=True),
    Input("started_on", "date", required=True),
    Input("completed_on", "date", required=True),
)
_ASSESSMENT = (
    Input("ready", "yes_no", required=True),
    Input("valid_until", "date", required=True),
    Input("assessed_on", "date"),
    Input("reduced_work_capacity", "yes_no", required=True, default="no"),
    Input("notes", "note"),
)
_REVOCATION = (
    Input("reason", "choice", required=True, options=of_enum(RevokeReason, "revoke_reason")),
    Input("note", "note"),
)


@dataclass(frozen=True)
class Action:
    """One thing to do about a candidate, with its form; `name` is the last part of the API's path too."""

    name: str
    model: type[StrictModel]
    inputs: tuple[Input, ...]
    body: Callable[[Typed], dict[str, Any]]
    begins_with: Callable[[Mapping[str, Any]], dict[str, str]] = lambda _: {}


def mapping_of_form(typed: Typed) -> dict[str, Any]:
    """The body of a mapping. A level with a source and a day becomes evidence too."""
    language = language_of_form(typed)
    body = {
        **plain(typed, "municipality", "mapped_on", "available_from", "available_to", "education_level"),
        **plain(typed, "notes", "limits"),
        **numbers(typed, "hours_per_week", "travel_minutes"),
        **capitals(words(typed, "licences")),
        **words(typed, "skills", "certificates"),
        **language,
    }
    source, day = typed.get("evidence_source", "").strip(), typed.get("evidence_on", "").strip()
    if source or day:
        proof = {name: value for name, value in (("source", source), ("assessed_on", day)) if value}
        given = language.get("language", {})
        body["language_evidence"] = [{"skill": skill, "level": level, **proof} for skill, level in given.items()]
    if experience := [
        _past_work(typed, row) for row in range(1, PAST_WORK + 1) if typed.get(f"experience_{row}", "").strip()
    ]:
        body["experience"] = experience
    wished = [occupation_code(value) for row in (1, 2) if (value := typed.get(f"wished_{row}", "").strip())]
    if wished:
        body["wished_occupations"] = wished
    if place := typed.get("wished_municipality", "").strip():
        body["wished_municipalities"] = [place]
    return body


def typed_of_mapping(facts: Mapping[str, Any]) -> dict[str, str]:
    """What a new mapping begins with: the one that holds, without its days."""
    mapping = facts.get("mapping")
    if mapping is None:
        return {}
    found: dict[str, Any] = {
        **{name: mapping.get(name) for name in ("municipality", "hours_per_week", "travel_minutes", "education_level")},
        **{name: mapping.get(name) for name in ("available_from", "available_to")},
        **{f"language_{skill}": mapping["language"].get(skill) for skill in SKILLS},
        **{name: " ".join(mapping.get(name) or ()) for name in ("licences", "skills", "certificates")},
        "wished_municipality": next(iter(mapping.get("wished_municipalities") or ()), None),
        "notes": facts.get("mapping_notes"),
        "limits": facts.get("limits"),
    }
    for row, work in enumerate(mapping["experience"][:PAST_WORK], start=1):
        found |= {f"experience_{row}": work["occupation"], f"experience_months_{row}": work["months"]}
    for row, wished in enumerate(mapping["wished_occupations"][:2], start=1):
        found[f"wished_{row}"] = wished
    return {name: str(value) for name, value in found.items() if value not in (None, "")}


def named(pointer: str) -> str:
    """The form's field that a JSON pointer of the body speaks of: `/experience/0/months` -> `experience_months_1`."""
    match [part for part in pointer.split("/") if part]:
        case ["experience", row, *rest]:
            return f"experience_{'months_' if rest == ['months'] else ''}{int(row) + 1}"
        case ["wished_occupations", row]:
            return f"wished_{int(row) + 1}"
        case ["wished_municipalities", *_]:
            return "wished_municipality"
        case ["language_evidence", _, "source"]:
            return "evidence_source"
        case ["language_evidence", *_]:
            return "evidence_on"
        case parts:
            return "_".join(part for part in parts if not part.isdecimal()) or "form"


def _past_work(typed: Typed, row: int) -> dict[str, Any]:
    months = typed.get(f"experience_months_{row}", "").strip()
    work = {"occupation": occupation_code(typed[f"experience_{row}"])}
    return {**work, "months": number(months)} if months else work


def _qualification(typed: Typed) -> dict[str, Any]:
    body = plain(typed, "kind", "title", "provider", "started_on", "completed_on")
    occupation = occupation_code(typed.get("occupation", ""))
    return {**body, "occupation": occupation} if occupation else body


def _assessment(typed: Typed) -> dict[str, Any]:
    return {**plain(typed, "valid_until", "assessed_on", "notes"), **_truths(typed, "ready", "reduced_work_capacity")}


def _truths(typed: Typed, *names: str) -> dict[str, Any]:
    return {name: value == "yes" for name in names if (value := typed.get(name, "")) in ("yes", "no")}


_ALL = (
    Action("mapping", bodies.Mapping, _MAPPING, mapping_of_form, typed_of_mapping),
    Action("qualifications", bodies.Qualification, _QUALIFICATION, _qualification),
    Action("assessment", bodies.Assessment, _ASSESSMENT, _assessment),
    Action(
        "readiness-revocation",
        bodies.Revocation,
        (
            Input("reason", "choice", required=True, options=of_enum(RevokeReason, "revoke_reason")),
            Input("note", "note"),
        ),
        lambda typed: plain(typed, "reason", "note"),
    ),
    Action("consent", bodies.Consent, (Input("given_on", "date"),), lambda typed: plain(typed, "given_on")),
    Action("consent-withdrawal", bodies.ConsentWithdrawal, (), lambda _: {}),
    Action(
        "address-protection",
        bodies.AddressProtection,
        (Input("protected", "yes_no", required=True),),
        lambda typed: _truths(typed, "protected"),
    ),
    Action(
        "handover",
        bodies.Handover,
        (Input("to_intermediary", "choice", required=True, options=of_enum(Intermediary, "intermediary")),),
        lambda typed: plain(typed, "to_intermediary"),
    ),
)
ACTIONS: Mapping[str, Action] = {each.name: each for each in _ALL}


def offered(facts: Mapping[str, Any], today: str) -> tuple[Action, ...]:
    """The actions that may succeed now, in the order in which they mostly come."""
    ready = facts["ready_until"] is not None and facts["ready_until"] >= today
    fit = {
        "assessment": facts["mapping"] is not None,
        "readiness-revocation": ready,
        "consent": "matching" not in facts["consents"],
        "consent-withdrawal": "matching" in facts["consents"],
    }
    return () if facts["merged_into"] is not None else tuple(each for each in _ALL if fit.get(each.name, True))
