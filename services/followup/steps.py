"""Where a case stands and who does what next: computed from the case's document whenever it is asked.

Invariant: pure; nothing here is stored, so that a due day can never be out of date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from contracts.vocabulary import Party, Task

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
    FOLLOW_UP = "follow_up"
    CLOSE = "close"


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
        if "annulled" not in agreement and "no_show" not in agreement:
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
    """drafted, concluded, annulled or no_show; whether it has started is said by its trial."""
    if "annulled" in agreement:
        return "annulled"
    if "no_show" in agreement:
        return "no_show"
    return "concluded" if "concluded_on" in agreement else "drafted"


def status(case: Case) -> Status:
    """Where the case stands."""
    if (trial := trial_of(case)) is not None:
        return Status.CLOSED if "closed" in trial[1] else Status.IN_TRIAL
    if (live := live_agreement(case)) is not None:
        return Status.AWAITING_START if "concluded_on" in live[1] else Status.AWAITING_APPROVAL
    if case.get("cancelled") or case.get("agreements") or not _draft_is_open(case):
        return Status.ENDED
    return Status.AWAITING_AGREEMENT


def _draft_is_open(case: Case) -> bool:
    drafts = [task for task in case.get("tasks", {}).values() if task.get("task") == Task.DRAFT_AGREEMENT]
    # The match may have been heard of before the task that it leads to.
    return not drafts or any("completed_on" not in task for task in drafts)


def next_step(case: Case, today: date) -> NextStep | None:
    """Who does what next, and by when; None where it is over."""
    where = status(case)
    if where in (Status.CLOSED, Status.ENDED):
        return None
    if where == Status.IN_TRIAL:
        trial = trial_of(case)
        assert trial is not None
        end_on = date.fromisoformat(trial[1]["end_on"])
        return NextStep(Step.FOLLOW_UP if today < end_on else Step.CLOSE, (Party.COUNSELLOR,), end_on)
    if where == Status.AWAITING_AGREEMENT:
        return NextStep(Step.DRAFT, (Party.COUNSELLOR,), _due(case, Task.DRAFT_AGREEMENT, _promise(case)))
    live = live_agreement(case)
    assert live is not None
    start_on = date.fromisoformat(live[1]["start_on"])
    if where == Status.AWAITING_APPROVAL:
        return NextStep(Step.APPROVE, waiting_for(live[1]), _due(case, Task.APPROVE_AGREEMENT, start_on))
    due_on = _due(case, Task.CONFIRM_START, start_on)
    return NextStep(Step.CONFIRM_START, (Party.EMPLOYER, Party.COUNSELLOR), due_on)


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
    step = next_step(case, today)
    if step is None:
        return Group.OVER
    if party not in step.responsible:
        return Group.WAITING
    return Group.OVERDUE if step.due_on < today else Group.DUE
