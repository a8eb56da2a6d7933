"""What an operator sees of a service over HTTP: where each projection stands, and how far each log went by an instant.

Invariant: nothing here changes anything, and no answer holds a document or an event; a lag is told from the topics'
own last records, at most a second old.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Annotated, Any, NamedTuple, Protocol

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime
from starlette.requests import Request
from starlette.responses import JSONResponse

from chassis.auth import require
from chassis.clock import Clock, milliseconds
from chassis.consumer import BatchConsumer
from chassis.heads import topic_heads
from chassis.ledger import Ledger
from chassis.lost import lost_positions
from chassis.mongo import Database
from chassis.parking import BEHIND, Parking
from chassis.problems import Problem
from chassis.reading import Reader
from chassis.serving import Serving
from chassis.settings import Settings
from chassis.shortfall import Short, handled, short
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
    """Per projection: its generation, how far it is per source, what is parked and what stands still.

    Beside them the same of the reactions, and in `faults` why relays and timers do not work.
    """
    web = web_of(request)
    return JSONResponse({"service": web.service.name, **await web.service.overview()})


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


class Reacting(NamedTuple):
    """The reactions of one log: the member of their group, and what it reads with."""

    member: BatchConsumer
    reader: Reader


@dataclass(frozen=True)
class _Topics:
    """What was found out about the topics when they were last looked at (monotonic)."""

    at: float
    heads: Mapping[str, int]
    short: Mapping[str, Short]
    """Of each projection, by its name: what its topics lack of what it had handled before."""


class Overview:
    """Where the projections and the reactions of a service stand."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: _Topics | None = None
        self._asking = asyncio.Lock()

    async def of(self, projections: Sequence[Serving]) -> list[dict[str, Any]]:
        """One entry per projection. Raises DependencyDown."""
        topics = await self._topics(projections) if projections else _Topics(0.0, {}, {})
        return [await self._of_one(each, topics) for each in projections]

    async def _topics(self, projections: Sequence[Serving]) -> _Topics:
        # One at a time: asking opens a consumer, and a dashboard per operator must not open one each.
        async with self._asking:
            if self._known is None or monotonic() - self._known.at > HEADS_SECONDS:
                # First: what is handled meanwhile must not look like more than the topics have.
                done = {each.projection.name: await handled(each.projector.progress) for each in projections}
                names = sorted({topic for each in projections for topic in each.projection.topics})
                heads = await topic_heads(self._settings, names)
                self._known = _Topics(monotonic(), heads, {name: short(each, heads) for name, each in done.items()})
            return self._known

    async def _of_one(self, serving: Serving, topics: _Topics) -> dict[str, Any]:
        progress, parking = serving.projector.progress, serving.projector.reader.parking
        sources = await self._sources(serving, topics.heads)
        holes = {hole.source: hole for hole in await progress.holes()}
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
            "short": [
                {"source": source, "topic_ends": ends, "handled": done}
                for source, (ends, done) in topics.short.get(serving.projection.name, {}).items()
            ],
            "stopped": [fault for member in serving.members for fault in member.faults()],
            **await _parked(parking),
        }

    async def _sources(self, serving: Serving, heads: Mapping[str, int]) -> dict[str, int]:
        """Each source that the projection reads, with its last position. A continued log has several.

        Of an earlier one the topic's last records may tell nothing any more: then what was handled does.
        """
        progress = serving.projector.progress
        known = {*serving.view.sources, *heads, *await progress.sources()}
        mine = sorted(each for each in known if each.partition("~")[0] in serving.view.sources)
        return {each: heads[each] if each in heads else await progress.highest(each) for each in mine}


async def of_reactions(reacting: Sequence[Reacting]) -> list[dict[str, Any]]:
    """One entry per log whose commands react to events: what is parked, and what stands still."""
    return [
        {
            "log": each.reader.name.partition("_")[2],
            "stopped": each.member.faults(),
            **await _parked(each.reader.parking),
        }
        for each in reacting
    ]


async def _parked(parking: Parking) -> dict[str, Any]:
    # What waits behind another one has no error of its own.
    own = [each for each in await parking.listed() if each["error"] != BEHIND]
    last = max(own, key=lambda each: each["last"], default=None)
    return {
        "parked": {"events": await parking.count(), "subjects": await parking.subjects()},
        "last_error": None if last is None else {"error": last["error"], "at": _instant(last["last"])},
    }


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
