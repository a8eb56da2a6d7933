"""What followup knows of one trial, folded from its events.

Invariant: the last day, the last outcome and the answers that have been given are those of the last event that said so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from contracts.followup import (
    CertificateIssued,
    ChangeAccepted,
    ChangeDeclined,
    ChangeProposed,
    CheckInHeld,
    CheckInMissed,
    CheckInReversed,
    ClosingTalkHeld,
    EmploymentConfirmed,
    StartDisputed,
    StartReversed,
    TrialClosed,
    TrialEvent,
    TrialExtended,
    TrialShortened,
    TrialStarted,
)
from contracts.vocabulary import CloseReason, Measure, Outcome, Party
from services.followup.domain.playbook import playbook_on


@dataclass(frozen=True)
class Proposal:
    """A change that waits for the other party's answer."""

    change_id: str
    proposed_by: Party
    effective_on: date
    hours_per_week: float


@dataclass(frozen=True)
class Trial:
    """A start that was confirmed."""

    trial_id: str
    measure: Measure
    started_on: date
    end_on: date
    wage_subsidy_percent: int | None
    agreed_percents: tuple[tuple[date, int | None], ...]
    """From which day which per cent was agreed: the start, and each extension."""
    agreed_period: tuple[date, date]
    """The last day as somebody decided it, after the start that was known by then. `end_on` may be an earlier day, for
    as long as an earlier start is taken for the right one."""
    agreed_hours: tuple[tuple[date, float], ...] = ()
    """From which day which other hours per week were agreed, in the order of the days."""
    check_ins: tuple[tuple[date, str], ...] = ()
    """The days of check-ins with their ids, in the order of the days."""
    missed: frozenset[date] = frozenset()
    """Due days of check-ins that it has been said of that they were missed."""
    proposal: Proposal | None = None
    talked: bool = False
    """Whether the closing talk has been held."""
    closed_on: date | None = None
    outcome: Outcome | None = None
    close_reason: CloseReason | None = None
    certificate_id: str | None = None
    employment: Mapping[int, bool] = field(default_factory=dict)
    """By months after the closing: whether still employed."""

    disputed: frozenset[tuple[date, str]] = frozenset()
    """Other days that somebody gave for the start, with who did, until it is settled which it was."""

    @property
    def held_on(self) -> tuple[date, ...]:
        """The days of check-ins, in their order."""
        return tuple(day for day, _ in self.check_ins)

    @property
    def last_check_in_on(self) -> date | None:
        """The last one; a talk before the start is none of the trial's."""
        return max((day for day in self.held_on if day >= self.started_on), default=None)

    @property
    def first_check_in_on(self) -> date | None:
        """The first one."""
        return min((day for day in self.held_on if day >= self.started_on), default=None)

    def first_check_in_due(self, municipality: str | None) -> date:
        """By when the first check-in is to be held, as it follows from the start."""
        return playbook_on(self.started_on, municipality).check_in_due(self.measure, self.started_on, None)

    def check_in_due(self, municipality: str | None) -> date:
        """By when the next check-in is to be held, also where the trial ends before."""
        known = self.last_check_in_on
        if known is None:
            return self.first_check_in_due(municipality)
        return playbook_on(known, municipality).check_in_due(self.measure, self.started_on, known)

    def check_ins_due(self, municipality: str | None) -> dict[date, tuple[date, date | None]]:
        """Every day by which a check-in was to be held, and the next one is, up to the last day.

        By the due day: the day from which the playbook counted, and when the next check-in was held.
        """
        held = sorted({day for day in self.held_on if day >= self.started_on})
        found = {self.first_check_in_due(municipality): (self.started_on, next(iter(held), None))}
        for day, following in zip(held, [*held[1:], None], strict=False):
            found[playbook_on(day, municipality).check_in_due(self.measure, self.started_on, day)] = (day, following)
        return {due: counted for due, counted in found.items() if due <= self.end_on}

    def check_in_owed(self, today: date, municipality: str | None) -> date | None:
        """The day by which a check-in should have been held and was not; None where none is owed."""
        due = self.check_in_due(municipality)
        return due if due < today and due <= self.end_on else None


def started_trial(event: TrialStarted) -> Trial:
    """A trial on its first day."""
    percent, period = event.wage_subsidy_percent, (event.on, event.end_on)
    return Trial(event.trial_id, Measure(event.measure), *period, percent, ((event.on, percent),), period)


def _started_again(trial: Trial, event: TrialStarted) -> Trial:
    """The same trial from its right day on: what was held, agreed and decided since stays."""
    later = trial.agreed_percents[1:]
    return replace(
        trial,
        started_on=event.on,
        end_on=event.end_on,
        wage_subsidy_percent=trial.wage_subsidy_percent if later else event.wage_subsidy_percent,
        agreed_percents=((event.on, event.wage_subsidy_percent), *later),
    )


def without_check_in(trial: Trial, check_in_id: str) -> Trial:
    """The same trial as if that check-in had never been recorded."""
    return replace(trial, check_ins=tuple(each for each in trial.check_ins if each[1] != check_in_id))


def _until(trial: Trial, end_on: date) -> Trial:
    """The same trial with a last day that somebody decided."""
    return replace(trial, end_on=end_on, agreed_period=(trial.started_on, end_on))


def evolve_trial(trial: Trial, event: TrialEvent) -> Trial:
    """The trial after one more event; what decides nothing changes nothing."""
    match event:
        case TrialStarted():
            return _started_again(trial, event)
        case StartDisputed():
            return replace(trial, disputed=trial.disputed | {(event.on, event.reported_by)})
        case StartReversed():
            return replace(trial, missed=trial.missed.difference(event.check_ins_not_missed_on))
        case CheckInHeld():
            return replace(trial, check_ins=tuple(sorted((*trial.check_ins, (event.held_on, event.check_in_id)))))
        case CheckInReversed():
            missed = trial.missed.difference(event.check_ins_not_missed_on)
            return replace(without_check_in(trial, event.check_in_id), missed=missed)
        case CheckInMissed():
            return replace(trial, missed=trial.missed | {event.due_on})
        case ChangeProposed():
            by = Party(event.proposed_by)
            return replace(trial, proposal=Proposal(event.change_id, by, event.effective_on, event.hours_per_week))
        case ChangeAccepted():
            # What is agreed last holds from its day on, also where something for later had been agreed before.
            earlier = tuple(each for each in trial.agreed_hours if each[0] < event.effective_on)
            agreed_hours = (*earlier, (event.effective_on, event.hours_per_week))
            return replace(trial, proposal=None, agreed_hours=agreed_hours)
        case ChangeDeclined():
            return replace(trial, proposal=None)
        case TrialExtended():
            percent = event.wage_subsidy_percent
            agreed = (*trial.agreed_percents, (trial.end_on + timedelta(days=1), percent))
            longer = _until(trial, event.end_on)
            return replace(longer, wage_subsidy_percent=percent, agreed_percents=agreed)
        case TrialShortened():
            return _until(trial, event.end_on)
        case ClosingTalkHeld():
            return replace(trial, talked=True)
        case TrialClosed():
            outcome, reason = Outcome(event.outcome), CloseReason(event.reason)
            return replace(trial, closed_on=event.on, outcome=outcome, close_reason=reason)
        case CertificateIssued():
            return replace(trial, certificate_id=event.certificate_id)
        case EmploymentConfirmed():
            return replace(trial, employment={**trial.employment, event.after_months: event.employed})
        case _:
            return trial
