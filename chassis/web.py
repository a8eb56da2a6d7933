"""The web app of a service: everything of HTTP that is the same in all of them.

Invariant: whatever a route raises becomes a problem document (or a page for a browser), and every answer carries its
ids and its security headers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Match
from starlette.staticfiles import StaticFiles

from chassis import apidocs, development, login, operations
from chassis.auth import require, visitor
from chassis.errors import DependencyDown
from chassis.jsonbody import check_body
from chassis.logs import get_logger
from chassis.metrics import PROBLEMS
from chassis.middleware import Envelope
from chassis.pages import STATIC, Pages, here, page_router, wants_page
from chassis.problems import HANDLED, MEDIA_TYPE, ProblemWriter
from chassis.respond import (
    Changing,
    Creating,
    Paged,
    Paging,
    change_context,
    command_context,
    etag,
    resource,
    respond,
    respond_page,
)
from chassis.sessions import Sessions
from chassis.texts import Texts
from chassis.tokens import KeySource, TokenChecker
from chassis.webstate import Hosted, Web, language_of, web_of

__all__ = [
    "Changing",
    "Creating",
    "Paged",
    "Paging",
    "change_context",
    "command_context",
    "create_app",
    "etag",
    "language_of",
    "page_router",
    "require",
    "resource",
    "respond",
    "respond_page",
    "visitor",
    "web_of",
]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_log = get_logger(__name__)


def create_app(
    service: Hosted,
    *,
    routers: Sequence[APIRouter],
    texts: Texts,
    title: str,
    description: str = "",
    pages: Pages | None = None,
    keys: KeySource | None = None,
) -> FastAPI:
    """The app of a service. Its lifespan starts and stops the service.

    `keys` replaces the token issuer's keys in tests. Raises NotInProduction or a settings error where something is
    missing, before anything is served.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            async with web.pulse.beating():
                yield
        finally:
            await service.stop()

    app = FastAPI(
        title=title,
        version=apidocs.VERSION,
        description=description,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Ours come from the middleware: the framework's would hold paths and queries, and the texts of errors.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        dependencies=[Depends(check_body)],
        lifespan=lifespan,
    )
    settings = service.settings
    web = Web(
        service=service,
        texts=texts,
        problems=ProblemWriter(texts),
        checker=TokenChecker(settings, keys),
        sessions=Sessions(settings),
        pages=pages or Pages(texts),
    )
    app.state.web = web
    app.add_middleware(Envelope, web=web)
    for kind in HANDLED:
        app.add_exception_handler(kind, answer_problem)
    if settings.environment == "development":
        app.include_router(development.router)
    for router in (*routers, operations.router, login.router, apidocs.router, _probes):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC))
    described: list[dict[str, object]] = []

    def describe_once() -> dict[str, object]:
        if not described:
            described.append(apidocs.describe(app))
        return described[0]

    app.openapi = describe_once  # type: ignore[method-assign]  # FastAPI's documented way
    return app


_probes = APIRouter(include_in_schema=False)


@_probes.get("/livez")
async def live(request: Request) -> JSONResponse:
    """Whether the process gets on with its work; if not, a restart may help."""
    return _probe(list(web_of(request).service.faults_live()))


@_probes.get("/readyz")
async def ready(request: Request) -> JSONResponse:
    """Whether engines and indexes are there and nothing has stopped."""
    return _probe(list(await web_of(request).service.faults_ready()))


def _probe(faults: list[str]) -> JSONResponse:
    return JSONResponse({"status": "fault" if faults else "ok", "faults": faults}, 503 if faults else 200)


async def answer_problem(request: Request, error: Exception) -> Response:
    """The answer to what a route raised: a problem document, or for a browser a page or the way to the login."""
    web, language = web_of(request), language_of(request)
    if isinstance(error, DependencyDown):
        _log.warning("a dependency does not answer", what=error.message)
    instance = f"urn:dugnad:request:{request.state.request_id}"
    rendered = web.problems.write(error, language, instance)
    PROBLEMS.labels(web.service.name, rendered.code).inc()
    if "Allow" in rendered.headers:
        # The framework names the methods of the first route at the path, and others may be served by the next ones.
        rendered.headers["Allow"] = ", ".join(_served_at(request))
    if not wants_page(request):
        headers = {**rendered.headers, "Content-Language": language}
        return JSONResponse(rendered.document, rendered.status, headers=headers, media_type=MEDIA_TYPE)
    if rendered.status == 401:
        # A form's answer is lost with the session: afterwards begin at the front page, not at a POST.
        goes_to = here(request) if request.method == "GET" else "/"
        return RedirectResponse(f"/login?{urlencode({'next': goes_to})}", 303)
    return web.pages.render(
        request, "problem.html", status=rendered.status, headers=rendered.headers, problem=rendered.document
    )


def _served_at(request: Request) -> list[str]:
    """The methods that are served at the path of a request; HEAD is answered as GET."""
    found = []
    for method in _METHODS:
        asked = {**request.scope, "method": "GET" if method == "HEAD" else method}
        if any(route.matches(asked)[0] is Match.FULL for route in request.app.router.routes):
            found.append(method)
    return found
