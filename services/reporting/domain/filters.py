"""Which part of the tables somebody asks for.

Invariant: a filter chooses cells, and the period is that of the fact that is counted. A filter that nothing can match
is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.refused import Refused
from contracts.vocabulary import Intermediary, Measure
from services.reporting.domain import regions
from services.reporting.domain.counting import Coordinates, Variable
from services.reporting.domain.periods import Period, Span

_REGION = re.compile(r"[0-9]{2}(?:[0-9]{2})?")


@dataclass(frozen=True, slots=True)
class Filter:
    """None: all. A region of two digits is a county of today, of four a municipality of any year."""

    region: str | None = None
    period: Period | Span | None = None
    measure: str | None = None
    intermediary: str | None = None

    def __post_init__(self) -> None:
        if self.region is not None and (not _REGION.fullmatch(self.region) or self._place == regions.UNKNOWN):
            raise Refused("bad_region", ["/region"], status=422)
        if self.measure is not None and self.measure not in set(Measure):
            raise Refused("unknown_measure", ["/measure"], status=422)
        if self.intermediary is not None and self.intermediary not in set(Intermediary):
            raise Refused("unknown_intermediary", ["/intermediary"], status=422)

    @property
    def _place(self) -> str:
        if self.region is None:
            return regions.COUNTRY
        if len(self.region) == 2:
            return self.region if self.region in regions.counties() else regions.UNKNOWN
        return regions.finest(self.region)

    def at(self, variables: Sequence[Variable]) -> Coordinates:
        """The coordinates of what is asked for, without the period: totals but for what is named."""
        asked = {"Region": self._place, "Tiltak": self.measure, "Formidler": self.intermediary}
        return tuple(asked.get(each.dimension.id) or str(each.dimension.total) for each in variables)

    def holds(self, month: str) -> bool:
        """Whether a month (`2025M03`) is asked for."""
        return self.period is None or self.period.holds(month)

    def as_text(self) -> dict[str, str]:
        """What was asked for, as it is shown with the table."""
        chosen = {
            "region": self.region,
            "period": None if self.period is None else str(self.period),
            "measure": self.measure,
            "intermediary": self.intermediary,
        }
        return {name: value for name, value in chosen.items() if value is not None}
