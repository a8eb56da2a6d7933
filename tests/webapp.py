"""A tiny service on the chassis' web: one resource, one page, no engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Depends, FastAPI, Form
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chassis.auth import absent_unless
from chassis.clock import Clock
from chassis.decisions import Answer, Done
from chassis.errors import DependencyDown
from chassis.issuer import DevIssuer
from chassis.keyring import KeyDestroyed, KeyUnknown
from chassis.keyroutes import keyring_router
from chassis.requests import Note, StrictModel
from chassis.settings import Settings
from chassis.texts import Texts
from chassis.tokens import Principal
from chassis.web import (
    Changing,
    Creating,
    Paged,
    create_app,
    page_router,
    require,
    resource,
    respond,
    respond_page,
    web_of,
)
from contracts.vocabulary import Measure

DEV_KEY = "synthetic development key"
OWN, FOREIGN = "01HZZZZZZZZZZZZZZZZZZZZZZ1", "01HZZZZZZZZZZZZZZZZZZZZZZ2"


def settings(**more: Any) -> Settings:
    """Settings of development, with nothing listening at the engines' addresses."""
    given = {
        "environment": "development",
        "kafka_bootstrap_servers": "127.0.0.1:1",
        "mongodb_uri": "mongodb://127.0.0.1:1",
        "dev_issuer_key": DEV_KEY,
    }
    return Settings.model_validate({**given, **more})


Writer = Annotated[Principal, Depends(require("needs:write"))]
Reader = Annotated[Principal, Depends(require("needs:read"))]


class Slot(StrictModel):
    hours_per_week: float
    start_on: date | None = None


class NewThing(StrictModel):
    """A thing."""

    title: str
    count: int = 1
    measure: Measure | None = None
    seen_at: datetime | None = None
    note: Note | None = None
    urgent: bool = False
    slots: tuple[Slot, ...] = ()


class StillService:
    """A service that hosts nothing; what it is told to raise, its routes raise."""

    name = "thing"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = Clock()
        self.live: list[str] = []
        self.ready: list[str] = []
        self.raises: Exception | None = None
        self.down: str | None = None
        self.seen: list[Any] = []
        self.has_keys: dict[str, bytes | None] = {}
        self.started = 0

    async def start(self) -> None:
        if self.down is not None:
            raise DependencyDown(self.down)
        self.started += 1

    async def stop(self) -> None:
        self.started -= 1

    def faults_live(self) -> Sequence[str]:
        return self.live

    async def faults_ready(self) -> Sequence[str]:
        return self.ready

    async def turn_clock(self, at: datetime | None) -> None:
        if at is None:
            self.clock.follow_machine()
        else:
            self.clock.set(at)

    async def overview(self) -> Mapping[str, Any]:
        return {"projections": []}

    async def log_heads(self, at: datetime | None) -> Sequence[Mapping[str, Any]]:
        return []

    async def key(self, person: str) -> bytes:
        if person not in self.has_keys:
            raise KeyUnknown(person)
        key = self.has_keys[person]
        if key is None:
            raise KeyDestroyed(person)
        return key

    async def keys(self, persons: Sequence[str]) -> dict[str, bytes]:
        found = {}
        for person in persons:
            with suppress(KeyDestroyed):
                found[person] = await self.key(person)
        return found

    async def destroyed(self, persons: Sequence[str]) -> set[str]:
        return {each for each in persons if each in self.has_keys and self.has_keys[each] is None}


def _done(repeated: bool = False) -> Done:
    answer = Answer(body={"thing_id": OWN}, location=f"/things/{OWN}", subject=f"thing:{OWN}")
    return Done(answer, version=1, commit_id="c", position=7, repeated=repeated)


def _api(service: StillService) -> APIRouter:
    router = APIRouter(tags=["things"])

    @router.post("/things", status_code=201)
    async def register(thing: NewThing, _principal: Writer, context: Creating) -> JSONResponse:
        """Register a thing."""
        if service.raises is not None:
            raise service.raises
        service.seen.append((thing, context))
        return respond(_done(repeated=len(service.seen) > 1))

    @router.post("/things/{thing_id}/withdrawal", status_code=201)
    async def withdraw(thing_id: str, _principal: Writer, context: Changing) -> JSONResponse:
        service.seen.append((thing_id, context))
        return respond(_done())

    @router.get("/things")
    async def things(_principal: Reader, paged: Paged) -> JSONResponse:
        found: list[Mapping[str, Any]] = [{"id": number} for number in range(5)]
        after = -1 if paged.after is None else int(str(paged.after[0]))
        return paged.listing([item for item in found if item["id"] > after], lambda item: [item["id"]])

    @router.get("/things/{thing_id}")
    async def thing(thing_id: str, principal: Reader) -> Response:
        absent_unless(thing_id == OWN and bool(principal.org_numbers))
        return resource({"thing_id": thing_id}, version=3)

    @router.get("/broken")
    async def broken(_principal: Reader) -> JSONResponse:
        raise ValueError("Kari Nordmann 15528012345")

    return router


def _pages(service: StillService) -> APIRouter:
    router = page_router()

    @router.get("/")
    async def front(request: Request, principal: Reader) -> Response:
        return web_of(request).pages.render(
            request, "problem.html", problem={"title": principal.role, "detail": "<b>", "instance": "x"}
        )

    @router.post("/form")
    async def form(
        _principal: Writer,
        context: Creating,
        title: Annotated[str, Form()] = "",
    ) -> Response:
        service.seen.append((title, context))
        return respond_page("/")

    return router


def thing_app(service: StillService) -> FastAPI:
    """The app of the tiny service."""
    return create_app(
        service,
        routers=[_api(service), _pages(service), keyring_router(service)],
        texts=Texts(),
        title="Things",
        description="For tests.",
    )


def token(persona: str = "employer-lier", candidate_id: str | None = None, **more: Any) -> str:
    """A token of the development issuer."""
    return DevIssuer(settings(**more)).token(persona, candidate_id)


def headers(persona: str = "employer-lier", **more: str) -> dict[str, str]:
    """Headers of a command by a persona, in English."""
    return {
        "Authorization": f"Bearer {token(persona)}",
        "Idempotency-Key": "key-1",
        "Accept-Language": "en",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }


def browser(app: FastAPI, **more: Any) -> httpx.AsyncClient:
    """A client in the same process."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://thing.test", **more)
