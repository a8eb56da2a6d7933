"""What the work is and where, in words.

Invariant: a code that is in no list is shown as it is, never as something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chassis.formats import Language
from contracts.codelists import municipalities, occupations


def name_of(municipality: str) -> str:
    """What a municipality is called."""
    found = municipalities().get(municipality)
    return municipality if found is None else found.name


def place_of(said: Mapping[str, Any] | None, language: Language) -> dict[str, str]:
    """Occupation and municipality of a need or a match; dashes where the need has not been heard of."""
    if said is None:
        return {"occupation": "–", "municipality": "–"}
    occupation = occupations().get(said["occupation"])
    name = "" if occupation is None else (occupation.name_en if language == "en" else "") or occupation.name_nb
    return {
        "occupation": name or said["occupation"],
        "municipality": name_of(said["municipality"]),
    }
