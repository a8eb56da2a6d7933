"""What a decision knows of need and candidate: snapshots from this service's own views, put into the command.

Invariant: facts say whether a person can be proposed; only the log says whether the place and the person are taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from contracts.intake import LanguageLevels

NO_LEVELS = LanguageLevels()


@dataclass(frozen=True)
class NeedFacts:
    """A registered need."""

    need_id: str
    org_number: str
    slot_ids: tuple[str, ...]
    withdrawn_slots: frozenset[str]
    intermediary: str
    """Who works on it: assigned, else whom the employer turned to."""
    municipality: str
    occupation: str
    measure: str | None
    hours_per_week: float
    start_from: date | None
    language: LanguageLevels
    licences: tuple[str, ...]
    registered_on: date
    promise_date: date
    certificates: tuple[str, ...] = ()
    expired_slots: frozenset[str] = frozenset()
    start_to: date | None = None
    """The last day on which work may begin."""

    @property
    def begins(self) -> date:
        """The first day on which work may begin."""
        return self.start_from or self.registered_on


@dataclass(frozen=True)
class Practice:
    """Work done, or a qualification (months: None), in one occupation."""

    occupation: str
    months: int | None = None


@dataclass(frozen=True)
class CandidateFacts:
    """A candidate as intake, this service and followup tell of him. Nothing of it is background."""

    candidate_id: str
    ready: bool = False
    valid_until: date | None = None
    """The last day on which the assessment holds."""
    consent: bool = False
    protected: bool = False
    intermediary: str | None = None
    """Whose candidate it is."""
    proposed: bool = False
    """Has an open match somewhere."""
    placed: bool = False
    """Confirmed for a place, or in a trial that has not closed."""
    municipality: str | None = None
    language: LanguageLevels = NO_LEVELS
    experience: tuple[Practice, ...] = ()
    qualifications: tuple[Practice, ...] = ()
    wished_occupations: tuple[str, ...] = ()
    hours_per_week: float = 0.0
    available_from: date | None = None
    available_to: date | None = None
    licences: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    wished_municipalities: tuple[str, ...] = ()
    travel_minutes: int | None = None
    """The longest one-way journey that the candidate wants."""
    absorbed: tuple[str, ...] = ()
    """Ids of registrations of the same person that were merged into this one: what holds them holds this one."""
