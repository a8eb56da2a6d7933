"""Events of followup about a case: its tasks, and who sees to it.

Invariant: every event of a case carries the ids that place it: match, need, slot, candidate, employer.
"""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from contracts.event import Event
from contracts.vocabulary import PartyCode, TaskCode


class CaseEvent(Event):
    """The case is the confirmed match: one person on one slot. The case's id is the match's."""

    PARTITION_KEY: ClassVar[str] = "need:{need_id}"
    PERSON: ClassVar[str | None] = "candidate_id"

    match_id: str
    need_id: str
    slot_id: str
    candidate_id: str
    org_number: str


class TaskEvent(CaseEvent):
    SUBJECT: ClassVar[str] = "case:{match_id}"

    task_id: str
    task: TaskCode


class TaskAssigned(TaskEvent):
    """Since v2 with the municipality, whose playbook the case follows."""

    VERSION: ClassVar[int] = 2

    responsible: PartyCode
    due_on: date
    municipality: str | None = None
    """Where the work is, four digits; null in v1 and where it is not known."""


class TaskCompleted(TaskEvent):
    completed_on: date


class CaseTaken(CaseEvent):
    """A counsellor of the intermediary sees to the case from now on."""

    SUBJECT: ClassVar[str] = "case:{match_id}"

    counsellor_id: str
    """A random id; says nothing about the person."""
    taken_on: date
