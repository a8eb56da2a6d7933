"""Events of intake (`dugnad.intake.v1`) and of the background log (`dugnad.background.v1`).

Invariant: nothing here says more of a person than the random candidate id and a competence profile; background values
are ciphertext, readable with the person's key alone.
"""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from contracts.event import Event, Value
from contracts.vocabulary import (
    CefrCode,
    ConsentScopeCode,
    EducationLevelCode,
    IntermediaryCode,
    LanguageSkillCode,
    LanguageSourceCode,
    MeasureCode,
    QualificationKindCode,
    RevokeReasonCode,
    WithdrawReasonCode,
)

SOURCE = "dugnad/intake"
TOPIC = "dugnad.intake.v1"
BACKGROUND_SOURCE = "dugnad/background"
BACKGROUND_TOPIC = "dugnad.background.v1"


class LanguageLevels(Value):
    """Norwegian, a level per skill; None is "no requirement" for a need and "not mapped" for a candidate."""

    listening: CefrCode | None = None
    reading: CefrCode | None = None
    speaking: CefrCode | None = None
    writing: CefrCode | None = None


class LanguageEvidence(Value):
    """Where one level comes from: who or what judged it, and when."""

    skill: LanguageSkillCode
    level: CefrCode
    source: LanguageSourceCode
    assessed_on: date


class Experience(Value):
    """Work done in one occupation."""

    occupation: str
    """STYRK-08, four digits."""
    months: int


class NeedEvent(Event):
    SUBJECT: ClassVar[str] = "need:{need_id}"
    PARTITION_KEY: ClassVar[str] = "need:{need_id}"
    PERSON: ClassVar[str | None] = "need_id"
    """The contact person and free text are sealed under a key of the need's own."""

    need_id: str
    org_number: str


class NeedRegistered(NeedEvent):
    """An employer asks for people. Each slot is one place with its own clock.

    Sealed: `title`, `description`, `contact`. Since v2 with the county, the end of the start window, certificates,
    adaptations, the last open day and the earlier need that it was copied from.
    """

    VERSION: ClassVar[int] = 2

    municipality: str
    """Municipality number, four digits, of the division in force on the day of registration."""
    county: str | None = None
    """County number, two digits, of the municipality."""
    occupation: str
    """STYRK-08, four digits."""
    slot_ids: tuple[str, ...]
    intermediary: IntermediaryCode
    """Whom the employer turned to first; `NeedAssigned` may name another one."""
    measure: MeasureCode | None = None
    """The measure that the employer has in mind, if any."""
    hours_per_week: float
    start_from: date | None = None
    start_to: date | None = None
    language: LanguageLevels = LanguageLevels()
    licences: tuple[str, ...] = ()
    """Driving licence classes that the work needs."""
    certificates: tuple[str, ...] = ()
    """Certificates that the work needs, codes of `certificates.csv`."""
    adaptations: tuple[str, ...] = ()
    adaptations_version: str | None = None
    expires_on: date | None = None
    copied_from: str | None = None
    """The earlier need that this one was made from ("same again"); null where it was typed."""
    registered_on: date
    """The Oslo day on which the clock of each slot begins (day 0)."""
    promise_date: date
    """`registered_on` + 28 days: the last day on which a start keeps the promise."""


class NeedRevised(NeedEvent):
    """The whole new content of a need; what is not here (employer, place, slots, clock) never changes.

    Sealed: `title`, `description`, `contact`.
    """

    revised_on: date
    occupation: str
    """STYRK-08, four digits."""
    measure: MeasureCode | None = None
    """The measure that the employer has in mind, if any."""
    hours_per_week: float
    start_from: date | None = None
    start_to: date | None = None
    language: LanguageLevels = LanguageLevels()
    licences: tuple[str, ...] = ()
    """Driving licence classes that the work needs."""
    certificates: tuple[str, ...] = ()
    """Certificates that the work needs, codes of `certificates.csv`."""
    adaptations: tuple[str, ...] = ()
    adaptations_version: str | None = None
    expires_on: date | None = None


class NeedExpired(NeedEvent):
    """Slots that nobody filled by the last open day. A class of its own, not a withdrawal by the employer."""

    slot_ids: tuple[str, ...]
    expired_on: date
    """The Oslo day after the last open day, on which the slots were closed at the earliest."""


class NeedWithdrawn(NeedEvent):
    """The employer takes slots back, some or all that are open."""

    slot_ids: tuple[str, ...]
    reason: WithdrawReasonCode
    withdrawn_on: date


class NeedTextErased(NeedEvent):
    """What was written freely and the contact person are erased, of every version of the need: the need's key is
    destroyed next. The need itself stands, and nothing can be written into it again.
    """

    erased_on: date


class CandidateEvent(Event):
    SUBJECT: ClassVar[str] = "candidate:{candidate_id}"
    PARTITION_KEY: ClassVar[str] = "candidate:{candidate_id}"
    PERSON: ClassVar[str | None] = "candidate_id"

    candidate_id: str


class CandidateRegistered(CandidateEvent):
    """Sealed: `name`, `national_id`, `birth_date`, `phone`, `email`."""

    intermediary: IntermediaryCode
    registered_on: date


class CandidateMapped(CandidateEvent):
    """A dated, authored picture of what a person can and wants; a later one replaces it. Sealed: `notes`, `limits`.

    Since v2 with its author, the evidence of each language level, skills, education, certificates, wished places, the
    longest journey and the last day.
    """

    VERSION: ClassVar[int] = 2

    mapped_on: date
    intermediary: IntermediaryCode | None = None
    """The intermediary whose counsellor wrote the mapping; null in events older than v2."""
    municipality: str
    """Where the person can work from."""
    language: LanguageLevels = LanguageLevels()
    experience: tuple[Experience, ...] = ()
    wished_occupations: tuple[str, ...] = ()
    hours_per_week: float
    available_from: date | None = None
    licences: tuple[str, ...] = ()
    language_evidence: tuple[LanguageEvidence, ...] = ()
    skills: tuple[str, ...] = ()
    education_level: EducationLevelCode | None = None
    certificates: tuple[str, ...] = ()
    """Certificates that the person holds, codes of `certificates.csv`."""
    wished_municipalities: tuple[str, ...] = ()
    travel_minutes: int | None = None
    available_to: date | None = None


class QualificationAdded(CandidateEvent):
    """Sealed: `title`, `provider`."""

    qualification_id: str
    kind: QualificationKindCode
    occupation: str
    """The occupation (STYRK-08) that it qualifies for."""
    started_on: date
    completed_on: date


class CandidateAssessed(CandidateEvent):
    """The gate to matching. Sealed: `notes`."""

    ready: bool
    assessed_on: date
    valid_until: date
    """The last day on which the assessment holds."""


class ReadinessRevoked(CandidateEvent):
    """Sealed: `note`."""

    reason: RevokeReasonCode


class ConsentGiven(CandidateEvent):
    scope: ConsentScopeCode
    given_on: date


class ConsentWithdrawn(CandidateEvent):
    scope: ConsentScopeCode
    withdrawn_on: date


class AddressProtectionChanged(CandidateEvent):
    protected: bool


class CandidateMerged(CandidateEvent):
    """Two registrations were one person: `candidate_id` ends, `merged_into` goes on."""

    merged_into: str
    merged_on: date


class CandidateHandedOver(CandidateEvent):
    """Another intermediary works with the candidate from then on."""

    from_intermediary: IntermediaryCode
    to_intermediary: IntermediaryCode
    handed_over_on: date


class CandidateErased(CandidateEvent):
    """The person's data are erased: the key is destroyed next, and nothing sealed under it opens again."""

    erased_on: date


class WorkforceReported(Event):
    """An employer's figures for one year; a later report for the same year restates it. None is "unknown"."""

    SUBJECT: ClassVar[str] = "workforce:{org_number}-{year}"
    PARTITION_KEY: ClassVar[str] = "employer:{org_number}"

    org_number: str
    year: int
    reported_on: date
    head_count: int
    immigrant_background: int | None = None
    country_group_1: int | None = None
    """Of those with immigrant background: EU, EEA, EFTA, United Kingdom, USA, Canada, Australia, New Zealand."""
    country_group_2: int | None = None
    """Of those with immigrant background: all other countries."""
    reduced_functional_ability: int | None = None
    cv_gap: int | None = None


class BackgroundDeclared(Event):
    """Voluntary facts for statistics; a later declaration replaces an earlier one."""

    SUBJECT: ClassVar[str] = "candidate:{candidate_id}"
    PARTITION_KEY: ClassVar[str] = "candidate:{candidate_id}"

    candidate_id: str
    declared_on: date
    ciphertext: str
    """base64 of nonce and AES-256-GCM ciphertext of a JSON object: the person's key, bound to the candidate id."""


class BackgroundWithdrawn(Event):
    """The person takes the declaration back: unknown again from then on."""

    SUBJECT: ClassVar[str] = "candidate:{candidate_id}"
    PARTITION_KEY: ClassVar[str] = "candidate:{candidate_id}"

    candidate_id: str
    withdrawn_on: date


IntakeEvent = (
    NeedRegistered
    | NeedRevised
    | NeedWithdrawn
    | NeedExpired
    | NeedTextErased
    | CandidateRegistered
    | CandidateMapped
    | QualificationAdded
    | CandidateAssessed
    | ReadinessRevoked
    | ConsentGiven
    | ConsentWithdrawn
    | AddressProtectionChanged
    | CandidateMerged
    | CandidateHandedOver
    | CandidateErased
    | WorkforceReported
)
BackgroundEvent = BackgroundDeclared | BackgroundWithdrawn
