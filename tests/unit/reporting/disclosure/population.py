"""A synthetic population, and the cube that is published of it: what the attacks are tried on.

Invariant: the same seed gives the same people. Nobody here exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from services.reporting.domain.counting import Coordinates, Counted
from services.reporting.domain.cube import Content, Dimension, Role
from services.reporting.domain.definitions import STARTED
from services.reporting.domain.disclosure.keys import Secrets
from services.reporting.domain.disclosure.publishing import Axis, Publication, sealed
from services.reporting.domain.periods import Frequency
from services.reporting.domain.table import Kind

SEEDS = (1, 2, 3)
PEOPLE = 900
PERIOD = "2026M03"
TOTAL = "total"
COUNTIES = ("03", "11", "15", "18", "31", "32", "33", "34", "39", "40", "42", "46", "50", "55", "56")
CODES: dict[str, tuple[str, ...]] = {
    "Region": COUNTIES,
    "Tiltak": ("work_training", "temporary_wage_subsidy", "summer_job", "mentor_grant"),
    "Bakgrunn": ("immigrant", "norwegian_born_to_immigrant_parents", "other"),
}
SHARES: dict[str, tuple[float, ...]] = {
    "Region": (0.22, 0.13, 0.1, 0.09, 0.08, 0.07, 0.06, 0.05, 0.05, 0.04, 0.03, 0.03, 0.02, 0.02, 0.01),
    "Tiltak": (0.45, 0.28, 0.17, 0.1),
    "Bakgrunn": (0.3, 0.12, 0.58),
}
NAMES = tuple(CODES)
BACKGROUND = NAMES.index("Bakgrunn")
FINEST: list[Coordinates] = list(product(*CODES.values()))
PLACES: list[Coordinates] = list(product(*((TOTAL, *codes) for codes in CODES.values())))
"""All cells of the cube, totals among them."""
ADDED = np.array(
    [[all(one in (TOTAL, code) for one, code in zip(at, fine, strict=True)) for fine in FINEST] for at in PLACES],
    dtype=float,
)
"""How each cell is the sum of finest ones."""
IS_FINEST = np.array([TOTAL not in at for at in PLACES])
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Person:
    """Who is counted: an id, and a code per variable."""

    id: str
    at: Coordinates

    def counted(self, period: str = PERIOD) -> Counted:
        return Counted("starts", (*self.at, period), "trial", self.id)


def people(seed: int, number: int = PEOPLE, first: int = 0) -> list[Person]:
    """That many, drawn from the shares."""
    random = np.random.default_rng([seed, first])
    drawn = {name: random.choice(codes, size=number, p=SHARES[name]) for name, codes in CODES.items()}
    return [Person(f"P{seed}-{first + n}", tuple(str(drawn[name][n]) for name in NAMES)) for n in range(number)]


def secrets(seed: int) -> Secrets:
    return Secrets(record=b"record %d" % seed * 4, noise=b"noise  %d" % seed * 4)


def axis(name: str, place: int) -> Axis:
    role = Role.REGION if name == "Region" else Role.CLASSIFICATION
    dimension = Dimension(id=name, role=role, codes=(TOTAL, *CODES[name]), total=TOTAL)
    return Axis(dimension, place, lambda code: (code, TOTAL))


def publication(names: Sequence[str] = NAMES, table: str = "attacked") -> Publication:
    """Starts by these variables."""
    return Publication(
        id=table,
        of=table,
        version=1,
        axes=tuple(axis(name, NAMES.index(name)) for name in names),
        contents=(Content("starts", Kind.COUNT, (STARTED,)),),
        frequency=Frequency.MONTH,
    )


def published(population: Iterable[Person], seed: int, stage: str = "final") -> Counts:
    """What the product publishes of them: a number per place."""
    made = sealed(publication(), [each.counted() for each in population], PERIOD, stage, secrets(seed))
    assert not made.status
    return np.array(made.values, dtype=np.int64)


def exact(population: Iterable[Person]) -> Counts:
    """The true count of each place."""
    index = {fine: n for n, fine in enumerate(FINEST)}
    counts = np.bincount([index[each.at] for each in population], minlength=len(FINEST))
    return np.rint(ADDED @ counts).astype(np.int64)
