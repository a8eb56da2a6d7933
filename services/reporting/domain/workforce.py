"""`arbeidsstyrke`: figures that employers reported, with shares and change since a base year.

Invariant: the change is that of the *share*, from unrounded shares; a number that was not reported is unknown, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from contracts.refused import Refused
from services.reporting.domain import definitions as d
from services.reporting.domain.cube import CONTENTS, Content, Cube, Dimension, Missing, Number, Role
from services.reporting.domain.periods import Frequency
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

    def share_change(self, characteristic: str, base: YearFigures | None) -> Decimal | None:
        """Relative change of the share since the base year, one decimal."""
        then = self._compared(base)
        return one_decimal(
            relative_change(self.share_of(characteristic), None if then is None else then.share_of(characteristic))
        )

    def number_change(self, characteristic: str, base: YearFigures | None) -> Decimal | None:
        """Relative change of the number since the base year, one decimal."""
        then = self._compared(base)
        now, before = self.counts[characteristic], None if then is None else then.counts[characteristic]
        return one_decimal(
            relative_change(None if now is None else Fraction(now), None if before is None else Fraction(before))
        )

    def _compared(self, base: YearFigures | None) -> YearFigures | None:
        # The base year has not changed since itself, an earlier one even less: an empty cell says more than 0.0.
        return base if base is not None and base.year < self.year else None


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
    return {
        "org_number": one.org_number,
        "year": one.year,
        "characteristic": name,
        "head_count": one.counts["head_count"],
        "number": one.counts[name],
        "share": one_decimal(one.share_of(name)),
        "base_year": None if base is None else base.year,
        "share_change": one.share_change(name, base),
        "number_change": one.number_change(name, base),
    }


NOTES = (Note("arbeidsstyrke_unknown"), Note("arbeidsstyrke_groups"), Note("arbeidsstyrke_base"))
"""What everybody has to know who reads the cube."""
_PARTS = (
    ("", Kind.COUNT, d.WORKFORCE_SHARE),
    ("_share", Kind.PER_CENT, d.WORKFORCE_SHARE),
    ("_share_change", Kind.CHANGE, d.RELATIVE_CHANGE),
    ("_number_change", Kind.CHANGE, d.RELATIVE_CHANGE),
)
_ABOUT = {
    "immigrant_background": (d.IMMIGRANT_BACKGROUND,),
    "country_group_1": (d.COUNTRY_GROUP,),
    "country_group_2": (d.COUNTRY_GROUP,),
}
CONTENTS_OF_CUBE = (
    Content("head_count", Kind.COUNT, (d.WORKFORCE_SHARE,)),
    *(
        Content(f"{name}{part}", kind, (definition, *_ABOUT.get(name, ())))
        for name in CHARACTERISTICS
        for part, kind, definition in _PARTS
    ),
)


def cube(figures: Iterable[YearFigures], *, updated: datetime | None, complete_to: Mapping[str, int]) -> Cube | None:
    """`arbeidsstyrke`, all employers and years; None where nobody has reported. Changes are since the first report."""
    reported = {(one.org_number, one.year): one for one in figures}
    if not reported:
        return None
    employers = tuple(sorted({number for number, _ in reported}))
    years = tuple(str(year) for year in range(min(y for _, y in reported), max(y for _, y in reported) + 1))
    values: list[Number | None] = []
    for number in employers:
        base = reported[number, min(year for each, year in reported if each == number)]
        of_year = [_cells(reported.get((number, int(year))), base) for year in years]
        values += [cells.get(content.code) for content in CONTENTS_OF_CUBE for cells in of_year]
    codes = tuple(each.code for each in CONTENTS_OF_CUBE)
    return Cube(
        id="arbeidsstyrke",
        dimensions=(
            Dimension(id="Virksomhet", role=Role.CLASSIFICATION, codes=employers),
            Dimension(id=CONTENTS, role=Role.CONTENTS, codes=codes, labels="arbeidsstyrke"),
            Dimension(id="Aar", role=Role.TIME, codes=years, labels=Frequency.YEAR),
        ),
        contents=CONTENTS_OF_CUBE,
        version=1,
        notes=NOTES,
        updated=updated,
        complete_to=complete_to,
        values=values,
        status={place: Missing.NOT_AVAILABLE for place, value in enumerate(values) if value is None},
    )


def _cells(one: YearFigures | None, base: YearFigures) -> dict[str, Number | None]:
    if one is None:
        return {}
    cells: dict[str, Number | None] = {"head_count": one.counts["head_count"]}
    for name in CHARACTERISTICS:
        cells[name] = one.counts[name]
        cells[f"{name}_share"] = one_decimal(one.share_of(name))
        cells[f"{name}_share_change"] = one.share_change(name, base)
        cells[f"{name}_number_change"] = one.number_change(name, base)
    return cells
