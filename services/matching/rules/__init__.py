"""Weights of the ranking, as dated data.

Invariant: a day has one set of weights, and a score says under which version it was made.
"""

from __future__ import annotations

import tomllib
from datetime import date
from functools import cache
from pathlib import Path

from services.matching.domain.weights import Weights

_HERE = Path(__file__).parent


@cache
def all_weights() -> tuple[Weights, ...]:
    """Every version, oldest first."""
    found = [Weights.model_validate(tomllib.loads(path.read_text("utf-8"))) for path in _HERE.glob("ranking-*.toml")]
    return tuple(sorted(found, key=lambda weights: weights.valid_from))


def weights_on(day: date) -> Weights:
    """The version in force on a day; the oldest one for days before it, since a score needs some."""
    in_force = [weights for weights in all_weights() if weights.valid_from <= day]
    return in_force[-1] if in_force else all_weights()[0]
