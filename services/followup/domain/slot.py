"""The plan of a slot and its clock: made once, said to come near, said to be missed, ended.

Invariant: each deadline of a slot is said once, and none once somebody has started or the slot is withdrawn; a delay
and a withdrawal are facts beside the clock, which they never stop.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import reduce
from typing import assert_never

from contracts.days import PROMISE_DAYS, promise_date
from contracts.event import Event
from contracts.followup import TrialStarted
from contracts.plans import (
    DeadlineApproaching,
    DeadlineMissed,
    DelayReported,
    PlanEnded,
    PlanMade,
    PlanTaskCompleted,
    SlotEvent,
)
from contracts.refused import Refused
from contracts.vocabulary import DelayReason, Party, PlanEndReason, Task
from services.followup.domain.commands import Asked
from services.followup.domain.moments import happened, oslo_midnight
from services.followup.domain.playbook import playbook_on

MISSED_DAY = PROMISE_DAYS + 1
"""The day at whose beginning the promise is missed."""
BY_PEOPLE = (Task.CONTACT_EMPLOYER, Task.MEET)
"""What no event of another service tells, or not of every slot."""


@dataclass(frozen=True)
class Slot:
    """What the log knows of one slot."""

    need_id: str = ""
    org_number: str = ""
    registered_on: date | None = None
    """None before its plan has been made."""
    started: bool = False
    ended: bool = False
    said: frozenset[int] = frozenset()
    """The days whose deadline has been said."""
    done: frozenset[str] = frozenset()
    """Tasks that people have completed."""


UNKNOWN = Slot()


@dataclass(frozen=True, kw_only=True)
class OfSlot(Asked):
    slot_id: str


@dataclass(frozen=True, kw_only=True)
class MakePlan(OfSlot):
    """A slot has been heard of: by the registration of its need, or by a match on it, whichever came first."""

    need_id: str
    org_number: str
    intermediary: str
    municipality: str | None
    registered_on: date


@dataclass(frozen=True, kw_only=True)
class EndPlan(OfSlot):
    """The employer takes the slot back, or its last open day has passed."""

    reason: PlanEndReason = PlanEndReason.NEED_WITHDRAWN


@dataclass(frozen=True, kw_only=True)
class SayDeadline(OfSlot):
    """The business clock has come to the beginning of a day."""

    day: int


@dataclass(frozen=True, kw_only=True)
class MoveStart(OfSlot):
    """Somebody started on another day than was confirmed."""

    on: date


@dataclass(frozen=True, kw_only=True)
class CompletePlanTask(OfSlot):
    acting: Party
    task: Task
    on: date


@dataclass(frozen=True, kw_only=True)
class ReportDelay(OfSlot):
    """Somebody is waited for."""

    acting: Party
    caused_by: Party
    reason: DelayReason
    from_on: date


SlotCommand = MakePlan | EndPlan | SayDeadline | MoveStart | CompletePlanTask | ReportDelay


def slot_of(slot_id: str, events: Iterable[Event]) -> Slot:
    """The slot, from the events of all commits that claim it."""
    return reduce(evolve_slot, (each for each in events if getattr(each, "slot_id", None) == slot_id), UNKNOWN)


def evolve_slot(slot: Slot, event: Event) -> Slot:
    """The slot after one more event; what does not concern its clock changes nothing."""
    match event:
        case PlanMade():
            return replace(slot, need_id=event.need_id, org_number=event.org_number, registered_on=event.registered_on)
        case PlanTaskCompleted():
            return replace(slot, done=slot.done | {event.task})
        case DeadlineApproaching():
            return replace(slot, said=slot.said | {event.day})
        case DeadlineMissed():
            return replace(slot, said=slot.said | {MISSED_DAY})
        case PlanEnded():
            return replace(slot, ended=True)
        case TrialStarted():
            return replace(slot, started=True)
        case _:
            return slot


def decide_slot(command: SlotCommand, slot: Slot) -> list[SlotEvent]:
    """What follows from a command on a slot. Raises Refused."""
    match command:
        case MakePlan():
            return _make(command, slot)
        case EndPlan():
            return _end(command, slot)
        case SayDeadline():
            return _say(command, slot)
        case MoveStart():
            return _move(command, slot)
        case CompletePlanTask():
            return _complete(command, slot)
        case ReportDelay():
            return _delay(command, slot)
        case _:
            assert_never(command)


def _make(command: MakePlan, slot: Slot) -> list[SlotEvent]:
    if slot.registered_on is not None:
        return []
    playbook = playbook_on(command.today, command.municipality)
    return [
        PlanMade(
            slot_id=command.slot_id,
            need_id=command.need_id,
            org_number=command.org_number,
            intermediary=command.intermediary,
            registered_on=command.registered_on,
            promise_date=promise_date(command.registered_on),
            playbook_version=playbook.version,
            tasks=playbook.planned(command.registered_on, command.today),
        )
    ]


def _end(command: EndPlan, slot: Slot) -> list[SlotEvent]:
    if slot.registered_on is None or slot.ended or slot.started:
        return []
    return [
        PlanEnded(
            slot_id=command.slot_id,
            need_id=slot.need_id,
            org_number=slot.org_number,
            ended_on=command.today,
            reason=command.reason,
        )
    ]


def _say(command: SayDeadline, slot: Slot) -> list[SlotEvent]:
    if slot.registered_on is None or slot.started or slot.ended or command.day in slot.said:
        return []
    on = slot.registered_on + timedelta(days=command.day)
    if command.today < on:
        return []
    return [_deadline(command, slot, slot.registered_on, command.day)]


def _move(command: MoveStart, slot: Slot) -> list[SlotEvent]:
    """While a start was known nobody said that the promise was missed; by the right day it may have been."""
    if slot.registered_on is None or MISSED_DAY in slot.said or command.on <= promise_date(slot.registered_on):
        return []
    return [_deadline(command, slot, slot.registered_on, MISSED_DAY)]


def _deadline(command: OfSlot, slot: Slot, registered_on: date, day: int) -> SlotEvent:
    on, promise = registered_on + timedelta(days=day), promise_date(registered_on)
    ids = {"slot_id": command.slot_id, "need_id": slot.need_id, "org_number": slot.org_number}
    # It happened when the day began, however late the clock of this process came to it.
    occurred = oslo_midnight(on)
    if day == MISSED_DAY:
        return DeadlineMissed(**ids, on=on, promise_date=promise, occurred=occurred)
    left = (promise - on).days
    return DeadlineApproaching(**ids, day=day, days_left=left, on=on, promise_date=promise, occurred=occurred)


def _open(slot: Slot) -> None:
    if slot.registered_on is None:
        raise Refused("plan_unknown", status=404)
    if slot.started:
        raise Refused("slot_filled")
    if slot.ended:
        raise Refused("slot_withdrawn")


def _complete(command: CompletePlanTask, slot: Slot) -> list[SlotEvent]:
    _open(slot)
    if command.acting != Party.COUNSELLOR:
        raise Refused("not_yours_to_say")
    if command.task not in BY_PEOPLE:
        raise Refused("task_completes_itself", ["/task"], status=422)
    if command.task in slot.done:
        raise Refused("task_done", ["/task"])
    occurred = _since_registration(slot, command.on, command, "/on")
    return [
        PlanTaskCompleted(
            slot_id=command.slot_id,
            need_id=slot.need_id,
            org_number=slot.org_number,
            task=command.task,
            completed_on=command.on,
            completed_by=command.acting,
            occurred=occurred,
        )
    ]


def _delay(command: ReportDelay, slot: Slot) -> list[SlotEvent]:
    _open(slot)
    if command.acting not in (Party.COUNSELLOR, Party.EMPLOYER):
        raise Refused("not_yours_to_say")
    if command.acting == Party.EMPLOYER and command.caused_by != Party.EMPLOYER:
        raise Refused("not_your_delay", ["/caused_by"], status=422)
    occurred = _since_registration(slot, command.from_on, command, "/from_on")
    return [
        DelayReported(
            slot_id=command.slot_id,
            need_id=slot.need_id,
            org_number=slot.org_number,
            caused_by=command.caused_by,
            reason=command.reason,
            from_on=command.from_on,
            reported_on=command.today,
            occurred=occurred,
        )
    ]


def _since_registration(slot: Slot, on: date, command: Asked, field: str) -> datetime:
    assert slot.registered_on is not None, "checked to be open"
    if on < slot.registered_on:
        raise Refused("before_registration", [field], status=422, registered_on=slot.registered_on)
    return happened(on, command.at, field)
