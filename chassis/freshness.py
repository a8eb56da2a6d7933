"""Reading what one has just written: `min_position` of queries on views.

Invariant: an answer to a query with `min_position` has folded that position, or there is no answer but 503.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query

from chassis.problems import busy
from chassis.projector import View
from contracts.registry import SOURCES

WAIT_SECONDS = 2.0
_SOURCES = {source.rpartition("/")[2]: source for source in SOURCES}
Position = Annotated[str, Query(pattern=rf"^({'|'.join(_SOURCES)})(~[0-9]{{1,3}})?:[0-9]{{1,15}}$")]


@dataclass(frozen=True)
class Freshness:
    """How fresh views have to be, per source."""

    positions: tuple[tuple[str, int], ...]

    async def in_views(self, *views: View) -> None:
        """Wait a moment for the views that read the source. Raises Problem 503 where one is further behind."""
        for view in views:
            for source, position in self.positions:
                if source.partition("~")[0] in view.sources and not await view.wait_for(source, position, WAIT_SECONDS):
                    raise busy("view_behind")


async def freshness(
    min_position: Annotated[
        list[Position] | None,
        Query(
            max_length=len(_SOURCES),
            description="`intake:43`: service and `position` of a command's answer; a `position_source` of that answer "
            "stands in place of the service (`intake~2:43`). May be given for each service.",
        ),
    ] = None,
) -> Freshness:
    """The dependency of queries on views."""
    asked = (each.partition(":") for each in min_position or ())
    return Freshness(tuple((_source(name), int(position)) for name, _, position in asked))


def _source(name: str) -> str:
    """`intake~2` is a log that was continued after its database was restored."""
    begun, tilde, epoch = name.partition("~")
    return _SOURCES[begun] + tilde + epoch


Fresh = Annotated[Freshness, Depends(freshness)]
