"""The tables in short of slots that a test has: counted from the start, then cut as the service cuts them.

Invariant: every function has the name and the result of the one in `services.reporting.domain.overview`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from services.reporting.domain import overview
from services.reporting.domain.background import Declared
from services.reporting.domain.counting import Cells, Counted, Sums, Variable, finest
from services.reporting.domain.counts import DIVERSE, ENDED, NeedFacts, running
from services.reporting.domain.facts import Slot
from services.reporting.domain.filters import Filter
from services.reporting.domain.table import Table


def needs_of(slots: Iterable[Slot], declared: Mapping[str, Declared] | None = None) -> dict[str, NeedFacts]:
    """Slots by need, with what is known of the person of each trial, by the trial's id."""
    found: dict[str, tuple[Slot, ...]] = {}
    for slot in slots:
        found[slot.need_id] = (*found.get(slot.need_id, ()), slot)
    return {
        need_id: NeedFacts(
            of_need,
            tuple((each.trial_id, (declared or {}).get(each.trial_id, {})) for slot in of_need for each in slot.trials),
        )
        for need_id, of_need in found.items()
    }


def cells(
    name: str, slots: Iterable[Slot], today: date = date(2026, 1, 1), declared: Mapping[str, Declared] | None = None
) -> Cells:
    """What is counted of them, for a table or a part of the page."""
    return running(name, today).cells(needs_of(slots, declared))


def aggregated(counted: Iterable[Counted], variables: Sequence[Variable]) -> Cells:
    """All cells of units, counted at once."""
    sums = Sums(variables)
    sums.move(finest(counted))
    return sums.cells()


def ventetid(slots: Iterable[Slot], chosen: Filter, today: date) -> Table:
    return overview.ventetid(cells("ventetid", slots, today), chosen)


def ventetid_uker(slots: Iterable[Slot], chosen: Filter, today: date) -> Table:
    return overview.ventetid_uker(cells("ventetid", slots, today), chosen)


def trakt(slots: Iterable[Slot], chosen: Filter) -> Table:
    return overview.trakt(cells("trakt", slots), chosen)


def utfall(slots: Iterable[Slot], chosen: Filter) -> Table:
    return overview.utfall(cells(ENDED, slots), chosen)


def oppfolging(slots: Iterable[Slot], chosen: Filter) -> Table:
    return overview.oppfolging(cells("oppfolging", slots), chosen)


def mangfold(slots: Iterable[Slot], chosen: Filter, by: str, declared: Mapping[str, Declared]) -> Table:
    return overview.mangfold(cells(DIVERSE, slots, declared=declared), chosen, by)
