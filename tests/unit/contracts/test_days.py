"""Days are Oslo days, and periods end the day before the same day."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.days import add_months, last_day, oslo_day, promise_date


def test_the_promise_is_28_calendar_days_also_over_daylight_saving() -> None:
    assert promise_date(date(2026, 3, 1)) == date(2026, 3, 29)


def test_late_in_the_evening_in_utc_is_the_next_day_in_oslo() -> None:
    registered = oslo_day(datetime(2026, 3, 1, 23, 30, tzinfo=UTC))
    assert registered == date(2026, 3, 2)
    assert promise_date(registered) == date(2026, 3, 30)


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2026, 3, 28, 22, 59, 59, 999000, tzinfo=UTC), date(2026, 3, 28)),
        (datetime(2026, 3, 28, 23, 0, tzinfo=UTC), date(2026, 3, 29)),
        (datetime(2026, 3, 29, 21, 59, 59, 999000, tzinfo=UTC), date(2026, 3, 29)),
        (datetime(2026, 3, 29, 22, 0, tzinfo=UTC), date(2026, 3, 30)),
        (datetime(2026, 10, 25, 21, 59, tzinfo=UTC), date(2026, 10, 25)),
        (datetime(2026, 10, 25, 23, 0, tzinfo=UTC), date(2026, 10, 26)),
    ],
)
def test_midnight_belongs_to_one_day_also_when_clocks_change(instant: datetime, day: date) -> None:
    assert oslo_day(instant) == day


def test_an_instant_without_offset_has_no_day() -> None:
    with pytest.raises(ValueError, match="offset"):
        oslo_day(datetime(2026, 3, 1, 12, 0))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("start_on", "months", "end_on"),
    [
        (date(2026, 1, 1), 18, date(2027, 6, 30)),
        (date(2026, 8, 31), 6, date(2027, 2, 27)),
        (date(2025, 12, 1), 6, date(2026, 5, 31)),
        (date(2025, 12, 1), 12, date(2026, 11, 30)),
        (date(2025, 2, 3), 3, date(2025, 5, 2)),
        (date(2024, 2, 29), 12, date(2025, 2, 27)),
        (date(2023, 8, 31), 6, date(2024, 2, 28)),
    ],
)
def test_months_end_on_the_day_before_the_same_day(start_on: date, months: int, end_on: date) -> None:
    assert last_day(start_on, months) == end_on


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 600))
def test_months_on_is_in_that_month_and_never_past_the_same_day(day: date, months: int) -> None:
    later = add_months(day, months)
    assert (later.year - day.year) * 12 + later.month - day.month == months
    assert later.day <= day.day
