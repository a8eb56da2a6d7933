"""Trials while they run: the confirmed start, no-show, check-ins and those that were missed.

Invariant: one start per agreement, on a day that has come; after the closing there is nothing but reading.
"""

from __future__ import annotations

from datetime import date, timedelta

from pydantic import JsonValue

from contracts.days import promise_date
from contracts.followup import CaseEvent, CheckInHeld, CheckInMissed, NoShowReported, TrialStarted
from contracts.refused import Refused
from contracts.rulepacks import RulePack
from contracts.vocabulary import Party, Task
from services.followup.domain import rules
from services.followup.domain.cases import assign, complete_all, complete_kind, ids_of
from services.followup.domain.commands import ConfirmStart, HoldCheckIn, LookAtCheckIns, ReportNoShow
from services.followup.domain.guards import found_agreement, found_trial, must_be, only
from services.followup.domain.moments import happened, oslo_midnight
from services.followup.domain.playbook import playbook_on
from services.followup.domain.state import Agreement, Case, Person, Stage

ON_THE_SPOT = (Party.EMPLOYER, Party.COUNSELLOR)
"""Who can say whether somebody came."""


def _within(agreement: Agreement, on: date) -> None:
    if not agreement.start_on <= on <= agreement.end_on:
        raise Refused("outside_agreement", ["/on"], status=422, start_on=agreement.start_on, end_on=agreement.end_on)


def confirm_start(command: ConfirmStart, person: Person) -> list[CaseEvent]:
    """The candidate showed up: this stops the slot's clock on that day, whenever it is typed."""
    case, agreement = found_agreement(person, command.agreement_id)
    must_be(agreement, Stage.CONCLUDED, Stage.STARTED)
    only(command.acting, *ON_THE_SPOT)
    occurred = happened(command.on, command.at, "/on")
    if agreement.stage == Stage.STARTED:
        return _second_start(command, case, agreement)
    _within(agreement, command.on)
    if command.on < command.registered_on:
        raise Refused("start_before_need", ["/on"], status=422, registered_on=command.registered_on)
    measure = agreement.measure
    rules.check_overlap(
        person, measure, (command.on, agreement.end_on), besides=agreement.agreement_id, fields=("/on",)
    )
    first = rules.first_start(person, case.org_number, measure, command.on)
    started = TrialStarted(
        **ids_of(case),
        trial_id=command.trial_id,
        agreement_id=agreement.agreement_id,
        on=command.on,
        confirmed_by=command.acting,
        measure=measure,
        end_on=agreement.end_on,
        wage_subsidy_percent=rules.percent_at_start(agreement, command.on, first),
        days_from_need=(command.on - command.registered_on).days,
        within_promise=command.on <= promise_date(command.registered_on),
        rule_version=RulePack.at(command.on).version,
        occurred=occurred,
    )
    return [started, *complete_all(case, command.today)]


def _second_start(command: ConfirmStart, case: Case, agreement: Agreement) -> list[CaseEvent]:
    """Another day than the one confirmed: the first one stands, and the counsellor has to find out.

    The caller is told so (409 `start_date_differs`) although the task is stored.
    """
    assert agreement.trial is not None, "it has started"
    if command.on == agreement.trial.started_on:
        raise Refused("already_started")
    if case.open_task(Task.SETTLE_START_DATE) is not None:
        raise differs(agreement.trial.started_on)
    return [assign(case, command.task_id, Task.SETTLE_START_DATE, Party.COUNSELLOR, command.today)]


def differs(started_on: date) -> Refused:
    """The refusal of a second day."""
    return Refused("start_date_differs", ["/on"], started_on=started_on)


def report_no_show(command: ReportNoShow, person: Person) -> list[CaseEvent]:
    """Nobody came on the agreed day: the agreement leads nowhere, and the slot's clock goes on."""
    case, agreement = found_agreement(person, command.agreement_id)
    must_be(agreement, Stage.CONCLUDED)
    only(command.acting, *ON_THE_SPOT)
    occurred = happened(command.on, command.at, "/on")
    _within(agreement, command.on)
    no_show = NoShowReported(
        **ids_of(case),
        agreement_id=agreement.agreement_id,
        on=command.on,
        reported_by=command.acting,
        occurred=occurred,
    )
    return [no_show, *complete_all(case, command.today)]


def hold_check_in(command: HoldCheckIn, person: Person) -> list[CaseEvent]:
    """Somebody asked how it goes."""
    case, agreement, trial = found_trial(person, command.trial_id)
    only(command.acting, Party.COUNSELLOR)
    occurred = happened(command.held_on, command.at, "/held_on")
    if not trial.started_on <= command.held_on <= trial.end_on:
        raise Refused("outside_trial", ["/held_on"], status=422, start_on=trial.started_on, end_on=trial.end_on)
    return [
        CheckInHeld(
            **ids_of(case),
            trial_id=trial.trial_id,
            agreement_id=agreement.agreement_id,
            check_in_id=command.check_in_id,
            held_on=command.held_on,
            progress=command.progress,
            sealed=_said(note=command.note, agreed=command.agreed),
            occurred=occurred,
        ),
        *complete_kind(case, Task.HOLD_CHECK_IN, command.today),
    ]


def _said(**texts: str | None) -> dict[str, JsonValue] | None:
    given: dict[str, JsonValue] = {name: text for name, text in texts.items() if text is not None}
    return given or None


def look_at_check_ins(command: LookAtCheckIns, person: Person) -> list[CaseEvent]:
    """Say once of each check-in that it was missed, and ask for it; it is owed until one is held."""
    found = person.trial(command.trial_id)
    if found is None or found[1].stage != Stage.STARTED or command.today < command.on:
        return []
    case, agreement, trial = found
    due = trial.check_in_owed(command.on)
    if due is None or due in trial.missed:
        return []
    missed = CheckInMissed(
        **ids_of(case),
        trial_id=trial.trial_id,
        agreement_id=agreement.agreement_id,
        due_on=due,
        playbook_version=playbook_on(trial.last_check_in_on or trial.started_on).version,
        occurred=oslo_midnight(due + timedelta(days=1)),
    )
    if case.open_task(Task.HOLD_CHECK_IN) is not None:
        return [missed]
    return [missed, assign(case, command.task_id, Task.HOLD_CHECK_IN, Party.COUNSELLOR, command.today)]
