"""The best overall plan: who for which open place, over all needs at once.

Invariant: nobody gets two places and no place two people; no other plan fills more places, and none that fills as many
has a higher sum of scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from services.matching.domain.columns import Columns
from services.matching.domain.facts import NeedFacts
from services.matching.domain.scoring import Scorer, Scores
from services.matching.domain.weights import Weights

MOST_SLOTS = 500
"""In one plan; those with the nearest promise dates. More would ask for memory by their square."""
_EMPTY = 1_000_000.0
"""What leaving a place empty costs: more than the scores of all places together come to."""
_IMPOSSIBLE = -1
"""Instead of a score, for somebody who cannot be chosen; no score is below 0."""
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
    scores = _scores(ordered, people, weights, today)
    greedy = _one_by_one(scores)
    columns = _concerned(scores)
    if columns is not None:
        scores = np.ascontiguousarray(scores[:, columns])
    ids = people.ids if columns is None else [people.ids[column] for column in columns]
    lines = tuple(
        Line(ordered[slot], ids[person], score)
        for slot, person in _assigned(scores)
        if (score := int(scores[slot, person])) > _IMPOSSIBLE
    )
    filled = {line.slot.slot_id for line in lines}
    unfilled = tuple(slot for slot in ordered if slot.slot_id not in filled)
    return Plan(lines, unfilled, Outlook(len(lines), sum(line.score for line in lines)), greedy)


def _scores(slots: Sequence[OpenSlot], people: Columns, weights: Weights, today: date) -> Scores:
    """The score of everybody for each place, a row each; `_IMPOSSIBLE` behind a guard."""
    scores, scorer = np.empty((len(slots), len(people.ids)), np.int16), Scorer(people, weights, today)
    first: dict[str, int] = {}
    row_of = {name: row for row, name in enumerate(people.ids)} if any(slot.tried for slot in slots) else {}
    for row, slot in enumerate(slots):
        same = first.setdefault(slot.need.need_id, row)
        if same != row:
            scores[row] = scores[same]
        else:
            np.putmask(scores[row], ~scorer.of(slot.need, out=scores[row]).free, _IMPOSSIBLE)
    # Last, since the row of a slot may have been copied from another one of its need.
    for row, slot in enumerate(slots):
        for person in slot.tried & row_of.keys():
            scores[row, row_of[person]] = _IMPOSSIBLE
    return scores


def _concerned(scores: Scores) -> npt.NDArray[np.intp] | None:
    """The people that a best plan can be made of: of each place the best ones, as many as there are places.

    Whoever takes somebody outside of these can change to one of them who is free, and loses nothing. None: everybody,
    since so few are not worth looking for the best.
    """
    slots, people = scores.shape
    if people <= _FEW * slots:
        return None
    best = np.argpartition(scores, people - slots, axis=1)[:, people - slots :]
    return np.unique(best)


def _assigned(scores: Scores) -> list[tuple[int, int]]:
    costs = np.negative(scores, dtype=np.float64)
    np.putmask(costs, scores == _IMPOSSIBLE, _EMPTY)
    rows, columns = linear_sum_assignment(costs)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _one_by_one(scores: Scores) -> Outlook:
    """Each place takes the first of the best who are left."""
    if not scores.size:
        return Outlook(0, 0)
    filled, total = 0, 0
    taken = np.zeros(scores.shape[1], np.bool_)
    for row, person in zip(scores, scores.argmax(axis=1), strict=True):
        left = row
        if taken[person]:
            left = np.where(taken, np.int16(_IMPOSSIBLE), row)
            person = left.argmax()
        if left[person] > _IMPOSSIBLE:
            filled, total = filled + 1, total + int(left[person])
            taken[person] = True
    return Outlook(filled, total)
