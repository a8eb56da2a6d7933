"""What is counted of live facts, need by need: the cells of the tables, and those that the page cuts by its filter.

Invariant: what a need gives to a table depends on its own slots, on what their participants declared and on the day,
and on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from services.reporting.domain.background import Declared
from services.reporting.domain.counting import Counted
from services.reporting.domain.diversity import CHARACTERISTIC, MANGFOLD, diversity
from services.reporting.domain.facts import Slot
from services.reporting.domain.placements import TRAKT, VENTETID, funnel, waiting
from services.reporting.domain.running import Running
from services.reporting.domain.trials import OPPFOLGING, UTFALL, follow_up, outcomes
from services.reporting.domain.variables import INTERMEDIARY, MEASURE, REGION, intermediary_of

ENDED, DIVERSE = "ended", "diverse"
"""`utfall` and `mangfold` by all that the page can be filtered by. `ended` is told nothing of persons."""
BY_FILTER = (REGION, MEASURE, INTERMEDIARY)
BY_CHARACTERISTIC = (REGION, MEASURE, CHARACTERISTIC, INTERMEDIARY)
PERSONAL = frozenset({UTFALL.id, MANGFOLD.id, DIVERSE})


class NeedFacts(NamedTuple):
    """The slots of a need, and what the participant of each trial had declared, by the trial's id."""

    slots: tuple[Slot, ...]
    declared: tuple[tuple[str, Declared], ...] = ()


def running(name: str, today: date) -> Running[NeedFacts]:
    """Nothing counted yet, of a table or of a part of the page; `today` judges which promises are due."""
    match name:
        case VENTETID.id:
            return Running(VENTETID.variables, lambda need: waiting(need.slots, today))
        case TRAKT.id:
            return Running(TRAKT.variables, lambda need: funnel(need.slots))
        case OPPFOLGING.id:
            return Running(OPPFOLGING.variables, lambda need: follow_up(need.slots))
        case UTFALL.id:
            return Running(UTFALL.variables, lambda need: outcomes(need.slots, dict(need.declared)))
        case MANGFOLD.id:
            return Running(MANGFOLD.variables, lambda need: diversity(need.slots, dict(need.declared)))
        case _ if name == ENDED:
            return Running(BY_FILTER, _ended)
        case _ if name == DIVERSE:
            return Running(BY_CHARACTERISTIC, _diverse)
    raise ValueError(f"nothing is counted for {name}")


def _ended(need: NeedFacts) -> Iterator[Counted]:
    for slot in need.slots:
        for each in outcomes((slot,), {}):
            measure, *_, period = each.at
            yield replace(each, at=(slot.region, measure, intermediary_of(slot.intermediary), period))


def _diverse(need: NeedFacts) -> Iterable[Counted]:
    declared = dict(need.declared)
    for slot in need.slots:
        for each in diversity((slot,), declared):
            *where, period = each.at
            yield replace(each, at=(*where, intermediary_of(slot.intermediary), period))
