"""Who has to do what by when, as dated data that a municipality may override.

Invariant: a due day is never before the day on which the task is given; the edition in force when a plan is made goes
with it, and no later edition moves its days.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PositiveInt, model_validator

from contracts.days import PROMISE_DAYS, add_months
from contracts.plans import PlannedTask
from contracts.vocabulary import Measure, Party, Task

PLAN = (
    Task.CONTACT_EMPLOYER,
    Task.PROPOSE,
    Task.ASK,
    Task.PRESENT,
    Task.ANSWER,
    Task.MEET,
    Task.AGREE,
    Task.START,
)
"""The tasks of a slot, in the order in which they are done."""


class _Data(BaseModel):
    # A misspelt name stops the process at its start, not a case years later.
    model_config = ConfigDict(frozen=True, extra="forbid")


class TaskRule(_Data):
    """A task of the plan; `due_day` counts from the registration of the need."""

    task: Task
    responsible: Party
    due_day: int


class Interval(_Data):
    """A time between two days: weeks or months."""

    weeks: int | None = None
    months: int | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Interval:
        if (self.weeks is None) == (self.months is None):
            raise ValueError("an interval has weeks or months")
        return self

    def after(self, day: date) -> date:
        """The day so much later."""
        return add_months(day, self.months) if self.months is not None else day + timedelta(weeks=self.weeks or 0)


class CheckInRule(_Data):
    """When check-ins of a measure are due."""

    first: Interval
    every: Interval


def _every_task(value: object) -> object:
    named = [each.get("task") for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
    if named != [task.value for task in PLAN]:
        raise ValueError("a playbook names each task of the plan once, in order")
    return value


class Override(_Data):
    """What a municipality does otherwise: any of its tasks, of its check-ins by measure, and of its times to answer."""

    version: str
    valid_from: date
    municipality: str
    tasks: tuple[TaskRule, ...] = ()
    check_ins: Mapping[Measure, CheckInRule] = {}
    voice_answered_within_days: PositiveInt | None = None
    employment_asked_within_days: PositiveInt | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Override:
        if not (self.tasks or self.check_ins or self.voice_answered_within_days or self.employment_asked_within_days):
            raise ValueError("an override names what is done otherwise")
        return self


class Playbook(_Data):
    """One edition."""

    version: str
    valid_from: date
    source: str
    approaching_days: tuple[int, ...]
    """On the beginning of these days it is said that the promise date comes near."""
    tasks: Annotated[tuple[TaskRule, ...], BeforeValidator(_every_task)]
    check_ins: Mapping[Measure, CheckInRule]
    voice_answered_within_days: PositiveInt
    """Within so many days the counsellor gets in touch with a candidate who has said how it goes."""
    employment_asked_within_days: PositiveInt
    """So long there is to find out whether somebody is still employed, once it is asked."""

    @model_validator(mode="after")
    def _holds_together(self) -> Playbook:
        if missing := set(Measure) - set(self.check_ins):
            raise ValueError(f"no check-ins for {', '.join(sorted(missing))}")
        days = [each.due_day for each in self.tasks]
        if days != sorted(days) or days[-1] > PROMISE_DAYS:
            raise ValueError("due days go forward, and the start is within the promise")
        return self

    def rule(self, task: Task) -> TaskRule:
        """The rule of a task of the plan."""
        return next(each for each in self.tasks if each.task == task)

    @property
    def drafts(self) -> Party:
        """Who drafts agreements, and sees to it that they are approved."""
        return self.rule(Task.AGREE).responsible

    @property
    def confirms_start(self) -> Party:
        """Who is asked to confirm the start."""
        return self.rule(Task.START).responsible

    def planned(self, registered_on: date, today: date) -> tuple[PlannedTask, ...]:
        """The plan of a slot whose need was registered that day, made today."""
        return tuple(
            PlannedTask(
                task=each.task,
                responsible=each.responsible,
                due_on=max(today, registered_on + timedelta(days=each.due_day)),
            )
            for each in self.tasks
        )

    def check_in_due(self, measure: Measure, started_on: date, last_held_on: date | None) -> date:
        """By when the next check-in is to be held."""
        rule = self.check_ins[measure]
        return rule.first.after(started_on) if last_held_on is None else rule.every.after(last_held_on)

    def with_override(self, own: Override) -> Playbook:
        """This edition as a municipality does it."""
        otherwise = {each.task: each for each in own.tasks}
        named = own.model_dump(
            include={"voice_answered_within_days", "employment_asked_within_days"}, exclude_none=True
        )
        return Playbook.model_validate(
            {
                **self.model_dump(),
                **named,
                "version": f"{self.version}+{own.version}",
                "tasks": [otherwise.get(each.task, each).model_dump() for each in self.tasks],
                "check_ins": {**self.check_ins, **own.check_ins},
            }
        )


def choose(
    editions: Iterable[Playbook], overrides: Iterable[Override], day: date, municipality: str | None
) -> Playbook:
    """The edition in force on a day, as the municipality does it that day."""
    edition = max((each for each in editions if each.valid_from <= day), key=lambda each: each.valid_from)
    own = [each for each in overrides if each.municipality == municipality and each.valid_from <= day]
    return edition.with_override(max(own, key=lambda each: each.valid_from)) if own else edition


@cache
def _loaded() -> tuple[tuple[Playbook, ...], tuple[Override, ...]]:
    editions, overrides = [], []
    for path in files("services.followup").joinpath("playbooks").iterdir():
        if path.name.endswith(".toml"):
            read = tomllib.loads(path.read_text("utf-8"))
            if "municipality" in read:
                overrides.append(Override.model_validate(read))
            else:
                editions.append(Playbook.model_validate(read))
    editions.sort(key=lambda each: each.valid_from)
    for own in overrides:
        # Both orders of coming into force: a faulty override is found at start.
        for edition in editions:
            edition.with_override(own)
    return tuple(editions), tuple(overrides)


def editions() -> tuple[Playbook, ...]:
    """All editions, oldest first."""
    return _loaded()[0]


def playbook_on(day: date, municipality: str | None = None) -> Playbook:
    """The edition in force on a day, in a municipality."""
    return choose(*_loaded(), day, municipality)


def playbooks_on(day: date) -> tuple[Playbook, ...]:
    """The edition in force on a day, in general and as each municipality that differs does it that day."""
    editions, overrides = _loaded()
    return tuple(
        choose(editions, overrides, day, each) for each in (None, *sorted({o.municipality for o in overrides}))
    )


def municipality_of(version: str) -> str | None:
    """The municipality whose own way a version of a playbook names after its `+`; None where it names none."""
    own = version.partition("+")[2]
    return next((each.municipality for each in _loaded()[1] if each.version == own), None)


def draft_due(registered_on: date, today: date, municipality: str | None = None) -> date:
    """By when an agreement should be drafted for a need registered on that day."""
    return max(today, registered_on + timedelta(days=playbook_on(today, municipality).rule(Task.AGREE).due_day))


def before_start_due(start_on: date, today: date) -> date:
    """By when that must be done which a start waits for: approvals, and the confirmation itself."""
    return max(today, start_on)
