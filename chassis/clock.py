"""The two clocks. The only place that reads the wall clock.

Invariant: the business clock, once set, never goes back; nothing finer than a millisecond is ever kept or compared.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from chassis.errors import ClockWentBack
from contracts.days import oslo_day


def milliseconds(instant: datetime) -> datetime:
    """The same instant in UTC, cut to whole milliseconds: MongoDB keeps no more."""
    instant = instant.astimezone(UTC)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def machine_now() -> datetime:
    """Machine clock, UTC, milliseconds: for leases, tokens, metrics and lag; never for the domain."""
    return milliseconds(datetime.now(UTC))


class Clock:
    """The business clock of a process: `recorded`, deadlines, days and rules.

    It follows the machine clock unless it has been set (in development only); then it stands still at that instant
    until it is set again.
    """

    def __init__(self, at: datetime | None = None) -> None:
        self._at = None if at is None else milliseconds(at)
        self._last_set = self._at

    def now(self) -> datetime:
        """Now, for the domain: UTC, whole milliseconds."""
        return self._at if self._at is not None else machine_now()

    def today(self) -> date:
        """Today in Oslo, for the domain."""
        return oslo_day(self.now())

    @property
    def is_set(self) -> bool:
        """Whether it stands still at an instant that somebody set."""
        return self._at is not None

    def set(self, at: datetime) -> None:
        """Stand still at `at`. Raises ClockWentBack if it was set to a later instant before."""
        at = milliseconds(at)
        if self._last_set is not None and at < self._last_set:
            raise ClockWentBack(f"{at.isoformat()} is before {self._last_set.isoformat()}")
        self._at = self._last_set = at

    def follow_machine(self) -> None:
        """Follow the machine clock from now on."""
        self._at = None
