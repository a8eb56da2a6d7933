"""What a form says, as the API would be told it.

Invariant: pure; what cannot be read is passed on as it was typed, so that the check names the field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from contracts.codelists import occupations

Errors = dict[str, str]
"""Sentence per field of the form."""

_LEADING_CODE = re.compile(r"(\d{4})(?:\s.*)?")
_PLAIN = ("municipality", "org_number", "intermediary", "measure", "start_from")


def need_of_form(typed: Mapping[str, str]) -> dict[str, Any]:
    """The body of `POST /needs`; an empty field is left out."""
    body: dict[str, Any] = {}
    if occupation := occupation_code(typed.get("occupation", "")):
        body["occupation"] = occupation
    for name in _PLAIN:
        if value := typed.get(name, "").strip():
            body[name] = value
    if slots := typed.get("slots", "").strip():
        body["slots"] = int(slots) if slots.isdecimal() else slots
    if hours := typed.get("hours_per_week", "").strip():
        body["hours_per_week"] = _number(hours)
    if level := typed.get("language_speaking", "").strip():
        body["language"] = {"speaking": level}
    if licences := [each.upper() for each in re.split(r"[\s,;]+", typed.get("licences", "")) if each]:
        body["licences"] = licences
    return body


def occupation_code(typed: str) -> str:
    """The code of what was chosen (`5223 Butikkmedarbeidere`) or written (a code, or a name in either language)."""
    text = " ".join(typed.split())
    if (code := _LEADING_CODE.fullmatch(text)) is not None:
        return code[1]
    wanted = text.casefold()
    for occupation in occupations().values():
        if wanted and wanted in (occupation.name_nb.casefold(), occupation.name_en.casefold()):
            return occupation.code
    return text


def named(pointer: str) -> str:
    """The form's field that a JSON pointer of the body speaks of: `/language/speaking` -> `language_speaking`."""
    parts = [part for part in pointer.split("/") if part and not part.isdecimal()]
    return "_".join(parts) or "occupation"


def _number(text: str) -> float | str:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text
