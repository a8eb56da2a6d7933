"""The forms of needs: their fields, and what they say as the API would be told it.

Invariant: pure; two fields are enough, everything else has a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.vocabulary import Intermediary, Measure, WithdrawReason
from services.intake.domain.needs import MOST_SLOTS
from services.intake.inputs import (
    SKILLS,
    Input,
    Typed,
    adaptation_options,
    capitals,
    certificate_options,
    language_of_form,
    levels,
    municipality_options,
    numbers,
    occupation_code,
    of_enum,
    plain,
    words,
)

Errors = dict[str, str]
"""Sentence per field of the form."""

OCCUPATION = Input("occupation", "occupation", required=True)
MUNICIPALITY = Input("municipality", "choice", required=True, options=municipality_options)
PLACES = (
    Input("slots", "number", least=1, most=MOST_SLOTS, default="1"),
    Input("intermediary", "choice", options=of_enum(Intermediary, "intermediary"), default="nav"),
)
WISHES = (
    Input("measure", "choice", options=of_enum(Measure, "measure")),
    Input("hours_per_week", "number", least=0.5, most=40, step="0.5", default="37.5"),
    Input("start_from", "date"),
    Input("start_to", "date"),
    Input("expires_on", "date"),
    *(Input(f"language_{skill}", "choice", options=levels) for skill in SKILLS),
    Input("licences"),
    Input("certificates", "checks", options=certificate_options),
    Input("adaptations", "checks", options=adaptation_options),
    Input("title"),
    Input("description", "note"),
    Input("contact_name"),
    Input("contact_phone"),
    Input("contact_email"),
)
ERASURE = (Input("confirmed", "yes_no", required=True),)
WITHDRAWAL = (Input("reason", "choice", required=True, options=of_enum(WithdrawReason, "withdraw_reason")),)
NEW_NEED = (OCCUPATION, MUNICIPALITY, *PLACES, *WISHES)
REVISION = (OCCUPATION, *WISHES)


def need_of_form(typed: Typed) -> dict[str, Any]:
    """The body of `POST /needs`; an empty field is left out."""
    return {
        **content_of_form(typed),
        **plain(typed, "municipality", "org_number", "intermediary"),
        **numbers(typed, "slots"),
    }


def content_of_form(typed: Typed) -> dict[str, Any]:
    """The body of a revision; an empty field is left out."""
    body: dict[str, Any] = {}
    if occupation := occupation_code(typed.get("occupation", "")):
        body["occupation"] = occupation
    contact = {
        name: value for name in ("name", "phone", "email") if (value := typed.get(f"contact_{name}", "").strip())
    }
    return {
        **body,
        **plain(typed, "measure", "start_from", "start_to", "expires_on", "title", "description"),
        **numbers(typed, "hours_per_week"),
        **language_of_form(typed),
        **capitals(words(typed, "licences")),
        **words(typed, "certificates", "adaptations", "accept_warnings"),
        **({"contact": contact} if contact else {}),
    }


def typed_of_need(need: Mapping[str, Any]) -> dict[str, str]:
    """What a form of a need that is there begins with."""
    contact = need.get("contact") or {}
    language = need.get("language") or {}
    found = {
        **{name: need.get(name) for name in ("occupation", "measure", "hours_per_week", "start_from", "start_to")},
        **{name: need.get(name) for name in ("expires_on", "title", "description")},
        **{f"language_{skill}": language.get(skill) for skill in SKILLS},
        **{f"contact_{name}": contact.get(name) for name in ("name", "phone", "email")},
        **{name: " ".join(need.get(name) or ()) for name in ("licences", "certificates", "adaptations")},
    }
    return {name: str(value) for name, value in found.items() if value not in (None, "")}


def named(pointer: str) -> str:
    """The form's field that a JSON pointer of the body speaks of: `/language/speaking` -> `language_speaking`."""
    parts = [part for part in pointer.split("/") if part and not part.isdecimal()]
    return "_".join(parts) or "occupation"
