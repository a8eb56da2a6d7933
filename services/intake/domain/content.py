"""What an employer asks for: the part of a need that may be revised and copied.

Invariant: every value is of a list in force or within its bounds; free text and the contact person stand in the sealed
part alone.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import JsonValue

from contracts.codelists import ADAPTATIONS_VERSION, adaptations, certificates
from contracts.days import add_months
from contracts.intake import LanguageLevels, NeedRegistered, NeedRevised
from contracts.refused import Refused
from contracts.vocabulary import Measure
from services.intake.domain.freetext import TextWarning, warnings_about
from services.intake.domain.rules import (
    FULL_WEEK_HOURS,
    NO_LEVELS,
    Licence,
    check_hours,
    check_listed,
    check_occupation,
    check_unique,
    wrong,
)

FARTHEST_START_MONTHS = 24
OPEN_MONTHS = 6
"""So long slots stay open that nobody filled, from the registration or the earliest start, unless the employer says."""
FARTHEST_EXPIRY_MONTHS = 36


@dataclass(frozen=True, repr=False)
class Contact:
    """Whom an intermediary may call at the workplace."""

    name: str
    phone: str | None = None
    email: str | None = None

    def sealed(self) -> dict[str, JsonValue]:
        """As it is sealed."""
        return {"name": self.name, "phone": self.phone, "email": self.email}


@dataclass(frozen=True, repr=False)
class FreeText:
    """What an employer writes in own words, and about whom."""

    title: str | None = None
    description: str | None = None
    contact: Contact | None = None

    def sealed(self) -> dict[str, JsonValue] | None:
        """As it is sealed; None where nothing was written."""
        if self == FreeText():
            return None
        contact = None if self.contact is None else self.contact.sealed()
        return {"title": self.title, "description": self.description, "contact": contact}


@dataclass(frozen=True)
class Content:
    """The request. It prints without what is sealed, since prints end up in logs."""

    occupation: str
    measure: Measure | None = None
    hours_per_week: float = FULL_WEEK_HOURS
    start_from: date | None = None
    start_to: date | None = None
    language: LanguageLevels = NO_LEVELS
    licences: tuple[Licence, ...] = ()
    certificates: tuple[str, ...] = ()
    adaptations: tuple[str, ...] = ()
    expires_on: date | None = None
    """The last open day; None where the employer leaves it to the default."""
    free: FreeText | None = None

    def public(self, today: date) -> dict[str, Any]:
        """The fields that events carry."""
        return {
            "occupation": self.occupation,
            "measure": self.measure,
            "hours_per_week": self.hours_per_week,
            "start_from": self.start_from,
            "start_to": self.start_to,
            "language": self.language,
            "licences": self.licences,
            "certificates": self.certificates,
            "adaptations": self.adaptations,
            "adaptations_version": ADAPTATIONS_VERSION if self.adaptations else None,
            "expires_on": self.last_open_day(today),
        }

    def last_open_day(self, today: date) -> date:
        """What the employer said, else the end of the start window, else half a year on."""
        return self.expires_on or self.start_to or add_months(max(today, self.start_from or today), OPEN_MONTHS)

    def sealed(self) -> dict[str, JsonValue] | None:
        """The free text and the contact person; None where there is none of it."""
        return None if self.free is None else self.free.sealed()


def check(content: Content, today: date, before: NeedRegistered | NeedRevised | None = None) -> tuple[TextWarning, ...]:
    """What to warn about. Raises Refused for a wrong field; a day that stood there before may have passed by now."""
    check_occupation(content.occupation, "/occupation")
    check_hours(content.hours_per_week, "/hours_per_week")
    check_unique(content.licences, "/licences")
    check_listed(content.certificates, certificates(), "/certificates", "certificate_unknown")
    check_listed(content.adaptations, adaptations(), "/adaptations", "adaptation_unknown")
    _check_days(content, today, before)
    free = content.free or FreeText()
    return warnings_about({"/title": free.title, "/description": free.description})


class WarningsUnseen(Refused):
    """The text may tell too much, and whoever sends it has not said that they have seen that: 422."""

    def __init__(self, warnings: Sequence[TextWarning]) -> None:
        super().__init__("warnings_unseen", [each.pointer for each in warnings], status=422)
        self.warnings = tuple(warnings)


def check_accepted(found: Iterable[TextWarning], accepted: Container[str]) -> None:
    """Whoever sends the text has seen what it is warned about. Raises WarningsUnseen with what was not seen."""
    unseen = [each for each in found if each.code not in accepted]
    if unseen:
        raise WarningsUnseen(unseen)


def _check_days(content: Content, today: date, before: NeedRegistered | NeedRevised | None) -> None:
    begins, ends, expires = content.start_from, content.start_to, content.expires_on
    if begins is not None and begins < today and (before is None or begins != before.start_from):
        raise wrong("start_in_past", "/start_from")
    if begins is not None and begins > add_months(today, FARTHEST_START_MONTHS):
        raise wrong("start_too_far_ahead", "/start_from", months=FARTHEST_START_MONTHS)
    if ends is not None and begins is not None and ends < begins:
        raise wrong("dates_out_of_order", "/start_from", "/start_to")
    if ends is not None and ends < today:
        raise wrong("start_in_past", "/start_to")
    if ends is not None and ends > add_months(today, FARTHEST_START_MONTHS):
        raise wrong("start_too_far_ahead", "/start_to", months=FARTHEST_START_MONTHS)
    if expires is not None and expires < max(today, begins or today):
        raise wrong("expires_too_early", "/expires_on")
    if expires is not None and expires > add_months(today, FARTHEST_EXPIRY_MONTHS):
        raise wrong("expires_too_late", "/expires_on", months=FARTHEST_EXPIRY_MONTHS)


def content_of(event: NeedRegistered | NeedRevised, sealed: Mapping[str, JsonValue] | None) -> Content:
    """The content again from the event that carries it, without days: those of an earlier need have passed."""
    text = sealed or {}
    return Content(
        occupation=event.occupation,
        measure=None if event.measure is None else Measure(event.measure),
        hours_per_week=event.hours_per_week,
        language=event.language,
        licences=event.licences,  # type: ignore[arg-type]  # written as Licence, read as text
        certificates=event.certificates,
        # A tag of an older version of the list may be gone; those that are left mean the same.
        adaptations=tuple(each for each in event.adaptations if each in adaptations()),
        free=FreeText(
            title=_text(text.get("title")),
            description=_text(text.get("description")),
            contact=_contact(text.get("contact")),
        ),
    )


def _contact(value: JsonValue) -> Contact | None:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    return Contact(str(value["name"]), _text(value.get("phone")), _text(value.get("email")))


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None
