"""What the figures mean: each content of a table names the definitions that it was computed by.

Invariant: a definition that changes what a figure says gets a new version; its sentences stand in both catalogues under
`definition.<name>.v<version>`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Definition:
    """A name, a version, and (in the catalogues) a sentence in Norwegian and English."""

    name: str
    version: int = 1

    @property
    def text_key(self) -> str:
        """Where its sentence stands."""
        return f"definition.{self.name}.v{self.version}"


WAITING_TIME = Definition("waiting_time")
WITHIN_PROMISE = Definition("within_promise")
MEDIAN_WAIT = Definition("median_wait")
PERCENTILE_WAIT = Definition("percentile_wait")
LATE_WINDOW = Definition("late_window")
EMPLOYER_DELAY = Definition("employer_delay")
WITHDRAWN = Definition("withdrawn")
FUNNEL = Definition("funnel", 2)
PRESENTED = Definition("presented")
STARTED = Definition("started")
HIRED = Definition("hired")
OUTCOME = Definition("outcome")
STILL_EMPLOYED = Definition("still_employed")
BACKGROUND_AT_START = Definition("background_at_start")
IMMIGRANT_BACKGROUND = Definition("immigrant_background")
COUNTRY_GROUP = Definition("country_group")
AGE_AT_START = Definition("age_at_start")
WORKFORCE_SHARE = Definition("workforce_share")
RELATIVE_CHANGE = Definition("relative_change")
CHECK_IN = Definition("check_in")
OVERDUE = Definition("overdue")
CHANGED_PERIOD = Definition("changed_period")

ALL = tuple(value for value in tuple(globals().values()) if isinstance(value, Definition))
