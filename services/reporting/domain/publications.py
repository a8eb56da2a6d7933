"""Which tables are published, and as which fixed cubes.

Invariant: what is not named here is never published. A content that tells of a state on the day of the release (trials
that run, check-ins that are overdue) is not among them: it would count the same people in every release.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from services.reporting.domain import regions
from services.reporting.domain.background import Declared
from services.reporting.domain.counting import Counted, Spec
from services.reporting.domain.cube import Content, Dimension, Role
from services.reporting.domain.disclosure.derived import DayClass, Figure, Median, Share
from services.reporting.domain.disclosure.publishing import Axis, Publication
from services.reporting.domain.diversity import COUNTRY_GROUP_DAY, MANGFOLD, diversity
from services.reporting.domain.facts import Slot
from services.reporting.domain.periods import Frequency
from services.reporting.domain.placements import TRAKT, VENTETID, WAITING_CLASSES, funnel, waiting
from services.reporting.domain.table import Kind
from services.reporting.domain.trials import AFTER_MONTHS, OPPFOLGING, UTFALL, follow_up, outcomes
from services.reporting.domain.workforce import CONTENTS_OF_CUBE, YearFigures

WORKFORCE = "arbeidsstyrke"
"""Published as reported, by public bodies only (`disclosure/workforce.py`)."""
_STATES = {"running", "overdue"}
_OWN_UNITS = {"slots_hired"}
"""Counted as slots elsewhere: with another unit the same people would get another noise."""
_DECLARED = {"Bakgrunn", "Kjonn", "Alder", "Kjennetegn"}
"""What people declared about themselves: told of rows with enough of them only."""


@dataclass(frozen=True)
class Facts:
    """What had been recorded by the positions of a release."""

    slots: Sequence[Slot]
    declared: Mapping[str, Declared]
    """By the trial's id."""
    workforce: Sequence[YearFigures]
    on: date
    """The Oslo day of the release."""
    destroyed: int = 0
    """Of how many persons in it the key is destroyed: what they had declared is unknown."""


_COUNTIES = regions.dimension_of(regions.counties())
_MUNICIPALITIES = regions.dimension_of(sorted(c for c in regions.dimension().codes if len(c) == 4))


def _published(
    spec: Spec,
    names: Sequence[str],
    figures: Mapping[str, Figure] | None = None,
    *,
    table: str | None = None,
    region: Dimension = _COUNTIES,
    codelists: Mapping[str, date] | None = None,
) -> Publication:
    axes = []
    for name in names:
        place = next(index for index, each in enumerate(spec.variables) if each.dimension.id == name)
        variable = spec.variables[place]
        dimension = region if variable.dimension.role is Role.REGION else variable.dimension
        axes.append(Axis(dimension, place, variable.parents, declared=name in _DECLARED))
    figures = figures or {}
    kept = (
        each
        for each in spec.contents
        if each.code in figures or (each.kind is Kind.COUNT and each.code not in _STATES | _OWN_UNITS)
    )
    return Publication(
        id=spec.id if table is None else table,
        of=spec.id,
        version=spec.version,
        axes=tuple(axes),
        contents=tuple(replace(each, whole=True) if each.code in figures else each for each in kept),
        frequency=Frequency.MONTH,
        figures=figures,
        codelists=codelists or {},
    )


def _day_classes() -> Iterator[DayClass]:
    first = 0
    for code, last in WAITING_CLASSES:
        yield DayClass(code, first, last)
        first = last + 1
    yield DayClass(f"{first}_", first, None)


_WAITING: Mapping[str, Figure] = {
    "within_promise_share": Share("within_promise", "due"),
    "median": Median(tuple(_day_classes())),
}
_EMPLOYED: Mapping[str, Figure] = {
    f"employed_share_{months}": Share(f"employed_{months}", f"confirmed_{months}") for months in AFTER_MONTHS
}

PUBLICATIONS: Mapping[str, Publication] = {
    each.id: each
    for each in (
        _published(VENTETID, ("Region", "Tiltak", "Formidler"), _WAITING),
        _published(VENTETID, ("Region", "Tiltak"), _WAITING, table="ventetid_kommune", region=_MUNICIPALITIES),
        _published(TRAKT, ("Region", "Tiltak", "Formidler")),
        _published(TRAKT, ("Region", "Tiltak"), table="trakt_kommune", region=_MUNICIPALITIES),
        _published(UTFALL, ("Tiltak", "Bakgrunn", "Kjonn"), _EMPLOYED),
        _published(UTFALL, ("Tiltak", "Bakgrunn", "Alder"), _EMPLOYED, table="utfall_alder"),
        _published(MANGFOLD, ("Region", "Tiltak", "Kjennetegn"), codelists={"country_group": COUNTRY_GROUP_DAY}),
        _published(OPPFOLGING, ("Region", "Tiltak", "Formidler")),
    )
}
"""By the table's id in the published part of the interface."""

FREQUENCIES: Mapping[str, Frequency] = {
    **{each.id: each.frequency for each in PUBLICATIONS.values()},
    WORKFORCE: Frequency.YEAR,
}
"""Of all published tables."""
TOGETHER: tuple[frozenset[str], ...] = (
    frozenset(each.id for each in PUBLICATIONS.values() if each.of in (VENTETID.id, TRAKT.id, MANGFOLD.id)),
    frozenset(each.id for each in PUBLICATIONS.values() if each.of == UTFALL.id),
)
"""The tables that count the same units, slots or trials, and so are published at the same time."""
WORKFORCE_CONTENTS: tuple[Content, ...] = CONTENTS_OF_CUBE


def units(publication: Publication, facts: Facts) -> Iterable[Counted]:
    """Everything that the table counts, of all periods."""
    match publication.of:
        case VENTETID.id:
            return waiting(facts.slots, facts.on, publication.frequency)
        case TRAKT.id:
            return funnel(facts.slots, publication.frequency)
        case UTFALL.id:
            return outcomes(facts.slots, facts.declared, publication.frequency)
        case MANGFOLD.id:
            return diversity(facts.slots, facts.declared, publication.frequency)
        case OPPFOLGING.id:
            return follow_up(facts.slots, publication.frequency)
        case _:
            raise ValueError(f"nothing is counted for {publication.of}")
