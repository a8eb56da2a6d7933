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

Worth: TypeAlias = npt.NDArray[np.uint8]
MOST_SLOTS = 500
"""In one plan; those with the nearest promise dates. More would ask for memory by their square."""
_EMPTY = 1_000_000.0
"""What leaving a place empty costs: more than the scores of all places together come to."""
_IMPOSSIBLE = 0
"""What somebody is worth who cannot be chosen; whoever can is worth the score and one more."""
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
    worth = _worth(ordered, people, weights, today)
    greedy = _one_by_one(worth)
    columns = _concerned(worth)
    if columns is not None:
        worth = np.ascontiguousarray(worth[:, columns])
    ids = people.ids if columns is None else [people.ids[column] for column in columns]
    lines = tuple(
        Line(ordered[slot], ids[person], points - 1)
        for slot, person in _assigned(worth)
        if (points := int(worth[slot, person])) > _IMPOSSIBLE
    )
    filled = {line.slot.slot_id for line in lines}
    unfilled = tuple(slot for slot in ordered if slot.slot_id not in filled)
    return Plan(lines, unfilled, Outlook(len(lines), sum(line.score for line in lines)), greedy)


def _worth(slots: Sequence[OpenSlot], people: Columns, weights: Weights, today: date) -> Worth:
    """What everybody is worth for each place, a row each."""
    worth, scorer = np.empty((len(slots), len(people.ids)), np.uint8), Scorer(people, weights, today)
    first: dict[str, int] = {}
    row_of = {name: row for row, name in enumerate(people.ids)} if any(slot.tried for slot in slots) else {}
    for row, slot in enumerate(slots):
        same, own = first.setdefault(slot.need.need_id, row), worth[row]
        if same != row:
            own[:] = worth[same]
        else:
            scored = scorer.of(slot.need, out=own)
            own += 1
            own *= scored.free
    # Last, since the row of a slot may have been copied from another one of its need.
    for row, slot in enumerate(slots):
        for person in slot.tried & row_of.keys():
            worth[row, row_of[person]] = _IMPOSSIBLE
    return worth


def _concerned(worth: Worth) -> npt.NDArray[np.intp] | None:
    """The people that a best plan can be made of: of each place the best ones, as many as there are places.

    Whoever takes somebody outside of these can change to one of them who is free, and loses nothing. None: everybody,
    since so few are not worth looking for the best.
    """
    slots, people = worth.shape
    if not slots or people <= _FEW * slots:
        return None
    best = np.argpartition(worth, people - slots, axis=1)[:, people - slots :]
    return np.unique(best)


def _assigned(worth: Worth) -> list[tuple[int, int]]:
    costs = np.negative(worth, dtype=np.float64)
    np.putmask(costs, worth == _IMPOSSIBLE, _EMPTY)
    rows, columns = linear_sum_assignment(costs)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _one_by_one(worth: Worth) -> Outlook:
    """Each place takes the first of the best who are left."""
    if not worth.size:
        return Outlook(0, 0)
    filled, total = 0, 0
    left = np.ones(worth.shape[1], np.bool_)
    for row, first in zip(worth, worth.argmax(axis=1).tolist(), strict=True):
        own = row if left[first] else row * left
        person = int(own.argmax())
        if (points := int(own[person])) > _IMPOSSIBLE:
            filled, total = filled + 1, total + points - 1
            left[person] = False
    return Outlook(filled, total)
