"""What callers of intake send, field by field.

Invariant: a body says only what the caller decides; ids, time and who asks come from elsewhere.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

from chassis.requests import Id, Line, Municipality, Note, Occupation, StrictModel
from contracts.intake import Experience, LanguageEvidence, LanguageLevels
from contracts.vocabulary import (
    Background,
    CefrLevel,
    ConsentScope,
    EducationLevel,
    Intermediary,
    LanguageSkill,
    LanguageSource,
    Measure,
    QualificationKind,
    RevokeReason,
    WithdrawReason,
)
from services.intake.domain.background import Facts, Gender, YesNo
from services.intake.domain.content import Contact, Content, FreeText
from services.intake.domain.freetext import WarningCode
from services.intake.domain.needs import MOST_SLOTS
from services.intake.domain.rules import FULL_WEEK_HOURS, Licence

OrgNumber = Annotated[str, Field(max_length=20)]
"""Nine digits; spaces are removed."""
Licences = Annotated[tuple[Licence, ...], Field(max_length=16)]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
"""A code of one of this product's closed lists."""
Codes = Annotated[tuple[Code, ...], Field(max_length=40)]
Phone = Annotated[str, Field(pattern=r"^\+?[0-9 ]{5,20}$", max_length=21)]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]
Warnings = Annotated[tuple[WarningCode, ...], Field(max_length=6)]
"""What the sender has been warned about, and wants to say all the same."""
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


class ContactPerson(StrictModel):
    """Whom an intermediary may call. Shown to the employer and the intermediaries alone."""

    name: Line
    phone: Phone | None = None
    email: Email | None = None


class NeedContent(StrictModel):
    """What an employer asks for. The occupation is enough."""

    occupation: Occupation
    measure: Measure | None = None
    """The measure that the employer has in mind."""
    hours_per_week: float = FULL_WEEK_HOURS
    start_from: date | None = None
    """The earliest day on which the employer can take somebody on; left out: at once."""
    start_to: date | None = None
    """The last day on which somebody may begin; left out: no end."""
    language: Levels = Levels()
    """The least Norwegian that the work needs; left out: no requirement."""
    licences: Licences = ()
    """Driving licence classes that the work needs."""
    certificates: Codes = ()
    """Certificates that the work needs, codes of `GET /certificates`."""
    adaptations: Codes = ()
    """What the workplace can adapt, codes of `GET /adaptations`."""
    expires_on: date | None = None
    """The last day on which unfilled places stay open; left out: `start_to`, else half a year."""
    title: Line | None = None
    description: Note | None = None
    contact: ContactPerson | None = None
    accept_warnings: Warnings = ()

    def content(self) -> Content:
        """As the domain has it."""
        contact = None if self.contact is None else Contact(**self.contact.model_dump())
        free = FreeText(self.title, self.description, contact)
        return Content(
            occupation=self.occupation,
            measure=self.measure,
            hours_per_week=self.hours_per_week,
            start_from=self.start_from,
            start_to=self.start_to,
            language=self.language.value(),
            licences=self.licences,
            certificates=self.certificates,
            adaptations=self.adaptations,
            expires_on=self.expires_on,
            free=None if free == FreeText() else free,
        )


class NewNeed(NeedContent):
    """An employer asks for people. Two fields are enough."""

    municipality: Municipality
    org_number: OrgNumber | None = None
    """The employer; may be left out where the caller acts for one only."""
    slots: int = Field(default=1, ge=1, le=MOST_SLOTS)
    """How many places."""
    intermediary: Intermediary = Intermediary.NAV
    """Whom the employer turns to."""


class NeedAgain(StrictModel):
    """The same as an earlier need, registered today."""

    slots: int | None = Field(default=None, ge=1, le=MOST_SLOTS)
    """How many places; left out: as many as then."""
    start_from: date | None = None
    """The earliest first day; left out: at once. The days of the earlier need have passed."""


class NeedWithdrawal(StrictModel):
    reason: WithdrawReason
    slot_ids: Annotated[tuple[Id, ...], Field(min_length=1, max_length=MOST_SLOTS)] | None = None
    """Which places; left out: all that are open and on which nobody has begun."""


class NewCandidate(StrictModel):
    """Who a person is. None of it leaves intake."""

    name: Line
    national_id: Annotated[str, Field(max_length=20)]
    """Fødselsnummer or D-number; spaces and hyphens are removed."""
    birth_date: date | None = None
    """Needed where the national id does not say it; checked against it where it does."""
    phone: Phone | None = None
    email: Email | None = None


class PastWork(StrictModel):
    """Work done in one occupation."""

    occupation: Occupation
    months: int

    def value(self) -> Experience:
        """As events carry it."""
        return Experience(**self.model_dump())


class Evidence(StrictModel):
    """Where one level comes from."""

    skill: LanguageSkill
    level: CefrLevel
    source: LanguageSource
    assessed_on: date

    def value(self) -> LanguageEvidence:
        """As events carry it."""
        return LanguageEvidence(**self.model_dump())


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
    available_to: date | None = None
    """Left out: no end."""
    licences: Licences = ()
    language_evidence: Annotated[tuple[Evidence, ...], Field(max_length=20)] = ()
    """A level that `language` leaves out is that of the latest evidence."""
    skills: Codes = ()
    """Codes of `GET /skills`."""
    education_level: EducationLevel | None = None
    """The highest completed education."""
    certificates: Codes = ()
    """Codes of `GET /certificates`."""
    wished_municipalities: Annotated[tuple[Municipality, ...], Field(max_length=20)] = ()
    """Left out: anywhere within reach."""
    travel_minutes: int | None = None
    """The longest journey to work, one way."""
    notes: Note | None = None
    limits: Note | None = None
    """What the person cannot do. Sealed: no other service learns it."""


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


class Handover(StrictModel):
    to_intermediary: Intermediary


class Merger(StrictModel):
    """The registration that goes on; the one in the path ends."""

    merged_into: Id


class Erasure(StrictModel):
    """Nothing has to be said; an empty object."""


class TextErasure(StrictModel):
    """Nothing has to be said; an empty object."""


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
