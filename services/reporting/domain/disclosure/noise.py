"""The noise table: what is published for a count, with which probability.

Invariant: at most 5 away, variance 3, mean 0, never 1 or 2, and 0 stays 0. The table is computed in decimals of fixed
precision, so every machine draws the same number: a release can be made again.

Rows 1 to 8 (8 for all larger counts): p ∝ exp(a·v + b·v²) over the allowed deviations v, the distribution of most
entropy with the given mean and variance (the cell-key method as Statistics Norway and Destatis use it).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from decimal import Context, Decimal, localcontext
from functools import cache

from services.reporting.domain.disclosure.keys import KEY_SPACE

LARGEST = 5
"""D: the largest deviation."""
VARIANCE = 3
"""V."""
SMALLEST = 3
"""The smallest count that is published beside 0: js = 2 is the largest that never is."""
LAST_ROW = 8
"""Of here and above every deviation leads to an allowed count."""
_PRECISION = 60
_CLOSE = Decimal(10) ** -45
_STEPS = 200


def deviations(row: int) -> tuple[int, ...]:
    """What may be added to a count of this row, the smallest first."""
    return tuple(
        target - row for target in range(max(0, row - LARGEST), row + LARGEST + 1) if not 0 < target < SMALLEST
    )


@cache
def row_of(row: int) -> Mapping[int, Decimal]:
    """The probability of each deviation in a row from 1 to 8; they add up to 1."""
    if not 1 <= row <= LAST_ROW:
        raise ValueError(f"the table has no row {row}")
    with localcontext(Context(prec=_PRECISION)):
        a, b = Decimal(0), Decimal(0)
        for _ in range(_STEPS):
            chances = _chances(row, a, b)
            one, two, three, four = (_moment(chances, power) for power in (1, 2, 3, 4))
            off_mean, off_square = one, two - VARIANCE
            if max(abs(off_mean), abs(off_square)) < _CLOSE:
                return chances
            # One step of Newton on the convex dual: its Hessian is the covariance of v and v².
            vv, vs, ss = two - one * one, three - one * two, four - two * two
            determinant = vv * ss - vs * vs
            step_a = (ss * off_mean - vs * off_square) / determinant
            step_b = (vv * off_square - vs * off_mean) / determinant
            # A full step from far away would overshoot.
            scale = min(Decimal(1), 1 / max(abs(step_a), abs(step_b), Decimal(1)))
            a, b = a - scale * step_a, b - scale * step_b
    raise ArithmeticError(f"row {row} of the noise table was not solved")


def _chances(row: int, a: Decimal, b: Decimal) -> dict[int, Decimal]:
    weights = {v: (a * v + b * v * v).exp() for v in deviations(row)}
    total = sum(weights.values())
    return {v: weight / total for v, weight in weights.items()}


def _moment(chances: Mapping[int, Decimal], power: int) -> Decimal:
    return sum((chance * v**power for v, chance in chances.items()), Decimal(0))


@cache
def _steps(row: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The deviations, and where in 0 … 2^64 the part of each one ends."""
    chances, reached, ends = row_of(row), Decimal(0), []
    with localcontext(Context(prec=_PRECISION)):
        for chance in chances.values():
            reached += chance
            ends.append(int(reached * KEY_SPACE))
    ends[-1] = KEY_SPACE
    return tuple(chances), tuple(ends)


def noised(count: int, drawn: int) -> int:
    """The published count: the inverse of the row's distribution function at `drawn` / 2^64."""
    if count < 0 or not 0 <= drawn < KEY_SPACE:
        raise ValueError("a count is not negative, and a draw lies in 0 to 2^64")
    if count == 0:
        return 0
    possible, ends = _steps(min(count, LAST_ROW))
    return count + possible[bisect_right(ends, drawn)]
