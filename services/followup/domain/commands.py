"""What can be asked of followup.

Invariant: a command carries everything that a decision needs beside the state: time, new ids, who acts, and what intake
and matching said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from contracts.days import oslo_day
from contracts.subsidyplan import Wage
from contracts.vocabulary import (
    AnnulReason,
    CheckInReversalReason,
    CloseReason,
    Measure,
    Outcome,
    Party,
    Progress,
    ReversalReason,
    ShortenReason,
    StartReversalReason,
)


@dataclass(frozen=True)
class Eligibility:
    """What intake answered about the person for one measure and period. Never a birth date."""

    answers: Mapping[str, bool]
    reduced_work_capacity: bool
    rule_version: str


@dataclass(frozen=True, kw_only=True)
class Asked:
    """`at` is when (UTC); days are Oslo days."""

    at: datetime

    @property
    def today(self) -> date:
        """The Oslo day of the command."""
        return oslo_day(self.at)


@dataclass(frozen=True, kw_only=True)
class OpenCase(Asked):
    """A match was confirmed: somebody has to draft an agreement."""

    match_id: str
    need_id: str
    slot_id: str
    candidate_id: str
    org_number: str
    registered_on: date
    task_id: str
    municipality: str | None = None


@dataclass(frozen=True, kw_only=True)
class TakeCase(Asked):
    """A counsellor sees to the case from now on; `counsellor_id` is random."""

    match_id: str
    acting: Party
    counsellor_id: str


@dataclass(frozen=True, kw_only=True)
class SettleStart(Asked):
    """The counsellor says which day the start was: the confirmed one, or another one."""

    match_id: str
    acting: Party
    task_id: str
    check_in_task_id: str
    """For the task to hold a check-in that is owed by the right day."""
    registered_on: date
    on: date
    reason: StartReversalReason | None = None
    """Why it was another day; needed then, and only then."""
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class EndCases(Asked):
    """Cases that have not led to a start end here; trials go on."""

    match_ids: tuple[str, ...]
    reason: AnnulReason


@dataclass(frozen=True, kw_only=True)
class Content(Asked):
    """What the parties are asked to approve.

    `late_registration`: the start may lie further back than the rules say, if a decision maker approves. `wage` is
    sealed, and only what the subsidy amounts to is computed from it.
    """

    agreement_id: str
    task_id: str
    registered_on: date
    measure: Measure
    start_on: date
    end_on: date
    hours_per_week: float
    wage_subsidy_percent: int | None
    late_registration: bool
    eligibility: Eligibility
    wage: Wage | None = None


@dataclass(frozen=True, kw_only=True)
class Draft(Content):
    match_id: str
    intermediary: str


@dataclass(frozen=True, kw_only=True)
class Change(Content):
    """Other content, before the start."""

    acting: Party


@dataclass(frozen=True, kw_only=True)
class LookAtDraft(Asked):
    """The clock has come to a day on which a draft that nobody touched may expire, or is warned of."""

    agreement_id: str
    on: date
    task_id: str


@dataclass(frozen=True, kw_only=True)
class OfAgreement(Asked):
    """`acting` is what the caller is; `actor` who the caller is."""

    agreement_id: str
    acting: Party
    actor: str


@dataclass(frozen=True, kw_only=True)
class Approve(OfAgreement):
    """`reason` says why, where the caller approves on behalf of `party`."""

    party: Party
    reason: str | None
    task_id: str


@dataclass(frozen=True, kw_only=True)
class RevokeApproval(OfAgreement):
    party: Party
    note: str | None


@dataclass(frozen=True, kw_only=True)
class Annul(OfAgreement):
    """Somebody decides that an agreement shall not count."""

    reason: AnnulReason
    note: str | None


@dataclass(frozen=True, kw_only=True)
class ConfirmStart(OfAgreement):
    """The candidate showed up on `on`. `task_id`: for the task to settle which of two days it was."""

    trial_id: str
    on: date
    registered_on: date
    task_id: str


@dataclass(frozen=True, kw_only=True)
class ReportNoShow(OfAgreement):
    on: date


@dataclass(frozen=True, kw_only=True)
class OfTrial(Asked):
    """`acting` is what the caller is; `actor` who the caller is."""

    trial_id: str
    acting: Party
    actor: str


@dataclass(frozen=True, kw_only=True)
class HoldCheckIn(OfTrial):
    check_in_id: str
    held_on: date
    progress: Progress
    note: str | None
    agreed: str | None = None
    """The actions agreed on."""


@dataclass(frozen=True, kw_only=True)
class ReverseCheckIn(OfTrial):
    """A check-in that was recorded was none. `task_id`: for the task to hold the one that is owed without it."""

    check_in_id: str
    reason: CheckInReversalReason
    note: str | None
    task_id: str


@dataclass(frozen=True, kw_only=True)
class LookAtCheckIns(Asked):
    """The clock has come to the day after a check-in may have been due."""

    trial_id: str
    on: date
    task_id: str


@dataclass(frozen=True, kw_only=True)
class GiveVoice(OfTrial):
    """The candidate says how it goes. Everything is sealed."""

    voice_id: str
    answers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ProposeChange(OfTrial):
    """Employer or participant asks for other hours from a day on."""

    change_id: str
    effective_on: date
    hours_per_week: float
    note: str | None


@dataclass(frozen=True, kw_only=True)
class AnswerChange(OfTrial):
    change_id: str
    accepted: bool
    note: str | None


@dataclass(frozen=True, kw_only=True)
class Extend(OfTrial):
    """`wage_subsidy_percent`: where the rules leave a choice; None keeps to the rules or to what it was."""

    end_on: date
    wage_subsidy_percent: int | None
    eligibility: Eligibility


@dataclass(frozen=True, kw_only=True)
class Close(OfTrial):
    on: date
    outcome: Outcome
    reason: CloseReason
    note: str | None


@dataclass(frozen=True, kw_only=True)
class Shorten(OfTrial):
    end_on: date
    reason: ShortenReason
    note: str | None


@dataclass(frozen=True, kw_only=True)
class HoldClosingTalk(OfTrial):
    held_on: date
    note: str | None


@dataclass(frozen=True, kw_only=True)
class ReverseOutcome(OfTrial):
    """The outcome was wrong; `outcome` is the right one."""

    outcome: Outcome
    reason: ReversalReason
    note: str | None


@dataclass(frozen=True, kw_only=True)
class IssueCertificate(OfTrial):
    certificate_id: str


@dataclass(frozen=True, kw_only=True)
class ConfirmEmployment(OfTrial):
    """Whether somebody who was hired was still employed on `on`, so many months after."""

    after_months: int
    employed: bool
    on: date


Command = (
    OpenCase
    | TakeCase
    | SettleStart
    | EndCases
    | Draft
    | Change
    | LookAtDraft
    | Approve
    | RevokeApproval
    | Annul
    | ConfirmStart
    | ReportNoShow
    | HoldCheckIn
    | ReverseCheckIn
    | LookAtCheckIns
    | GiveVoice
    | ProposeChange
    | AnswerChange
    | Extend
    | Shorten
    | HoldClosingTalk
    | Close
    | ReverseOutcome
    | IssueCertificate
    | ConfirmEmployment
)
"""What may be asked of a person's cases."""
