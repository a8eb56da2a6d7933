"""Whether a period may be published once more.

Invariant: two versions of a period differ by at least 100 records or not at all, so that no difference of theirs tells
of one person; and there are never more than two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from services.reporting.domain.counting import Coordinates, Counted

LEAST_CHANGED = 100
Assigned = dict[tuple[str, str], frozenset[tuple[str, Coordinates]]]


def _assigned(counted: Iterable[Counted]) -> Assigned:
    places: dict[tuple[str, str], set[tuple[str, Coordinates]]] = {}
    for each in counted:
        places.setdefault((each.unit, each.id), set()).add((each.content, each.at))
    return {unit: frozenset(found) for unit, found in places.items()}


def changed(before: Iterable[Counted], after: Iterable[Counted]) -> int:
    """How many records were added, removed or moved to another cell, of the unit of which most were.

    A start is one change, not one of its slot and one of its trial.
    """
    old, new = _assigned(before), _assigned(after)
    numbers = Counter(
        unit for unit, unit_id in old.keys() | new.keys() if old.get((unit, unit_id)) != new.get((unit, unit_id))
    )
    return max(numbers.values(), default=0)


def opens(changes: int) -> bool:
    """Whether the final figures may differ from the preliminary ones."""
    return changes >= LEAST_CHANGED
