"""The description of the API: `/openapi.json` for machines and `/docs` for people, without scripts or foreign servers.

Invariant: what is described is what is enforced: scopes, required headers and problem documents come from the routes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.requests import Request
from starlette.responses import JSONResponse

from chassis import respond
from chassis.auth import SCOPES, Visitor, authenticated, visitor
from chassis.problems import MEDIA_TYPE
from chassis.webstate import web_of

VERSION = "1"
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. `code` never changes; `title` and `detail` are in the language of Accept-Language.",
    "required": ["type", "title", "status", "detail", "code", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri", "examples": ["urn:dugnad:problem:stale"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "examples": ["stale"]},
        "instance": {"type": "string", "description": "Names this occurrence; quote it when you report it."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail", "code"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into the body."},
                    "parameter": {"type": "string", "description": "Name of a query parameter."},
                    "detail": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
    },
}
_SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "OAuth 2 token with scopes. " + "; ".join(f"`{name}`: {what}" for name, what in SCOPES.items()),
    }
}
_ANSWERS = {
    "400": "Malformed: JSON, a header or a cursor",
    "401": "No token, or one that does not hold",
    "403": "The scope is missing",
    "404": "Unknown, or somebody else's",
    "405": "Another method",
    "409": "The state forbids it, or it is stale (`changed`: what happened since)",
    "413": "More than 64 KiB",
    "415": "Not application/json",
    "422": "Fields are wrong (`errors`)",
    "428": "If-Match is missing",
    "503": "Something does not answer (`Retry-After`)",
}
_REQUIRED_HEADER = {"Idempotency-Key": respond.command_context, "If-Match": respond.change_context}


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for inner in dependant.dependencies:
        if inner.call is not None:
            yield inner.call
        yield from _calls(inner)


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document: scopes, headers and problems as the routes' dependencies enforce them."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, openapi_version="3.1.0"
    )
    for context in iter_route_contexts(app.routes):
        route = getattr(context, "original_route", context)
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                operation = document["paths"].get(route.path_format, {}).get(method.lower())
                if operation is not None:
                    _complete(operation, method, list(_calls(route.dependant)))
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = _PROBLEM
    document["components"]["securitySchemes"] = _SECURITY
    return document


def _complete(operation: dict[str, Any], method: str, calls: list[Callable[..., Any]]) -> None:
    scopes = [scope for call in calls for scope in getattr(call, "scopes", ())]
    if scopes:
        # Any one of them is enough: alternatives are separate entries.
        operation["security"] = [{"bearer": [scope]} for scope in scopes]
    elif visitor in calls:
        operation["security"] = [{}, {"bearer": []}]
    elif authenticated in calls:
        operation["security"] = [{"bearer": []}]
    else:
        operation["security"] = []
    for parameter in operation.get("parameters", ()):
        if _REQUIRED_HEADER.get(parameter["name"]) in calls:
            parameter["required"] = True
            parameter["schema"] = {"type": "string"}
    responses = operation["responses"]
    # A route names what follows from neither its method nor its path: `responses={409: {}}`.
    named = [status for status in responses if status in _ANSWERS]
    for status in sorted({*named, *_possible(method, operation, calls)}):
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        responses[status] = {"description": _ANSWERS[status], "content": content}


def _possible(method: str, operation: Mapping[str, Any], calls: list[Callable[..., Any]]) -> list[str]:
    possible = ["503"]
    if operation["security"]:
        possible += ["401", "403"]
    if "{" in str(operation.get("parameters", "")) and any(
        parameter["in"] == "path" for parameter in operation.get("parameters", ())
    ):
        possible.append("404")
    if any(parameter["in"] == "query" for parameter in operation.get("parameters", ())):
        possible += ["400", "422"]
    if "422" in operation["responses"]:
        # The framework names it for every parameter, with an answer that is not ours.
        possible.append("422")
    if method not in ("GET", "HEAD"):
        possible += ["400", "409", "413", "415", "422"]
    if respond.change_context in calls:
        possible.append("428")
    return possible


router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def openapi(request: Request) -> JSONResponse:
    """The API's description for machines."""
    return JSONResponse(request.app.openapi())


@router.get("/docs")
async def docs(request: Request, _visitor: Visitor) -> HTMLResponse:
    """The API's description for people."""
    document: dict[str, Any] = request.app.openapi()
    return web_of(request).pages.render(
        request,
        "docs.html",
        api=document,
        operations=list(_operations(document)),
        schemas=document["components"]["schemas"],
        kind_of=kind_of,
        development=web_of(request).settings.environment == "development",
        origin=f"{request.url.scheme}://{request.url.netloc}",
    )


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            scopes = [scope for entry in operation["security"] for scope in entry.get("bearer", ())]
            yield {
                "id": f"{method}{path}".translate(str.maketrans("/{}", "---")),
                "method": method.upper(),
                "path": path,
                "summary": operation.get("summary", ""),
                "description": operation.get("description", ""),
                "scopes": scopes,
                "open": not operation["security"],
                "parameters": operation.get("parameters", []),
                "body": None if body is None else kind_of(body),
                "responses": operation["responses"],
            }


def kind_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema in words for the page: `{"text": "list of", "ref": "Experience"}`."""
    if "$ref" in schema:
        return {"text": "", "ref": schema["$ref"].rpartition("/")[2]}
    if "anyOf" in schema:
        kinds = [kind_of(part) for part in schema["anyOf"] if part.get("type") != "null"]
        ref = next((kind["ref"] for kind in kinds if kind["ref"]), None)
        return {"text": " | ".join(kind["text"] for kind in kinds if kind["text"]), "ref": ref}
    if "enum" in schema:
        return {"text": " | ".join(map(str, schema["enum"])), "ref": None}
    if schema.get("type") == "array":
        inner = kind_of(schema.get("items", {}))
        return {"text": f"[{inner['text']}]" if inner["text"] else "[ ]", "ref": inner["ref"]}
    limits = [
        f"{sign} {schema[name]}"
        for name, sign in (("minimum", "≥"), ("maximum", "≤"), ("exclusiveMinimum", ">"), ("exclusiveMaximum", "<"))
        if name in schema
    ]
    if "maxLength" in schema:
        limits.append(f"≤ {schema['maxLength']}")
    if "pattern" in schema:
        limits.append(schema["pattern"])
    kind = schema.get("format") or schema.get("type") or "JSON"
    return {"text": " ".join([str(kind), *limits]), "ref": None}
