"""Reading what one has just written: `min_position` of queries on views.

Invariant: an answer to a query with `min_position` has folded that position, or there is no answer but 503. A page
waits as long for what its reader's forms have just done, and is then shown all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query
from starlette.requests import Request

from chassis.problems import busy
from chassis.projector import View
from chassis.respond import SEEN_COOKIE
from contracts.registry import SOURCES

WAIT_SECONDS = 2.0
_SOURCES = {source.rpartition("/")[2]: source for source in SOURCES}
_POSITION = rf"^({'|'.join(_SOURCES)})(~[0-9]{{1,3}})?:[0-9]{{1,15}}$"
Position = Annotated[str, Query(pattern=_POSITION)]


@dataclass(frozen=True)
class Freshness:
    """How fresh views have to be, per source."""

    positions: tuple[tuple[str, int], ...]
    written: tuple[tuple[str, int], ...] = ()
    """What the reader's own forms have done of late."""

    async def in_views(self, *views: View) -> None:
        """Wait a moment for the views that read the source. Raises Problem 503 where one is further behind."""
        await self._own(views)
        for view in views:
            for source, position in self.positions:
                if source.partition("~")[0] in view.sources and not await view.wait_for(source, position, WAIT_SECONDS):
                    raise busy("view_behind")

    async def _own(self, views: tuple[View, ...]) -> None:
        for view in views:
            for source, position in self.written:
                if source.partition("~")[0] in view.sources and not await view.wait_for(source, position, WAIT_SECONDS):
                    # Once is enough: a view that stands still must not keep anybody from reading.
                    return


async def freshness(
    request: Request,
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
    # One of each log and no more: each is a wait.
    told = (request.cookies.get(SEEN_COOKIE + name, "") for name in _SOURCES)
    return Freshness(_places(min_position or ()), _places(each for each in told if re.fullmatch(_POSITION, each)))


def _places(told: Iterable[str]) -> tuple[tuple[str, int], ...]:
    asked = (each.partition(":") for each in told)
    return tuple((_source(name), int(position)) for name, _, position in asked)


def _source(name: str) -> str:
    """`intake~2` is a log that was continued after its database was restored."""
    begun, tilde, epoch = name.partition("~")
    return _SOURCES[begun] + tilde + epoch


Fresh = Annotated[Freshness, Depends(freshness)]
