"""`arbeidsstyrke`: figures that employers reported, with shares and change since a base year.

Invariant: the change is that of the *share*, from unrounded shares; a number that was not reported is unknown, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from contracts.refused import Refused
from services.reporting.domain import definitions as d
from services.reporting.domain.rounding import one_decimal, relative_change, share
from services.reporting.domain.table import Cell, Column, Kind, Note, Table

CHARACTERISTICS = {
    "immigrant_background": "head_count",
    "country_group_1": "immigrant_background",
    "country_group_2": "immigrant_background",
    "reduced_functional_ability": "head_count",
    "cv_gap": "head_count",
}
"""What is counted, and of whom its share is taken: the country groups among those with immigrant background."""


@dataclass(frozen=True, slots=True)
class YearFigures:
    """What one employer reported for one year."""

    org_number: str
    year: int
    counts: Mapping[str, int | None]

    @classmethod
    def of(cls, doc: Mapping[str, Any]) -> YearFigures:
        """From the fact document."""
        return cls(doc["org_number"], doc["year"], {name: doc[name] for name in ("head_count", *CHARACTERISTICS)})

    def share_of(self, characteristic: str) -> Fraction | None:
        """Per cent, unrounded."""
        return share(self.counts[characteristic], self.counts[CHARACTERISTICS[characteristic]])


def arbeidsstyrke(figures: Iterable[YearFigures], org_number: str | None = None, base_year: int | None = None) -> Table:
    """A row per employer, year and characteristic. The base year is the first one reported unless one is named."""
    chosen = sorted(
        (one for one in figures if org_number in (None, one.org_number)), key=lambda one: (one.org_number, one.year)
    )
    bases: dict[str, YearFigures] = {}
    for one in chosen:
        if base_year in (None, one.year):
            bases.setdefault(one.org_number, one)
    if base_year is not None and chosen and not bases:
        raise Refused("base_year_not_reported", ["/base_year"], status=422, base_year=base_year)
    filters = {"org_number": org_number, "base_year": None if base_year is None else str(base_year)}
    return Table(
        id="arbeidsstyrke",
        definitions=(d.WORKFORCE_SHARE, d.RELATIVE_CHANGE, d.IMMIGRANT_BACKGROUND, d.COUNTRY_GROUP),
        columns=(
            Column("org_number", Kind.TEXT),
            Column("year", Kind.YEAR),
            Column("characteristic", Kind.CATEGORY),
            Column("head_count", Kind.COUNT),
            Column("number", Kind.COUNT),
            Column("share", Kind.PER_CENT),
            Column("base_year", Kind.YEAR),
            Column("share_change", Kind.CHANGE),
            Column("number_change", Kind.CHANGE),
        ),
        rows=[_row(one, name, bases.get(one.org_number)) for one in chosen for name in CHARACTERISTICS],
        notes=(Note("arbeidsstyrke_unknown"), Note("arbeidsstyrke_groups")),
        filters={name: value for name, value in filters.items() if value is not None},
    )


def _row(one: YearFigures, name: str, base: YearFigures | None) -> dict[str, Cell]:
    number = one.counts[name]
    # The base year has not changed since itself, an earlier one even less: an empty cell says more than 0.0.
    compared = base if base is not None and base.year < one.year else None
    base_number = None if compared is None else compared.counts[name]
    return {
        "org_number": one.org_number,
        "year": one.year,
        "characteristic": name,
        "head_count": one.counts["head_count"],
        "number": number,
        "share": one_decimal(one.share_of(name)),
        "base_year": None if base is None else base.year,
        "share_change": one_decimal(
            relative_change(one.share_of(name), None if compared is None else compared.share_of(name))
        ),
        "number_change": one_decimal(
            relative_change(
                None if number is None else Fraction(number), None if base_number is None else Fraction(base_number)
            )
        ),
    }
