"""Reading what one has just written: `min_position` of queries on views.

Invariant: an answer to a query with `min_position` has folded that position, or there is no answer but 503.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query

from chassis.problems import busy
from chassis.projector import View
from contracts import followup, intake, matching
from services.matching.views import PROJECTIONS

WAIT_SECONDS = 2.0
_TOPICS = {each.SOURCE: each.TOPIC for each in (intake, matching, followup)}
_SOURCES = {source.rpartition("/")[2]: source for source in _TOPICS}
_READ_BY = {each.name: each.topics for each in PROJECTIONS}
Position = Annotated[str, Query(pattern=r"^(intake|matching|followup):[0-9]{1,15}$")]


@dataclass(frozen=True)
class Freshness:
    """How fresh views have to be: per source a position."""

    positions: tuple[tuple[str, int], ...]

    async def in_views(self, *views: View) -> None:
        """Wait a moment for the views. Raises Problem 503 where one is further behind."""
        for view in views:
            for source, position in self.positions:
                if _TOPICS[source] in _READ_BY[view.name] and not await view.wait_for(source, position, WAIT_SECONDS):
                    raise busy("view_behind")


async def freshness(
    min_position: Annotated[
        list[Position] | None,
        Query(description="`intake:43`: the `position` of a command's answer. May be given for each service."),
    ] = None,
) -> Freshness:
    """The dependency of queries on views."""
    asked = (each.partition(":") for each in (min_position or ())[:9])
    return Freshness(tuple((_SOURCES[name], int(position)) for name, _, position in asked))


Fresh = Annotated[Freshness, Depends(freshness)]
