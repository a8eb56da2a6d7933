"""The tables in short: one column of the cubes' figures, for the page and `/tables/*`.

Invariant: nothing is counted here: every number is a cell of the cube of the same name, or its months added up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal

from services.reporting.domain import definitions as d
from services.reporting.domain.background import CODES
from services.reporting.domain.counting import Cells, Spec, Spread, Together
from services.reporting.domain.counts import BY_CHARACTERISTIC, BY_FILTER
from services.reporting.domain.diversity import (
    GROUP_VERSION,
    MANGFOLD,
    TOTAL,
    check_characteristic,
    joined,
)
from services.reporting.domain.filters import Filter
from services.reporting.domain.placements import STAGES, TRAKT, VENTETID, WAITING_CODES, WEEKS, week_of
from services.reporting.domain.rounding import percentile
from services.reporting.domain.table import Cell, Column, Figure, Kind, Note, Table, counted_rows
from services.reporting.domain.trials import AFTER_MONTHS, OPPFOLGING, OUTCOMES, UTFALL


class _Cut:
    """The cells of one table at the coordinates that a filter asks for."""

    def __init__(self, spec: Spec, cells: Cells, chosen: Filter) -> None:
        self._spec, self._at, self._cells = spec, chosen.at(BY_FILTER), _in_period(cells, chosen)

    def count(self, content: str) -> int:
        return self._cells.number(content, self._at)

    def counts(self, contents: Iterable[str]) -> dict[str, int]:
        return {content: self.count(content) for content in contents}

    def figure(self, content: str) -> Figure:
        kind = next(each.kind for each in self._spec.contents if each.code == content)
        derive = self._spec.derived.get(content)
        return Figure(content, kind, self.count(content) if derive is None else derive(self._cells, self._at))

    @property
    def days(self) -> Spread:
        """How long the starts took."""
        return self._cells.days(self._at)


def _in_period(cells: Cells, chosen: Filter) -> Together:
    return Together(cells, [month for month in cells.periods if chosen.holds(month)])


def ventetid(cells: Cells, chosen: Filter) -> Table:
    """Slots by time from need to confirmed start, in the period in which the need was registered."""
    cut = _Cut(VENTETID, cells, chosen)
    figures = [each.code for each in VENTETID.contents if each.code not in ("slots", *WAITING_CODES)]
    nine_of_ten = percentile(cut.days, 90)
    after_median = figures.index("median") + 1
    shown = [cut.figure(code) for code in figures]
    shown[after_median:after_median] = [
        Figure("percentile_90", Kind.DAYS, None if nine_of_ten is None else Decimal(nine_of_ten)),
        Figure("started", Kind.COUNT, sum(cut.days.values())),
    ]
    return Table(
        id="ventetid",
        definitions=(*_definitions(VENTETID), d.PERCENTILE_WAIT),
        columns=(Column("waiting", Kind.CATEGORY), Column("slots", Kind.COUNT)),
        rows=counted_rows("waiting", "slots", cut.counts(WAITING_CODES)),
        figures=shown,
        notes=VENTETID.notes,
        filters=chosen.as_text(),
    )


def ventetid_uker(cells: Cells, chosen: Filter) -> Table:
    """The starts of `ventetid` by weeks, all as long as each other but for the last."""
    found: Counter[str] = Counter()
    for days, starts in _Cut(VENTETID, cells, chosen).days.items():
        found[week_of(days)] += starts
    return Table(
        id="ventetid_uker",
        definitions=(d.WAITING_TIME,),
        columns=(Column("week", Kind.CATEGORY), Column("started", Kind.COUNT)),
        rows=counted_rows("week", "started", {week: found[week] for week in WEEKS}),
        notes=VENTETID.notes,
        filters=chosen.as_text(),
    )


def _definitions(spec: Spec) -> tuple[d.Definition, ...]:
    return tuple(dict.fromkeys(definition for each in spec.contents for definition in each.definitions))


def trakt(cells: Cells, chosen: Filter) -> Table:
    """The funnel: each stage in the period of its own day."""
    cut = _Cut(TRAKT, cells, chosen)
    return Table(
        id="trakt",
        definitions=_definitions(TRAKT),
        columns=(Column("stage", Kind.CATEGORY), Column("number", Kind.COUNT)),
        rows=[{"stage": stage, "number": cut.count(stage)} for stage in STAGES],
        notes=TRAKT.notes,
        filters=chosen.as_text(),
    )


def utfall(cells: Cells, chosen: Filter) -> Table:
    """Closed trials by outcome, in the period in which they were closed; the cells are those of `counts.ENDED`."""
    cut = _Cut(UTFALL, cells, chosen)
    # Beside of how many it is known: none of none is another thing than nobody.
    employed = (f"{part}_{months}" for months in AFTER_MONTHS for part in ("employed", "confirmed"))
    figures = ("slots_hired", "running", *employed)
    return Table(
        id="utfall",
        definitions=_definitions(UTFALL),
        columns=(Column("outcome", Kind.CATEGORY), Column("trials", Kind.COUNT)),
        rows=counted_rows("outcome", "trials", cut.counts(OUTCOMES)),
        figures=[cut.figure(code) for code in figures],
        notes=(Note("utfall_period"),),
        filters=chosen.as_text(),
    )


def mangfold(cells: Cells, chosen: Filter, by: str) -> Table:
    """By one characteristic; the cells are those of `counts.DIVERSE`. Raises Refused `unknown_characteristic`."""
    check_characteristic(by)
    place = next(index for index, each in enumerate(BY_CHARACTERISTIC) if each.dimension.id == "Kjennetegn")
    at = chosen.at(BY_CHARACTERISTIC)
    counts = _in_period(cells, chosen)

    def row(shown: str, code: str) -> Mapping[str, Cell]:
        here = (*at[:place], code, *at[place + 1 :])
        return {by: shown, **{content.code: counts.number(content.code, here) for content in MANGFOLD.contents}}

    about = {"immigrant_background": (d.IMMIGRANT_BACKGROUND,), "country_group": (d.COUNTRY_GROUP,)}.get(by, ())
    return Table(
        id="mangfold",
        definitions=(d.STARTED, d.HIRED, d.BACKGROUND_AT_START, *about),
        columns=(Column(by, Kind.CATEGORY), Column("starts", Kind.COUNT), Column("hires", Kind.COUNT)),
        rows=[*(row(code, joined(by, code)) for code in CODES[by]), row("total", TOTAL)],
        notes=(Note("mangfold_period"), *((GROUP_VERSION,) if by == "country_group" else ())),
        filters={**chosen.as_text(), "by": by},
    )


def oppfolging(cells: Cells, chosen: Filter) -> Table:
    """Check-ins and changes of trials, each in the period of its own day."""
    cut = _Cut(OPPFOLGING, cells, chosen)
    return Table(
        id="oppfolging",
        definitions=_definitions(OPPFOLGING),
        columns=(Column("follow_up", Kind.CATEGORY), Column("number", Kind.COUNT)),
        rows=[{"follow_up": each.code, "number": cut.count(each.code)} for each in OPPFOLGING.contents],
        notes=OPPFOLGING.notes,
        filters=chosen.as_text(),
    )
