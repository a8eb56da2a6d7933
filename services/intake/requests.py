"""What callers of intake send, field by field.

Invariant: a body says only what the caller decides; ids, time and who asks come from elsewhere.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

from chassis.requests import Line, Municipality, Note, Occupation, StrictModel
from contracts.intake import Experience, LanguageLevels
from contracts.vocabulary import (
    Background,
    CefrLevel,
    ConsentScope,
    Intermediary,
    Measure,
    QualificationKind,
    RevokeReason,
    WithdrawReason,
)
from services.intake.domain.background import Facts, Gender, YesNo
from services.intake.domain.needs import MOST_SLOTS
from services.intake.domain.rules import FULL_WEEK_HOURS, Licence

OrgNumber = Annotated[str, Field(max_length=20)]
"""Nine digits; spaces are removed."""
Licences = Annotated[tuple[Licence, ...], Field(max_length=16)]
Count = Annotated[int | None, Field(ge=0)]
"""None is "unknown"."""


class Levels(StrictModel):
    """Norwegian, a level per skill."""

    listening: CefrLevel | None = None
    reading: CefrLevel | None = None
    speaking: CefrLevel | None = None
    writing: CefrLevel | None = None

    def value(self) -> LanguageLevels:
        """As events carry it."""
        return LanguageLevels(**self.model_dump())


class NewNeed(StrictModel):
    """An employer asks for people. Two fields are enough."""

    occupation: Occupation
    municipality: Municipality
    org_number: OrgNumber | None = None
    """The employer; may be left out where the caller acts for one only."""
    slots: int = Field(default=1, ge=1, le=MOST_SLOTS)
    """How many places."""
    intermediary: Intermediary = Intermediary.NAV
    """Whom the employer turns to."""
    measure: Measure | None = None
    """The measure that the employer has in mind."""
    hours_per_week: float = FULL_WEEK_HOURS
    start_from: date | None = None
    """The earliest day on which the employer can take somebody on; left out: at once."""
    language: Levels = Levels()
    """The least Norwegian that the work needs."""
    licences: Licences = ()
    """Driving licence classes that the work needs."""


class NeedWithdrawal(StrictModel):
    reason: WithdrawReason


class NewCandidate(StrictModel):
    """Who a person is. None of it leaves intake."""

    name: Line
    national_id: Annotated[str, Field(max_length=20)]
    """Fødselsnummer or D-number; spaces and hyphens are removed."""
    birth_date: date | None = None
    """Needed where the national id does not say it; checked against it where it does."""
    phone: Annotated[str, Field(pattern=r"^\+?[0-9 ]{5,20}$", max_length=21)] | None = None
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)] | None = None


class PastWork(StrictModel):
    """Work done in one occupation."""

    occupation: Occupation
    months: int

    def value(self) -> Experience:
        """As events carry it."""
        return Experience(**self.model_dump())


class Mapping(StrictModel):
    """What a person can and wants; a later mapping replaces an earlier one."""

    municipality: Municipality
    """Where the person can work from."""
    hours_per_week: float
    mapped_on: date | None = None
    """Left out: today."""
    language: Levels = Levels()
    experience: Annotated[tuple[PastWork, ...], Field(max_length=20)] = ()
    wished_occupations: Annotated[tuple[Occupation, ...], Field(max_length=10)] = ()
    available_from: date | None = None
    """Left out: at once."""
    licences: Licences = ()
    notes: Note | None = None


class Qualification(StrictModel):
    """A course, a certificate or an education. `completed_on` of one that still runs is the planned last day."""

    kind: QualificationKind
    occupation: Occupation
    """The occupation that it qualifies for."""
    started_on: date
    completed_on: date
    title: Line
    provider: Line


class Assessment(StrictModel):
    ready: bool
    valid_until: date
    """The last day on which the assessment holds."""
    assessed_on: date | None = None
    """Left out: today."""
    reduced_work_capacity: bool = False
    """NAV's decision; it says nothing about functional ability."""
    notes: Note | None = None


class Revocation(StrictModel):
    reason: RevokeReason
    note: Note | None = None
    """Only beside the reason `other`, and needed there."""


class Consent(StrictModel):
    scope: ConsentScope = ConsentScope.MATCHING
    given_on: date | None = None
    """Left out: today."""


class ConsentWithdrawal(StrictModel):
    scope: ConsentScope = ConsentScope.MATCHING


class AddressProtection(StrictModel):
    protected: bool


class BackgroundDeclaration(StrictModel):
    """Voluntary facts for statistics, or that the person would rather not say. What is left out is unknown."""

    declined: bool = False
    immigrant_background: Background = Background.UNKNOWN
    country_of_birth: Annotated[str, Field(pattern=r"^[A-Z]{2}$", max_length=2)] | None = None
    """ISO 3166-1, two letters; `XX` where it is none of these."""
    reduced_functional_ability: YesNo = YesNo.UNKNOWN
    cv_gap: YesNo = YesNo.UNKNOWN
    gender: Gender = Gender.UNKNOWN
    year_of_birth: int | None = None

    def facts(self) -> Facts:
        """The facts without the no."""
        return Facts(**self.model_dump(exclude={"declined"}))


class EligibilityQuestion(StrictModel):
    """May this person take part in this measure, from the first to the last day, both included?"""

    measure: Measure
    start: date
    end: date


class WorkforceReport(StrictModel):
    """Figures of one employer for one year. What is left out is unknown, never zero."""

    year: int
    head_count: int
    org_number: OrgNumber | None = None
    """The employer; may be left out where the caller acts for one only."""
    immigrant_background: Count = None
    country_group_1: Count = None
    country_group_2: Count = None
    reduced_functional_ability: Count = None
    cv_gap: Count = None
