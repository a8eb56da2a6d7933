"""Codes in the words of a reader's language.

Invariant: a code that is not listed is shown as it is; a page never fails for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chassis.formats import Language
from chassis.projection import Document
from contracts.codelists import municipalities, occupations


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


def profile_in_words(profile: Document, language: Language) -> Document:
    named = {
        part: [{**each, "name": occupation_name(each["occupation"], language)} for each in profile[part] or ()]
        for part in ("experience", "qualifications")
    }
    return {**profile, **named}
