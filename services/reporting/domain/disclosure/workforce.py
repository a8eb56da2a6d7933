"""Figures that public bodies publish about themselves, repeated.

Invariant: no count under 5 is shown, nor enough of its row to compute it; what a private employer reported is not
published at all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

LEAST_SHOWN = 5
_WHOLE, _PARTS = "immigrant_background", ("country_group_1", "country_group_2")
"""A sum that is shown beside its parts."""


def hidden(counts: Mapping[str, int | None], head_count: str = "head_count") -> frozenset[str]:
    """The counts of one employer and year that are not shown: those under 5, and with a single one a second.

    The second is the smallest that is left, the head count last. Where one part of the sum is hidden the other one is
    too, also where it is the second: the sum would tell it, and so which of the two is the small one.
    """
    known = {name: number for name, number in counts.items() if number is not None}
    found = {name for name, number in known.items() if number < LEAST_SHOWN}
    found |= _with_the_other_part(found, known)
    left = sorted(known.keys() - found, key=lambda name: (name == head_count, known[name], name))
    if len(found) == 1 and left:
        found.add(left[0])
    return frozenset(found | _with_the_other_part(found, known))


def _with_the_other_part(found: Collection[str], known: Collection[str]) -> set[str]:
    if _WHOLE in found or not any(name in found for name in _PARTS):
        return set()
    return {name for name in _PARTS if name in known}
