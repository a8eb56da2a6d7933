"""Days, as the domain counts them.

Invariant: a day is an Oslo day. Periods count calendar dates, never truncated differences of instants.
"""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

OSLO = ZoneInfo("Europe/Oslo")
PROMISE_DAYS = 28
"""At most so many calendar days from the registered need to the confirmed start (the promise of Dugnad)."""


def oslo_day(instant: datetime) -> date:
    """The calendar day in Oslo at an instant. Raises ValueError for an instant without offset."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs an offset")
    return instant.astimezone(OSLO).date()


def promise_date(registered_on: date) -> date:
    """The last day on which a start keeps the promise."""
    return registered_on + timedelta(days=PROMISE_DAYS)


def add_months(day: date, months: int) -> date:
    """The same day `months` on; the month's last day where that day does not exist."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def last_day(start_on: date, months: int) -> date:
    """The last day of a period of `months` from `start_on`: the day before the same day `months` on.

    2026-01-01 and 18 months end on 2027-06-30; 2026-08-31 and 6 months end on 2027-02-27 (stepping down on 02-28).
    """
    return add_months(start_on, months) - timedelta(days=1)
