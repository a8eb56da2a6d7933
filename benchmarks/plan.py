"""The best plan for all open places and all ready candidates, against scipy's assignment on the bare matrix of scores.

Invariant: the baseline gets the finished matrix; ours begins with the columns, and also says what greedy would come to.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.harness import Result, Stopwatch, percentile
from benchmarks.people import TODAY, candidates, needs
from deploy.local.engines import Engines
from services.matching.domain.plan import OpenSlot, plan
from services.matching.domain.scoring import Scorer
from services.matching.rules import weights_on

SLOTS, PEOPLE, ROUNDS = 500, 5_000, 15
MOST_RATIO = 2.0


async def measure(_: Engines) -> list[Result]:
    """The rows of `plan`."""
    results = []
    for per_need in (1, 5):
        asked = needs(SLOTS // per_need, per_need)
        slots = [OpenSlot(slot_id, need) for need in asked for slot_id in need.slot_ids]
        columns, weights = candidates(PEOPLE), weights_on(TODAY)
        watch = Stopwatch()
        plan(slots, columns, weights, TODAY)
        # The points of occupations are made for the first plan, and kept while people come and go.
        cold = watch.seconds * 1000
        rows = {}
        for need in asked:
            scored = Scorer(columns, weights, TODAY).of(need)
            rows[need.need_id] = np.where(scored.free, scored.scores, -1000)
        matrix = np.array([rows[slot.need.need_id] for slot in slots], np.float64)
        ours, bare = [], []
        for _round in range(ROUNDS):
            watch = Stopwatch()
            found = plan(slots, columns, weights, TODAY)
            ours.append(watch.seconds * 1000)
            watch = Stopwatch()
            chosen = linear_sum_assignment(matrix, maximize=True)
            bare.append(watch.seconds * 1000)
        assert found.best.score == matrix[chosen].sum()
        value, baseline = percentile(ours, 0.5), percentile(bare, 0.5)
        more = {
            "slots": SLOTS,
            "candidates": PEOPLE,
            "slots_per_need": per_need,
            "first_plan_ms": round(cold, 3),
            "filled": found.best.filled,
            "score": found.best.score,
            "greedy_filled": found.greedy.filled,
            "greedy_score": found.greedy.score,
        }
        name = f"best plan, {SLOTS} slots of {len(asked)} needs x 5,000 candidates, p50"
        target = f"<= {MOST_RATIO} x scipy's assignment on the bare matrix"
        results.append(Result(name, value, "ms", baseline, target, value <= MOST_RATIO * baseline, more))
    return results
