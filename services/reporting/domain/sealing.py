"""What a release holds: parts made of facts, new or as they were.

Invariant: only positions, definitions, schedule and secrets decide what is in a release; a final part is new only if
enough records have changed since the preliminary one was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from services.reporting.domain import workforce
from services.reporting.domain.cube import Content, Cube, Dimension, Missing, Role
from services.reporting.domain.disclosure.cells import Place
from services.reporting.domain.disclosure.gate import changed, opens
from services.reporting.domain.disclosure.keys import Secrets
from services.reporting.domain.disclosure.publishing import Publication, sealed
from services.reporting.domain.disclosure.workforce import hidden
from services.reporting.domain.parts import Part, Shape, shape_of
from services.reporting.domain.publications import (
    PUBLICATIONS,
    WORKFORCE,
    WORKFORCE_CONTENTS,
    Facts,
    units,
)
from services.reporting.domain.regions import COUNTY_ONLY
from services.reporting.domain.releases import Due
from services.reporting.domain.table import Note

NOISE = (Note("release_noise"), Note("release_sums"), Note("release_stages"))
"""What everybody has to know who reads a published figure."""
SUPPRESSED = (*workforce.NOTES, Note("release_suppressed"), Note("release_stages"))
BASIS = {
    "ventetid": (Note("ventetid_period"),),
    "trakt": (Note("trakt_period_published"),),
    "utfall": (Note("utfall_period"), Note("utfall_person"), Note("release_rows")),
    "mangfold": (Note("mangfold_period"), Note("release_rows")),
    "oppfolging": (Note("oppfolging_period"),),
}
"""By the live table: which period a figure belongs to, and of when what is declared is. (With noise months do not add
up, and what is crossed is the fixed cube: what the live table says of that is not repeated.)"""


class Outcome(StrEnum):
    """What a part of a release is."""

    NEW = "new"
    UNCHANGED = "unchanged"
    """The final figures are the preliminary ones."""


@dataclass(frozen=True)
class Made:
    """A part, and what it was made of until that is destroyed."""

    part: Part
    keyed: Mapping[Place, tuple[str, int, int]]


def made(due: Due, facts: Facts, secrets: Secrets, public_bodies: tuple[str, ...]) -> Made | None:
    """The part that is due; None for a table in which there is nothing to publish yet."""
    if due.table == WORKFORCE:
        part = _workforce(due, facts, public_bodies)
        return None if part is None else Made(part, {})
    publication = PUBLICATIONS[due.table]
    cells = sealed(publication, units(publication, facts), due.period, due.stage, secrets)
    part = Part(
        table=due.table,
        version=publication.version,
        period=due.period,
        stage=due.stage,
        dimensions={each.id: each.codes for each in publication.dimensions(due.period) if each.role is not Role.TIME},
        definitions={each.code: each.definitions for each in publication.contents},
        values=cells.values,
        status=cells.status,
        codelists=publication.codelists,
    )
    return Made(part, cells.keyed)


def differs(due: Due, before: Facts, after: Facts, public_bodies: tuple[str, ...]) -> bool:
    """Whether the final figures of a period may differ from those that were made of `before`.

    What public bodies publish about themselves is restated whenever they restate it.
    """
    if due.table == WORKFORCE:
        then, now = (_workforce(due, facts, public_bodies) for facts in (before, after))
        return then != now
    publication = PUBLICATIONS[due.table]
    then_counted, now_counted = (
        publication.counted(units(publication, facts), due.period) for facts in (before, after)
    )
    return opens(changed(then_counted, now_counted))


def _workforce(due: Due, facts: Facts, public_bodies: tuple[str, ...]) -> Part | None:
    reported = [one for one in facts.workforce if one.org_number in public_bodies]
    whole = workforce.cube(reported, updated=None, complete_to={})
    shown = workforce.cube(
        [
            replace(one, counts={name: None if name in hidden(one.counts) else n for name, n in one.counts.items()})
            for one in reported
        ],
        updated=None,
        complete_to={},
    )
    if whole is None or shown is None or due.period not in whole.time.codes:
        return None
    return _of_year(due, whole.select({"Aar": [due.period]}), shown.select({"Aar": [due.period]}))


def _of_year(due: Due, whole: Cube, shown: Cube) -> Part:
    # What would be there but for a hidden count is confidential, a change since a hidden base year too.
    status = {
        place: Missing.NOT_AVAILABLE if whole.values[place] is None else Missing.CONFIDENTIAL for place in shown.status
    }
    return Part(
        table=WORKFORCE,
        version=shown.version,
        period=due.period,
        stage=due.stage,
        dimensions={each.id: each.codes for each in shown.dimensions if each.role is not Role.TIME},
        definitions={each.code: each.definitions for each in shown.contents},
        values=shown.values,
        status=status,
    )


def shape(table: str, employers: tuple[str, ...] = ()) -> Shape:
    """How a published table is laid out today. Raises KeyError for one that is not published."""
    if table == WORKFORCE:
        codes = tuple(each.code for each in WORKFORCE_CONTENTS)
        dimensions: tuple[Dimension, ...] = (
            Dimension(id="Virksomhet", role=Role.CLASSIFICATION, codes=employers),
            Dimension(id="ContentsCode", role=Role.CONTENTS, codes=codes, labels=WORKFORCE),
            Dimension(id="Aar", role=Role.TIME, codes=(), labels="A"),
        )
        contents: tuple[Content, ...] = WORKFORCE_CONTENTS
        return shape_of(dimensions, contents, table=table, version=1, notes=SUPPRESSED)
    publication: Publication = PUBLICATIONS[table]
    return shape_of(
        publication.dimensions("2000M01"),
        publication.contents,
        table=table,
        version=publication.version,
        notes=(*BASIS[publication.of], *((COUNTY_ONLY,) if publication.by_municipality else ()), *NOISE),
        dated=tuple(publication.codelists),
    )
