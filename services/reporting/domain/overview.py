"""The tables in short: one column of the cubes' figures, for the page and `/tables/*`.

Invariant: nothing is counted here: every number is a cell of the cube of the same name, cut by the filter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from services.reporting.domain import definitions as d
from services.reporting.domain.background import CODES, Declared
from services.reporting.domain.counting import Cells, Counted, Spec, aggregated
from services.reporting.domain.diversity import (
    CHARACTERISTICS,
    GROUP_VERSION,
    MANGFOLD,
    TOTAL,
    check_characteristic,
    diversity,
    joined,
)
from services.reporting.domain.facts import Slot
from services.reporting.domain.filters import Filter
from services.reporting.domain.placements import STAGES, TRAKT, VENTETID, WAITING_CODES, WEEKS, funnel, waiting, week_of
from services.reporting.domain.rounding import percentile
from services.reporting.domain.table import Cell, Column, Figure, Kind, Note, Table, counted_rows
from services.reporting.domain.trials import AFTER_MONTHS, OPPFOLGING, OUTCOMES, UTFALL, follow_up, outcomes


class _Cut:
    """The cells of one table at the coordinates that a filter asks for."""

    def __init__(self, spec: Spec, counted: Iterable[Counted], chosen: Filter) -> None:
        self._spec, self._at = spec, chosen.at(spec)
        self._cells: Cells = aggregated(counted, spec.variables)

    def count(self, content: str) -> int:
        return self._cells.number(content, self._at)

    def counts(self, contents: Iterable[str]) -> dict[str, int]:
        return {content: self.count(content) for content in contents}

    def figure(self, content: str) -> Figure:
        kind = next(each.kind for each in self._spec.contents if each.code == content)
        derive = self._spec.derived.get(content)
        return Figure(content, kind, self.count(content) if derive is None else derive(self._cells, self._at))

    @property
    def days(self) -> Sequence[int]:
        """How long each start took."""
        return self._cells.spread.get(self._at, ())


def ventetid(slots: Iterable[Slot], chosen: Filter, today: date) -> Table:
    """Slots by time from need to confirmed start, in the period in which the need was registered."""
    cut = _Cut(VENTETID, waiting(chosen.slots(slots, VENTETID), today, chosen.frequency), chosen)
    figures = [each.code for each in VENTETID.contents if each.code not in ("slots", *WAITING_CODES)]
    nine_of_ten = percentile(cut.days, 90)
    after_median = figures.index("median") + 1
    shown = [cut.figure(code) for code in figures]
    shown[after_median:after_median] = [
        Figure("percentile_90", Kind.DAYS, None if nine_of_ten is None else Decimal(nine_of_ten)),
        Figure("started", Kind.COUNT, len(cut.days)),
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


def ventetid_uker(slots: Iterable[Slot], chosen: Filter, today: date) -> Table:
    """The starts of `ventetid` by weeks, all as long as each other but for the last."""
    cut = _Cut(VENTETID, waiting(chosen.slots(slots, VENTETID), today, chosen.frequency), chosen)
    found = Counter(week_of(days) for days in cut.days)
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


def trakt(slots: Iterable[Slot], chosen: Filter) -> Table:
    """The funnel: each stage in the period of its own day."""
    cut = _Cut(TRAKT, funnel(chosen.slots(slots, TRAKT), chosen.frequency), chosen)
    return Table(
        id="trakt",
        definitions=_definitions(TRAKT),
        columns=(Column("stage", Kind.CATEGORY), Column("number", Kind.COUNT)),
        rows=[{"stage": stage, "number": cut.count(stage)} for stage in STAGES],
        notes=TRAKT.notes,
        filters=chosen.as_text(),
    )


def utfall(slots: Iterable[Slot], chosen: Filter) -> Table:
    """Closed trials by outcome, in the period in which they were closed."""
    cut = _Cut(UTFALL, outcomes(chosen.slots(slots, UTFALL), {}, chosen.frequency), chosen)
    figures = ("slots_hired", "running", *(f"employed_{months}" for months in AFTER_MONTHS))
    return Table(
        id="utfall",
        definitions=_definitions(UTFALL),
        columns=(Column("outcome", Kind.CATEGORY), Column("trials", Kind.COUNT)),
        rows=counted_rows("outcome", "trials", cut.counts(OUTCOMES)),
        figures=[cut.figure(code) for code in figures],
        notes=(Note("utfall_period"),),
        filters=chosen.as_text(),
    )


def mangfold(slots: Iterable[Slot], chosen: Filter, by: str, declared: Mapping[str, Declared]) -> Table:
    """`declared` holds what is known of the person of each trial, by the trial's id."""
    check_characteristic(by)
    return _by(by, chosen, _diverse(slots, chosen, declared))


def each_mangfold(slots: Iterable[Slot], chosen: Filter, declared: Mapping[str, Declared]) -> list[Table]:
    """`mangfold` by each characteristic, counted in one pass."""
    cells = _diverse(slots, chosen, declared)
    return [_by(by, chosen, cells) for by in CHARACTERISTICS]


def _diverse(slots: Iterable[Slot], chosen: Filter, declared: Mapping[str, Declared]) -> Cells:
    return aggregated(diversity(chosen.slots(slots, MANGFOLD), declared, chosen.frequency), MANGFOLD.variables)


def _by(by: str, chosen: Filter, cells: Cells) -> Table:
    region, measure, _, period = chosen.at(MANGFOLD)

    def row(shown: str, code: str) -> Mapping[str, Cell]:
        at = (region, measure, code, period)
        return {by: shown, **{content.code: cells.number(content.code, at) for content in MANGFOLD.contents}}

    about = {"immigrant_background": (d.IMMIGRANT_BACKGROUND,), "country_group": (d.COUNTRY_GROUP,)}.get(by, ())
    return Table(
        id="mangfold",
        definitions=(d.STARTED, d.HIRED, d.BACKGROUND_AT_START, *about),
        columns=(Column(by, Kind.CATEGORY), Column("starts", Kind.COUNT), Column("hires", Kind.COUNT)),
        rows=[*(row(code, joined(by, code)) for code in CODES[by]), row("total", TOTAL)],
        notes=(Note("mangfold_period"), *((GROUP_VERSION,) if by == "country_group" else ())),
        filters={**chosen.as_text(), "by": by},
    )


def oppfolging(slots: Iterable[Slot], chosen: Filter) -> Table:
    """Check-ins and changes of trials, each in the period of its own day."""
    cut = _Cut(OPPFOLGING, follow_up(chosen.slots(slots, OPPFOLGING), chosen.frequency), chosen)
    return Table(
        id="oppfolging",
        definitions=_definitions(OPPFOLGING),
        columns=(Column("follow_up", Kind.CATEGORY), Column("number", Kind.COUNT)),
        rows=[{"follow_up": each.code, "number": cut.count(each.code)} for each in OPPFOLGING.contents],
        notes=OPPFOLGING.notes,
        filters=chosen.as_text(),
    )
