"""Cases: opened by a confirmed match, ended without a start, and their tasks.

Invariant: a task is completed in the commit that holds the event it waited for; a trial goes on when its match ends.
"""

from __future__ import annotations

from datetime import date
from typing import TypedDict

from contracts.followup import AgreementAnnulled, FollowupEvent, TaskAssigned, TaskCompleted
from contracts.vocabulary import Party, Task
from services.followup.domain.commands import EndCases, OpenCase
from services.followup.domain.playbook import draft_due, playbook_on
from services.followup.domain.state import Case, OpenTask, Person, Stage


class CaseIds(TypedDict):
    """What every event of a case carries."""

    match_id: str
    need_id: str
    slot_id: str
    candidate_id: str
    org_number: str


def ids_of(case: Case | OpenCase) -> CaseIds:
    """The ids that place an event in its case."""
    return {
        "match_id": case.match_id,
        "need_id": case.need_id,
        "slot_id": case.slot_id,
        "candidate_id": case.candidate_id,
        "org_number": case.org_number,
    }


def assign(case: Case | OpenCase, task_id: str, task: Task, responsible: Party, due_on: date) -> TaskAssigned:
    """A task for somebody."""
    return TaskAssigned(**ids_of(case), task_id=task_id, task=task, responsible=responsible, due_on=due_on)


def complete(case: Case, task: OpenTask, today: date) -> TaskCompleted:
    """A task is done, or no longer has to be."""
    return TaskCompleted(**ids_of(case), task_id=task.task_id, task=task.task, completed_on=today)


def complete_all(case: Case, today: date) -> list[TaskCompleted]:
    """All open tasks of a case."""
    return [complete(case, task, today) for task in case.tasks]


def open_case(command: OpenCase, person: Person) -> list[FollowupEvent]:
    """A confirmed match becomes a case; one that is a case already says nothing."""
    if command.match_id in person.cases:
        return []
    due = draft_due(command.registered_on, command.today)
    drafts = playbook_on(command.today).drafts
    return [assign(command, command.task_id, Task.DRAFT_AGREEMENT, drafts, due)]


def end_cases(command: EndCases, person: Person) -> list[FollowupEvent]:
    """What has not started never counts; what has started goes on."""
    events: list[FollowupEvent] = []
    for match_id in command.match_ids:
        case = person.cases.get(match_id)
        if case is None:
            continue
        live = case.live
        if live is not None and live.stage == Stage.STARTED:
            continue
        if live is not None:
            annulled = AgreementAnnulled(
                **ids_of(case), agreement_id=live.agreement_id, annulled_on=command.today, reason=command.reason
            )
            events.append(annulled)
        events += complete_all(case, command.today)
    return events
