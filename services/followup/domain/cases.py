"""Cases: opened by a confirmed match, ended without a start, and their tasks.

Invariant: a task is completed in the commit that holds the event it waited for; a trial goes on when its match ends.
"""

from __future__ import annotations

from datetime import date
from typing import TypedDict

from contracts.followup import AgreementAnnulled, CaseEvent, CaseTaken, TaskAssigned, TaskCompleted
from contracts.refused import Refused
from contracts.vocabulary import Party, Task
from services.followup.domain.commands import EndCases, OpenCase, TakeCase
from services.followup.domain.guards import only
from services.followup.domain.playbook import draft_due, playbook_on
from services.followup.domain.state import Case, OpenTask, Person


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
    return TaskAssigned(
        **ids_of(case),
        task_id=task_id,
        task=task,
        responsible=responsible,
        due_on=due_on,
        municipality=case.municipality,
    )


def complete(case: Case, task: OpenTask, today: date) -> TaskCompleted:
    """A task is done, or no longer has to be."""
    return TaskCompleted(**ids_of(case), task_id=task.task_id, task=task.task, completed_on=today)


def complete_all(case: Case, today: date) -> list[TaskCompleted]:
    """All open tasks of a case."""
    return [complete(case, task, today) for task in case.tasks]


def complete_at_closing(case: Case, today: date) -> list[TaskCompleted]:
    """All open tasks of a case but the one that asks which day the start was: that is settled, never dropped."""
    return [complete(case, task, today) for task in case.tasks if task.task != Task.SETTLE_START_DATE]


def complete_kind(case: Case, kind: Task, today: date) -> list[TaskCompleted]:
    """All open tasks of one kind."""
    return [complete(case, task, today) for task in case.tasks if task.task == kind]


def open_case(command: OpenCase, person: Person) -> list[CaseEvent]:
    """A confirmed match becomes a case; one that is a case already says nothing."""
    if command.match_id in person.cases:
        return []
    due = draft_due(command.registered_on, command.today, command.municipality)
    drafts = playbook_on(command.today, command.municipality).drafts
    return [assign(command, command.task_id, Task.DRAFT_AGREEMENT, drafts, due)]


def take_case(command: TakeCase, person: Person) -> list[CaseEvent]:
    """A counsellor sees to the case: it stands in their list, and they alone read the candidate's voice."""
    only(command.acting, Party.COUNSELLOR)
    case = person.cases.get(command.match_id)
    if case is None:
        raise Refused("case_unknown", status=404)
    if case.counsellor_id == command.counsellor_id:
        raise Refused("case_is_yours")
    return [CaseTaken(**ids_of(case), counsellor_id=command.counsellor_id, taken_on=command.today)]


def end_cases(command: EndCases, person: Person) -> list[CaseEvent]:
    """What has not started never counts; what has started goes on."""
    events: list[CaseEvent] = []
    for match_id in command.match_ids:
        case = person.cases.get(match_id)
        if case is None:
            continue
        if any(agreement.trial is not None for agreement in case.agreements.values()):
            # Also where it is closed: which day its start was may still have to be settled.
            continue
        live = case.live
        if live is not None:
            annulled = AgreementAnnulled(
                **ids_of(case), agreement_id=live.agreement_id, annulled_on=command.today, reason=command.reason
            )
            events.append(annulled)
        events += complete_all(case, command.today)
    return events
