"""Exact figures.

Invariant: a figure is computed from whole numbers as a fraction and rounded once, at the very end; a share of a rounded
share is never taken.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate


def rounded(value: Fraction, decimals: int = 1) -> Decimal:
    """Half up, away from zero: 0.25 gives 0.3 and -0.25 gives -0.3."""
    scaled = abs(value) * 10**decimals
    whole, rest = divmod(scaled.numerator, scaled.denominator)
    if 2 * rest >= scaled.denominator:
        whole += 1
    return Decimal(whole if value >= 0 else -whole).scaleb(-decimals)


def share(part: int | None, whole: int | None) -> Fraction | None:
    """Per cent, unrounded; None where a number is unknown or there is nothing to take a share of."""
    if part is None or not whole:
        return None
    return Fraction(100 * part, whole)


def relative_change(now: Fraction | None, base: Fraction | None) -> Fraction | None:
    """Per cent of the base, unrounded; None where either is unknown or the base is 0."""
    if now is None or not base:
        return None
    return 100 * (now / base - 1)


def median(spread: Mapping[int, int]) -> Fraction | None:
    """The middle one of values of which there are so many each; of an even number, the mean of the middle two."""
    number = sum(spread.values())
    return Fraction(_nth(spread, (number - 1) // 2) + _nth(spread, number // 2), 2) if number else None


def _nth(spread: Mapping[int, int], place: int) -> int:
    """The value at a place of all in order, the first one at 0."""
    values = sorted(spread)
    return values[bisect_right(list(accumulate(spread[value] for value in values)), place)]


def one_decimal(value: Fraction | None) -> Decimal | None:
    """As shown: one decimal, or unknown."""
    return None if value is None else rounded(value)


def percentile(spread: Mapping[int, int], per_cent: int) -> int | None:
    """The least value that so many per cent of the values do not exceed (nearest rank, no interpolation)."""
    number = sum(spread.values())
    return _nth(spread, -(-number * per_cent // 100) - 1) if number else None
