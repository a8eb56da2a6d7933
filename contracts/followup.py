"""Events of followup (`dugnad.followup.v1`).

Invariant: dates and percentages come with the version of the rule pack that judged them.
"""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from contracts.cases import CaseEvent as CaseEvent
from contracts.cases import CaseTaken as CaseTaken
from contracts.cases import TaskAssigned as TaskAssigned
from contracts.cases import TaskCompleted as TaskCompleted
from contracts.cases import TaskEvent as TaskEvent
from contracts.plans import (
    DeadlineApproaching,
    DeadlineMissed,
    DelayReported,
    PlanEnded,
    PlanMade,
    PlanTaskCompleted,
)
from contracts.vocabulary import (
    AnnulReasonCode,
    CheckInReversalReasonCode,
    CloseReasonCode,
    IntermediaryCode,
    MeasureCode,
    OutcomeCode,
    PartyCode,
    ProgressCode,
    ReversalReasonCode,
    ShortenReasonCode,
    StartReversalReasonCode,
)

SOURCE = "dugnad/followup"
TOPIC = "dugnad.followup.v1"


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


class AgreementChanged(AgreementEvent):
    """New content before the start: all approvals are cleared, and a concluded agreement is a draft again."""

    content_version: int
    """Of the agreement's content; the draft is version 1."""
    changed_on: date
    """The Oslo day of the change."""
    effective_on: date
    """The first day on which this content holds."""
    measure: MeasureCode
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
    """All who must have approved, in order. Since v2 with the version of the rules."""

    VERSION: ClassVar[int] = 2

    concluded_on: date
    measure: MeasureCode
    start_on: date
    end_on: date
    rule_version: str | None = None
    """The version of the rules that judged whether periods exclude one another; null in v1."""


class AgreementExpiring(AgreementEvent):
    """A draft that nobody touches will expire."""

    expires_on: date
    """The day on which it expires unless somebody touches it."""
    days_left: int
    """Days until then."""


class AgreementExpired(AgreementEvent):
    """A draft that nobody has touched for the weeks that the rules give. The case waits for a new one."""

    expired_on: date
    """The Oslo day on which it expired."""
    rule_version: str


class AgreementAnnulled(AgreementEvent):
    """Never counted. Sealed: `note`."""

    annulled_on: date
    reason: AnnulReasonCode


class TrialEvent(CaseEvent):
    SUBJECT: ClassVar[str] = "trial:{trial_id}"

    trial_id: str
    agreement_id: str


class TrialStarted(TrialEvent):
    """The candidate showed up. Stops the slot's clock on the day `on`, whenever it is typed.

    The last one of a trial holds: after `StartReversed` it says the right day, with all that follows from it.
    """

    on: date
    confirmed_by: PartyCode
    measure: MeasureCode
    end_on: date
    wage_subsidy_percent: int | None = None
    days_from_need: int
    """Oslo days from the need's registration to `on`; at most 28 keeps the promise."""
    within_promise: bool
    rule_version: str


class StartDisputed(TrialEvent):
    """Somebody gives another day than the confirmed one, which stands until the counsellor has settled it."""

    on: date
    """The Oslo day on which the candidate showed up, as this party says."""
    reported_by: PartyCode
    reported_on: date


class StartReversed(TrialEvent):
    """The confirmed day was wrong; `TrialStarted` with the right one follows in the same commit. Sealed: `note`."""

    reversed_on: date
    on: date
    """The day that never was the start."""
    reason: StartReversalReasonCode
    check_ins_not_missed_on: tuple[date, ...] = ()


class NoShowReported(AgreementEvent):
    """The candidate did not come on the agreed day; the clock goes on."""

    on: date
    reported_by: PartyCode


class CheckInHeld(TrialEvent):
    """Sealed: `note`, `agreed`."""

    check_in_id: str
    held_on: date
    progress: ProgressCode


class CheckInReversed(TrialEvent):
    """A recorded check-in was never held; what was missed without it follows in the same commit. Sealed: `note`."""

    check_in_id: str
    held_on: date
    reversed_on: date
    reason: CheckInReversalReasonCode
    check_ins_not_missed_on: tuple[date, ...] = ()


class CheckInMissed(TrialEvent):
    """A check-in that was due has not been held. Said once per check-in, at 00:00 in Oslo of the day after."""

    due_on: date
    playbook_version: str
    """The edition of the playbook that said when it was due."""


class VoiceGiven(TrialEvent):
    """The candidate has said how it goes. Sealed, and read by the case's counsellor alone: all of it."""

    voice_id: str
    given_on: date
    """The Oslo day."""


class ChangeEvent(TrialEvent):
    change_id: str
    effective_on: date
    """The first day on which it is to hold."""
    hours_per_week: float


class ChangeProposed(ChangeEvent):
    """Employer or participant asks for other hours. Sealed: `note`."""

    proposed_by: PartyCode
    """The party that asks; the other one answers."""
    proposed_on: date
    """The Oslo day of the proposal."""


class ChangeAccepted(ChangeEvent):
    """The other party agrees: the content holds from `effective_on`."""

    accepted_by: PartyCode
    """The party that agrees."""
    accepted_on: date
    """The Oslo day of the answer."""


class ChangeDeclined(ChangeEvent):
    """The other party does not agree, or the one that asked has thought better of it. Sealed: `note`."""

    declined_by: PartyCode
    """The party that says no."""
    declined_on: date
    """The Oslo day of the answer."""


class TrialExtended(TrialEvent):
    extended_on: date
    end_on: date
    """The new last day."""
    wage_subsidy_percent: int | None = None
    """From the day after the old last day."""
    decided_by: PartyCode
    rule_version: str


class TrialShortened(TrialEvent):
    """An earlier last day. Sealed: `note`."""

    shortened_on: date
    """The Oslo day on which it was decided."""
    end_on: date
    """The new last day."""
    reason: ShortenReasonCode
    decided_by: PartyCode
    rule_version: str


class ClosingTalkHeld(TrialEvent):
    """What was learnt, and what comes next. Sealed: `note`."""

    held_on: date


class TrialClosed(TrialEvent):
    """The last one says how the trial ended. Sealed: `note`."""

    on: date
    outcome: OutcomeCode
    reason: CloseReasonCode


class OutcomeReversed(TrialEvent):
    """An outcome was wrong; `TrialClosed` with the right one follows in the same commit. Sealed: `note`."""

    reversed_on: date
    outcome: OutcomeCode
    """The outcome that never was."""
    reason: ReversalReasonCode


class CertificateIssued(TrialEvent):
    """What the participant has done, on paper; made anew from facts whenever it is fetched."""

    certificate_id: str
    issued_on: date


class EmploymentConfirmed(TrialEvent):
    """Whether somebody who was hired is still employed so long after."""

    after_months: int
    """3, 6 or 12, counted from the day of the closing."""
    employed: bool
    """Still, with this employer, on that day."""
    on: date
    confirmed_by: PartyCode


FollowupEvent = (
    PlanMade
    | PlanTaskCompleted
    | DelayReported
    | DeadlineApproaching
    | DeadlineMissed
    | PlanEnded
    | TaskAssigned
    | TaskCompleted
    | CaseTaken
    | AgreementDrafted
    | AgreementChanged
    | AgreementApproved
    | ApprovalRevoked
    | AgreementConcluded
    | AgreementAnnulled
    | AgreementExpiring
    | AgreementExpired
    | TrialStarted
    | StartDisputed
    | StartReversed
    | NoShowReported
    | CheckInHeld
    | CheckInReversed
    | CheckInMissed
    | VoiceGiven
    | ChangeProposed
    | ChangeAccepted
    | ChangeDeclined
    | TrialExtended
    | TrialShortened
    | ClosingTalkHeld
    | TrialClosed
    | OutcomeReversed
    | CertificateIssued
    | EmploymentConfirmed
)
"""All events of the log."""
