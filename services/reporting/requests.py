"""What readers of reporting ask for.

Invariant: a filter that nothing can match is refused, never answered with an empty table, and so is one that is not
known.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request

from chassis.validation import pointer
from contracts.orgnumbers import is_valid
from contracts.refused import Refused
from services.reporting.domain import regions
from services.reporting.domain.diversity import CHARACTERISTICS
from services.reporting.domain.filters import Filter
from services.reporting.domain.periods import Period, Span
from services.reporting.reading import Asked

_PARAMETERS = frozenset(
    ("region", "period", "measure", "intermediary", "by", "org_number", "base_year", "min_position")
)
LONGEST = 60
"""Of what somebody has written, so much is shown again."""
_MOST_NAMED = 20

Region = Annotated[str | None, Query(description="A county (two digits) or a municipality (four).", max_length=4)]
PeriodText = Annotated[
    str | None, Query(description="A year, a quarter or a month: `2025`, `2025K1` or `2025M03`.", max_length=7)
]
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


def checked_org_number(text: str | None) -> str | None:
    """Without spaces. Raises Refused."""
    number = None if text is None else "".join(text.split())
    if number is not None and not is_valid(number, synthetic_allowed=True):
        raise Refused("org_number_invalid", ["/org_number"], status=422)
    return number


def typed(values: Mapping[str, str]) -> tuple[Asked, dict[str, str]]:
    """What somebody typed into the page's form, and the codes of what is wrong, by field.

    All that is wrong is told at once; what is right is asked for none the less.
    """
    wrong: dict[str, str] = {}

    def right(name: str, read: Callable[[str], Any]) -> Any:
        try:
            return read(values[name]) if values[name] else None
        except Refused as refused:
            wrong.update(dict.fromkeys((field.lstrip("/") for field in refused.fields), refused.code))
            return None

    # In the order of the fields, which is that of the list of what is wrong.
    region = right("region", _region)
    span = {name: right(name, partial(Period.parse, field=f"/{name}")) for name in ("from", "to")}
    chosen = Filter(
        region=region,
        period=right("to", lambda _: Span(span["from"], span["to"])) if span["to"] else _since(span["from"]),
        measure=right("measure", lambda code: Filter(measure=code).measure),
        intermediary=right("intermediary", lambda code: Filter(intermediary=code).intermediary),
    )
    return Asked(chosen, org_number=right("org_number", checked_org_number)), wrong


def _since(first: Period | None) -> Span | None:
    return None if first is None else Span(first, None)


def _region(text: str) -> str | None:
    codes = regions.codes_of(text)
    if len(codes) > 1:
        raise Refused("ambiguous_region", ["/region"], status=422)
    return Filter(region=next(iter(codes), text)).region


def unknown_parameters(given: Iterable[str], known: Collection[str]) -> list[str]:
    """The names that nothing here knows, each once, as they may be shown: without an end they would fill an answer."""
    return list(dict.fromkeys(name[:LONGEST] for name in given if name not in known))[:_MOST_NAMED]


async def asked(
    request: Request,
    region: Region = None,
    period: PeriodText = None,
    measure: MeasureCode = None,
    intermediary: IntermediaryCode = None,
    by: By = "immigrant_background",
    org_number: OrgNumber = None,
    base_year: BaseYear = None,
) -> Asked:
    """The dependency of the routes. Raises Refused, also for what is not known: a misspelt filter would give the whole
    country without a word."""
    if unknown := unknown_parameters(request.query_params, _PARAMETERS):
        raise Refused("unknown_parameter", [pointer([name]) for name in unknown], status=422)
    number = checked_org_number(org_number)
    return Asked(chosen_filter(region, period, measure, intermediary), by, number, base_year)
