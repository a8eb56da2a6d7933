"""Events of followup about a slot: its plan, its clock, and who is waited for.

Invariant: they name no person; the clock runs from the day of the registration, whoever is matched or not.
"""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from contracts.event import Event, Value
from contracts.vocabulary import DelayReasonCode, IntermediaryCode, PartyCode, PlanEndReasonCode, TaskCode


class SlotEvent(Event):
    """One place of a need, with its clock: it runs whoever is matched."""

    SUBJECT: ClassVar[str] = "slot:{slot_id}"
    PARTITION_KEY: ClassVar[str] = "need:{need_id}"

    need_id: str
    slot_id: str
    org_number: str


class PlannedTask(Value):
    """A task of a slot's plan; the order of the tasks is that of the plan."""

    task: TaskCode
    responsible: PartyCode
    due_on: date


class PlanMade(SlotEvent):
    """What has to be done by whom and when, so that the slot is filled within the promise."""

    intermediary: IntermediaryCode
    registered_on: date
    """The Oslo day on which the slot's clock begins (day 0)."""
    promise_date: date
    playbook_version: str
    """The edition of the playbook, with a municipality's own after a `+`."""
    tasks: tuple[PlannedTask, ...]
    """In their order."""


class PlanTaskCompleted(SlotEvent):
    """Somebody says that a task of the plan is done which no other event tells."""

    task: TaskCode
    completed_on: date
    completed_by: PartyCode
    """The party that says so."""


class DelayReported(SlotEvent):
    """The slot waits for somebody. Its clock goes on; figures are shown with and without."""

    caused_by: PartyCode
    """The party that is waited for."""
    reason: DelayReasonCode
    from_on: date
    """The first day of the delay."""
    reported_on: date


class DeadlineApproaching(SlotEvent):
    """Nobody has started, and the promise date comes near. Said once per day of the playbook, at 00:00 in Oslo."""

    day: int
    """Days since the need was registered."""
    days_left: int
    """Days until the promise date."""
    on: date
    promise_date: date


class DeadlineMissed(SlotEvent):
    """Nobody has started by the end of the promise date. Said once, at 00:00 in Oslo of the day after."""

    on: date
    promise_date: date


class PlanEnded(SlotEvent):
    """The slot is not to be filled any more. It stays in the figures, as a class of its own."""

    ended_on: date
    """The Oslo day on which it was known."""
    reason: PlanEndReasonCode
