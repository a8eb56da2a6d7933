"""Tables of simulated cases, served without engines.

Invariant: the same seed gives the same cells; what is served is made by the service's own code from facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from fastapi import FastAPI

import services.reporting
from chassis.employers import EmployerNames
from chassis.settings import Settings
from chassis.texts import Texts
from chassis.web import create_app
from services.reporting.domain import workforce
from services.reporting.domain.background import Declared
from services.reporting.domain.counting import tally
from services.reporting.domain.diversity import MANGFOLD, diversity
from services.reporting.domain.facts import Slot
from services.reporting.domain.periods import months
from services.reporting.domain.placements import TRAKT, VENTETID, funnel, waiting
from services.reporting.domain.trials import OPPFOLGING, UTFALL, follow_up, outcomes
from services.reporting.domain.workforce import YearFigures
from services.reporting.pxweb import older
from services.reporting.pxweb.base import Base
from services.reporting.pxweb.router import LIVE, PUBLIC, prepare, router
from services.reporting.pxweb.source import Table
from tests.overviews import aggregated
from tests.unit.reporting.simulation import simulate
from tests.unit.reporting.test_reporting_recomputed import slots_of
from tests.webapp import StillService
from tests.webapp import settings as settings_of

TEXTS = Texts(Path(services.reporting.__file__).parent / "texts")
UPDATED = datetime(2026, 1, 15, 8, 30, tzinfo=UTC)
COMPLETE = {"dugnad/intake": 12, "dugnad/matching": 30, "dugnad/followup": 41}
TODAY = date(2026, 1, 15)
FIGURES = [
    YearFigures(
        "311122339",
        year,
        {
            "head_count": head_count,
            "immigrant_background": immigrants,
            "country_group_1": None,
            "country_group_2": None,
            "reduced_functional_ability": 520,
            "cv_gap": None,
        },
    )
    for year, head_count, immigrants in ((2011, 13_000, 949), (2017, 14_000, 1_526))
]
_BACKGROUNDS: Sequence[Declared] = (
    {"immigrant_background": "immigrant", "country_of_birth": "SY", "gender": "female", "year_of_birth": 1996},
    {"immigrant_background": "immigrant", "country_of_birth": "PL", "gender": "male", "year_of_birth": 1980},
    {"immigrant_background": "other", "cv_gap": "yes", "reduced_functional_ability": "no", "year_of_birth": 1960},
    {},
)


def declared_by(slots: Sequence[Slot]) -> dict[str, Declared]:
    """What the participants of these trials are said to have declared, by the trial's id."""
    trials = sorted(trial.trial_id for slot in slots for trial in slot.trials)
    return {trial_id: _BACKGROUNDS[number % len(_BACKGROUNDS)] for number, trial_id in enumerate(trials)}


def tables_of(slots: Sequence[Slot]) -> list[Table]:
    """All six."""
    declared = declared_by(slots)
    cube = workforce.cube(FIGURES, updated=UPDATED, complete_to={"dugnad/intake": 12})
    assert cube is not None
    return [
        *(
            tally(spec, aggregated(counted, spec.variables), months, updated=UPDATED, complete_to=COMPLETE)
            for spec, counted in (
                (VENTETID, waiting(slots, TODAY)),
                (TRAKT, funnel(slots)),
                (UTFALL, outcomes(slots, declared)),
                (MANGFOLD, diversity(slots, declared)),
                (OPPFOLGING, follow_up(slots)),
            )
        ),
        cube,
    ]


class Fixed:
    """A source of tables that do not change."""

    def __init__(self, found: Sequence[Table], ended: Mapping[str, bool] | None = None) -> None:
        self.found, self.ended = list(found), dict(ended or {})

    async def tables(self) -> Sequence[Table]:
        return self.found

    async def table(self, table_id: str) -> Table | None:
        return next((each for each in self.found if each.id == table_id), None)

    async def discontinued(self) -> Mapping[str, bool]:
        return self.ended


def simulated() -> list[Table]:
    """The tables of eighty cases."""
    return tables_of(slots_of(simulate(seed=5, cases=80).records()))


def app_of(
    found: Sequence[Table],
    settings: Settings | None = None,
    ended: Mapping[str, bool] | None = None,
    employers: EmployerNames | None = None,
) -> FastAPI:
    """An app that serves them live, with a scope and employers' names, and published, to everybody."""
    settings = settings or settings_of(tables_calls=10_000)
    source = Fixed(found, ended)
    public = Base(source, TEXTS, settings, PUBLIC, scope=None)
    app = create_app(
        StillService(settings),
        routers=[
            router(Base(source, TEXTS, settings, LIVE, scope="tables:read", employers=employers)),
            router(public),
            older.router(public),
        ],
        texts=TEXTS,
        title="tables",
        description="Tables of simulated cases.",
    )
    prepare(app)
    return app
