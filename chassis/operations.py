"""What an operator sees of a service over HTTP: where each projection stands, and how far each log went by an instant.

Invariant: nothing here changes anything, and no answer holds a document or an event; a lag is told from the topics'
own last records, at most a second old.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime
from starlette.requests import Request
from starlette.responses import JSONResponse

from chassis.auth import require
from chassis.clock import Clock, milliseconds
from chassis.heads import topic_heads
from chassis.ledger import Ledger
from chassis.lost import lost_positions
from chassis.mongo import Database
from chassis.parking import BEHIND
from chassis.problems import Problem
from chassis.serving import Serving
from chassis.settings import Settings
from chassis.validation import Found
from chassis.webstate import web_of

HEADS_SECONDS = 1.0
MOST_INTERVALS = 20
SETTLED = timedelta(minutes=1)
"""So old must an instant be that nothing is recorded before it any more, whichever process numbers next."""

router = APIRouter(tags=["operations"], dependencies=[Depends(require("operate"))])


class Logged(Protocol):
    """A log, as far as it is asked here (`chassis.eventlog.EventLog`)."""

    @property
    def origin(self) -> str: ...
    @property
    def database(self) -> Database: ...
    @property
    def ledger(self) -> Ledger: ...


class TooYoung(Exception):
    """An instant before which something may still be recorded."""


@router.get("/projections")
async def projections(request: Request) -> JSONResponse:
    """Per projection: its generation, how far it is per source, what is parked and what stands still."""
    web = web_of(request)
    return JSONResponse({"service": web.service.name, "projections": await web.service.projections()})


@router.get("/log/head")
async def log_head(
    request: Request,
    at: Annotated[
        AwareDatetime | None, Query(description="The last position recorded by then, at least a minute ago.")
    ] = None,
) -> JSONResponse:
    """Per source of this service: its last position; with `at`: the last one recorded by that instant."""
    web = web_of(request)
    try:
        logs = await web.service.log_heads(at)
    except TooYoung as young:
        raise Problem(422, "invalid", errors=[Found("", "instant_too_young", parameter="at")]) from young
    return JSONResponse({"service": web.service.name, "logs": logs})


async def log_heads(logs: Sequence[Logged], clock: Clock, at: datetime | None) -> list[dict[str, Any]]:
    """Per source of each log the last position recorded by `at` (0: nothing yet). Raises TooYoung.

    A log that was continued has several sources; `lost` are the positions of which its database knows nothing any more.
    """
    if at is not None and at > clock.now() - SETTLED:
        raise TooYoung(at.isoformat())
    found = []
    for each in logs:
        lost = await lost_positions(each.database, each.origin)
        for ledger in (*each.ledger.earlier, each.ledger):
            source = each.origin if ledger.epoch == 1 else f"{each.origin}~{ledger.epoch}"
            page = await (ledger.head() if at is None else ledger.head_at(milliseconds(at)))
            found.append(
                {
                    "source": source,
                    "position": 0 if page is None else page.next - 1,
                    "recorded": None if page is None else _instant(page.at),
                    "at": None if at is None else _instant(milliseconds(at)),
                    # Only the topic can tell when these were recorded.
                    "lost": list(lost[source]) if source in lost else None,
                }
            )
    return found


class Overview:
    """Where the projections of a service stand."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._heads: dict[tuple[str, ...], tuple[float, Mapping[str, int]]] = {}
        self._asking = asyncio.Lock()

    async def of(self, projections: Sequence[Serving]) -> list[dict[str, Any]]:
        """One entry per projection. Raises DependencyDown."""
        topics = tuple(sorted({topic for each in projections for topic in each.projection.topics}))
        heads = await self._topic_heads(topics) if topics else {}
        return [await self._of_one(each, heads) for each in projections]

    async def _topic_heads(self, topics: tuple[str, ...]) -> Mapping[str, int]:
        # One at a time: asking opens a consumer, and a dashboard per operator must not open one each.
        async with self._asking:
            known = self._heads.get(topics)
            if known is None or monotonic() - known[0] > HEADS_SECONDS:
                known = (monotonic(), await topic_heads(self._settings, topics))
                self._heads[topics] = known
            return known[1]

    async def _of_one(self, serving: Serving, heads: Mapping[str, int]) -> dict[str, Any]:
        progress, parking = serving.projector.progress, serving.projector.reader.parking
        sources = await self._sources(serving, heads)
        holes = {hole.source: hole for hole in await progress.holes()}
        # What waits behind another one has no error of its own.
        parked = [each for each in await parking.listed() if each["error"] != BEHIND]
        last = max(parked, key=lambda each: each["last"], default=None)
        return {
            "name": serving.projection.name,
            "generation": {
                "number": serving.generation.number,
                "fold_version": serving.generation.fold_version,
                "created": None if serving.generation.created is None else _instant(serving.generation.created),
            },
            "serving": serving.shown,
            "documents": await serving.view.estimated_count(),
            "sources": [
                {
                    "source": source,
                    "complete_to": await progress.complete_to(source),
                    "head": head,
                    "lag_events": (lag := await progress.missing(source, head)),
                    # Since this process last handled anything of the projection: an estimate, no record is read for it.
                    "lag_seconds": round(monotonic() - progress.moved_at, 1) if lag else 0.0,
                    "missing": await progress.missing_intervals(source, MOST_INTERVALS),
                    "missing_seconds": round(monotonic() - holes[source].since, 1) if source in holes else 0.0,
                }
                for source, head in sources.items()
            ],
            "parked": {"events": await parking.count(), "subjects": await parking.subjects()},
            "stopped": [fault for member in serving.members for fault in member.faults()],
            "last_error": None if last is None else {"error": last["error"], "at": _instant(last["last"])},
        }

    async def _sources(self, serving: Serving, heads: Mapping[str, int]) -> dict[str, int]:
        """Each source that the projection reads, with its last position. A continued log has several.

        Of an earlier one the topic's last records may tell nothing any more: then what was handled does.
        """
        progress = serving.projector.progress
        known = {*serving.view.sources, *heads, *await progress.sources()}
        mine = sorted(each for each in known if each.partition("~")[0] in serving.view.sources)
        return {each: heads[each] if each in heads else await progress.highest(each) for each in mine}


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
