"""When facts happened.

Invariant: the Oslo day of an event's time is the day that people gave for the fact.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from contracts.days import OSLO, oslo_day
from contracts.refused import Refused


def happened(on: date, at: datetime, field: str) -> datetime:
    """The time of a fact that somebody reports at `at` for the day `on`. Refused when that day has not come."""
    today = oslo_day(at)
    if on > today:
        raise Refused("date_in_future", [field], status=422)
    # Noon stays on that day in UTC too, and no change of the clocks skips or doubles it.
    return at if on == today else datetime.combine(on, time(12), OSLO).astimezone(UTC)


def oslo_midnight(day: date) -> datetime:
    """The beginning of a day in Oslo, in UTC. Summer time changes at 02:00 or 03:00, so every day has one beginning."""
    return datetime.combine(day, time(0), OSLO).astimezone(UTC)
