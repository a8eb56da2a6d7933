"""Figures that public bodies publish about themselves, repeated.

Invariant: no count under 5 is shown, nor enough of its row to compute it; what a private employer reported is not
published at all.
"""

from __future__ import annotations

from collections.abc import Mapping

LEAST_SHOWN = 5
_WHOLE, _PARTS = "immigrant_background", ("country_group_1", "country_group_2")
"""A sum that is shown beside its parts."""


def hidden(counts: Mapping[str, int | None], head_count: str = "head_count") -> frozenset[str]:
    """The counts of one employer and year that are not shown: those under 5, and with a single one a second.

    Where one part of the sum is hidden the other one is too, since the sum would tell; else the second is the smallest
    that is left, the head count last.
    """
    known = {name: number for name, number in counts.items() if number is not None}
    found = {name for name, number in known.items() if number < LEAST_SHOWN}
    if found.intersection(_PARTS) and _WHOLE not in found:
        found.update(name for name in _PARTS if name in known)
    left = sorted(known.keys() - found, key=lambda name: (name == head_count, known[name], name))
    if len(found) == 1 and left:
        found.add(left[0])
    return frozenset(found)
