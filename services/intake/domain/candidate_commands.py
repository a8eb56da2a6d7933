"""What can be asked of intake about a candidate.

Invariant: time and ids come with the command; free text is meant for the sealed part.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from contracts.intake import Experience, LanguageEvidence, LanguageLevels
from contracts.vocabulary import ConsentScope, EducationLevel, Intermediary, QualificationKind, RevokeReason
from services.intake.domain.rules import NO_LEVELS, Licence


@dataclass(frozen=True)
class RegisterCandidate:
    candidate_id: str
    intermediary: Intermediary
    name: str
    national_id: str
    at: datetime
    birth_date: date | None = None
    """Needed where the national id does not say it; checked against it where it does."""
    phone: str | None = None
    email: str | None = None
    synthetic: bool = False
    """Whether synthetic national ids count."""


@dataclass(frozen=True)
class MapCandidate:
    mapped_on: date
    municipality: str
    hours_per_week: float
    at: datetime
    language: LanguageLevels = NO_LEVELS
    experience: tuple[Experience, ...] = ()
    wished_occupations: tuple[str, ...] = ()
    available_from: date | None = None
    licences: tuple[Licence, ...] = ()
    language_evidence: tuple[LanguageEvidence, ...] = ()
    """Where levels come from; the latest of a skill is its level, where `language` does not say the same."""
    skills: tuple[str, ...] = ()
    education_level: EducationLevel | None = None
    certificates: tuple[str, ...] = ()
    wished_municipalities: tuple[str, ...] = ()
    travel_minutes: int | None = None
    available_to: date | None = None
    notes: str | None = None
    limits: str | None = None
    """What the person cannot do; sealed, since it may tell of health."""
    author: str = ""
    """Who mapped, as the token names them; sealed."""
    intermediary: Intermediary | None = None


@dataclass(frozen=True)
class AddQualification:
    qualification_id: str
    kind: QualificationKind
    occupation: str
    started_on: date
    completed_on: date
    """The last day; of a course that still runs, the planned one."""
    title: str
    provider: str
    at: datetime


@dataclass(frozen=True)
class AssessCandidate:
    ready: bool
    assessed_on: date
    valid_until: date
    at: datetime
    reduced_work_capacity: bool = False
    """NAV's decision; says nothing about functional ability."""
    notes: str | None = None
    author: str = ""
    """Who assessed, as the token names them; sealed."""


@dataclass(frozen=True)
class RevokeReadiness:
    reason: RevokeReason
    at: datetime
    note: str | None = None


@dataclass(frozen=True)
class GiveConsent:
    scope: ConsentScope
    given_on: date
    at: datetime


@dataclass(frozen=True)
class WithdrawConsent:
    scope: ConsentScope
    at: datetime


@dataclass(frozen=True)
class ChangeAddressProtection:
    protected: bool
    at: datetime


@dataclass(frozen=True)
class HandOver:
    """Another intermediary is to work with the person."""

    to: Intermediary
    at: datetime


@dataclass(frozen=True)
class MergeInto:
    """This registration and another one are one person; the other one goes on."""

    survivor: str
    at: datetime


@dataclass(frozen=True)
class EraseCandidate:
    at: datetime


CandidateCommand = (
    RegisterCandidate
    | MapCandidate
    | AddQualification
    | AssessCandidate
    | RevokeReadiness
    | GiveConsent
    | WithdrawConsent
    | ChangeAddressProtection
    | HandOver
)
