"""Trials while they run: check-ins, and those that were missed.

Invariant: it is said once of a check-in that it was missed; after the closing there is nothing but reading.
"""

from __future__ import annotations

from datetime import date, timedelta

from pydantic import JsonValue

from contracts.followup import CaseEvent, CheckInHeld, CheckInMissed
from contracts.refused import Refused
from contracts.vocabulary import Party, Task
from services.followup.domain.cases import assign, complete_kind, ids_of
from services.followup.domain.commands import HoldCheckIn, LookAtCheckIns
from services.followup.domain.guards import found_trial, only
from services.followup.domain.moments import happened, oslo_midnight
from services.followup.domain.playbook import playbook_on
from services.followup.domain.state import Agreement, Case, Person, Stage
from services.followup.domain.trialstate import Trial


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
    due = trial.check_in_owed(command.on, case.municipality)
    if due is None or due in trial.missed:
        return []
    missed = missed_check_in(case, agreement, trial, due, trial.last_check_in_on or trial.started_on)
    if case.open_task(Task.HOLD_CHECK_IN) is not None:
        return [missed]
    return [missed, assign(case, command.task_id, Task.HOLD_CHECK_IN, Party.COUNSELLOR, command.today)]


def missed_check_in(case: Case, agreement: Agreement, trial: Trial, due_on: date, since: date) -> CheckInMissed:
    """That it has not been held. `since`: the day from which the playbook counted."""
    return CheckInMissed(
        **ids_of(case),
        trial_id=trial.trial_id,
        agreement_id=agreement.agreement_id,
        due_on=due_on,
        playbook_version=playbook_on(since, case.municipality).version,
        occurred=oslo_midnight(due_on + timedelta(days=1)),
    )
