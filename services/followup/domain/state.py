"""What followup knows of one person, folded from its events.

Invariant: the state of a person holds every case of that person, so that whoever decides on one period sees all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import assert_never

from contracts.followup import (
    AgreementAnnulled,
    AgreementApproved,
    AgreementChanged,
    AgreementConcluded,
    AgreementDrafted,
    AgreementExpired,
    AgreementExpiring,
    ApprovalRevoked,
    CaseEvent,
    CaseTaken,
    NoShowReported,
    TaskAssigned,
    TaskCompleted,
    TrialClosed,
    TrialEvent,
    TrialStarted,
)
from contracts.vocabulary import Measure, Party, Task
from services.followup.domain.trialstate import Trial, evolve_trial, started_trial


class Stage(StrEnum):
    """How far an agreement has come. The last four are final."""

    DRAFTED = "drafted"
    CONCLUDED = "concluded"
    STARTED = "started"
    NO_SHOW = "no_show"
    ANNULLED = "annulled"
    EXPIRED = "expired"
    CLOSED = "closed"


@dataclass(frozen=True)
class Approval:
    """`approved_by` is sealed: None where it was not opened or has been erased."""

    party: Party
    approved_by: str | None
    on_behalf_of: bool


@dataclass(frozen=True)
class Agreement:
    """One agreement, with its trial once it has started."""

    agreement_id: str
    match_id: str
    org_number: str
    intermediary: str
    measure: Measure
    start_on: date
    end_on: date
    hours_per_week: float
    """As agreed before the start; what was agreed later stands in the trial."""
    wage_subsidy_percent: int | None
    decision_maker_needed: bool
    touched_on: date
    """When somebody last drafted, changed, approved or revoked: a draft expires some weeks after."""
    content_version: int = 1
    terms: Mapping[str, object] | None = None
    """What is sealed with the content: reduced work capacity, wage. None where it was not opened or has been erased."""
    stage: Stage = Stage.DRAFTED
    approvals: tuple[Approval, ...] = ()
    trial: Trial | None = None

    def approval(self, party: Party) -> Approval | None:
        """The approval of a party, if it stands."""
        return next((approval for approval in self.approvals if approval.party == party), None)

    @property
    def period(self) -> tuple[date, date] | None:
        """The days that this agreement takes of the person's time, both included; None where it takes none."""
        match self.stage:
            case Stage.CONCLUDED:
                return self.start_on, self.end_on
            case Stage.STARTED | Stage.CLOSED:
                assert self.trial is not None
                return self.trial.started_on, self.trial.closed_on or self.trial.end_on
            case Stage.DRAFTED | Stage.NO_SHOW | Stage.ANNULLED | Stage.EXPIRED:
                return None
            case _:
                assert_never(self.stage)


@dataclass(frozen=True)
class OpenTask:
    """A task that waits to be done."""

    task_id: str
    task: str
    responsible: str
    due_on: date


@dataclass(frozen=True)
class Case:
    """A confirmed match: one person on one slot. A case without an open task and a live agreement has ended."""

    match_id: str
    need_id: str
    slot_id: str
    candidate_id: str
    org_number: str
    municipality: str | None = None
    """Whose playbook the case follows; None where it was opened before that was said."""
    tasks: tuple[OpenTask, ...] = ()
    agreements: Mapping[str, Agreement] = field(default_factory=dict)
    counsellor_id: str | None = None

    def open_task(self, task: Task) -> OpenTask | None:
        """The open task of that kind."""
        return next((waiting for waiting in self.tasks if waiting.task == task), None)

    @property
    def live(self) -> Agreement | None:
        """The agreement that can still lead to a start, or has."""
        final = (Stage.NO_SHOW, Stage.ANNULLED, Stage.EXPIRED, Stage.CLOSED)
        return next((agreement for agreement in self.agreements.values() if agreement.stage not in final), None)


@dataclass(frozen=True)
class Person:
    """All cases of one person, by match id."""

    cases: Mapping[str, Case] = field(default_factory=dict)

    def agreements(self) -> Iterator[Agreement]:
        """All agreements of the person."""
        for case in self.cases.values():
            yield from case.agreements.values()

    def agreement(self, agreement_id: str) -> tuple[Case, Agreement] | None:
        """An agreement with its case."""
        for case in self.cases.values():
            if (agreement := case.agreements.get(agreement_id)) is not None:
                return case, agreement
        return None

    def trial(self, trial_id: str) -> tuple[Case, Agreement, Trial] | None:
        """A trial with its agreement and case."""
        for case in self.cases.values():
            for agreement in case.agreements.values():
                if agreement.trial is not None and agreement.trial.trial_id == trial_id:
                    return case, agreement, agreement.trial
        return None


NOBODY = Person()


def evolve(person: Person, event: CaseEvent) -> Person:
    """The state after one more event of this person."""
    case = person.cases.get(event.match_id) or Case(
        event.match_id, event.need_id, event.slot_id, event.candidate_id, event.org_number
    )
    return Person({**person.cases, event.match_id: _evolve_case(case, event)})


def _evolve_case(case: Case, event: CaseEvent) -> Case:
    match event:
        case TaskAssigned():
            task = OpenTask(event.task_id, event.task, event.responsible, event.due_on)
            return replace(case, tasks=(*case.tasks, task), municipality=case.municipality or event.municipality)
        case TaskCompleted():
            after = replace(case, tasks=tuple(task for task in case.tasks if task.task_id != event.task_id))
            return _settled(after) if event.task == Task.SETTLE_START_DATE else after
        case CaseTaken():
            return replace(case, counsellor_id=event.counsellor_id)
        case AgreementDrafted():
            return _with(case, _drafted(event))
        case TrialEvent():
            return _with(case, _evolve_trial(case.agreements[event.agreement_id], event))
        case (
            AgreementChanged()
            | AgreementApproved()
            | ApprovalRevoked()
            | AgreementConcluded()
            | AgreementAnnulled()
            | AgreementExpiring()
            | AgreementExpired()
            | NoShowReported()
        ):
            return _with(case, _evolve_agreement(case.agreements[event.agreement_id], event))
        case _:
            return case


def _settled(case: Case) -> Case:
    """What was said of another day is answered, also where the confirmed one stands: said again, it is said anew."""
    started = {
        key: replace(agreement, trial=replace(agreement.trial, disputed=frozenset()))
        for key, agreement in case.agreements.items()
        if agreement.trial is not None
    }
    return replace(case, agreements={**case.agreements, **started})


def _with(case: Case, agreement: Agreement) -> Case:
    return replace(case, agreements={**case.agreements, agreement.agreement_id: agreement})


def _drafted(event: AgreementDrafted) -> Agreement:
    return Agreement(
        agreement_id=event.agreement_id,
        match_id=event.match_id,
        org_number=event.org_number,
        intermediary=event.intermediary,
        measure=Measure(event.measure),
        start_on=event.start_on,
        end_on=event.end_on,
        hours_per_week=event.hours_per_week,
        wage_subsidy_percent=event.wage_subsidy_percent,
        decision_maker_needed=event.decision_maker_needed,
        touched_on=event.drafted_on,
        terms=event.sealed,
    )


BeforeStart = (
    AgreementChanged
    | AgreementApproved
    | ApprovalRevoked
    | AgreementConcluded
    | AgreementAnnulled
    | AgreementExpiring
    | AgreementExpired
    | NoShowReported
)


def _evolve_agreement(agreement: Agreement, event: BeforeStart) -> Agreement:
    match event:
        case AgreementChanged():
            return replace(
                agreement,
                measure=Measure(event.measure),
                start_on=event.start_on,
                end_on=event.end_on,
                hours_per_week=event.hours_per_week,
                wage_subsidy_percent=event.wage_subsidy_percent,
                decision_maker_needed=event.decision_maker_needed,
                touched_on=event.changed_on,
                content_version=event.content_version,
                terms=event.sealed,
                approvals=(),
                stage=Stage.DRAFTED,
            )
        case AgreementApproved():
            by = None if event.sealed is None else event.sealed.get("approved_by")
            approval = Approval(Party(event.party), None if by is None else str(by), event.on_behalf_of)
            return replace(agreement, approvals=(*agreement.approvals, approval), touched_on=event.approved_on)
        case ApprovalRevoked():
            return replace(agreement, approvals=(), touched_on=event.revoked_on)
        case AgreementConcluded():
            return replace(agreement, stage=Stage.CONCLUDED)
        case AgreementAnnulled():
            return replace(agreement, stage=Stage.ANNULLED)
        case AgreementExpiring():
            return agreement
        case AgreementExpired():
            return replace(agreement, stage=Stage.EXPIRED)
        case NoShowReported():
            return replace(agreement, stage=Stage.NO_SHOW)
        case _:
            assert_never(event)


def _evolve_trial(agreement: Agreement, event: TrialEvent) -> Agreement:
    if isinstance(event, TrialStarted) and agreement.trial is None:
        return replace(agreement, stage=Stage.STARTED, trial=started_trial(event))
    assert agreement.trial is not None, "an event of a trial that has not started"
    stage = Stage.CLOSED if isinstance(event, TrialClosed) else agreement.stage
    return replace(agreement, stage=stage, trial=evolve_trial(agreement.trial, event))
