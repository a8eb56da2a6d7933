"""PxWebApi 1, which older clients speak, on the published tables: another grammar of questions, the same cells.

Invariant: a question is put into the terms of version 2 and answered there; nothing is selected or counted here. As in
version 1, a variable that is not named is at its total, or whole where it has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.formats import Language
from chassis.jsonbody import strict_json
from chassis.problems import NotFound, Problem
from chassis.web import web_of
from services.reporting.domain.cube import Described, Dimension, Role
from services.reporting.pxweb import jsonstat
from services.reporting.pxweb.base import Base
from services.reporting.pxweb.formats import Format, Output
from services.reporting.pxweb.grid import Words
from services.reporting.pxweb.jsonstat import stamp
from services.reporting.pxweb.labels import Labels
from services.reporting.pxweb.listing import chosen
from services.reporting.pxweb.selection import Wanted, select

OLDER = "/api/v0"
"""The base path, as Statistics Norway has it; a language stands behind it."""
TABLES = "table"
"""The one database."""
SERVED: dict[str, Language] = {"nb": "nb", "no": "nb", "nn": "nb", "en": "en"}
"""The languages that may be asked for, and in which one is answered."""


@dataclass(frozen=True)
class Form:
    """A format of version 1 in the terms of version 2."""

    output: Output
    one_number_a_line: bool = False
    turned: Callable[[bytes], bytes] = bytes
    """What is still to be done with the answer."""


FORMATS = {
    "px": Form(Output(Format.PX)),
    "csv": Form(Output(Format.CSV)),
    "csv2": Form(Output(Format.CSV), one_number_a_line=True),
    "csv3": Form(Output(Format.CSV, Words.CODES), one_number_a_line=True),
    "xlsx": Form(Output(Format.XLSX)),
    "json": Form(Output(Format.JSON_PX)),
    "json-stat": Form(Output(Format.JSON_STAT2), turned=jsonstat.as_version_1),
    "json-stat2": Form(Output(Format.JSON_STAT2)),
}
_CODELISTS = ("vs", "agg", "agg_single")
_MOST = 100


class AsJson:
    """What is posted below `OLDER` is JSON, whatever it calls itself: older clients, and `curl -d`, say it is a form.

    The paths are open to everybody and change nothing, so that no page elsewhere gains by it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].lower().startswith(f"{OLDER}/"):
            headers = [each for each in scope["headers"] if each[0] != b"content-type"]
            scope = {**scope, "headers": [*headers, (b"content-type", b"application/json")]}
        await self._app(scope, receive, send)


class _Selection(BaseModel):
    filter: str = Field(max_length=100)
    values: list[str] = []


class _Variable(BaseModel):
    code: str = Field(max_length=100)
    selection: _Selection


class _Response(BaseModel):
    format: str = Field(default="px", max_length=20)


class Question(BaseModel):
    """The body of a POST: what is chosen of which variable, and the format."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "query": [{"code": "Tid", "selection": {"filter": "top", "values": ["3"]}}],
                "response": {"format": "json-stat2"},
            }
        }
    )

    query: list[_Variable] = Field(default=[], max_length=_MOST)
    response: _Response = _Response()


def question(body: bytes) -> Question:
    """What somebody asks; nothing is everything, as px. Raises Problem 400."""
    try:
        return Question.model_validate(strict_json(body) if body else {})
    except ValidationError as error:
        raise Problem(400, "bad_older_query") from error


def form_of(asked: Question) -> Form:
    """In which format the answer is wished. Raises Problem 400."""
    form = FORMATS.get(asked.response.format.strip().lower())
    if form is None:
        raise Problem(400, "unknown_format", formats=", ".join(FORMATS))
    return form


def wanted(table: Described, asked: Question, form: Form) -> Wanted:
    """What is chosen, in the terms of version 2. Raises Problem 400."""
    values: dict[str, Sequence[str]] = {}
    codelists: dict[str, str] = {}
    variables = {each.id.lower(): each for each in table.dimensions}
    for each in asked.query:
        name = each.code.strip().lower()
        if name not in variables:
            raise Problem(400, "unknown_variable", variables=", ".join(one.id for one in table.dimensions))
        kind, _, codelist = each.selection.filter.strip().partition(":")
        found = each.selection.values
        match kind.lower():
            case "item" if not codelist:
                values[name] = _exact(variables[name], found)
            case "all" if not codelist:
                values[name] = found
            case "top" if not codelist and len(found) == 1:
                values[name] = [f"top({found[0]})"]
            case within if within in _CODELISTS and codelist:
                codelists[name] = codelist.strip()
                values[name] = _exact(variables[name], found)
            case _:
                raise Problem(400, "unknown_filter", variable=variables[name].id)
        if not values[name] and name not in codelists:
            raise Problem(400, "unknown_value", variable=variables[name].id)
    for name, dimension in variables.items():
        if name not in values and not dimension.eliminated:
            values[name] = ["*"]
    heading = () if form.one_number_a_line else None
    return Wanted({name: found for name, found in values.items() if found}, codelists, heading)


def _exact(dimension: Dimension, values: Sequence[str]) -> Sequence[str]:
    """Codes that are meant as they stand: in version 1 only `all` has wildcards. Raises Problem 400."""
    known = {code.lower() for code in dimension.codes}
    if any(value.lower() not in known for value in values):
        raise Problem(400, "unknown_value", variable=dimension.id)
    return values


def metadata(table: Described, labels: Labels) -> dict[str, Any]:
    """Title and variables with their codes and words."""
    return {"title": labels.title(table), "variables": [_variable(table, each, labels) for each in table.dimensions]}


def _variable(table: Described, dimension: Dimension, labels: Labels) -> dict[str, Any]:
    words = labels.codes(table, dimension)
    described: dict[str, Any] = {
        "code": dimension.id,
        "text": labels.dimension(dimension),
        "values": list(words),
        "valueTexts": list(words.values()),
    }
    # Only where they hold, as version 1 writes them.
    if dimension.eliminated:
        described["elimination"] = True
    if dimension.role is Role.TIME:
        described["time"] = True
    return described


def router(base: Base) -> APIRouter:
    """The routes below `OLDER`, on the same tables, limits and budgets of calls as version 2 of `base`."""
    routes = base.routes(OLDER, "published tables for older clients")
    free = base.routes(OLDER, "published tables for older clients", limited=False)
    place = base.place

    def read(request: Request, language: str) -> Labels:
        if language not in SERVED:
            raise NotFound
        return base.labels(request, SERVED[language])

    def config(labels: Labels) -> Response:
        limits = {"maxValues": place.max_cells, "maxCells": place.max_cells, "maxCalls": place.calls}
        return base.answer({**limits, "timeWindow": place.window_seconds, "CORS": place.public}, labels)

    @free.get("/{language}")
    async def databases(request: Request, language: str) -> Response:
        """The one database; with `?config` the limits."""
        labels = read(request, language)
        if "config" in request.query_params:
            return config(labels)
        return base.answer([{"dbid": TABLES, "text": labels.say("px.subject")}], labels)

    @routes.get(f"/{{language}}/{TABLES}")
    async def tables(request: Request, language: str, query: str = "") -> Response:
        """The tables; `query`: those whose words hold all of these; with `?config` the limits."""
        labels = read(request, language)
        if "config" in request.query_params:
            return config(labels)
        listed = await base.source.tables()
        if words := query[:200].strip():
            hits = chosen(listed, labels, query=words, past_days=None, now=web_of(request).service.clock.now())
            found = [
                {"id": each.id, "path": "/", "title": labels.title(each), "score": 1, "published": _moment(each)}
                for each in hits
            ]
            return base.answer(found, labels)
        return base.answer(
            [{"id": each.id, "type": "t", "text": labels.title(each), "updated": _moment(each)} for each in listed],
            labels,
        )

    @routes.get(f"/{{language}}/{TABLES}/{{table_id}}")
    async def described(request: Request, language: str, table_id: str) -> Response:
        """Title and variables with their codes; with `?config` the limits."""
        labels = read(request, language)
        if "config" in request.query_params:
            return config(labels)
        return base.answer(metadata(await base.table(table_id), labels), labels)

    @routes.post(
        f"/{{language}}/{TABLES}/{{table_id}}",
        openapi_extra={"requestBody": {"content": {"application/json": {"schema": Question.model_json_schema()}}}},
    )
    async def data(request: Request, language: str, table_id: str) -> Response:
        """Numbers: `{"query": [{"code", "selection": {"filter", "values"}}], "response": {"format"}}`."""
        labels = read(request, language)
        table = await base.table(table_id)
        asked = question(await request.body())
        form = form_of(asked)
        return await base.data(table, select(table, wanted(table, asked, form)), form.output, labels, form.turned)

    both = APIRouter()
    both.include_router(free)
    both.include_router(routes)
    return both


def _moment(table: Described) -> str:
    """In UTC; version 1 writes no zone."""
    return stamp(table).removesuffix("Z")
