"""What media type and what JSON a body may be.

Invariant: API routes take JSON and page routes take forms, nothing else; a body that two readers could read differently
(repeated names, NaN, depth) is malformed.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from starlette.requests import Request

from chassis.problems import Problem
from chassis.sessions import SAFE_METHODS, is_form

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
DEEPEST = 32


async def check_body(request: Request) -> None:
    """A dependency of every route. Raises Problem 415 or 400."""
    if request.method in SAFE_METHODS:
        return
    # Routes of pages are left out of the API's description; their form may have been read already.
    if not getattr(request.scope["route"], "include_in_schema", True):
        if "content-type" in request.headers and not is_form(request):
            raise _unsupported(FORM)
        return
    body = await request.body()
    if not body and "content-type" not in request.headers:
        return
    media_type, _, options = request.headers.get("content-type", "").partition(";")
    charset = options.strip().lower().removeprefix("charset=").strip('"')
    if media_type.strip().lower() != JSON or charset not in ("", "utf-8"):
        raise _unsupported(JSON)
    if body:
        strict_json(body)


def _unsupported(expected: str) -> Problem:
    return Problem(415, "unsupported_media_type", headers={"Accept": expected}, expected=expected)


def strict_json(body: bytes) -> Any:
    """The value of a JSON text. Raises Problem 400 for anything that is not plain JSON in UTF-8."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_no_repetition)
        if _depth(value) > DEEPEST:
            raise Problem(400, "malformed_json")
    except (ValueError, RecursionError) as error:
        raise Problem(400, "malformed_json") from error
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _no_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name is repeated")
    return value


def _depth(value: Any) -> int:
    deepest = 0
    waiting = [(value, 1)]
    while waiting:
        part, depth = waiting.pop()
        if isinstance(part, dict):
            part = list(part.values())
        if isinstance(part, list):
            deepest = max(deepest, depth)
            waiting.extend((inner, depth + 1) for inner in part)
    return deepest
