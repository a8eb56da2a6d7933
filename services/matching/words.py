"""Codes in the words of a reader's language.

Invariant: a code that is not listed is shown as it is; a page never fails for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chassis.formats import Language
from chassis.projection import Document
from contracts import codelists
from contracts.codelists import Adaptation, Term, municipalities, occupations
from services.matching.domain.ranking import SKILLS

SHORT = 6
"""Characters of an id that tell the people of one list apart; the whole id stays in the addresses and the API."""
LISTED = 2
"""So many lines of work experience stand beside a reference."""


def work_in_words(need: Mapping[str, Any], language: Language) -> Document:
    """The names of occupation and municipality."""
    municipality = municipalities().get(need["municipality"])
    return {
        "occupation_name": occupation_name(need["occupation"], language),
        "municipality_name": need["municipality"] if municipality is None else municipality.name,
    }


def occupation_name(code: str, language: Language) -> str:
    """The name of an occupation; the Norwegian one where there is no other, the code where it is not listed."""
    listed = occupations().get(code)
    if listed is None:
        return code
    return (listed.name_en if language == "en" else "") or listed.name_nb


def short_reference(name: str) -> str:
    """The end of an id, which is random; its beginning is the time, and the same for people of one day."""
    return name[-SHORT:]


def requirements_in_words(need: Mapping[str, Any], language: Language) -> Document:
    """What the work is, beyond occupation and municipality, as lists of words; empty where the need says nothing."""
    levels = need.get("language") or {}
    return {
        **{name: need.get(name) for name in ("hours_per_week", "start_from", "start_to", "measure")},
        "levels": [(skill, level) for skill in SKILLS if (level := levels.get(skill))],
        "licences": list(need.get("licences") or ()),
        "certificates": _named(need.get("certificates") or (), codelists.certificates(), language),
        "adaptations": _named(need.get("adaptations") or (), codelists.adaptations(), language),
    }


def _named(
    codes: Iterable[str], listed: Mapping[str, Term] | Mapping[str, Adaptation], language: Language
) -> list[str]:
    found = ((code, listed.get(code)) for code in codes)
    return [code if each is None else (each.name_en if language == "en" else each.name_nb) for code, each in found]


def in_short(profile: Document, language: Language) -> list[str]:
    """The longest work experience of a profile, and its qualifications: by what a counsellor tells people apart."""
    longest = sorted(profile["experience"] or (), key=lambda each: -(each["months"] or 0))[:LISTED]
    codes = [each["occupation"] for each in (*longest, *profile["qualifications"][-1:])]
    return list(dict.fromkeys(occupation_name(code, language) for code in codes))


def profile_in_words(profile: Document, language: Language) -> Document:
    """The whole short profile, as an employer reads it."""
    levels = profile["language"] or {}
    named = {
        part: [{**each, "name": occupation_name(each["occupation"], language)} for each in profile[part] or ()]
        for part in ("experience", "qualifications")
    }
    return {
        **profile,
        **named,
        "levels": [(skill, level) for skill in SKILLS if (level := levels.get(skill))],
        "certificates": _named(profile["certificates"] or (), codelists.certificates(), language),
        "skills": _named(profile["skills"] or (), codelists.skills(), language),
    }
