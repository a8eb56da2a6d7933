"""From a request to a command's context, and from what was decided to the answer.

Invariant: every POST has an idempotency key, claimed together with the caller's organisation and the route, so that
nobody gets somebody else's answer; a change names the version that it is based on.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from chassis import telemetry
from chassis.auth import authenticated
from chassis.decisions import CommandContext, Done
from chassis.problems import Problem, busy
from chassis.sessions import CSRF_FIELD, is_form
from chassis.tokens import Principal
from chassis.webstate import correlation_of, web_of

LONGEST_WAIT_SECONDS = 10.0
IDEMPOTENCY_FIELD = "idempotency_key"
VERSION_FIELD = "version"
SEEN_COOKIE = "dugnad_seen_"
"""And the source that a position counts in."""
SEEN_SECONDS = 60
_HIDDEN = frozenset({CSRF_FIELD, IDEMPOTENCY_FIELD, VERSION_FIELD})
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_CURSOR = re.compile(r"[A-Za-z0-9_-]{1,2000}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LARGEST = 2**53
_ETAG = re.compile(r'"(0|[1-9][0-9]{0,14})"')
_WAIT = re.compile(r"(?:^|[,;\s])wait=([0-9]{1,4}(?:\.[0-9]{1,3})?)(?:$|[,;\s])", re.IGNORECASE)

_ADVICE = (
    "A new key for each action, the same key when it is tried again: at once where the connection broke or the answer "
    "was 503, after ten seconds without any answer."
)
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", description=_ADVICE)]
IfMatch = Annotated[str | None, Header(alias="If-Match", description="The version that was read: the ETag.")]
Prefer = Annotated[
    str | None, Header(description="`wait=2`: wait at most 2 s for the place in the log, and answer with `position`.")
]


async def command_context(
    request: Request,
    principal: Annotated[Principal, Depends(authenticated)],
    idempotency_key: IdempotencyKey = None,
    if_match: IfMatch = None,
    prefer: Prefer = None,
) -> CommandContext:
    """For a POST that makes something: If-Match is optional."""
    form = [] if not is_form(request) else list((await request.form()).multi_items())
    fields = {name: value for name, value in form if isinstance(value, str)}
    sent = sorted((name, str(value)) for name, value in form if name not in _HIDDEN)
    return _context(
        request,
        principal,
        key=idempotency_key if idempotency_key is not None else fields.get(IDEMPOTENCY_FIELD),
        if_match=_version(if_match, fields.get(VERSION_FIELD)),
        wait=_wait(prefer),
        body=_dump(sent) if is_form(request) else _canonical(await request.body()),
    )


async def change_context(context: Annotated[CommandContext, Depends(command_context)]) -> CommandContext:
    """For a POST that changes something: If-Match must be there, or a form's hidden field `version` (else 428)."""
    if context.if_match is None:
        raise Problem(428, "if_match_missing")
    return context


Creating = Annotated[CommandContext, Depends(command_context)]
Changing = Annotated[CommandContext, Depends(change_context)]


def _context(
    request: Request, principal: Principal, *, key: str | None, if_match: int | None, wait: float, body: bytes
) -> CommandContext:
    if key is None:
        raise Problem(400, "idempotency_key_missing")
    if not _KEY.fullmatch(key):
        raise Problem(400, "idempotency_key_malformed")
    if web_of(request).pulse.just_woke():
        raise busy("busy", 1)
    route = f"{request.method} {request.scope['route'].path}"
    claimed = hashlib.sha256(f"{principal.client}\n{route}\n{key}".encode()).hexdigest()
    return CommandContext(
        claim=f"command:{claimed}",
        # The path is part of what was sent: the same key for another need is another command, not a repeated one.
        body=request.url.path.encode() + b"\n" + body,
        actor=principal.sub,
        correlation=correlation_of(request),
        traceparent=telemetry.current(),
        if_match=if_match,
        wait=wait,
    )


def _version(header: str | None, form_field: str | None) -> int | None:
    if header is None and form_field is not None:
        header = f'"{form_field}"'
    if header is None:
        return None
    match = _ETAG.fullmatch(header.strip())
    if match is None:
        raise Problem(400, "if_match_malformed")
    return int(match[1])


def _wait(prefer: str | None) -> float:
    match = _WAIT.search(prefer or "")
    return min(float(match[1]), LONGEST_WAIT_SECONDS) if match else 0.0


def _canonical(body: bytes) -> bytes:
    # Two clients, or one after an update, may write the same JSON with other blanks and another order.
    return _dump(json.loads(body)) if body else b""


def _dump(value: object) -> bytes:
    # Escaped, since a lone surrogate in what was sent has no UTF-8.
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def respond(done: Done) -> JSONResponse:
    """The answer to a command: `Location`, `ETag`, and the body with `version` and, if waited for, `position`.

    Of a log that was continued, `position_source` says where the position counts (`intake~2`).
    """
    body: dict[str, Any] = {**done.answer.body, "version": done.version}
    if done.position is not None:
        body["position"] = done.position
        if "~" in done.source:
            body["position_source"] = done.source
    return JSONResponse(body, status_code=done.answer.status, headers=_headers(done))


def _headers(done: Done) -> dict[str, str]:
    headers = {"Location": done.answer.location, "ETag": etag(done.version)}
    if done.repeated:
        headers["Idempotent-Replay"] = "true"
    return headers


def respond_page(location: str, done: Done | None = None) -> RedirectResponse:
    """The answer of a form: see the page that shows the result (303, so that reloading sends nothing again).

    `done`: what it did. The browser keeps the position for a minute, so that every list that it comes to next shows it
    (`chassis.freshness`). It tells nothing but how far a log has come.
    """
    if done is None or done.seen is None:
        return RedirectResponse(location, status_code=303)
    return _SeenPage(location, SEEN_COOKIE + done.source.partition("~")[0], done.seen)


class _SeenPage(RedirectResponse):
    """A redirect with the position in a cookie. Only while it is sent is it known which app answers."""

    def __init__(self, location: str, cookie: str, seen: str) -> None:
        super().__init__(location, status_code=303)
        self._cookie, self._seen = cookie, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # As the session's: else a production cookie would go over a line that is not encrypted.
        secure = web_of(Request(scope)).sessions.secure
        self.set_cookie(
            self._cookie, self._seen, max_age=SEEN_SECONDS, path="/", secure=secure, httponly=True, samesite="lax"
        )
        await super().__call__(scope, receive, send)


def etag(version: int) -> str:
    """A version as ETag."""
    return f'"{version}"'


def resource(
    body: Mapping[str, Any], *, version: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """One resource, with its subject's version as ETag where it can be changed."""
    more = dict(headers or {})
    if version is not None:
        more["ETag"] = etag(version)
    return JSONResponse(dict(body), headers=more)


@dataclass(frozen=True)
class Paging:
    """What part of a list is asked for: at most `limit` items after the sort values `after` of the last one seen."""

    limit: int
    after: tuple[str | int | float | bool | None, ...] | None

    def listing(
        self, found: Sequence[Mapping[str, Any]], key: Callable[[Mapping[str, Any]], Sequence[Any]]
    ) -> JSONResponse:
        """A page of a list. Ask the view for `limit + 1` documents and give what came; `key` gives the sort values
        (with the id last) of an item."""
        items = [dict(item) for item in found[: self.limit]]
        more = len(found) > self.limit
        return JSONResponse({"items": items, "next": _cursor(key(found[self.limit - 1])) if more else None})


async def paging(
    limit: Annotated[int, Query(ge=1, le=200, description="How many items at most.")] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the answer before.")] = None,
) -> Paging:
    """The dependency for lists."""
    return Paging(limit, None if cursor is None else _opened(cursor))


Paged = Annotated[Paging, Depends(paging)]


def _cursor(values: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(_dump(list(values))).decode().rstrip("=")


def _opened(cursor: str) -> tuple[str | int | float | bool | None, ...]:
    if not _CURSOR.fullmatch(cursor):
        raise Problem(400, "cursor_invalid")
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError) as error:
        raise Problem(400, "cursor_invalid") from error
    # Plain values only: an object from outside would become an operator in a query.
    if not isinstance(values, list) or not values or len(values) > 8 or not all(map(_is_plain, values)):
        raise Problem(400, "cursor_invalid")
    return tuple(values)


def _is_plain(value: object) -> bool:
    """Whether a value can be asked of a database: no larger number, and no half of a surrogate pair, than it takes."""
    match value:
        case str():
            return not _SURROGATE.search(value)
        case int() | float():
            return -_LARGEST <= value <= _LARGEST
        case _:
            return value is None
