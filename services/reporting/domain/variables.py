"""The variables that several tables share.

Invariant: a code that is newer than this reader counts as unknown, never nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from contracts.vocabulary import Intermediary, Measure
from services.reporting.domain import regions
from services.reporting.domain.counting import Variable, listed

UNKNOWN = "unknown"
MEASURES = (*(code.value for code in Measure), UNKNOWN)
INTERMEDIARIES = (*(code.value for code in Intermediary), UNKNOWN)

REGION = Variable(regions.dimension(), regions.parents, (regions.COUNTY_ONLY,))
MEASURE = listed("Tiltak", MEASURES, labels="measure")
INTERMEDIARY = listed("Formidler", INTERMEDIARIES, labels="intermediary")


def known(codes: Collection[str]) -> Callable[[str | None], str]:
    """A code that is one of these; else `unknown`."""
    among = frozenset(codes)
    return lambda code: code if code is not None and code in among else UNKNOWN


measure_of = known(MEASURES)
intermediary_of = known(INTERMEDIARIES)
