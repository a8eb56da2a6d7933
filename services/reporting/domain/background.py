"""What a person declared, as codes.

Invariant: the background is the last one recorded when the start was; what was not declared, withdrawn or erased is
unknown, and nothing is derived from anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from contracts.codelists import country_group
from contracts.vocabulary import Background
from services.reporting.domain.variables import UNKNOWN

BACKGROUNDS = tuple(code.value for code in Background)
GENDERS = ("female", "male", "other", UNKNOWN)
AGES = ("under_30", "30_49", "50_", UNKNOWN)
_YES_NO = ("yes", "no", UNKNOWN)
CODES: Mapping[str, tuple[str, ...]] = {
    "immigrant_background": BACKGROUNDS,
    "country_group": ("1", "2", UNKNOWN),
    "reduced_functional_ability": _YES_NO,
    "cv_gap": _YES_NO,
    "gender": GENDERS,
}
"""The characteristics and their codes."""

Declared = Mapping[str, Any]
"""What a person declared, opened."""


def declaration_at(declarations: Sequence[Mapping[str, Any]], recorded: str) -> str | None:
    """The ciphertext that held when a start was recorded; None where nothing had been declared or it was taken back."""
    before = [declared for declared in declarations if declared["recorded"] <= recorded]
    last = max(before, key=lambda declared: int(declared["position"]), default=None)
    return None if last is None else last["ciphertext"]


def code_of(characteristic: str, declared: Declared) -> str:
    """One of its codes; a code that is newer than this reader is unknown to it."""
    if characteristic == "country_group":
        group = country_group(str(declared.get("country_of_birth")))
        return UNKNOWN if group is None else str(group)
    code = declared.get(characteristic)
    return code if isinstance(code, str) and code in CODES[characteristic] else UNKNOWN


def age_at(day: date, declared: Declared) -> str:
    """By the year of birth alone: the age that is reached in the year of that day."""
    born = declared.get("year_of_birth")
    if not isinstance(born, int):
        return UNKNOWN
    years = day.year - born
    return "under_30" if years < 30 else "30_49" if years < 50 else "50_"
