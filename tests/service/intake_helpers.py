"""Intake behind HTTP on real engines, and callers of every persona.

Invariant: a helper sends what a client would send and nothing else; versions come from answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from chassis.issuer import DevIssuer
from chassis.settings import Settings
from contracts import nationalids
from services.intake.app import create_app

MONDAY = datetime(2025, 1, 13, 9, 0, tzinfo=UTC)
NEED = {"occupation": "5223", "municipality": "3312"}
BORN = date(1994, 5, 17)
NATIONAL_ID = nationalids.synthetic(BORN, 0)
PERSON = {
    "name": "Karim Testesen",
    "national_id": NATIONAL_ID,
    "phone": "+47 912 34 567",
    "email": "karim.testesen@example.org",
}
MAPPING = {"municipality": "3312", "hours_per_week": 37.5, "notes": "Trives med kunder"}
ASSESSMENT = {"ready": True, "valid_until": "2025-07-13", "notes": "Klar for butikk"}


@dataclass
class Caller:
    """Somebody with a token."""

    http: httpx.AsyncClient
    token: str

    async def post(
        self, path: str, body: Any, *, key: str | None = None, version: int | None = None, language: str = "nb"
    ) -> httpx.Response:
        """A command that waits for its place in the log. A key of its own unless one is given."""
        sent = {
            "Authorization": f"Bearer {self.token}",
            "Idempotency-Key": key or uuid4().hex,
            "Accept-Language": language,
            "Prefer": "wait=5",
        }
        if version is not None:
            sent["If-Match"] = f'"{version}"'
        return await self.http.post(path, json=body, headers=sent)

    async def get(self, path: str, **query: Any) -> httpx.Response:
        """A query."""
        return await self.http.get(path, params=query, headers={"Authorization": f"Bearer {self.token}"})

    async def until(self, path: str, holds: Callable[[Any], bool], **query: Any) -> Any:
        """Ask until the answer is so, for at most ten seconds; the answer."""
        deadline = monotonic() + 10.0
        while True:
            answer = await self.get(path, **query)
            if answer.status_code == 200 and holds(answer.json()):
                return answer.json()
            assert monotonic() < deadline, answer.text
            await asyncio.sleep(0.05)


@dataclass
class World:
    """Intake, running."""

    app: FastAPI
    http: httpx.AsyncClient
    issuer: DevIssuer
    settings: Settings
    candidates: list[str] = field(default_factory=list)

    def as_(self, persona: str, candidate_id: str | None = None) -> Caller:
        """A caller with the persona's token."""
        return Caller(self.http, self.issuer.token(persona, candidate_id))

    async def clock(self, at: datetime) -> None:
        """Turn the business clock."""
        answer = await self.http.put("/dev/clock", json={"now": at.isoformat()})
        assert answer.status_code == 200, answer.text

    async def need(self, persona: str = "employer-lier", **body: Any) -> dict[str, Any]:
        """A registered need, as answered, with its place in the log."""
        answer = await self.as_(persona).post("/needs", {**NEED, **body})
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def candidate(self, persona: str = "counsellor-refugee-service", **body: Any) -> str:
        """A registered candidate's id; each is another person."""
        person = {**PERSON, "national_id": nationalids.synthetic(BORN, len(self.candidates)), **body}
        answer = await self.as_(persona).post("/candidates", person)
        assert answer.status_code == 201, answer.text
        self.candidates.append(str(answer.json()["candidate_id"]))
        return self.candidates[-1]


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[World]:
    """Intake on the engines of the test, on Monday 13 January 2025."""
    settings = settings.model_copy(update={"dev_issuer_key": SecretStr("test")})
    app = create_app(settings)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://intake.test") as http,
    ):
        world = World(app, http, DevIssuer(settings), settings)
        await world.clock(MONDAY)
        yield world
