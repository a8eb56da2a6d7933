"""Events of followup (`dugnad.followup.v1`).

Invariant: dates and percentages come with the version of the rule pack that judged them.
"""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from contracts.event import Event
from contracts.vocabulary import (
    AnnulReasonCode,
    CloseReasonCode,
    IntermediaryCode,
    MeasureCode,
    OutcomeCode,
    PartyCode,
    ProgressCode,
    TaskCode,
)

SOURCE = "dugnad/followup"
TOPIC = "dugnad.followup.v1"


class CaseEvent(Event):
    """The case is the confirmed match: one person on one slot. The case's id is the match's."""

    PARTITION_KEY: ClassVar[str] = "need:{need_id}"
    PERSON: ClassVar[str | None] = "candidate_id"

    match_id: str
    need_id: str
    slot_id: str
    candidate_id: str
    org_number: str


class TaskEvent(CaseEvent):
    SUBJECT: ClassVar[str] = "case:{match_id}"

    task_id: str
    task: TaskCode


class TaskAssigned(TaskEvent):
    responsible: PartyCode
    due_on: date


class TaskCompleted(TaskEvent):
    completed_on: date


class AgreementEvent(CaseEvent):
    SUBJECT: ClassVar[str] = "agreement:{agreement_id}"

    agreement_id: str


class AgreementDrafted(AgreementEvent):
    """What the parties are asked to approve. The period is from `start_on` to `end_on`, both included."""

    intermediary: IntermediaryCode
    measure: MeasureCode
    drafted_on: date
    start_on: date
    end_on: date
    hours_per_week: float
    wage_subsidy_percent: int | None = None
    decision_maker_needed: bool
    rule_version: str


class AgreementApproved(AgreementEvent):
    """Sealed: `note` (why, where somebody approved on behalf of the party)."""

    party: PartyCode
    approved_on: date
    on_behalf_of: bool = False


class ApprovalRevoked(AgreementEvent):
    """One party revokes: all approvals are cleared. Sealed: `note`."""

    party: PartyCode
    revoked_on: date


class AgreementConcluded(AgreementEvent):
    """All who must have approved, in order."""

    concluded_on: date
    measure: MeasureCode
    start_on: date
    end_on: date


class AgreementAnnulled(AgreementEvent):
    """Never counted. Sealed: `note`."""

    annulled_on: date
    reason: AnnulReasonCode


class TrialEvent(CaseEvent):
    SUBJECT: ClassVar[str] = "trial:{trial_id}"

    trial_id: str
    agreement_id: str


class TrialStarted(TrialEvent):
    """The candidate showed up. Stops the slot's clock on the day `on`, whenever it is typed."""

    on: date
    confirmed_by: PartyCode
    measure: MeasureCode
    end_on: date
    wage_subsidy_percent: int | None = None
    days_from_need: int
    """Oslo days from the need's registration to `on`; at most 28 keeps the promise."""
    within_promise: bool
    rule_version: str


class NoShowReported(AgreementEvent):
    """The candidate did not come on the agreed day; the clock goes on."""

    on: date
    reported_by: PartyCode


class CheckInHeld(TrialEvent):
    """Sealed: `note`."""

    check_in_id: str
    held_on: date
    progress: ProgressCode


class TrialExtended(TrialEvent):
    extended_on: date
    end_on: date
    """The new last day."""
    wage_subsidy_percent: int | None = None
    """From the day after the old last day."""
    decided_by: PartyCode
    rule_version: str


class TrialClosed(TrialEvent):
    """Sealed: `note`."""

    on: date
    outcome: OutcomeCode
    reason: CloseReasonCode


FollowupEvent = (
    TaskAssigned
    | TaskCompleted
    | AgreementDrafted
    | AgreementApproved
    | ApprovalRevoked
    | AgreementConcluded
    | AgreementAnnulled
    | TrialStarted
    | NoShowReported
    | CheckInHeld
    | TrialExtended
    | TrialClosed
)
