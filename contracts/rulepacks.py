"""Rules of the labour market measures, as dated data.

Invariant: a rule's numbers are in a rule pack and nowhere else; the pack in force on a day judges, and its version goes
with every figure and decision that used it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict

from contracts.days import add_months, last_day
from contracts.refused import Refused
from contracts.vocabulary import Measure

_ONE_DAY = timedelta(days=1)


class Rules(BaseModel):
    """A part of a pack. A misspelt rule stops the process at its start."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Duration(Rules):
    months: int | None = None
    weeks: int | None = None

    def last_day(self, start_on: date) -> date:
        """The last day of a period of this length."""
        if self.months is not None:
            return last_day(start_on, self.months)
        return start_on + timedelta(weeks=self.weeks or 0) - _ONE_DAY


class PercentStep(Rules):
    after_months: int
    percent: int


class StartWindow(Rules):
    """The days of a year on which a measure may start, both included."""

    from_month: int
    from_day: int
    to_month: int
    to_day: int

    def holds(self, day: date) -> bool:
        """Whether a start on this day is inside."""
        return (self.from_month, self.from_day) <= (day.month, day.day) <= (self.to_month, self.to_day)


class MeasureRules(Rules):
    source: str
    overlap: Literal["placement", "combinable", "alone"]
    """placement: never beside another placement; combinable: beside anything but `alone`; alone: beside nothing."""
    decision_maker_needed: bool
    longest: Duration | None = None
    longest_with_reduced_work_capacity: Duration | None = None
    start_window: StartWindow | None = None
    oldest_birthday_from_start: int | None = None
    """This birthday may be on the first day, not before it (and so not before 1 January of that year)."""
    oldest_age_on_last_day: int | None = None
    subsidy: Literal["none", "fixed", "at_most", "one_of"] = "none"
    """fixed: the steps are the per cent; at_most: they are a ceiling for an agreed one; one_of: agreed from a list."""
    percent: tuple[PercentStep, ...] = ()
    percent_with_reduced_work_capacity: tuple[PercentStep, ...] = ()
    percents: tuple[int, ...] = ()
    yearly_ceiling_nok: Mapping[int, int] = {}
    follow_up_every_months: int | None = None


class EveryoneRules(Rules):
    youngest_age: int
    youngest_age_source: str
    oldest_age_on_last_day: int
    oldest_age_source: str
    start_days_in_the_past: int
    start_source: str


class AgreementRules(Rules):
    draft_expires_after_weeks: int
    draft_warnings_days_before: tuple[int, ...]
    draft_source: str
    access_after_close_weeks: int
    access_source: str


class SubsidyStep(NamedTuple):
    """A part of a period with one per cent, both days included."""

    from_on: date
    to_on: date
    percent: int


def _by_measure(value: object) -> object:
    missing = set(Measure) - set(value) if isinstance(value, Mapping) else set()
    if missing:
        raise ValueError(f"no rules for {', '.join(sorted(missing))}")
    return value


class RulePack(Rules):
    """The rules of one version. Methods are pure; those named `check_` raise Refused (422)."""

    version: str
    valid_from: date
    everyone: EveryoneRules
    agreement: AgreementRules
    measures: Annotated[Mapping[Measure, MeasureRules], BeforeValidator(_by_measure)]

    @staticmethod
    def at(day: date) -> RulePack:
        """The pack in force on a day. Raises Refused where there was none."""
        return choose(packs(), day)

    def decision_maker_needed(self, measure: Measure) -> bool:
        """Whether a decision maker has to approve after the counsellor."""
        return self.measures[measure].decision_maker_needed

    def latest_end(self, measure: Measure, *, first_start_on: date, reduced_work_capacity: bool) -> date | None:
        """The last possible last day; None where there is no limit.

        Counted from the first start of the same person, measure and employer: a new agreement does not start it afresh.
        """
        rules = self.measures[measure]
        longest = rules.longest
        if reduced_work_capacity and rules.longest_with_reduced_work_capacity is not None:
            longest = rules.longest_with_reduced_work_capacity
        return None if longest is None else longest.last_day(first_start_on)

    def check_period(
        self, measure: Measure, *, start_on: date, end_on: date, first_start_on: date, reduced_work_capacity: bool
    ) -> None:
        """Days in order, start in the measure's window, not longer than allowed."""
        if end_on < start_on:
            raise Refused("end_before_start", ("/start_on", "/end_on"), status=422)
        if first_start_on > start_on:
            raise ValueError("the first start is after this one")
        window = self.measures[measure].start_window
        if window is not None and not window.holds(start_on):
            raise Refused("start_outside_window", ("/start_on",), status=422, measure=measure.value)
        latest = self.latest_end(measure, first_start_on=first_start_on, reduced_work_capacity=reduced_work_capacity)
        if latest is not None and end_on > latest:
            raise Refused("longer_than_allowed", ("/end_on",), status=422, latest_end=latest)

    def start_in_time(self, start_on: date, *, today: date) -> bool:
        """Whether a start may be registered today without a decision maker who allows late registration."""
        return start_on >= today - timedelta(days=self.everyone.start_days_in_the_past)

    def check_start_in_time(self, start_on: date, *, today: date, late_registration_allowed: bool = False) -> None:
        """The same, refusing."""
        if not late_registration_allowed and not self.start_in_time(start_on, today=today):
            earliest = today - timedelta(days=self.everyone.start_days_in_the_past)
            raise Refused("start_too_far_back", ("/start_on",), status=422, earliest=earliest)

    def old_enough(self, birth_date: date, *, drafted_on: date) -> bool:
        """Whether a person is old enough on the day of drafting; the birthday itself is."""
        return birthday(birth_date, self.everyone.youngest_age) <= drafted_on

    def young_enough(self, measure: Measure, birth_date: date, *, start_on: date, end_on: date) -> bool:
        """Whether a person is not too old for a measure, on its first and on its last day."""
        rules = self.measures[measure]
        oldest = rules.oldest_age_on_last_day or self.everyone.oldest_age_on_last_day
        if birthday(birth_date, oldest + 1) <= end_on:
            return False
        limit = rules.oldest_birthday_from_start
        return limit is None or birthday(birth_date, limit) >= start_on

    def may_overlap(self, one: Measure, other: Measure) -> bool:
        """Whether one person may have both measures on the same day."""
        classes = [self.measures[one].overlap, self.measures[other].overlap]
        return "alone" not in classes and classes != ["placement", "placement"]

    def subsidy_steps(
        self,
        measure: Measure,
        *,
        start_on: date,
        end_on: date,
        first_start_on: date,
        reduced_work_capacity: bool,
        agreed_percent: int | None = None,
    ) -> tuple[SubsidyStep, ...]:
        """The per cent of the wage basis that is refunded, by parts of the period; empty without a wage subsidy.

        Steps count from the first start. `agreed_percent` is needed where the rules leave a choice (permanent wage
        subsidy, summer job); raises Refused where it is missing or not allowed.
        """
        changes = self._changes(measure, first_start_on, reduced_work_capacity, agreed_percent)
        found = []
        for (from_on, percent), (next_on, _) in pairwise([*changes, (date.max, 0)]):
            begins, ends = max(from_on, start_on), min(next_on - _ONE_DAY, end_on)
            if begins <= ends:
                found.append(SubsidyStep(begins, ends, percent))
        return tuple(found)

    def subsidy_percent_on(
        self,
        measure: Measure,
        day: date,
        *,
        first_start_on: date,
        reduced_work_capacity: bool,
        agreed_percent: int | None = None,
    ) -> int | None:
        """The per cent on one day; None without a wage subsidy. Raises Refused as `subsidy_steps`."""
        steps = self.subsidy_steps(
            measure,
            start_on=day,
            end_on=day,
            first_start_on=first_start_on,
            reduced_work_capacity=reduced_work_capacity,
            agreed_percent=agreed_percent,
        )
        return steps[0].percent if steps else None

    def yearly_ceiling_nok(self, measure: Measure, year: int) -> int | None:
        """The most that is paid in a calendar year, in NOK; None without a ceiling. Raises Refused without a rate."""
        ceilings = self.measures[measure].yearly_ceiling_nok
        if not ceilings:
            return None
        if year not in ceilings:
            raise Refused("no_rate_for_year", ("/end_on",), status=422, year=year)
        return ceilings[year]

    def _changes(
        self, measure: Measure, first_start_on: date, reduced_work_capacity: bool, agreed: int | None
    ) -> list[tuple[date, int]]:
        """From which day which per cent, in order."""
        rules = self.measures[measure]
        steps = rules.percent
        if reduced_work_capacity and rules.percent_with_reduced_work_capacity:
            steps = rules.percent_with_reduced_work_capacity
        dated = [(add_months(first_start_on, step.after_months), step.percent) for step in steps]
        match rules.subsidy:
            case "none":
                return []
            case "fixed":
                return dated
            case "at_most":
                if agreed is None or not 0 < agreed <= max(step.percent for step in steps):
                    raise Refused("percent_not_allowed", ("/wage_subsidy_percent",), status=422, measure=measure.value)
                return [(from_on, min(agreed, ceiling)) for from_on, ceiling in dated]
            case "one_of":
                if agreed not in rules.percents or agreed is None:
                    raise Refused("percent_not_allowed", ("/wage_subsidy_percent",), status=422, measure=measure.value)
                return [(first_start_on, agreed)]


def birthday(birth_date: date, age: int) -> date:
    """The day on which a person reaches an age; 28 February where 29 February does not exist."""
    return add_months(birth_date, 12 * age)


def periods_overlap(one: tuple[date, date], other: tuple[date, date]) -> bool:
    """Whether two periods share a day; a period that encloses another one overlaps it. Last days are included."""
    return one[0] <= other[1] and other[0] <= one[1]


def choose(available: Iterable[RulePack], day: date) -> RulePack:
    """The newest pack that holds on a day. Raises Refused where none does."""
    held = [pack for pack in available if pack.valid_from <= day]
    if not held:
        raise Refused("no_rules_for_day", ("/start_on",), status=422, day=day)
    return max(held, key=lambda pack: pack.valid_from)


@cache
def packs() -> tuple[RulePack, ...]:
    """All packs, oldest first."""
    found = [
        RulePack.model_validate(tomllib.loads(path.read_text("utf-8")))
        for path in files("contracts").joinpath("rulepacks").iterdir()
        if path.name.endswith(".toml")
    ]
    return tuple(sorted(found, key=lambda pack: pack.valid_from))
