"""What the figures mean: each table names the definitions that it was computed by.

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
LATE_WINDOW = Definition("late_window")
WITHDRAWN = Definition("withdrawn")
FUNNEL = Definition("funnel")
PRESENTED = Definition("presented")
STARTED = Definition("started")
HIRED = Definition("hired")
OUTCOME = Definition("outcome")
BACKGROUND_AT_START = Definition("background_at_start")
IMMIGRANT_BACKGROUND = Definition("immigrant_background")
COUNTRY_GROUP = Definition("country_group")
WORKFORCE_SHARE = Definition("workforce_share")
RELATIVE_CHANGE = Definition("relative_change")

ALL = (
    WAITING_TIME,
    WITHIN_PROMISE,
    MEDIAN_WAIT,
    LATE_WINDOW,
    WITHDRAWN,
    FUNNEL,
    PRESENTED,
    STARTED,
    HIRED,
    OUTCOME,
    BACKGROUND_AT_START,
    IMMIGRANT_BACKGROUND,
    COUNTRY_GROUP,
    WORKFORCE_SHARE,
    RELATIVE_CHANGE,
)
