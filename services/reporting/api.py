"""The tables and journeys over HTTP.

Invariant: nothing is computed here; an unknown table is 404, and no answer is kept by a cache.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from chassis.auth import NotFound, require
from chassis.freshness import Fresh
from chassis.texts import Texts
from chassis.web import language_of, resource
from services.reporting.presenting import body, table_title
from services.reporting.reading import TABLE_IDS, Asked, Reading
from services.reporting.requests import asked

Question = Annotated[Asked, Depends(asked)]
_FRESH = {"Cache-Control": "no-store"}


def router(reading: Reading, texts: Texts) -> APIRouter:
    """Live tables, for those who may read them."""
    routes = APIRouter(tags=["tables"], dependencies=[Depends(require("tables:read"))])

    @routes.get("/tables")
    async def tables(request: Request) -> Response:
        """Which tables there are."""
        language = language_of(request)
        items = [
            {"id": table_id, "title": table_title(texts, language, table_id), "href": f"/tables/{table_id}"}
            for table_id in TABLE_IDS
        ]
        return resource({"items": items, "next": None}, headers=_FRESH)

    @routes.get("/tables/{table_id}")
    async def table(request: Request, table_id: str, question: Question, fresh: Fresh) -> Response:
        """One table, computed now: columns with labels, rows, key figures, the definitions it was made by, and
        `complete_to`: per source the last event up to which everything is counted."""
        if table_id not in TABLE_IDS:
            raise NotFound
        read = await reading.table(table_id, question, fresh)
        return resource(body(read, texts, language_of(request)), headers=_FRESH)

    @routes.get("/journeys/{partition_key}")
    async def journey(partition_key: str, fresh: Fresh) -> Response:
        """What happened in a case (`need:…`, `candidate:…`, `employer:…`): event types with their Oslo days."""
        found = await reading.journey(partition_key, fresh)
        if found is None:
            raise NotFound
        events, complete_to = found
        body = {"partition_key": partition_key, "events": events, "complete_to": dict(complete_to)}
        return resource(body, headers=_FRESH)

    return routes
