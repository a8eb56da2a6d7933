"""What can be asked of followup.

Invariant: a command carries everything that a decision needs beside the state: time, new ids, who acts, and what intake
and matching said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from contracts.days import oslo_day
from contracts.vocabulary import AnnulReason, CloseReason, Measure, Outcome, Party, Progress


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


@dataclass(frozen=True, kw_only=True)
class EndCases(Asked):
    """Cases that have not led to a start end here; trials go on."""

    match_ids: tuple[str, ...]
    reason: AnnulReason


@dataclass(frozen=True, kw_only=True)
class Draft(Asked):
    """`late_registration`: the start may lie further back than the rules say, if a decision maker approves."""

    match_id: str
    agreement_id: str
    task_id: str
    intermediary: str
    registered_on: date
    measure: Measure
    start_on: date
    end_on: date
    hours_per_week: float
    wage_subsidy_percent: int | None
    late_registration: bool
    eligibility: Eligibility


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
    """The candidate showed up on `on`."""

    trial_id: str
    on: date
    registered_on: date


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


Command = (
    OpenCase
    | EndCases
    | Draft
    | Approve
    | RevokeApproval
    | Annul
    | ConfirmStart
    | ReportNoShow
    | HoldCheckIn
    | Extend
    | Close
)
