"""The best overall plan: who for which open place, over all needs at once.

Invariant: nobody gets two places and no place two people; no other plan fills more places, and none that fills as many
has a higher sum of scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from services.matching.domain.columns import Columns
from services.matching.domain.facts import NeedFacts
from services.matching.domain.scoring import Scorer
from services.matching.domain.weights import Weights

Costs: TypeAlias = npt.NDArray[np.float64]
MOST_SLOTS = 500
"""In one plan; those with the nearest promise dates. More would ask for memory by their square."""
_FILLED = 1_000_000.0
"""What filling one more place is worth: more than the scores of all places together come to."""
_IMPOSSIBLE = 0.0
_FEW = 20


@dataclass(frozen=True)
class OpenSlot:
    """A place that nobody is proposed for."""

    slot_id: str
    need: NeedFacts
    tried: frozenset[str] = frozenset()
    """Candidates whose match for this place has ended: they are not proposed for it again."""

    @property
    def urgency(self) -> tuple[date, str, int]:
        """Who comes first where one after the other is filled: the nearest promise date."""
        return self.need.promise_date, self.need.need_id, self.need.slot_ids.index(self.slot_id)


@dataclass(frozen=True)
class Line:
    """One person for one place."""

    slot: OpenSlot
    candidate_id: str
    score: int


@dataclass(frozen=True)
class Outlook:
    """What a way of choosing comes to."""

    filled: int
    score: int


@dataclass(frozen=True)
class Plan:
    """The best plan, what choosing place by place would come to, and the places that nobody is left for."""

    lines: tuple[Line, ...]
    unfilled: tuple[OpenSlot, ...]
    best: Outlook
    greedy: Outlook


def plan(slots: Sequence[OpenSlot], people: Columns, weights: Weights, today: date) -> Plan:
    """The best plan for these slots and people. Filling a place comes before any score; then the sum of scores.

    `greedy` is what comes of it when the places are filled one by one, the nearest promise date first, each with the
    best candidate who is left.
    """
    ordered = sorted(slots, key=lambda slot: slot.urgency)[:MOST_SLOTS]
    costs = _costs(ordered, people, weights, today)
    columns = _concerned(costs)
    if columns is not None:
        costs = np.ascontiguousarray(costs[:, columns])
    found = [(slot, person) for slot, person in _assigned(costs) if costs[slot, person] < _IMPOSSIBLE]
    ids = people.ids if columns is None else [people.ids[column] for column in columns]
    lines = tuple(Line(ordered[slot], ids[person], _score(costs[slot, person])) for slot, person in found)
    filled = {line.slot.slot_id for line in lines}
    unfilled = tuple(slot for slot in ordered if slot.slot_id not in filled)
    best = Outlook(len(lines), sum(line.score for line in lines))
    return Plan(lines, unfilled, best, _one_by_one(costs))


def _costs(slots: Sequence[OpenSlot], people: Columns, weights: Weights, today: date) -> Costs:
    """What it costs to choose somebody for a place: the less, the higher the score; `_IMPOSSIBLE` behind a guard."""
    costs, scorer = np.empty((len(slots), len(people.ids))), Scorer(people, weights, today)
    first: dict[str, int] = {}
    row_of = {name: row for row, name in enumerate(people.ids)} if any(slot.tried for slot in slots) else {}
    for row, slot in enumerate(slots):
        same = first.setdefault(slot.need.need_id, row)
        if same != row:
            costs[row] = costs[same]
        else:
            scored = scorer.of(slot.need)
            own = costs[row]
            np.subtract(-_FILLED, scored.scores, out=own)
            # Not `costs[row] *=`, which would write the row onto itself once more.
            np.multiply(own, scored.free, out=own)
    # Last, since the row of a slot may have been copied from another one of its need.
    for row, slot in enumerate(slots):
        for person in slot.tried & row_of.keys():
            costs[row, row_of[person]] = _IMPOSSIBLE
    return costs


def _score(cost: float) -> int:
    return round(-cost - _FILLED)


def _concerned(costs: Costs) -> npt.NDArray[np.intp] | None:
    """The people that a best plan can be made of: of each place the best ones, as many as there are places.

    Whoever takes somebody outside of these can change to one of them who is free, and loses nothing. None: everybody,
    since so few are not worth looking for the best.
    """
    slots, people = costs.shape
    if people <= _FEW * slots:
        return None
    best = np.argpartition(costs, slots - 1, axis=1)[:, :slots]
    return np.unique(best)


def _assigned(costs: Costs) -> list[tuple[int, int]]:
    rows, columns = linear_sum_assignment(costs)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _one_by_one(costs: Costs) -> Outlook:
    filled, score = 0, 0
    taken = np.zeros(costs.shape[1])
    for row in costs if costs.size else ():
        person = int((row + taken).argmin())
        if row[person] + taken[person] < _IMPOSSIBLE:
            filled, score = filled + 1, score + _score(row[person])
            taken[person] = np.inf
    return Outlook(filled, score)
