"""When which period is published: the schedule, and what is due.

Invariant: what a release is made from is set by the schedule, never by who makes it or when; a period is published at
most twice, first as preliminary and then as final, and never again. Tables that count the same units are published at
the same time: a month apart, the cells in which one of them has moved since would be those that differ.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from contracts.days import OSLO, add_months, oslo_day
from services.reporting.domain.periods import Frequency
from services.reporting.domain.publications import WORKFORCE

_PERIOD = re.compile(r"(?P<year>[12][0-9]{3})(?:M(?P<month>0[1-9]|1[0-2])|K(?P<quarter>[1-4]))?")
_MONTHS = {Frequency.MONTH: 1, Frequency.QUARTER: 3, Frequency.YEAR: 12}


class Stage(StrEnum):
    """How often a period has been published when this is published."""

    PRELIMINARY = "preliminary"
    FINAL = "final"


class BadSchedule(Exception):
    """The schedule cannot be kept to. The message says why, and where."""


def days_of(period: str) -> tuple[date, date]:
    """The first and the last Oslo day of `2026`, `2026K1` or `2026M03`. Raises ValueError for anything else."""
    found = _PERIOD.fullmatch(period)
    if found is None:
        raise ValueError(f"{period} is no period")
    year = int(found["year"])
    if found["month"] is not None:
        first, months = date(year, int(found["month"]), 1), 1
    elif found["quarter"] is not None:
        first, months = date(year, 3 * int(found["quarter"]) - 2, 1), 3
    else:
        first, months = date(year, 1, 1), 12
    return first, add_months(first, months) - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Timetable:
    """When the periods of one table are published: months after the period's end, on the schedule's day."""

    table: str
    frequency: Frequency
    since: str
    """The first period that is published."""
    preliminary: int
    final: int


@dataclass(frozen=True)
class Schedule:
    """All timetables, from the data file."""

    version: str
    day: int
    """Of the month on which there are releases, from 1 to 28; made from what was recorded before that day in Oslo."""
    timetables: tuple[Timetable, ...]
    public_bodies: tuple[str, ...] = ()
    """Organisation numbers of those whose own figures are repeated."""

    @classmethod
    def of(
        cls,
        document: Mapping[str, Any],
        frequencies: Mapping[str, Frequency],
        together: Iterable[Collection[str]],
    ) -> Schedule:
        """From the data file; `frequencies` says which tables there are, `together` which count the same units.

        Raises BadSchedule.
        """
        try:
            timetables = tuple(
                Timetable(name, frequencies[name], each["since"], each["preliminary"], each["final"])
                for name, each in document["tables"].items()
            )
            schedule = cls(document["version"], document["day"], timetables, tuple(document["public_bodies"]))
        except KeyError as missing:
            raise BadSchedule(f"{missing} is missing, or is no published table") from missing
        schedule._check()
        for tables in together:
            schedule._check_together([each for each in timetables if each.table in tables])
        return schedule

    def _check(self) -> None:
        if not 1 <= self.day <= 28:
            raise BadSchedule("the day of releases is one that every month has: 1 to 28")
        for each in self.timetables:
            if not 0 < each.preliminary < each.final:
                raise BadSchedule(f"{each.table}: the preliminary release comes after the period, the final one later")
            try:
                first, _ = days_of(each.since)
            except ValueError as wrong:
                raise BadSchedule(f"{each.table}: {wrong}") from wrong
            if each.frequency.code(first) != each.since:
                raise BadSchedule(f"{each.table}: {each.since} is not a period of this table")

    def _check_together(self, timetables: Sequence[Timetable]) -> None:
        for one, other in pairwise(timetables):
            if (one.preliminary, one.final) != (other.preliminary, other.final):
                raise BadSchedule(f"{one.table} and {other.table} count the same: they are published at the same time")

    def cutoff(self, period: str, months: int) -> datetime:
        """The instant up to which a release counts: the beginning, in Oslo, of its day."""
        _, last = days_of(period)
        day = add_months((last + timedelta(days=1)).replace(day=self.day), months - 1)
        return datetime.combine(day, time(), OSLO).astimezone(UTC)


def release_id(cutoff: datetime) -> str:
    """What a release is called: its day in Oslo, `2026-04-15`."""
    return oslo_day(cutoff).isoformat()


@dataclass(frozen=True, slots=True, order=True)
class Due:
    """A period of a table that has to be published."""

    cutoff: datetime
    table: str
    period: str
    stage: Stage

    @property
    def release(self) -> str:
        """In which release."""
        return release_id(self.cutoff)


Published = Mapping[tuple[str, str], Iterable[Stage]]
"""Per table and period the stages that have been published."""


def due(schedule: Schedule, now: datetime, published: Published) -> list[Due]:
    """What is to be published by now, the oldest first. A period whose final release is due has no preliminary one."""
    # Without anybody whose figures it repeats, a table would be due for every year there has been.
    timetables = (each for each in schedule.timetables if each.table != WORKFORCE or schedule.public_bodies)
    return sorted(each for timetable in timetables for each in _due(schedule, timetable, now, published))


def _due(schedule: Schedule, timetable: Timetable, now: datetime, published: Published) -> Iterator[Due]:
    day, _ = days_of(timetable.since)
    while (period := timetable.frequency.code(day)) and schedule.cutoff(period, timetable.preliminary) <= now:
        stages = set(published.get((timetable.table, period), ()))
        final = schedule.cutoff(period, timetable.final)
        if final <= now and Stage.FINAL not in stages:
            yield Due(final, timetable.table, period, Stage.FINAL)
        elif final > now and not stages:
            yield Due(schedule.cutoff(period, timetable.preliminary), timetable.table, period, Stage.PRELIMINARY)
        day = add_months(day, _MONTHS[timetable.frequency])
