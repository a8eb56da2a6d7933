"""Closed lists of the domain.

Invariant: a list only grows. Writers use the enums; events carry plain text, so that a reader older than a value meets
it without failing (`x-known-values` in the schemas says which values there are today).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field


class Intermediary(StrEnum):
    """Who maps candidates, assesses them and follows them up."""

    NAV = "nav"
    REFUGEE_SERVICE = "refugee_service"
    ADULT_EDUCATION = "adult_education"


class Measure(StrEnum):
    """What a trial is, in the sense of the labour market measures."""

    WORK_TRAINING = "work_training"
    TEMPORARY_WAGE_SUBSIDY = "temporary_wage_subsidy"
    PERMANENT_WAGE_SUBSIDY = "permanent_wage_subsidy"
    SUMMER_JOB = "summer_job"
    MENTOR_GRANT = "mentor_grant"
    INCLUSION_GRANT = "inclusion_grant"
    PERMANENT_ADAPTED_WORK = "permanent_adapted_work"


class CefrLevel(StrEnum):
    """Common European Framework of Reference for Languages."""

    A1 = "A1"
    A2 = "A2"
    B1 = "B1"
    B2 = "B2"
    C1 = "C1"
    C2 = "C2"


class LanguageSkill(StrEnum):
    """What a level of Norwegian is about."""

    LISTENING = "listening"
    READING = "reading"
    SPEAKING = "speaking"
    WRITING = "writing"


class LanguageSource(StrEnum):
    """Who or what says that a person has a level."""

    OFFICIAL_TEST = "official_test"
    COURSE_CERTIFICATE = "course_certificate"
    COUNSELLOR = "counsellor"
    SELF_REPORTED = "self_reported"


class EducationLevel(StrEnum):
    """The highest completed education, wherever it was taken."""

    NONE = "none"
    PRIMARY = "primary"
    UPPER_SECONDARY = "upper_secondary"
    VOCATIONAL = "vocational"
    HIGHER_VOCATIONAL = "higher_vocational"
    BACHELOR = "bachelor"
    MASTER = "master"
    DOCTORATE = "doctorate"


class Party(StrEnum):
    """Who approves an agreement; in this order but for the first two, which may come in any order."""

    EMPLOYER = "employer"
    PARTICIPANT = "participant"
    COUNSELLOR = "counsellor"
    DECISION_MAKER = "decision_maker"


class EmployerResponse(StrEnum):
    RELEVANT = "relevant"
    NOT_RELEVANT = "not_relevant"
    INTERVIEW = "interview"
    WANTS_TO_HIRE = "wants_to_hire"


class ResponseReason(StrEnum):
    """Why an employer answers that a candidate is not relevant."""

    QUALIFICATIONS = "qualifications"
    LANGUAGE = "language"
    HOURS = "hours"
    START = "start"
    OTHER_CANDIDATE_CHOSEN = "other_candidate_chosen"
    OTHER = "other"


class DeclineReason(StrEnum):
    """Why a candidate says no."""

    TRAVEL = "travel"
    HOURS = "hours"
    OCCUPATION = "occupation"
    OTHER_PLAN = "other_plan"
    OTHER = "other"


class CancelReason(StrEnum):
    """Why a match ended. `no_longer_available` is used wherever the true reason is protected."""

    CANDIDATE_DECLINED = "candidate_declined"
    EMPLOYER_DECLINED = "employer_declined"
    OTHER_CANDIDATE_CHOSEN = "other_candidate_chosen"
    PLACED_ELSEWHERE = "placed_elsewhere"
    NO_LONGER_AVAILABLE = "no_longer_available"
    NEED_WITHDRAWN = "need_withdrawn"
    NO_SHOW = "no_show"
    REGISTERED_BY_MISTAKE = "registered_by_mistake"
    NO_ANSWER = "no_answer"
    """The deadline passed, and the candidate had not answered."""
    NEED_EXPIRED = "need_expired"
    REQUIREMENTS_NOT_MET = "requirements_not_met"
    """What the work asks for, or what the candidate has, changed meanwhile: licence, certificate or days."""
    OTHER = "other"


class WithdrawReason(StrEnum):
    """Why an employer withdraws a need."""

    FILLED_OTHERWISE = "filled_otherwise"
    NO_LONGER_NEEDED = "no_longer_needed"
    REGISTERED_BY_MISTAKE = "registered_by_mistake"
    OTHER = "other"


class RevokeReason(StrEnum):
    """Why an assessment as ready no longer holds."""

    CIRCUMSTANCES_CHANGED = "circumstances_changed"
    IN_WORK_OR_EDUCATION = "in_work_or_education"
    REGISTERED_BY_MISTAKE = "registered_by_mistake"
    OTHER = "other"


class AnnulReason(StrEnum):
    """Why an agreement never counted."""

    MATCH_CANCELLED = "match_cancelled"
    NO_LONGER_AVAILABLE = "no_longer_available"
    NEED_WITHDRAWN = "need_withdrawn"
    NEED_EXPIRED = "need_expired"
    REGISTERED_BY_MISTAKE = "registered_by_mistake"
    OTHER = "other"


class Outcome(StrEnum):
    """How a trial ended. Only `hired` counts as employment with this employer."""

    HIRED = "hired"
    EMPLOYED_ELSEWHERE = "employed_elsewhere"
    EDUCATION = "education"
    NEW_MEASURE = "new_measure"
    NO_OFFER = "no_offer"
    DROPPED_OUT = "dropped_out"
    OTHER = "other"


class CloseReason(StrEnum):
    """Why a trial ended when it did."""

    PERIOD_COMPLETED = "period_completed"
    HIRED_EARLY = "hired_early"
    EMPLOYER_ENDED = "employer_ended"
    PARTICIPANT_ENDED = "participant_ended"
    OTHER = "other"


class Progress(StrEnum):
    """How it goes, at a check-in."""

    AS_PLANNED = "as_planned"
    NEEDS_ATTENTION = "needs_attention"
    AT_RISK = "at_risk"


class Task(StrEnum):
    """What the playbook asks somebody to do: for a case, and from `contact_employer` on for a slot."""

    DRAFT_AGREEMENT = "draft_agreement"
    APPROVE_AGREEMENT = "approve_agreement"
    CONFIRM_START = "confirm_start"
    SETTLE_START_DATE = "settle_start_date"
    HOLD_CHECK_IN = "hold_check_in"
    CONTACT_EMPLOYER = "contact_employer"
    PROPOSE = "propose"
    ASK = "ask"
    PRESENT = "present"
    ANSWER = "answer"
    MEET = "meet"
    AGREE = "agree"
    START = "start"


class DelayReason(StrEnum):
    """Why a slot waits, where somebody says so."""

    EMPLOYER_NOT_READY = "employer_not_ready"
    NO_ANSWER = "no_answer"
    MEETING_POSTPONED = "meeting_postponed"
    START_POSTPONED = "start_postponed"
    OTHER = "other"


class PlanEndReason(StrEnum):
    """Why the plan of a slot ended without a start."""

    NEED_WITHDRAWN = "need_withdrawn"
    NEED_EXPIRED = "need_expired"


class ShortenReason(StrEnum):
    """Why a trial ends earlier than agreed."""

    EMPLOYER_REQUEST = "employer_request"
    PARTICIPANT_REQUEST = "participant_request"
    CIRCUMSTANCES_CHANGED = "circumstances_changed"
    OTHER = "other"


class ReversalReason(StrEnum):
    """Why an outcome is taken back."""

    REGISTERED_BY_MISTAKE = "registered_by_mistake"
    NOT_FULFILLED = "not_fulfilled"
    OTHER = "other"


class StartReversalReason(StrEnum):
    """Why another day than the confirmed one is the day of the start."""

    REGISTERED_BY_MISTAKE = "registered_by_mistake"
    PARTIES_AGREE = "parties_agree"
    """Employer and participant say the same."""
    RECORDS_SHOW = "records_show"
    """A timesheet, a plan of shifts or the like."""
    OTHER = "other"


class CheckInReversalReason(StrEnum):
    """Why a check-in that was recorded is taken back."""

    NOT_HELD = "not_held"
    REGISTERED_BY_MISTAKE = "registered_by_mistake"
    """On the wrong day or in the wrong case: the right one is recorded as another check-in."""
    OTHER = "other"


class ConsentScope(StrEnum):
    """What a candidate has said yes to."""

    MATCHING = "matching"


class QualificationKind(StrEnum):
    COURSE = "course"
    CERTIFICATE = "certificate"
    EDUCATION = "education"


class Background(StrEnum):
    """Immigrant background: declared, never derived. The first two count as "with immigrant background"."""

    IMMIGRANT = "immigrant"
    NORWEGIAN_BORN_TO_IMMIGRANT_PARENTS = "norwegian_born_to_immigrant_parents"
    OTHER = "other"
    UNKNOWN = "unknown"


def _values(listed: type[StrEnum]) -> dict[str, list[str]]:
    return {"x-known-values": [member.value for member in listed]}


IntermediaryCode = Annotated[str, Field(json_schema_extra=_values(Intermediary))]
MeasureCode = Annotated[str, Field(json_schema_extra=_values(Measure))]
CefrCode = Annotated[str, Field(json_schema_extra=_values(CefrLevel))]
PartyCode = Annotated[str, Field(json_schema_extra=_values(Party))]
EmployerResponseCode = Annotated[str, Field(json_schema_extra=_values(EmployerResponse))]
ResponseReasonCode = Annotated[str, Field(json_schema_extra=_values(ResponseReason))]
DeclineReasonCode = Annotated[str, Field(json_schema_extra=_values(DeclineReason))]
CancelReasonCode = Annotated[str, Field(json_schema_extra=_values(CancelReason))]
WithdrawReasonCode = Annotated[str, Field(json_schema_extra=_values(WithdrawReason))]
RevokeReasonCode = Annotated[str, Field(json_schema_extra=_values(RevokeReason))]
AnnulReasonCode = Annotated[str, Field(json_schema_extra=_values(AnnulReason))]
OutcomeCode = Annotated[str, Field(json_schema_extra=_values(Outcome))]
CloseReasonCode = Annotated[str, Field(json_schema_extra=_values(CloseReason))]
ProgressCode = Annotated[str, Field(json_schema_extra=_values(Progress))]
DelayReasonCode = Annotated[str, Field(json_schema_extra=_values(DelayReason))]
PlanEndReasonCode = Annotated[str, Field(json_schema_extra=_values(PlanEndReason))]
ShortenReasonCode = Annotated[str, Field(json_schema_extra=_values(ShortenReason))]
ReversalReasonCode = Annotated[str, Field(json_schema_extra=_values(ReversalReason))]
StartReversalReasonCode = Annotated[str, Field(json_schema_extra=_values(StartReversalReason))]
CheckInReversalReasonCode = Annotated[str, Field(json_schema_extra=_values(CheckInReversalReason))]
TaskCode = Annotated[str, Field(json_schema_extra=_values(Task))]
ConsentScopeCode = Annotated[str, Field(json_schema_extra=_values(ConsentScope))]
QualificationKindCode = Annotated[str, Field(json_schema_extra=_values(QualificationKind))]
LanguageSkillCode = Annotated[str, Field(json_schema_extra=_values(LanguageSkill))]
LanguageSourceCode = Annotated[str, Field(json_schema_extra=_values(LanguageSource))]
EducationLevelCode = Annotated[str, Field(json_schema_extra=_values(EducationLevel))]
