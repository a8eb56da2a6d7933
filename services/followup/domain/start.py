"""The start of a trial: confirmed once, disputed, settled; or nobody came.

Invariant: one start per agreement, on a day that has come. A day that was wrong is taken back by an event, followed by
the right one with all that follows from it; it is never overwritten.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TypedDict

from contracts.days import promise_date
from contracts.followup import CaseEvent, NoShowReported, StartDisputed, StartReversed, TrialStarted
from contracts.refused import Refused
from contracts.rulepacks import RulePack
from contracts.vocabulary import Party, StartReversalReason, Task
from services.followup.domain import rules
from services.followup.domain.cases import assign, complete, complete_all, ids_of
from services.followup.domain.commands import ConfirmStart, ReportNoShow, SettleStart
from services.followup.domain.guards import found_agreement, must_be, only
from services.followup.domain.moments import happened
from services.followup.domain.state import Agreement, Case, Person, Stage
from services.followup.domain.trial import check_ins_by
from services.followup.domain.trialstate import Trial

ON_THE_SPOT = (Party.EMPLOYER, Party.COUNSELLOR)
"""Who can say whether somebody came."""


class _Ids(TypedDict):
    trial_id: str
    agreement_id: str


def _of(agreement: Agreement, trial: Trial) -> _Ids:
    return {"trial_id": trial.trial_id, "agreement_id": agreement.agreement_id}


def _within(agreement: Agreement, on: date, end_on: date) -> None:
    if not agreement.start_on <= on <= end_on:
        raise Refused("outside_agreement", ["/on"], status=422, start_on=agreement.start_on, end_on=end_on)


def confirm_start(command: ConfirmStart, person: Person) -> list[CaseEvent]:
    """The candidate showed up: this stops the slot's clock on that day, whenever it is typed."""
    case, agreement = found_agreement(person, command.agreement_id)
    must_be(agreement, Stage.CONCLUDED, Stage.STARTED, Stage.CLOSED)
    only(command.acting, *ON_THE_SPOT)
    occurred = happened(command.on, command.at, "/on")
    if agreement.trial is not None:
        return _second_start(command, case, agreement)
    _within(agreement, command.on, agreement.end_on)
    started = TrialStarted.model_validate(
        {
            **ids_of(case),
            "trial_id": command.trial_id,
            "agreement_id": agreement.agreement_id,
            "confirmed_by": command.acting,
            "occurred": occurred,
            **_first_day(person, agreement, command.on, command.registered_on, agreement.end_on),
        }
    )
    return [started, *complete_all(case, command.today)]


def _first_day(person: Person, agreement: Agreement, on: date, registered_on: date, end_on: date) -> dict[str, object]:
    """All that follows from the day of a start. Refused where the need is younger, or the person's days are taken."""
    if on < registered_on:
        raise Refused("start_before_need", ["/on"], status=422, registered_on=registered_on)
    measure, besides = agreement.measure, agreement.agreement_id
    rules.check_overlap(person, measure, (on, end_on), besides=besides, fields=("/on",))
    first = rules.first_start(person, agreement.org_number, measure, on, besides=besides)
    return {
        "on": on,
        "measure": measure,
        "end_on": end_on,
        "wage_subsidy_percent": rules.percent_at_start(agreement, on, first),
        "days_from_need": (on - registered_on).days,
        "within_promise": on <= promise_date(registered_on),
        "rule_version": RulePack.at(on).version,
    }


def _second_start(command: ConfirmStart, case: Case, agreement: Agreement) -> list[CaseEvent]:
    """Another day than the one confirmed: the first one stands, and the counsellor has to find out.

    The caller is told so (409 `start_date_differs`) although what they said and the task are stored.
    """
    trial = agreement.trial
    assert trial is not None, "it has started"
    if command.on == trial.started_on:
        raise Refused("already_started")
    said = StartDisputed(
        **ids_of(case),
        **_of(agreement, trial),
        on=command.on,
        reported_by=command.acting,
        reported_on=command.today,
    )
    known = (command.on, command.acting) in trial.disputed
    if case.open_task(Task.SETTLE_START_DATE) is not None:
        if known:
            raise differs(trial.started_on)
        return [said]
    return [said, assign(case, command.task_id, Task.SETTLE_START_DATE, Party.COUNSELLOR, command.today)]


def differs(started_on: date) -> Refused:
    """The refusal of a second day."""
    return Refused("start_date_differs", ["/on"], started_on=started_on)


def settle_start(command: SettleStart, person: Person) -> list[CaseEvent]:
    """Which of two days it was: the confirmed one, or another one, from which everything is then counted anew."""
    only(command.acting, Party.COUNSELLOR)
    case = person.cases.get(command.match_id)
    task = next((each for each in case.tasks if each.task_id == command.task_id), None) if case is not None else None
    if case is None or task is None:
        raise Refused("task_unknown", status=404)
    if task.task != Task.SETTLE_START_DATE:
        raise Refused("task_completes_itself")
    agreement = next(each for each in case.agreements.values() if each.trial is not None)
    trial = agreement.trial
    assert trial is not None, "the task is of a trial"
    if command.on == trial.started_on:
        if command.reason is not None:
            raise Refused("start_reason_not_expected", ["/reason"], status=422)
        return [complete(case, task, command.today)]
    if command.reason is None:
        raise Refused("start_reason_missing", ["/reason"], status=422)
    if command.reason == StartReversalReason.OTHER and command.note is None:
        raise Refused("note_missing", ["/note"], status=422)
    return [*_from_another_day(command, person, case, agreement, trial), complete(case, task, command.today)]


def _from_another_day(
    command: SettleStart, person: Person, case: Case, agreement: Agreement, trial: Trial
) -> list[CaseEvent]:
    on = command.on
    occurred = happened(on, command.at, "/on")
    end_on = trial.closed_on or _allowed_end(person, agreement, trial, on)
    _within(agreement, on, min(agreement.end_on, end_on))
    ids = {**ids_of(case), **_of(agreement, trial)}
    told = {
        **ids,
        "confirmed_by": command.acting,
        "occurred": occurred,
        **_first_day(person, agreement, on, command.registered_on, end_on),
    }
    if trial.closed_on is not None:
        # It was closed, perhaps before the last day that had been agreed, which that changed nothing about.
        told["end_on"] = trial.end_on
    right = replace(trial, started_on=on, end_on=end_on)
    not_missed, check_ins = check_ins_by(case, agreement, trial, right, command.today, command.check_in_task_id)
    reversed_ = StartReversed.model_validate(
        {
            **ids,
            "reversed_on": command.today,
            "on": trial.started_on,
            "reason": command.reason,
            "check_ins_not_missed_on": not_missed,
            "sealed": None if command.note is None else {"note": command.note},
        }
    )
    return [reversed_, TrialStarted.model_validate(told), *check_ins]


def _allowed_end(person: Person, agreement: Agreement, trial: Trial, on: date) -> date:
    """The agreed last day, or an earlier one where the measure, counted from the right start, may not last so long.

    Not the last day of the trial as it is: a wrong day that was settled before may have cut that one.
    """
    pack, measure = RulePack.at(on), agreement.measure

    def latest(day: date, *, reduced: bool) -> date:
        first = rules.first_start(person, agreement.org_number, measure, day, besides=agreement.agreement_id)
        return pack.latest_end(measure, first_start_on=first, reduced_work_capacity=reduced) or date.max

    # An extension may have been decided on what the agreement did not know of the person.
    known = bool((agreement.terms or {}).get("reduced_work_capacity", False))
    counted_from, agreed = trial.agreed_period
    reduced = known or agreed > latest(counted_from, reduced=False)
    return min(agreed, latest(on, reduced=reduced))


def report_no_show(command: ReportNoShow, person: Person) -> list[CaseEvent]:
    """Nobody came on the agreed day: the agreement leads nowhere, and the slot's clock goes on."""
    case, agreement = found_agreement(person, command.agreement_id)
    must_be(agreement, Stage.CONCLUDED)
    only(command.acting, *ON_THE_SPOT)
    occurred = happened(command.on, command.at, "/on")
    _within(agreement, command.on, agreement.end_on)
    no_show = NoShowReported(
        **ids_of(case),
        agreement_id=agreement.agreement_id,
        on=command.on,
        reported_by=command.acting,
        occurred=occurred,
    )
    return [no_show, *complete_all(case, command.today)]
