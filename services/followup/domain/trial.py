"""Check-ins of a trial, and those that were missed.

Invariant: it is said once of a check-in that it was missed. One that was recorded wrongly is taken back by an event,
followed by what was missed without it; it is never overwritten.
"""

from __future__ import annotations

from datetime import date, timedelta

from pydantic import JsonValue

from contracts.followup import CaseEvent, CheckInHeld, CheckInMissed, CheckInReversed
from contracts.refused import Refused
from contracts.vocabulary import CheckInReversalReason, Party, Task
from services.followup.domain.cases import assign, complete_kind, ids_of
from services.followup.domain.commands import HoldCheckIn, LookAtCheckIns, ReverseCheckIn
from services.followup.domain.guards import found_begun, found_trial, only
from services.followup.domain.moments import happened, oslo_midnight
from services.followup.domain.playbook import playbook_on
from services.followup.domain.state import Agreement, Case, Person, Stage
from services.followup.domain.trialstate import Trial, without_check_in


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


def reverse_check_in(command: ReverseCheckIn, person: Person) -> list[CaseEvent]:
    """A check-in that was recorded was none: everything is as if it had never been said, also after the closing."""
    case, agreement, trial = found_begun(person, command.trial_id)
    only(command.acting, Party.COUNSELLOR)
    held_on = next((day for day, each in trial.check_ins if each == command.check_in_id), None)
    if held_on is None:
        raise Refused("check_in_unknown", status=404)
    if command.reason == CheckInReversalReason.OTHER and command.note is None:
        raise Refused("note_missing", ["/note"], status=422)
    right = without_check_in(trial, command.check_in_id)
    not_missed, follows = check_ins_by(case, agreement, trial, right, command.today, command.task_id)
    reversed_ = CheckInReversed(
        **ids_of(case),
        trial_id=trial.trial_id,
        agreement_id=agreement.agreement_id,
        check_in_id=command.check_in_id,
        held_on=held_on,
        reversed_on=command.today,
        reason=command.reason,
        check_ins_not_missed_on=tuple(not_missed),
        sealed=_said(note=command.note),
    )
    return [reversed_, *follows]


def check_ins_by(
    case: Case, agreement: Agreement, wrong: Trial, right: Trial, today: date, task_id: str
) -> tuple[list[date], list[CaseEvent]]:
    """The check-ins by what is right: which due days were said to be missed and are none, and what to say.

    A due day that was counted from a talk that is none of the trial's is none either.
    """
    were_due, due = wrong.check_ins_due(case.municipality), right.check_ins_due(case.municipality)
    not_missed = sorted(wrong.missed.difference(due))
    if due == were_due:
        return not_missed, []
    # Whether somebody was late for these has been judged, by the same talk.
    judged = {day for day, (_, following) in due.items() if day in were_due and were_due[day][1] == following}
    said: list[CaseEvent] = []
    for day, (since, following) in sorted(due.items()):
        looked = (following, right.closed_on, today)
        if day not in wrong.missed | judged and day < min(each for each in looked if each is not None):
            said.append(missed_check_in(case, agreement, right, day, since))
    owed = right.closed_on is None and right.check_in_owed(today, case.municipality) is not None
    if not owed:
        said += complete_kind(case, Task.HOLD_CHECK_IN, today)
    elif case.open_task(Task.HOLD_CHECK_IN) is None:
        said.append(assign(case, task_id, Task.HOLD_CHECK_IN, Party.COUNSELLOR, today))
    return not_missed, said


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
