"""What a release publishes of simulated cases, all tables of a period together: what the attacker has.

Invariant: the same seed gives the same cases and the same figures. The true units of each cell are counted here
again, by sets of ids, and not by keys.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import product

from services.reporting.domain.counting import Coordinates
from services.reporting.domain.disclosure.publishing import Sealed, sealed
from services.reporting.domain.publications import PUBLICATIONS, Facts, units
from tests.unit.reporting.disclosure.population import secrets
from tests.unit.reporting.simulation import simulate
from tests.unit.reporting.test_reporting_recomputed import declared_at_start, slots_of

SEEDS = (1, 2, 3)
CASES = 2_000
PERIOD = "2024M05"
At = tuple[str, str, Coordinates]
"""A table, a content, and a code per variable."""


@dataclass(frozen=True)
class Cell:
    """One published count and who is behind it."""

    shown: int | None
    """None where it is not shown."""
    unit: str
    ids: frozenset[str]

    @property
    def true(self) -> int:
        return len(self.ids)


class Cells(dict[At, Cell]):
    """Published counts. What is not in it is published as none, and there is none."""

    def __missing__(self, at: At) -> Cell:
        return Cell(0, "", frozenset())


@cache
def facts(seed: int) -> Facts:
    """Of that many cases, as they are known when everything is over."""
    records = simulate(seed, CASES).records()
    slots = slots_of(records)
    return Facts(slots=slots, declared=declared_at_start(records, slots), workforce=[], on=date(2026, 6, 15))


def released(of: Facts, table: str, period: str, stage: str, seed: int) -> Cells:
    """Every count of one part."""
    publication = PUBLICATIONS[table]
    counted = list(units(publication, of))
    part: Sealed = sealed(publication, counted, period, stage, secrets(seed))
    ids: dict[tuple[str, Coordinates], set[str]] = defaultdict(set)
    unit_of: dict[str, str] = {}
    for each in publication.counted(counted, period):
        unit_of[each.content] = each.unit
        for at in product(*(axis.above(code) for axis, code in zip(publication.axes, each.at, strict=True))):
            ids[each.content, at].add(each.id)
    places = product(
        product(*(axis.dimension.codes for axis in publication.axes)), (each.code for each in publication.contents)
    )
    return Cells(
        (
            (table, content, at),
            Cell(
                None if value is None else int(value), unit_of.get(content, ""), frozenset(ids.get((content, at), ()))
            ),
        )
        for (at, content), value in zip(places, part.values, strict=True)
        if content not in publication.figures and (value != 0 or (content, at) in ids)
    )


@cache
def _part(seed: int, table: str, stage: str) -> Cells:
    return released(facts(seed), table, PERIOD, stage, seed)


def everything(seed: int, stage: str = "final", tables: Iterable[str] = PUBLICATIONS) -> Cells:
    """Every count of all tables of one period."""
    return Cells((at, cell) for table in tables for at, cell in _part(seed, table, stage).items())
