"""Followup behind HTTP on real engines, beside the real intake; matching's events come from its own log.

Invariant: followup's keys, names and eligibility come from intake over HTTP; a helper waits for a condition, never for
a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from time import monotonic
from typing import Any, TypeVar, get_args
from uuid import uuid4

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from chassis.auth import ServiceTokens
from chassis.commands import Answer, CommandContext, Decision
from chassis.employers import IntakeEmployers
from chassis.ids import new_id
from chassis.issuer import MESTER_GRONN, DevIssuer
from chassis.keyring import RemoteKeyring
from chassis.service import Service
from chassis.settings import Settings
from chassis.webstate import Web
from contracts import matching
from contracts.days import OSLO, promise_date
from contracts.matching import MatchCancelled, MatchConfirmed, MatchEvent, NeedAssigned
from services.followup.app import create_app
from services.followup.intake import IntakePersons
from tests.service import intake_helpers
from tests.service.intake_helpers import Caller

LIER = {"measure": "work_training", "start_on": "2025-02-03", "end_on": "2025-05-02", "hours_per_week": 37.5}
EMPLOYER, COUNSELLOR, DECIDER = "employer-lier", "counsellor-refugee-service", "decision-maker"
WAIT_SECONDS = 20.0
T = TypeVar("T")


def noon(day: date) -> datetime:
    """Noon in Oslo."""
    return datetime.combine(day, time(12), OSLO).astimezone(UTC)


async def until(ask: Callable[[], Awaitable[T | None]]) -> T:
    """What is asked for, as soon as it is there."""
    deadline = monotonic() + WAIT_SECONDS
    while (found := await ask()) is None:
        assert monotonic() < deadline, "it did not come"
        await asyncio.sleep(0.02)
    return found


class Line:
    """The way to intake, which can be cut."""

    def __init__(self, app: FastAPI) -> None:
        self._inner = httpx.ASGITransport(app=app)
        self.cut = False
        self.asked: list[str] = []

    async def answer(self, request: httpx.Request) -> httpx.Response:
        if self.cut:
            raise httpx.ConnectError("cut", request=request)
        self.asked.append(f"{request.method} {request.url.path}")
        return await self._inner.handle_async_request(request)


class _Transport(httpx.AsyncBaseTransport):
    def __init__(self, line: Line) -> None:
        self._line = line

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._line.answer(request)


@dataclass
class Case:
    """A confirmed match and who takes part."""

    match_id: str
    need_id: str
    slot_id: str
    candidate_id: str


@dataclass
class World:
    """Intake and followup, running, and a writer of matching's log."""

    intake: intake_helpers.World
    writer: Service
    app: FastAPI
    http: httpx.AsyncClient
    issuer: DevIssuer
    settings: Settings
    line: Line

    def as_(self, persona: str, candidate_id: str | None = None) -> Caller:
        """A caller of followup with the persona's token."""
        return Caller(self.http, self.issuer.token(persona, candidate_id))

    async def day(self, day: date) -> None:
        """Noon in Oslo of that day, for everybody."""
        at = noon(day)
        await self.intake.clock(at)
        answer = await self.http.put("/dev/clock", json={"now": at.isoformat()})
        assert answer.status_code == 200, answer.text
        self.writer.clock.set(at)

    def set_clock(self, at: datetime) -> None:
        """The clock of this instance alone, which leaves the timers to another one.

        Its route would wait a quarter of a minute for timers that it does not hold.
        """
        web: Web = self.app.state.web
        web.service.clock.set(at)

    async def matched(self, *events: MatchEvent | NeedAssigned) -> int:
        """Matching publishes; the position of the last event."""
        log = self.writer._logs[0]
        context = CommandContext(claim=f"command:{uuid4().hex}", body=b"{}", actor="t", correlation="t", wait=10.0)
        subjects = sorted({event.subject for event in events})
        answer = Answer({}, "/", events[0].subject)
        done = await self.writer.commands(log).run(context, subjects, lambda _: Decision(events, answer))
        assert done.position is not None
        return done.position

    async def confirmed(self, *, registered_on: date = date(2025, 1, 13), **but: Any) -> Case:
        """A match of a registered candidate, confirmed; its case has been opened."""
        candidate_id = but.pop("candidate_id", None) or await self.intake.candidate(but.get("persona", COUNSELLOR))
        but.pop("persona", None)
        case = Case(new_id(), new_id(), new_id(), candidate_id)
        usual: dict[str, Any] = {
            **vars(case),
            "org_number": MESTER_GRONN,
            "confirmed_on": registered_on,
            "confirmed_by": "counsellor",
            "intermediary": "refugee_service",
            "municipality": "3312",
            "occupation": "5223",
            "measure": "work_training",
            "registered_on": registered_on,
            "promise_date": promise_date(registered_on),
        }
        await self.matched(MatchConfirmed.model_validate({**usual, **but}))
        await self.shown(case, lambda shown: bool(shown["tasks"]))
        return case

    async def cancelled(self, case: Case, reason: str = "other_candidate_chosen") -> None:
        """Matching cancels the match."""
        event = {**vars(case), "org_number": MESTER_GRONN, "cancelled_on": "2025-01-29", "reason": reason}
        await self.matched(MatchCancelled.model_validate(event))

    async def shown(self, case: Case, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The case as a decision maker is shown it, as soon as it meets the condition."""

        async def ask() -> dict[str, Any] | None:
            answer = await self.as_(DECIDER).get(f"/cases/{case.match_id}")
            found: dict[str, Any] = answer.json()
            return found if answer.status_code == 200 and condition(found) else None

        return await until(ask)

    async def drafted(self, case: Case, **body: Any) -> str:
        """An agreement's id."""
        answer = await self.as_(COUNSELLOR).post(f"/cases/{case.match_id}/agreements", {**LIER, **body})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["agreement_id"])

    async def approved(self, case: Case, agreement_id: str, *, decided: bool = False, version: int = 1) -> int:
        """Everybody approves in order; the version afterwards."""
        callers = [
            ("employer", self.as_(EMPLOYER)),
            ("participant", self.as_("candidate", case.candidate_id)),
            ("counsellor", self.as_(COUNSELLOR)),
            *([("decision_maker", self.as_(DECIDER))] if decided else []),
        ]
        for party, caller in callers:
            answer = await caller.post(f"/agreements/{agreement_id}/approval", {"party": party}, version=version)
            assert answer.status_code == 201, answer.text
            version = answer.json()["version"]
        assert answer.json()["concluded"] is True
        return version

    async def started(self, case: Case, on: str = "2025-02-03") -> tuple[str, str]:
        """Agreement and trial of a case that has started on its day."""
        agreement_id = await self.drafted(case)
        version = await self.approved(case, agreement_id)
        await self.day(date.fromisoformat(on))
        answer = await self.as_(EMPLOYER).post(f"/agreements/{agreement_id}/start", {"on": on}, version=version)
        assert answer.status_code == 201, answer.text
        return agreement_id, str(answer.json()["trial_id"])


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[World]:
    """Both services on the engines of the test, on Monday 13 January 2025."""
    settings = settings.model_copy(update={"dev_issuer_key": SecretStr("test"), "intake_url": "http://intake.test"})
    writer = Service("writer", settings)
    writer.log(matching.SOURCE, matching.TOPIC, get_args(matching.MatchingEvent))
    await writer.start()
    try:
        async with intake_helpers.running(settings) as intake:
            line = Line(intake.app)
            tokens = ServiceTokens(settings, "followup")
            client = httpx.AsyncClient(transport=_Transport(line))
            keyring = RemoteKeyring(settings.intake_url, tokens, client=client)
            persons = IntakePersons(settings.intake_url, tokens, client=client)
            app = create_app(settings, keyring, persons, IntakeEmployers(settings.intake_url, tokens, client=client))
            async with (
                client,
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://followup.test") as http,
            ):
                world = World(intake, writer, app, http, DevIssuer(settings), settings, line)
                await world.day(date(2025, 1, 13))
                yield world
    finally:
        await writer.stop()


@asynccontextmanager
async def another(world: World) -> AsyncIterator[World]:
    """A second instance of followup on the same engines: it shares no lock and no memory with the first.

    Its clock stands where the first one's stood when it began.
    """
    tokens = ServiceTokens(world.settings, "followup")
    async with httpx.AsyncClient(transport=_Transport(world.line)) as client:
        keyring = RemoteKeyring(world.settings.intake_url, tokens, client=client)
        persons = IntakePersons(world.settings.intake_url, tokens, client=client)
        employers = IntakeEmployers(world.settings.intake_url, tokens, client=client)
        app = create_app(world.settings, keyring, persons, employers)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://followup-2.test") as http,
        ):
            beside = replace(world, app=app, http=http)
            beside.set_clock(world.writer.clock.now())
            yield beside
