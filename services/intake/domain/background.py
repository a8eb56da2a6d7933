"""Background facts: voluntary, for statistics, never seen by matching.

Invariant: facts leave this module as checked values for one ciphertext; the event holds nothing readable.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import assert_never

from pydantic import JsonValue

from contracts.codelists import countries
from contracts.days import oslo_day
from contracts.event import Event
from contracts.intake import BackgroundDeclared, BackgroundWithdrawn
from contracts.refused import Refused
from contracts.vocabulary import Background
from services.intake.domain.rules import wrong

EARLIEST_YEAR_OF_BIRTH = 1900
STATELESS = "XX"
"""Declared by somebody without a nationality or from a country that is not listed: the group stays unknown."""


class YesNo(StrEnum):
    """An answer to a voluntary question."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Gender(StrEnum):
    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Facts:
    """What a person may declare; what was not answered is unknown, and nothing is derived from anything."""

    immigrant_background: Background = Background.UNKNOWN
    country_of_birth: str | None = None
    """ISO 3166-1, two letters; `XX` where it is none of these."""
    reduced_functional_ability: YesNo = YesNo.UNKNOWN
    cv_gap: YesNo = YesNo.UNKNOWN
    gender: Gender = Gender.UNKNOWN
    year_of_birth: int | None = None

    def values(self) -> dict[str, JsonValue]:
        """The JSON object that is encrypted."""
        return {
            "immigrant_background": self.immigrant_background.value,
            "country_of_birth": self.country_of_birth,
            "reduced_functional_ability": self.reduced_functional_ability.value,
            "cv_gap": self.cv_gap.value,
            "gender": self.gender.value,
            "year_of_birth": self.year_of_birth,
        }


@dataclass(frozen=True)
class DeclareBackground:
    """`ciphertext` holds the values of checked facts, under the person's key."""

    candidate_id: str
    ciphertext: str
    at: datetime


@dataclass(frozen=True)
class DeclineBackground:
    """The person would rather not say, or takes back what was said."""

    candidate_id: str
    at: datetime


BackgroundCommand = DeclareBackground | DeclineBackground


@dataclass(frozen=True)
class Declaration:
    """Whether the person has said no, as the last word."""

    declined: bool = False


def check(facts: Facts, today: date) -> None:
    """Something was declared, and each value is one that can be. Raises Refused."""
    if facts == Facts():
        raise wrong("nothing_declared")
    country = facts.country_of_birth
    if country is not None and country != STATELESS and country not in countries():
        raise wrong("country_unknown", "/country_of_birth")
    year = facts.year_of_birth
    if year is not None and not EARLIEST_YEAR_OF_BIRTH <= year <= today.year:
        raise wrong("year_of_birth_impossible", "/year_of_birth")


def evolve(state: Declaration, event: Event) -> Declaration:
    """A later declaration replaces an earlier one, and an earlier no."""
    match event:
        case BackgroundDeclared():
            return Declaration(declined=False)
        case BackgroundWithdrawn():
            return Declaration(declined=True)
        case _:
            return state


def decide(command: BackgroundCommand, state: Declaration) -> list[Event]:
    """The events that a command leads to. Raises Refused."""
    match command:
        case DeclareBackground():
            today = oslo_day(command.at)
            return [
                BackgroundDeclared(candidate_id=command.candidate_id, declared_on=today, ciphertext=command.ciphertext)
            ]
        case DeclineBackground():
            if state.declined:
                raise Refused("background_already_declined")
            return [BackgroundWithdrawn(candidate_id=command.candidate_id, withdrawn_on=oslo_day(command.at))]
        case _:
            assert_never(command)
