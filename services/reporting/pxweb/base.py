"""What all routes on one source of tables share: who may read, how often and how much, and what goes around an answer.

Invariant: a client has one budget of calls for all of them, whatever language of the API it speaks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chassis.auth import NotFound, Principal, require
from chassis.employers import EmployerNames
from chassis.formats import Language
from chassis.problems import Problem
from chassis.ratelimit import Buckets, address_of, limit
from chassis.settings import Settings
from chassis.texts import Texts
from services.reporting.domain.cube import Described
from services.reporting.pxweb.formats import Output, rendered
from services.reporting.pxweb.labels import EMPLOYER, Labels, told_apart
from services.reporting.pxweb.listing import Place
from services.reporting.pxweb.selection import Selection
from services.reporting.pxweb.source import Source, Table


class Base:
    """One source with its base path. Without a scope everybody may read, and caches may keep answers for a minute.

    With `employers` the labels of organisation numbers are names, as far as these come; the codes are the numbers.
    """

    def __init__(
        self,
        source: Source,
        texts: Texts,
        settings: Settings,
        path: str,
        *,
        scope: str | None,
        employers: EmployerNames | None = None,
    ) -> None:
        address = (settings.tables_url or settings.reporting_url).rstrip("/")
        self.source = source
        self.path = path
        self.place = Place(
            base=f"{address}{path}",
            public=scope is None,
            max_cells=settings.tables_max_cells,
            calls=settings.tables_calls,
            window_seconds=settings.tables_window_seconds,
        )
        self._texts, self._employers = texts, employers
        self._allowed = [] if scope is None else [Depends(require(scope))]
        self._buckets = Buckets(settings.tables_calls, settings.tables_window_seconds)
        self._kept = {"Cache-Control": "public, max-age=60" if scope is None else "no-store"}

    def routes(self, path: str, tag: str, *, limited: bool = True) -> APIRouter:
        """Routes below a path, for those who may read, as often as they may."""
        counted = [Depends(limit(self._buckets, _client_of))] if limited else []
        return APIRouter(prefix=path, tags=[tag], dependencies=[*self._allowed, *counted])

    def labels(self, request: Request, language: Language) -> Labels:
        """The words of a language, in which problems are told too."""
        request.state.language = language
        return Labels(self._texts, language)

    async def labels_of(self, table: Described, labels: Labels) -> Labels:
        """With the names of the employers of a table. All of it, so that a name is the same in whatever is chosen."""
        numbers = [code for each in table.dimensions if each.id == EMPLOYER for code in each.codes]
        if self._employers is None or not numbers:
            return labels
        return replace(labels, called=told_apart(await self._employers.of(numbers)))

    def answer(self, body: Mapping[str, Any] | list[Any], labels: Labels) -> Response:
        """A document as JSON."""
        return JSONResponse(body, headers={**self._kept, "Content-Language": labels.language})

    async def table(self, table_id: str) -> Table:
        """By its id, in any case. Raises NotFound."""
        found = await self.source.table(table_id.lower())
        if found is None:
            raise NotFound
        return found

    async def data(
        self,
        table: Table,
        selection: Selection,
        asked: Output,
        labels: Labels,
        turned: Callable[[bytes], bytes] = bytes,
    ) -> Response:
        """The cells in the format, with what is still to be done with that. Raises Problem 400: too many cells."""
        if selection.cells > self.place.max_cells:
            raise Problem(400, "too_many_cells", cells=selection.cells, most=self.place.max_cells)
        words = await self.labels_of(table, labels)

        def body() -> bytes:
            lists = f"{self.place.base}/codelists"
            cube = selection.of(table)
            return turned(
                rendered(cube, words, asked, stub=selection.stub, heading=selection.heading, codelist_url=lists)
            )

        headers = {**self._kept, **asked.headers(table.id), "Content-Language": labels.language}
        return Response(await asyncio.to_thread(body), media_type=asked.media_type, headers=headers)


def _client_of(request: Request) -> str:
    principal: Principal | None = getattr(request.state, "principal", None)
    return address_of(request) if principal is None else principal.client
