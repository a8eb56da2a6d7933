"""Around every request: ids, language, the size of the body, headers of the answer, one log line, counters.

Invariant: nothing larger than 64 KiB reaches a route, whatever its headers say; nothing unexpected leaks out;
log and counters know the route's template, never its path.
"""

from __future__ import annotations

import re
from time import monotonic
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import telemetry
from chassis.ids import new_id
from chassis.logs import bind_correlation, get_logger
from chassis.metrics import HTTP_REQUESTS, HTTP_SECONDS
from chassis.pages import wants_page
from chassis.problems import MEDIA_TYPE, Problem
from chassis.texts import chosen_language
from chassis.webstate import Web

LARGEST_BODY = 64 * 1024
CORRELATION_HEADER = "X-Correlation-ID"
REQUEST_HEADER = "X-Request-ID"
LANGUAGE_COOKIE = "dugnad_language"
# A ULID, a UUID or 16 to 64 hex digits: anything looser could carry a name or a national id into logs and events.
_CORRELATION = re.compile(
    r"[0-7][0-9A-HJKMNP-TV-Z]{25}|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{16,64}"
)
_QUIET = frozenset({"/livez", "/readyz", "/static"})
_UNTRACED = ("/livez", "/readyz", "/static/")

_POLICY = "default-src 'none'; frame-ancestors 'none'"
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: browsers would send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_log = get_logger(__name__)


class _Gone(Exception):
    """The client hung up while it sent the body."""


class Envelope:
    """The outermost layer of an app."""

    def __init__(self, app: ASGIApp, web: Web) -> None:
        self._app = app
        self._web = web
        self._production = web.settings.environment == "production"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        caller = telemetry.well_formed(headers.get("traceparent"))
        if scope["path"].startswith(_UNTRACED):
            await self._answer(_Exchange(self, scope, send, headers, caller), receive)
            return
        with telemetry.span("request", parent=caller, kind=telemetry.SpanKind.SERVER) as active:
            exchange = _Exchange(self, scope, send, headers, active.traceparent)
            try:
                await self._answer(exchange, receive)
            finally:
                exchange.tell(active)

    async def _answer(self, exchange: _Exchange, receive: Receive) -> None:
        scope = exchange.scope
        method = scope["method"]
        if method == "HEAD":
            # Answered as GET; the server leaves the body out.
            exchange.scope = {**scope, "method": "GET"}
        try:
            if method not in ("GET", "HEAD", "OPTIONS"):
                receive = await _whole_body(exchange.scope, receive)
            await self._app(exchange.scope, receive, exchange.send)
        except _Gone:
            exchange.status = 499
        except Problem as problem:
            await exchange.answer(problem)
        except Exception as error:  # the boundary: everything unexpected is logged and answered 500
            _log.exception("request failed", route=exchange.route)
            if exchange.status:
                raise
            await exchange.answer(error)
        finally:
            exchange.record(self._web.service.name)

    async def problem(self, error: Exception, request: Request) -> Response:
        """The problem document of an error that no route saw; for a browser a page."""
        state = request.state
        rendered = self._web.problems.write(error, state.language, f"urn:dugnad:request:{state.request_id}")
        if wants_page(request):
            return self._web.pages.render(
                request, "problem.html", status=rendered.status, headers=rendered.headers, problem=rendered.document
            )
        headers = {**rendered.headers, "Content-Language": state.language}
        return JSONResponse(rendered.document, rendered.status, headers=headers, media_type=MEDIA_TYPE)

    def decorate(self, headers: MutableHeaders, state: dict[str, Any]) -> None:
        """Headers that every answer has."""
        headers[CORRELATION_HEADER] = state["correlation"]
        headers[REQUEST_HEADER] = state["request_id"]
        page = headers.get("content-type", "").startswith("text/html")
        headers["Content-Security-Policy"] = _PAGE_POLICY if page else _POLICY
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("Cache-Control", "no-store")
        headers.setdefault("Vary", "Accept-Language, Cookie, Authorization")
        if self._production:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")


class _Exchange:
    """One request and its answer."""

    def __init__(self, envelope: Envelope, scope: Scope, send: Send, headers: Headers, traceparent: str | None) -> None:
        self._envelope, self._send, self.scope = envelope, send, scope
        self._begun = monotonic()
        self.status = 0
        # A made-up method would be a label of its own.
        self._method = scope["method"] if scope["method"] in _METHODS else "other"
        self._state = scope.setdefault("state", {})
        self._state["request_id"] = new_id()
        self._state["correlation"] = _correlation(headers, traceparent)
        self._state["language"] = chosen_language(
            headers.get("accept-language"), cookie_parser(headers.get("cookie", "")).get(LANGUAGE_COOKIE)
        )
        bind_correlation(self._state["correlation"], request=self._state["request_id"])

    @property
    def route(self) -> str:
        """The route's template."""
        route = self.scope.get("route")
        if route is not None:
            return str(getattr(route, "path", "unmatched"))
        return "/static" if self.scope["path"].startswith("/static/") else "unmatched"

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message.setdefault("headers", [])
            self._envelope.decorate(MutableHeaders(scope=message), self._state)
        await self._send(message)

    async def answer(self, error: Exception) -> None:
        response = await self._envelope.problem(error, Request(self.scope))
        await response(self.scope, _nothing, self.send)

    def tell(self, active: telemetry.Active) -> None:
        """Name the span and say how the request ended."""
        active.rename(f"{self._method} {self.route}")
        active.note(
            {
                "http.request.method": self._method,
                "http.route": self.route,
                "http.response.status_code": self.status,
                "dugnad.request": self._state["request_id"],
                "dugnad.correlation": self._state["correlation"],
            }
        )
        if self.status >= 500:
            active.fail(str(self.status))

    def record(self, service: str) -> None:
        seconds = monotonic() - self._begun
        route, method = self.route, self._method
        HTTP_REQUESTS.labels(service, route, method, str(self.status)).inc()
        HTTP_SECONDS.labels(service, route, method).observe(seconds)
        say = _log.debug if route in _QUIET else _log.info
        say("request", method=method, route=route, status=self.status, ms=round(seconds * 1000, 1))


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _correlation(headers: Headers, traceparent: str | None) -> str:
    given = headers.get(CORRELATION_HEADER, "")
    if _CORRELATION.fullmatch(given):
        return given
    return new_id() if traceparent is None else traceparent.split("-")[1]


async def _whole_body(scope: Scope, receive: Receive) -> Receive:
    """The body as one message. Raises Problem 413 as soon as it is too large, by its header or by what arrives."""
    announced = Headers(scope=scope).get("content-length", "")
    if announced.isdigit() and int(announced) > LARGEST_BODY:
        raise Problem(413, "too_large", headers={"Connection": "close"})
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY:
            raise Problem(413, "too_large", headers={"Connection": "close"})
        parts.append(part)
        more = message.get("more_body", False)
    waiting: list[Message] = [{"type": "http.request", "body": b"".join(parts), "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
