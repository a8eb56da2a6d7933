"""Reading what one has just written: `min_position` of queries on the view.

Invariant: an answer to a query with `min_position` has folded that position, or there is no answer but 503.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query

from chassis.problems import busy
from chassis.projector import View

WAIT_SECONDS = 2.0
Position = Annotated[str, Query(pattern=r"^(matching|followup):[0-9]{1,15}$")]


@dataclass(frozen=True)
class Freshness:
    """How fresh the view has to be, per source."""

    positions: tuple[tuple[str, int], ...]

    async def in_view(self, view: View) -> None:
        """Wait a moment for the view. Raises Problem 503 where it is further behind."""
        for source, position in self.positions:
            if not await view.wait_for(source, position, WAIT_SECONDS):
                raise busy("view_behind")


async def freshness(
    min_position: Annotated[
        list[Position] | None,
        Query(max_length=2, description="`followup:43`: the `position` of a command's answer; also `matching:…`."),
    ] = None,
) -> Freshness:
    """The dependency of queries on the view."""
    split = (each.partition(":") for each in min_position or ())
    return Freshness(tuple((f"dugnad/{source}", int(position)) for source, _, position in split))


Fresh = Annotated[Freshness, Depends(freshness)]
