"""Reading what one has just written: `min_position` of lists and views.

Invariant: an answer to a query with `min_position` has folded that position, or there is no answer but 503.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query

from chassis.problems import busy
from chassis.projector import View
from contracts.intake import SOURCE

WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class Freshness:
    """How fresh a view has to be."""

    position: int | None

    async def in_view(self, view: View) -> None:
        """Wait a moment for the view. Raises Problem 503 where it is further behind."""
        if self.position is not None and not await view.wait_for(SOURCE, self.position, WAIT_SECONDS):
            raise busy("view_behind")


async def freshness(
    min_position: Annotated[
        str | None,
        Query(pattern=r"^intake:[0-9]{1,15}$", description="`intake:43`: the `position` of a command's answer."),
    ] = None,
) -> Freshness:
    """The dependency of queries on views."""
    return Freshness(None if min_position is None else int(min_position.partition(":")[2]))


Fresh = Annotated[Freshness, Depends(freshness)]
