"""The forms about candidates: their fields, and what they say as the API would be told it.

Invariant: pure; each form is one command, so that a slip in one never stops another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chassis.requests import StrictModel
from contracts.vocabulary import (
    EducationLevel,
    Intermediary,
    LanguageSkill,
    LanguageSource,
    QualificationKind,
    RevokeReason,
)
from services.intake import requests as bodies
from services.intake.inputs import (
    SKILLS,
    Input,
    Typed,
    capitals,
    certificate_options,
    in_rows,
    language_of_form,
    levels,
    municipality_options,
    number,
    numbers,
    occupation_code,
    of_enum,
    plain,
    rows_needed,
    skill_options,
    words,
)

MOST_WORK, MOST_WISHES, MOST_PLACES = 20, 10, 20
"""Rows, as many as the API takes."""
FIRST_ROWS = {"experience": 3, "wished": 2, "wished_municipality": 1}
"""So many are shown empty."""

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
    Input("evidence_skills", "checks", options=of_enum(LanguageSkill, "language_skill")),
    *in_rows(
        "experience", (Input("experience", "occupation"), Input("experience_months", "number", most=720)), MOST_WORK
    ),
    *in_rows("wished", (Input("wished", "occupation"),), MOST_WISHES),
    *in_rows(
        "wished_municipality", (Input("wished_municipality", "choice", options=municipality_options),), MOST_PLACES
    ),
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
    keeping: Callable[[dict[str, Any], Mapping[str, Any]], dict[str, Any]] = lambda body, _: body
    """The body with what the form has no field for, of what stands."""

    def shown(self, typed: Typed) -> list[Input]:
        """The fields that are needed for what stands in them."""
        return rows_needed(self.inputs, typed, FIRST_ROWS)


def mapping_of_form(typed: Typed) -> dict[str, Any]:
    """The body of a mapping. A level with a source and a day becomes evidence too: all, or those that are named."""
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
    named_skills = typed.get("evidence_skills", "").split()
    if source or day or named_skills:
        proof = {name: value for name, value in (("source", source), ("assessed_on", day)) if value}
        given = language.get("language", {})
        skills = named_skills or list(given)
        body["language_evidence"] = [
            {"skill": skill, **({"level": given[skill]} if skill in given else {}), **proof} for skill in skills
        ]
    if experience := [work for row in range(1, MOST_WORK + 1) if (work := _past_work(typed, row))]:
        body["experience"] = experience
    if wished := [occupation_code(value) for value in _rows(typed, "wished", MOST_WISHES)]:
        body["wished_occupations"] = wished
    if places := _rows(typed, "wished_municipality", MOST_PLACES):
        body["wished_municipalities"] = places
    return body


def evidence_kept(body: dict[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with the sources of the levels that it leaves as they are: else they would be gone with the old one."""
    before = facts.get("mapping")
    if before is None:
        return body
    given, new = body.get("language", {}), body.get("language_evidence", [])
    told = {each["skill"] for each in new}
    unchanged = {
        skill for skill, level in before["language"].items() if level is not None and given.get(skill) == level
    }
    kept = [each for each in before["language_evidence"] if each["skill"] in unchanged - told]
    return {**body, "language_evidence": [*kept, *new]} if kept else body


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
        "notes": facts.get("mapping_notes"),
        "limits": facts.get("limits"),
    }
    for row, work in enumerate(mapping["experience"], start=1):
        found |= {f"experience_{row}": work["occupation"], f"experience_months_{row}": work["months"]}
    for name, several in (("wished", "wished_occupations"), ("wished_municipality", "wished_municipalities")):
        found |= {f"{name}_{row}": each for row, each in enumerate(mapping.get(several) or (), start=1)}
    return {name: str(value) for name, value in found.items() if value not in (None, "")}


def named(pointer: str) -> str:
    """The form's field that a JSON pointer of the body speaks of: `/experience/0/months` -> `experience_months_1`."""
    match [part for part in pointer.split("/") if part]:
        case ["experience", row, *rest]:
            return f"experience_{'months_' if rest == ['months'] else ''}{int(row) + 1}"
        case ["wished_occupations", row]:
            return f"wished_{int(row) + 1}"
        case ["wished_municipalities", row]:
            return f"wished_municipality_{int(row) + 1}"
        case ["experience" | "wished_occupations" | "wished_municipalities" as rows]:
            # The rows as a whole, where one says the same as another.
            return {"experience": "experience_1", "wished_occupations": "wished_1"}.get(rows, "wished_municipality_1")
        case ["language_evidence", _, "source"]:
            return "evidence_source"
        case ["language_evidence", _, "level" | "skill"]:
            return "evidence_skills"
        case ["language_evidence", *_]:
            return "evidence_on"
        case parts:
            return "_".join(part for part in parts if not part.isdecimal()) or "form"


def _past_work(typed: Typed, row: int) -> dict[str, Any]:
    occupation = occupation_code(typed.get(f"experience_{row}", ""))
    months = typed.get(f"experience_months_{row}", "").strip()
    # Months without an occupation are sent too: then the occupation is asked for, and nothing is lost.
    return {**({"occupation": occupation} if occupation else {}), **({"months": number(months)} if months else {})}


def _rows(typed: Typed, name: str, most: int) -> list[str]:
    return [value for row in range(1, most + 1) if (value := typed.get(f"{name}_{row}", "").strip())]


def _qualification(typed: Typed) -> dict[str, Any]:
    body = plain(typed, "kind", "title", "provider", "started_on", "completed_on")
    occupation = occupation_code(typed.get("occupation", ""))
    return {**body, "occupation": occupation} if occupation else body


def _assessment(typed: Typed) -> dict[str, Any]:
    return {**plain(typed, "valid_until", "assessed_on", "notes"), **_truths(typed, "ready", "reduced_work_capacity")}


def _truths(typed: Typed, *names: str) -> dict[str, Any]:
    return {name: value == "yes" for name in names if (value := typed.get(name, "")) in ("yes", "no")}


_ALL = (
    Action("mapping", bodies.Mapping, _MAPPING, mapping_of_form, typed_of_mapping, evidence_kept),
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
