"""What readers of reporting ask for.

Invariant: a filter that nothing can match is refused, never answered with an empty table.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from contracts.orgnumbers import is_valid
from contracts.refused import Refused
from services.reporting.domain.diversity import CHARACTERISTICS
from services.reporting.domain.filters import Filter
from services.reporting.domain.periods import Period
from services.reporting.reading import Asked

Region = Annotated[str | None, Query(description="A county (two digits) or a municipality (four).", max_length=4)]
PeriodText = Annotated[str | None, Query(description="A year or a month: `2025` or `2025M03`.", max_length=7)]
MeasureCode = Annotated[str | None, Query(description="Only places with this measure.", max_length=40)]
IntermediaryCode = Annotated[str | None, Query(description="Only places of this intermediary.", max_length=40)]
By = Annotated[str, Query(description=f"`mangfold` only: one of {', '.join(CHARACTERISTICS)}.", max_length=40)]
OrgNumber = Annotated[str | None, Query(description="`arbeidsstyrke` only: one employer.", max_length=20)]
BaseYear = Annotated[
    int | None, Query(description="`arbeidsstyrke` only; left out: the first year reported.", ge=1900, le=2199)
]


def chosen_filter(
    region: str | None = None,
    period: str | None = None,
    measure: str | None = None,
    intermediary: str | None = None,
) -> Filter:
    """Blank fields of a form ask for nothing. Raises Refused."""
    return Filter(
        region=region or None,
        period=Period.parse(period) if period else None,
        measure=measure or None,
        intermediary=intermediary or None,
    )


async def asked(
    region: Region = None,
    period: PeriodText = None,
    measure: MeasureCode = None,
    intermediary: IntermediaryCode = None,
    by: By = "immigrant_background",
    org_number: OrgNumber = None,
    base_year: BaseYear = None,
) -> Asked:
    """The dependency of the routes. Raises Refused."""
    number = None if org_number is None else "".join(org_number.split())
    if number is not None and not is_valid(number, synthetic_allowed=True):
        raise Refused("org_number_invalid", ["/org_number"], status=422)
    return Asked(chosen_filter(region, period, measure, intermediary), by, number, base_year)
