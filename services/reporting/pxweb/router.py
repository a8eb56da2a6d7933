"""The API: PxWebApi 2 on one source of tables.

Invariant: nothing is counted here. Ids, variables, codes, names of parameters and paths match without regard to case; a
slash at the end and unknown parameters are nothing; what cannot be answered rightly is a problem document.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response

from chassis import apidocs
from chassis.anycase import AnyCase
from chassis.auth import NotFound
from chassis.crossorigin import CrossOrigin
from chassis.formats import LANGUAGES, Language
from chassis.jsonbody import strict_json
from chassis.problems import Problem
from chassis.web import language_of, web_of
from services.reporting.domain.cube import Codelist, Described, Dimension
from services.reporting.pxweb import jsonstat, listing
from services.reporting.pxweb.base import Base
from services.reporting.pxweb.formats import Format, output
from services.reporting.pxweb.labels import Labels
from services.reporting.pxweb.older import OLDER, SERVED, AsJson
from services.reporting.pxweb.selection import Wanted, from_body, from_query, select

LIVE = "/live/api/v2"
"""The base path of what is computed now, for those who may read it."""
PUBLIC = "/api/v2"
"""The base path of what has been published; nothing else may stand there."""
_LONGEST_PAGE = 10_000

_PAGING = ("pageNumber", "pageSize")
_WHOLE = {each.lower(): each for each in (*_PAGING, "pastDays")}
"""As they are written in what is said about them."""
_CHOICE = ("valueCodes[Tid]", "codelist[Region]", "heading", "stub")
_FORMAT = ("outputFormat", "outputFormatParams")
_ABOUT = {
    "lang": "`nb` or `en`; left out: what `Accept-Language` says. Another one is refused.",
    "query": "Words that the table's words hold, all of them.",
    "pastDays": "Only tables that were updated in so many days.",
    "includeDiscontinued": "`true`: also tables that get no more periods.",
    "pageNumber": "From 1 on; past the end is 404.",
    "pageSize": f"{listing.PAGE_SIZE} unless given.",
    "valueCodes[Tid]": "Codes or expressions of a variable, here of `Tid`: `top(3)`, `2026M0*`. One per variable.",
    "codelist[Region]": "The code list among whose codes is chosen, here of `Region`. One per variable.",
    "heading": "The variables that go across.",
    "stub": "The variables that go down.",
    "outputFormat": f"One of {', '.join(Format)}.",
    "outputFormatParams": "How codes are written, the separator, the title.",
}


_TEXTS = {"type": "array", "items": {"type": "string"}}
_CHOSEN = {
    "type": "object",
    "required": ["variableCode"],
    "properties": {"variableCode": {"type": "string"}, "valueCodes": _TEXTS, "codelist": {"type": "string"}},
}
_QUERY = {
    "selection": {"type": "array", "items": _CHOSEN},
    "placement": {"type": "object", "properties": {"heading": _TEXTS, "stub": _TEXTS}},
}
_BODY = {"content": {"application/json": {"schema": {"type": "object", "properties": _QUERY}}}}


def described(*names: str) -> dict[str, Any]:
    """The parameters of a route for the API's description: FastAPI cannot know those with brackets."""
    return {
        "parameters": [
            {"name": name, "in": "query", "required": False, "description": _ABOUT[name], "schema": {"type": "string"}}
            for name in (*names, "lang")
        ]
    }


class _Parameters:
    """The query, its names in small letters; the first of a name wins."""

    def __init__(self, request: Request) -> None:
        self.pairs: Sequence[tuple[str, str]] = request.query_params.multi_items()
        self._first: dict[str, str] = {}
        for name, value in self.pairs:
            self._first.setdefault(name.lower(), value.strip())

    def text(self, name: str) -> str:
        """Empty where it is not there."""
        return self._first.get(name, "")

    def all(self, name: str) -> list[str]:
        """Each time it is given."""
        return [value for each, value in self.pairs if each.lower() == name]

    def whole(self, name: str, usual: int | None, *, most: int) -> int | None:
        """A whole number from 1 on. Raises Problem 400."""
        text = self.text(name)
        if not text:
            return usual
        if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= most:
            raise Problem(400, "bad_number", parameter=_WHOLE[name], most=most)
        return int(text)


def _language(request: Request, parameters: _Parameters) -> Language:
    """What `lang` says, also with a country (`en-GB`); else what `Accept-Language` says. Raises Problem 400."""
    asked = parameters.text("lang").lower().replace("_", "-").partition("-")[0]
    if not asked:
        return language_of(request)
    if asked not in SERVED:
        # An answer in another language than was asked for would be taken for what it is not.
        raise Problem(400, "unknown_language", languages=", ".join(LANGUAGES))
    return SERVED[asked]


def prepare(app: FastAPI) -> None:
    """What goes around the routes: any case of paths, and for what is open answers that browsers may read anywhere."""
    app.add_middleware(AnyCase, below=(LIVE, PUBLIC, OLDER))
    app.add_middleware(AsJson)
    for path in (PUBLIC, OLDER):
        app.add_middleware(CrossOrigin, below=path)


def router(base: Base) -> APIRouter:
    """The routes below a base path. The app needs `prepare`, too."""
    source, place, answer = base.source, base.place, base.answer
    tag = "published tables" if place.public else "live tables"
    free, routes = base.routes(base.path, tag, limited=False), base.routes(base.path, tag)

    def read(request: Request) -> tuple[_Parameters, Labels]:
        parameters = _Parameters(request)
        return parameters, base.labels(request, _language(request, parameters))

    @free.get("/config")
    async def config(request: Request) -> Response:
        """Languages, limits and formats. Whatever `lang` says: here somebody finds out which there are."""
        return answer(listing.config(place, apidocs.VERSION), base.labels(request, language_of(request)))

    @routes.get("/tables", openapi_extra=described("query", "pastDays", "includeDiscontinued", *_PAGING))
    async def tables(request: Request) -> Response:
        """The tables, in pages: `query`, `pastDays`, `includeDiscontinued`, `pageNumber`, `pageSize`, `lang`."""
        parameters, labels = read(request)
        number = parameters.whole("pagenumber", 1, most=1_000_000) or 1
        size = parameters.whole("pagesize", listing.PAGE_SIZE, most=_LONGEST_PAGE) or listing.PAGE_SIZE
        past_days = parameters.whole("pastdays", None, most=100_000)
        ended = await source.discontinued()
        listed = await source.tables()
        with_ended = parameters.text("includediscontinued").lower() == "true"
        if not with_ended:
            listed = [each for each in listed if not ended.get(each.id, False)]
        query = parameters.text("query")[:200]
        now = web_of(request).service.clock.now()
        hits = listing.chosen(listed, labels, query=query, past_days=past_days, now=now)
        again = {"query": query, "pastDays": past_days or "", "includeDiscontinued": "true" if with_ended else ""}
        asked = {name: str(value) for name, value in again.items() if value}
        return answer(listing.page(hits, labels, place, ended, number=number, size=size, asked=asked), labels)

    @routes.get("/tables/{table_id}", openapi_extra=described())
    async def table(request: Request, table_id: str) -> Response:
        """One table of the list."""
        _, labels = read(request)
        one = await base.table(table_id)
        ended = await source.discontinued()
        return answer(listing.table(one, labels, place, discontinued=ended.get(one.id, False)), labels)

    @routes.get("/tables/{table_id}/metadata", openapi_extra=described())
    async def metadata(request: Request, table_id: str) -> Response:
        """Variables, codes, labels, notes and definitions, as JSON-stat 2.0 without numbers."""
        _, labels = read(request)
        one = await base.table(table_id)
        at = f"{place.base}/tables/{one.id}"
        links = {"self": f"{at}/metadata", "data": f"{at}/data"}
        words = await base.labels_of(one, labels)
        return answer(jsonstat.metadata(one, words, links, f"{place.base}/codelists"), words)

    @routes.get("/tables/{table_id}/defaultselection", openapi_extra=described())
    async def default_selection(request: Request, table_id: str) -> Response:
        """What is sent to whoever chooses nothing."""
        _, labels = read(request)
        return answer(listing.default_selection(await base.table(table_id), labels, place), labels)

    async def data_of(request: Request, table_id: str, wanted: Wanted) -> Response:
        parameters, labels = read(request)
        one = await base.table(table_id)
        asked = output(parameters.text("outputformat") or None, parameters.all("outputformatparams"))
        return await base.data(one, select(one, wanted), asked, labels)

    @routes.get("/tables/{table_id}/data", openapi_extra=described(*_CHOICE, *_FORMAT))
    async def data(request: Request, table_id: str) -> Response:
        """Numbers: `valueCodes[Tid]=top(3)`, `codelist[Region]`, `heading`, `stub`, `outputFormat`,
        `outputFormatParams`. A variable left out is at its total; without any choice the default selection is sent."""
        return await data_of(request, table_id, from_query(request.query_params.multi_items()))

    @routes.post("/tables/{table_id}/data", openapi_extra={**described(*_FORMAT), "requestBody": _BODY})
    async def data_by_post(request: Request, table_id: str) -> Response:
        """The same, the choice as JSON: `{"selection": [{"variableCode", "valueCodes", "codelist"}], "placement"}`."""
        body = await request.body()
        return await data_of(request, table_id, from_body(strict_json(body) if body else None))

    async def codelist_of(list_id: str) -> tuple[Codelist, Described, Dimension]:
        for each in await source.tables():
            for dimension in each.dimensions:
                for one in dimension.codelists:
                    if one.id.lower() == list_id.lower():
                        return one, each, dimension
        raise NotFound

    @routes.get("/codelists/{list_id}", openapi_extra=described())
    async def codelist(request: Request, list_id: str) -> Response:
        """A named choice of the codes of a variable; also under `codeLists`."""
        _, labels = read(request)
        one, of, dimension = await codelist_of(list_id)
        return answer(listing.codelist(one, of, dimension, labels, place), labels)

    both = APIRouter()
    both.include_router(free)
    both.include_router(routes)
    return both
