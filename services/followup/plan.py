"""What a slot's plan looks like today, and what its clock says: pure, from the slot's document.

Invariant: every slot is in exactly one class of the clock, and in it for ever: a delay or a withdrawal is shown apart
and takes no slot out of the figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from statistics import median
from typing import Any

from contracts.vocabulary import Party, PlanEndReason
from services.followup.domain.clock import days_left, promise_days
from services.followup.domain.playbook import PLAN

Doc = Mapping[str, Any]


class TaskState(StrEnum):
    """How far a task of the plan has come."""

    DONE = "done"
    OPEN = "open"
    LATER = "later"
    VOID = "void"


class ClockClass(StrEnum):
    """Where a slot stands with the promise."""

    RUNNING = "running"
    OVERDUE = "overdue"
    KEPT = "kept"
    LATE = "late"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    """Its last open day has passed and nobody had started: the promise was not kept."""


@dataclass(frozen=True)
class PlanTask:
    """A task of the plan today. `done_on` is None for what is done since something later is."""

    task: str
    responsible: str
    due_on: date
    state: TaskState
    done_on: date | None
    overdue: bool


@dataclass(frozen=True)
class SlotClock:
    """`day` counts from the registration to the start, to the day on which the slot was closed, or to today."""

    registered_on: date
    promise_date: date
    day: int
    days_left: int
    state: ClockClass
    delayed_by_employer: bool
    """The employer was waited for, or asked for a start after the promise date from the beginning."""


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def started_on(slot: Doc) -> date | None:
    """The day of the first start in the slot."""
    return min((date.fromisoformat(each["on"]) for each in slot.get("trials", {}).values()), default=None)


def _closed(slot: Doc) -> tuple[ClockClass, date] | None:
    """How and when a slot was closed that nobody had started in; what intake said of it goes before the own plan."""
    ended = slot.get("ended")
    if (withdrawn := slot.get("withdrawn")) is not None:
        return ClockClass.WITHDRAWN, date.fromisoformat(withdrawn["on"])
    if (expired_on := slot.get("expired_on")) is not None:
        return ClockClass.EXPIRED, date.fromisoformat(expired_on)
    if ended is None:
        return None
    state = ClockClass.EXPIRED if ended["reason"] == PlanEndReason.NEED_EXPIRED else ClockClass.WITHDRAWN
    return state, date.fromisoformat(ended["on"])


def slot_clock(slot: Doc, today: date) -> SlotClock:
    """The clock of a slot whose plan has been made."""
    registered_on, promise = (date.fromisoformat(slot["plan"][name]) for name in ("registered_on", "promise_date"))
    start, closed = started_on(slot), _closed(slot)
    if start is not None:
        state, until = (ClockClass.KEPT if start <= promise else ClockClass.LATE), start
    elif closed is not None:
        state, until = closed
    else:
        state, until = (ClockClass.RUNNING if today <= promise else ClockClass.OVERDUE), today
    start_from = _day((slot.get("need") or {}).get("start_from"))
    delayed = any(delay["caused_by"] == Party.EMPLOYER for delay in slot.get("delays", []))
    return SlotClock(
        registered_on=registered_on,
        promise_date=promise,
        day=promise_days(registered_on, until),
        days_left=days_left(registered_on, until),
        state=state,
        delayed_by_employer=delayed or (start_from is not None and start_from > promise),
    )


def plan_tasks(slot: Doc, today: date) -> list[PlanTask]:
    """The tasks in their order. The first that is not done is open; those behind it come later."""
    reached = _reached(slot)
    # What lies before something that is done is done too, whether anybody said so or not.
    furthest = max((PLAN.index(task) for task in PLAN if task in reached), default=-1)
    over = slot_clock(slot, today).state in (ClockClass.WITHDRAWN, ClockClass.EXPIRED)
    found: list[PlanTask] = []
    for index, planned in enumerate(slot["plan"]["tasks"]):
        due_on = date.fromisoformat(planned["due_on"])
        done = index <= furthest
        state = TaskState.DONE if done else TaskState.LATER
        if not done:
            state = TaskState.VOID if over else TaskState.OPEN if index == furthest + 1 else TaskState.LATER
        late = state in (TaskState.OPEN, TaskState.LATER) and due_on < today
        done_on = _day(reached.get(planned["task"]))
        found.append(PlanTask(planned["task"], planned["responsible"], due_on, state, done_on, late))
    return found


def open_task(slot: Doc, today: date) -> PlanTask | None:
    """What is to be done now; None where the slot is filled or closed."""
    return next((each for each in plan_tasks(slot, today) if each.state == TaskState.OPEN), None)


def _reached(slot: Doc) -> dict[str, str]:
    """By task the first day on which a match that still lives, or somebody, has done it."""
    live = {name: each for name, each in slot.get("matches", {}).items() if "ended" not in each}
    days: dict[str, list[str]] = {}
    for match in live.values():
        for task in ("propose", "ask", "present", "answer", "meet"):
            if match.get(task) is not None:
                days.setdefault(task, []).append(match[task])
        if "confirmed" in match:
            # Confirmed without a meeting: there is nobody left to meet.
            days.setdefault("meet", []).append(match["confirmed"])
    for task, on in slot.get("done", {}).items():
        days.setdefault(task, []).append(on)
    agreements = [each for each in slot.get("agreements", {}).values() if not each.get("ended")]
    if concluded := [each["concluded_on"] for each in agreements if each.get("concluded_on")]:
        days["agree"] = concluded
    if (start := started_on(slot)) is not None:
        days["start"] = [start.isoformat()]
    return {task: min(found) for task, found in days.items()}


@dataclass(frozen=True)
class Figures:
    """Of some slots. `without_delayed`: the same without those that waited for the employer, shown beside it."""

    slots: int
    kept: int
    late: int
    running: int
    overdue: int
    withdrawn: int
    expired: int
    delayed_by_employer: int
    median_days: float | None
    """From need to start, of those that have started."""
    kept_percent: float | None
    """Kept, of those whose promise date has passed, that have started or expired; withdrawn ones stand apart."""


def figures(slots: Iterable[Doc], today: date) -> tuple[Figures, Figures]:
    """All slots, and the same without those that waited for the employer."""
    clocks = [slot_clock(slot, today) for slot in slots]
    return _figures(clocks), _figures([clock for clock in clocks if not clock.delayed_by_employer])


def _figures(clocks: Sequence[SlotClock]) -> Figures:
    count = {each: sum(clock.state == each for clock in clocks) for each in ClockClass}
    days = [clock.day for clock in clocks if clock.state in (ClockClass.KEPT, ClockClass.LATE)]
    judged = sum(count[each] for each in (ClockClass.KEPT, ClockClass.LATE, ClockClass.OVERDUE, ClockClass.EXPIRED))
    return Figures(
        slots=len(clocks),
        kept=count[ClockClass.KEPT],
        late=count[ClockClass.LATE],
        running=count[ClockClass.RUNNING],
        overdue=count[ClockClass.OVERDUE],
        withdrawn=count[ClockClass.WITHDRAWN],
        expired=count[ClockClass.EXPIRED],
        delayed_by_employer=sum(clock.delayed_by_employer for clock in clocks),
        median_days=median(days) if days else None,
        kept_percent=100 * count[ClockClass.KEPT] / judged if judged else None,
    )
