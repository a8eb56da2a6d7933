"""Attacks on what is published, each tried on an unprotected build too: one that fails there would prove nothing.

The attacker knows the method, the noise table, how cells add up, and of the target whatever is not asked about.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from services.reporting.domain.disclosure.keys import KEY_SPACE
from services.reporting.domain.disclosure.noise import LARGEST, noised
from tests.unit.reporting.disclosure.population import (
    ADDED,
    BACKGROUND,
    CODES,
    IS_FINEST,
    PLACES,
    SEEDS,
    TOTAL,
    Counts,
    Person,
    exact,
    people,
    published,
)

LEAST_ON_UNPROTECTED = 0.95
MOST_READ_RIGHTLY = 0.6
Bounds = NDArray[np.float64]
"""A row per cell: the least and the most that it can hold."""


@cache
def truth(seed: int) -> Counts:
    return exact(people(seed))


@cache
def shown(seed: int) -> Counts:
    return published(people(seed), seed)


def small_cells(seed: int) -> list[int]:
    """The finest cells with one to four people, as places."""
    counts = truth(seed)
    return [place for place in range(len(PLACES)) if IS_FINEST[place] and 1 <= counts[place] <= 4]


# --- bounds by linear programming -----------------------------------------------------------------------------------

FINEST_PLACES = np.flatnonzero(IS_FINEST)
COLUMN = {int(place): column for column, place in enumerate(FINEST_PLACES)}
SUMS = ADDED[~IS_FINEST]


def of_noised(values: Counts) -> Bounds:
    """What a count can have been, by the noise table: at most five away, and none only where it may become 0."""
    least = np.where(values == 0, 0, np.maximum(values - LARGEST, 1))
    return np.stack([least, values + LARGEST], axis=1).astype(float)


def of_suppressed(values: Counts) -> Bounds:
    """An unprotected build shows exact counts, and only hides the finest cells with fewer than five."""
    hidden = IS_FINEST & (values >= 1) & (values <= 4)
    return np.stack([np.where(hidden, 1, values), np.where(hidden, 4, values)], axis=1).astype(float)


def tightened(known: Bounds, targets: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The least and the most whole number that each target can hold, given that everything adds up."""
    of_sums, of_finest = known[~IS_FINEST], known[IS_FINEST]
    matrix = csr_matrix(np.vstack([SUMS, -SUMS]))
    limits = np.concatenate([of_sums[:, 1], -of_sums[:, 0]])
    for place in targets:
        wanted = np.zeros(len(FINEST_PLACES))
        wanted[COLUMN[place]] = 1
        ends = [
            linprog(sign * wanted, A_ub=matrix, b_ub=limits, bounds=of_finest, method="highs").fun for sign in (1, -1)
        ]
        yield int(np.ceil(ends[0] - 1e-6)), int(np.floor(-ends[1] + 1e-6))


def test_linear_programming_finds_no_small_cell_nor_bounds_it_narrowly() -> None:
    tried = 0
    for seed in SEEDS:
        targets = small_cells(seed)
        for place, (least, most) in zip(targets, tightened(of_noised(shown(seed)), targets), strict=True):
            tried += 1
            assert least <= truth(seed)[place] <= most, "the attack misunderstands what is published"
            assert most - least >= 3
    assert tried >= 200


def test_linear_programming_finds_the_small_cells_of_a_build_that_only_hides_them() -> None:
    tried = found = 0
    for seed in SEEDS:
        targets = small_cells(seed)
        tried += len(targets)
        found += sum(least == most for least, most in tightened(of_suppressed(truth(seed)), targets))
    assert found >= LEAST_ON_UNPROTECTED * tried


# --- averaging ------------------------------------------------------------------------------------------------------


def best_reading(seen: Sequence[int], true: Sequence[int]) -> float:
    """How often an attacker is right who knows, for each value seen, which count stands behind it most often."""
    behind: dict[int, Counter[int]] = defaultdict(Counter)
    for value, count in zip(seen, true, strict=True):
        behind[value][count] += 1
    return sum(counts.most_common(1)[0][1] for counts in behind.values()) / len(seen)


def smoothed(values: Counts) -> Counts:
    """The counts that add up and are closest to what is published: everything that is shown averages each cell."""
    finest, *_ = np.linalg.lstsq(ADDED, values.astype(float), rcond=None)
    fitted: Counts = np.maximum(np.rint(ADDED @ finest), 0).astype(np.int64)
    return fitted


@pytest.mark.parametrize("small", [False, True])
def test_averaging_all_that_is_published_gains_at_most_ten_points(small: bool) -> None:
    alone: list[int] = []
    together: list[int] = []
    true: list[int] = []
    for seed in SEEDS:
        places = small_cells(seed) if small else list(FINEST_PLACES)
        alone += [int(each) for each in shown(seed)[places]]
        together += [int(each) for each in smoothed(shown(seed))[places]]
        true += [int(each) for each in truth(seed)[places]]
    assert best_reading(together, true) - best_reading(alone, true) <= 0.10
    # Nothing to gain is no protection where the figures give everything away by themselves.
    assert best_reading(together, true) <= MOST_READ_RIGHTLY
    assert best_reading(true, true) >= LEAST_ON_UNPROTECTED


def test_asking_again_gains_nothing_and_gains_all_where_noise_is_drawn_anew() -> None:
    for seed in SEEDS:
        population = people(seed)
        assert all((published(population, seed) == shown(seed)).all() for _ in range(3))
        random = np.random.default_rng(seed)
        places = FINEST_PLACES
        true = truth(seed)[places]
        asked = np.array(
            [
                [noised(int(count), int(each)) for count, each in zip(true, drawn, strict=True)]
                for drawn in random.integers(0, KEY_SPACE, size=(120, len(true)), dtype=np.uint64)
            ]
        )
        assert np.mean(np.rint(asked.mean(axis=0)) == true) >= LEAST_ON_UNPROTECTED


# --- two versions of one period -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Guess:
    """How often the background of new people was guessed: from two versions, and by the most frequent one alone."""

    right: int
    baseline: int
    tried: int

    @property
    def gain(self) -> float:
        return (self.right - self.baseline) / self.tried


INDEX = {at: place for place, at in enumerate(PLACES)}


def guessed(before: Counts, after: Counts, target: Person, prior: dict[str, float], variance: float) -> str:
    """The likeliest background: what the cells that the target is in have gained, weighed with what is known before."""
    gained = (after - before).astype(float)

    def score(code: str) -> float:
        total = np.log(prior[code])
        for mask in range(4):
            region = target.at[0] if mask & 1 else TOTAL
            measure = target.at[1] if mask & 2 else TOTAL
            # One more in this cell than else: the log of the ratio of two normal densities.
            total += (2 * gained[INDEX[region, measure, code]] - 1) / (2 * variance)
        return float(total)

    return max(prior, key=score)


def prior_of(population: Sequence[Person]) -> dict[str, float]:
    counts = Counter(each.at[BACKGROUND] for each in population)
    return {code: counts[code] / len(population) for code in CODES["Bakgrunn"]}


def test_two_versions_that_differ_by_a_hundred_records_hardly_tell_a_background() -> None:
    right = baseline = tried = 0
    for seed in SEEDS:
        old = people(seed)
        prior = prior_of(old)
        usual = max(prior, key=lambda code: prior[code])
        before = published(old, seed, "preliminary")
        for batch in range(4):
            new = people(seed, 100, first=10_000 + 100 * batch)
            after = published([*old, *new], seed, "final")
            # Two draws of variance 3, and what the other newcomers add.
            answers = [guessed(before, after, each, prior, variance=6 + 3) for each in new]
            right += sum(answer == each.at[BACKGROUND] for answer, each in zip(answers, new, strict=True))
            baseline += sum(each.at[BACKGROUND] == usual for each in new)
            tried += len(new)
    assert Guess(right, baseline, tried).gain <= 0.05


@pytest.mark.parametrize("noisy", [False, True])
def test_one_new_record_gives_itself_away_on_a_live_cube_with_or_without_lasting_noise(noisy: bool) -> None:
    right = tried = 0
    for seed in SEEDS:
        old = people(seed)
        prior = prior_of(old)
        # The stage is what renews the noise; a live cube has none, and shows every state.
        before = published(old, seed, "live") if noisy else exact(old)
        for target in people(seed, 30, first=20_000):
            after = published([*old, target], seed, "live") if noisy else exact([*old, target])
            moved = np.abs(after - before) if noisy else after - before
            answer = guessed(np.zeros_like(moved), np.minimum(moved, 1), target, prior, variance=0.01)
            right += answer == target.at[BACKGROUND]
            tried += 1
    assert right >= LEAST_ON_UNPROTECTED * tried
