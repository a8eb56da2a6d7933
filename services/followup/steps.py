"""Where a case stands and who does what next: computed from the case's document whenever it is asked.

Invariant: pure; nothing here is stored, so that a due day can never be out of date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from contracts.days import add_months
from contracts.vocabulary import Measure, Outcome, Party, Task
from services.followup.domain.aftermath import EMPLOYMENT_MONTHS
from services.followup.domain.playbook import playbook_on

Case = Mapping[str, Any]


class Status(StrEnum):
    """Where a case stands. The last two are over."""

    AWAITING_AGREEMENT = "awaiting_agreement"
    AWAITING_APPROVAL = "awaiting_approval"
    AWAITING_START = "awaiting_start"
    IN_TRIAL = "in_trial"
    CLOSED = "closed"
    ENDED = "ended"


class Step(StrEnum):
    """What somebody has to do."""

    DRAFT = "draft"
    APPROVE = "approve"
    CONFIRM_START = "confirm_start"
    SETTLE_START = "settle_start"
    CHECK_IN = "check_in"
    HEAR_VOICE = "hear_voice"
    ANSWER_CHANGE = "answer_change"
    FOLLOW_UP = "follow_up"
    CLOSE = "close"
    CONFIRM_EMPLOYMENT = "confirm_employment"


class Group(StrEnum):
    """Where a case stands in somebody's list of work, in the order of the list."""

    OVERDUE = "overdue"
    DUE = "due"
    WAITING = "waiting"
    OVER = "over"


@dataclass(frozen=True)
class NextStep:
    """`responsible` may be several: any of them, or all that are left."""

    step: Step
    responsible: tuple[Party, ...]
    due_on: date


def live_agreement(case: Case) -> tuple[str, Mapping[str, Any]] | None:
    """The agreement that can still lead to a start, or has."""
    for agreement_id, agreement in sorted(case.get("agreements", {}).items()):
        if not {"annulled", "no_show", "expired"} & set(agreement):
            return agreement_id, agreement
    return None


def trial_of(case: Case) -> tuple[str, Mapping[str, Any]] | None:
    """The trial of a case."""
    return next(iter(sorted(case.get("trials", {}).items())), None)


def waiting_for(agreement: Mapping[str, Any]) -> tuple[Party, ...]:
    """Who may approve now."""
    given = {approval["party"] for approval in agreement["approvals"]}
    first = tuple(party for party in (Party.EMPLOYER, Party.PARTICIPANT) if party not in given)
    if first:
        return first
    if Party.COUNSELLOR not in given:
        return (Party.COUNSELLOR,)
    if agreement["decision_maker_needed"] and Party.DECISION_MAKER not in given:
        return (Party.DECISION_MAKER,)
    return ()


def agreement_status(agreement: Mapping[str, Any]) -> str:
    """drafted, concluded, annulled, expired or no_show; whether it has started is said by its trial."""
    if "annulled" in agreement:
        return "annulled"
    if "no_show" in agreement:
        return "no_show"
    if "expired" in agreement:
        return "expired"
    return "concluded" if agreement.get("concluded_on") else "drafted"


def status(case: Case) -> Status:
    """Where the case stands."""
    if (trial := trial_of(case)) is not None:
        return Status.CLOSED if "closed" in trial[1] else Status.IN_TRIAL
    if (live := live_agreement(case)) is not None:
        return Status.AWAITING_START if live[1].get("concluded_on") else Status.AWAITING_APPROVAL
    if case.get("cancelled") or "ended_on" in case or not _draft_is_open(case):
        return Status.ENDED
    return Status.AWAITING_AGREEMENT


def _draft_is_open(case: Case) -> bool:
    drafts = [task for task in case.get("tasks", {}).values() if task.get("task") == Task.DRAFT_AGREEMENT]
    # The match may have been heard of before the task that it leads to.
    return not drafts or any("completed_on" not in task for task in drafts)


def next_step(case: Case, today: date, party: Party | None) -> NextStep | None:
    """Who does what next, and by when, as far as this party may know; None where it is over."""
    where = status(case)
    trial = trial_of(case)
    if where == Status.ENDED:
        return None
    if where in (Status.IN_TRIAL, Status.CLOSED):
        assert trial is not None
        return _in_trial(case, trial[1], today, party) if where == Status.IN_TRIAL else _after(case, trial[1], today)
    if where == Status.AWAITING_AGREEMENT:
        return NextStep(Step.DRAFT, (Party.COUNSELLOR,), _due(case, Task.DRAFT_AGREEMENT, _promise(case)))
    live = live_agreement(case)
    assert live is not None
    start_on = date.fromisoformat(live[1]["start_on"])
    if where == Status.AWAITING_APPROVAL:
        return NextStep(Step.APPROVE, waiting_for(live[1]), _due(case, Task.APPROVE_AGREEMENT, start_on))
    due_on = _due(case, Task.CONFIRM_START, start_on)
    return NextStep(Step.CONFIRM_START, (Party.EMPLOYER, Party.COUNSELLOR), due_on)


def start_is_disputed(case: Case) -> bool:
    """Whether the counsellor has to settle which day the start was."""
    return _is_open(case, Task.SETTLE_START_DATE)


def disputed_days(case: Case) -> list[Mapping[str, Any]]:
    """What has been said of another day and is not settled: nothing that was said before it was last settled.

    Asked of the case, since the trial does not hear that its confirmed day stands.
    """
    trial = trial_of(case)
    if trial is None or not start_is_disputed(case):
        return []
    settled_at = case.get("settled_at", -1)
    said = [each for each in trial[1].get("disputed", []) if each["at"] > settled_at]
    return [{name: value for name, value in each.items() if name != "at"} for each in said]


def _municipality(case: Case) -> str | None:
    """Whose playbook the case follows: by what its tasks say, as in decisions, else the page names another due day."""
    named: str | None = case.get("municipality")
    return named


def _settling(case: Case, today: date) -> NextStep:
    return NextStep(Step.SETTLE_START, (Party.COUNSELLOR,), _due(case, Task.SETTLE_START_DATE, today))


def _in_trial(case: Case, trial: Mapping[str, Any], today: date, party: Party | None) -> NextStep:
    if start_is_disputed(case):
        return _settling(case, today)
    end_on = date.fromisoformat(trial["end_on"])
    # After the last day there is nobody left to look after, and nothing to change.
    goes_on = today <= end_on
    # That nobody has looked after the candidate is no news for employers.
    if goes_on and party != Party.EMPLOYER and _is_open(case, Task.HOLD_CHECK_IN):
        return NextStep(Step.CHECK_IN, (Party.COUNSELLOR,), _due(case, Task.HOLD_CHECK_IN, today))
    # Others are not even told that the candidate has said something.
    if party == Party.COUNSELLOR and (said_on := unheard_voice(trial)) is not None:
        within = playbook_on(said_on, _municipality(case)).voice_answered_within_days
        return NextStep(Step.HEAR_VOICE, (Party.COUNSELLOR,), said_on + timedelta(days=within))
    if goes_on and (change := waiting_change(trial)) is not None:
        return NextStep(Step.ANSWER_CHANGE, (answers_change(change),), date.fromisoformat(change["effective_on"]))
    if today >= end_on:
        return NextStep(Step.CLOSE, (Party.COUNSELLOR,), end_on)
    due_on = min(check_in_due(trial, _municipality(case)), end_on)
    return NextStep(Step.FOLLOW_UP, (Party.COUNSELLOR,), max(due_on, today) if party == Party.EMPLOYER else due_on)


def _after(case: Case, trial: Mapping[str, Any], today: date) -> NextStep | None:
    """Whether somebody who was hired is still employed is asked once so many months have passed."""
    if start_is_disputed(case):
        return _settling(case, today)
    if trial["closed"]["outcome"] != Outcome.HIRED:
        return None
    confirmed = trial.get("employment", [])
    if any(not each["employed"] for each in confirmed):
        return None
    asked = [months for months in EMPLOYMENT_MONTHS if months not in {each["after_months"] for each in confirmed}]
    if not asked:
        return None
    asked_on = add_months(date.fromisoformat(trial["closed"]["on"]), asked[0])
    if asked_on > today:
        return None
    within = playbook_on(asked_on, _municipality(case)).employment_asked_within_days
    return NextStep(Step.CONFIRM_EMPLOYMENT, (Party.COUNSELLOR,), asked_on + timedelta(days=within))


def check_in_due(trial: Mapping[str, Any], municipality: str | None) -> date:
    """By when the next check-in is to be held. A talk before the start, which may have been moved, is none."""
    started_on = date.fromisoformat(trial["on"])
    days = [date.fromisoformat(each["held_on"]) for each in trial["check_ins"]]
    held = max((day for day in days if day >= started_on), default=None)
    return playbook_on(held or started_on, municipality).check_in_due(Measure(trial["measure"]), started_on, held)


def unheard_voice(trial: Mapping[str, Any]) -> date | None:
    """The day on which the candidate first said something that no check-in has followed; None where there is nothing.

    What was said is sealed, so every voice calls for a talk, and a check-in on that day or later is one.
    """
    held = max((each["held_on"] for each in trial.get("check_ins", [])), default="")
    said = [each["given_on"] for each in trial.get("voices", []) if each["given_on"] > held]
    return date.fromisoformat(min(said)) if said else None


def waiting_change(trial: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The change that waits for the other party's answer: nobody can give one once the trial is closed."""
    if "closed" in trial:
        return None
    return next((each for each in trial.get("changes", []) if each["state"] == "waits"), None)


def answers_change(change: Mapping[str, Any]) -> Party:
    """The other of the two."""
    return Party.PARTICIPANT if change["proposed_by"] == Party.EMPLOYER else Party.EMPLOYER


def over_on(case: Case) -> date | None:
    """The day on which the case was over, from which the parties' access counts; None while it goes on."""
    if (closed := case.get("closed_on")) is not None:
        return date.fromisoformat(closed)
    if status(case) != Status.ENDED:
        return None
    ended = case.get("ended_on") or (case.get("cancelled") or {}).get("on")
    return None if ended is None else date.fromisoformat(ended)


def _is_open(case: Case, task: Task) -> bool:
    return any(each.get("task") == task and "completed_on" not in each for each in case.get("tasks", {}).values())


def _promise(case: Case) -> date:
    match = case.get("match")
    return date.max if match is None else date.fromisoformat(match["promise_date"])


def _due(case: Case, task: Task, otherwise: date) -> date:
    due = [
        date.fromisoformat(each["due_on"])
        for each in case.get("tasks", {}).values()
        if each.get("task") == task and "completed_on" not in each
    ]
    return min(due, default=otherwise)


def group(case: Case, party: Party | None, today: date) -> Group:
    """Where the case belongs in the list of somebody who is that party."""
    step = next_step(case, today, party)
    if step is None:
        return Group.OVER
    if party not in step.responsible:
        return Group.WAITING
    return Group.OVERDUE if step.due_on < today else Group.DUE
