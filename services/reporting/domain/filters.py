"""Which slots a table is about.

Invariant: a filter chooses whole slots by what they are, and the period by the day of the fact that is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from contracts.refused import Refused
from contracts.vocabulary import Intermediary, Measure
from services.reporting.domain.facts import Slot
from services.reporting.domain.periods import Period

_REGION = re.compile(r"[0-9]{2}(?:[0-9]{2})?")


@dataclass(frozen=True, slots=True)
class Filter:
    """None: all. A region of two digits is a county, of four a municipality."""

    region: str | None = None
    period: Period | None = None
    measure: str | None = None
    intermediary: str | None = None

    def __post_init__(self) -> None:
        if self.region is not None and not _REGION.fullmatch(self.region):
            raise Refused("bad_region", ["/region"], status=422)
        if self.measure is not None and self.measure not in set(Measure):
            raise Refused("unknown_measure", ["/measure"], status=422)
        if self.intermediary is not None and self.intermediary not in set(Intermediary):
            raise Refused("unknown_intermediary", ["/intermediary"], status=422)

    def slots(self, slots: Iterable[Slot]) -> list[Slot]:
        """Those that the filter is about, whatever the period."""
        return [
            slot
            for slot in slots
            if (self.region is None or slot.municipality.startswith(self.region))
            and self.measure in (None, slot.measure)
            and self.intermediary in (None, slot.intermediary)
        ]

    def covers(self, day: date | None) -> bool:
        """Whether a fact of that day lies in the period; a fact that is not there lies in none."""
        return day is not None and (self.period is None or day in self.period)

    def as_text(self) -> dict[str, str]:
        """What was asked for, as it is shown with the table."""
        chosen = {
            "region": self.region,
            "period": None if self.period is None else str(self.period),
            "measure": self.measure,
            "intermediary": self.intermediary,
        }
        return {name: value for name, value in chosen.items() if value is not None}
