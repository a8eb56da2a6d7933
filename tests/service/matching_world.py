"""Matching on real engines: the other services' events on their topics, and one or two instances behind HTTP.

Invariant: a test waits until matching has folded what happened elsewhere, by position.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import httpx
from pydantic import SecretStr

from chassis.commands import Answer, CommandContext, Decision
from chassis.eventlog import EventLog
from chassis.ids import new_id
from chassis.issuer import MESTER_GRONN, DevIssuer
from chassis.service import Service
from chassis.settings import Settings
from contracts import followup as fo
from contracts import intake as it
from contracts.days import promise_date
from contracts.event import Event
from contracts.registry import SOURCES
from services.matching.app import create_matching, web_app
from services.matching.core import Matching
from tests.service.platform_helpers import until

REGISTERED = datetime(2025, 1, 13, 9, tzinfo=UTC)
LATER = datetime(2025, 1, 15, 9, tzinfo=UTC)


class Keys:
    """A keyring that has a key for everybody."""

    async def key(self, person: str) -> bytes:
        return hashlib.sha256(person.encode()).digest()


class NamesOf:
    """Everybody is called by their id; who asked is remembered."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def name(self, candidate_id: str) -> str | None:
        self.asked.append(candidate_id)
        return f"Navn {candidate_id}"

    async def employers(self, org_numbers: Iterable[str]) -> dict[str, str]:
        return {MESTER_GRONN: "Mester Grønn Lier"} if MESTER_GRONN in org_numbers else {}


@dataclass
class World:
    """Intake and followup as far as matching hears them, and instances of matching."""

    settings: Settings
    writer: Service
    logs: Mapping[str, EventLog]
    instances: list[httpx.AsyncClient]
    services: list[Matching]
    names: NamesOf
    written: dict[str, int] = field(default_factory=dict)

    @property
    def http(self) -> httpx.AsyncClient:
        return self.instances[0]

    @property
    def seen(self) -> list[str]:
        """For `min_position`: all that has happened elsewhere."""
        return [
            f"{source.rpartition('/')[2]}:{position}"
            for source, position in self.written.items()
            # Matching may not read that one.
            if source != it.BACKGROUND_SOURCE
        ]

    async def happened(self, source: str, *events: Event) -> None:
        """Append events to another service's log."""
        context = CommandContext(
            claim=f"command:{uuid4().hex}", body=b"{}", actor="test", correlation="test", wait=10.0
        )
        answer = Answer({}, "/", events[0].subject)
        subjects = list(dict.fromkeys(event.subject for event in events))
        done = await self.writer.commands(self.logs[source]).run(context, subjects, lambda _: Decision(events, answer))
        assert done.position is not None
        self.written[source] = done.position

    async def reacted(self, reaction: str) -> str:
        """Wait for the reaction to the last event of intake; its outcome."""
        done = self.services[0].service.database("matching")["reactions"]
        name = f"{it.SOURCE}#{self.written[it.SOURCE]}/{reaction}"

        async def is_done() -> bool:
            return await done.find_one({"_id": name}) is not None

        await until(is_done, name)
        found = await done.find_one({"_id": name})
        assert found is not None
        return str(found["outcome"])

    async def need(self, slots: int = 1, **changes: Any) -> it.NeedRegistered:
        """An employer asks; returned when matching has assigned it."""
        need_id = new_id()
        facts: dict[str, Any] = {
            "need_id": need_id,
            "org_number": MESTER_GRONN,
            "municipality": "3312",
            "occupation": "5223",
            "slot_ids": tuple(new_id() for _ in range(slots)),
            "intermediary": "refugee_service",
            "measure": "work_training",
            "hours_per_week": 37.5,
            "language": it.LanguageLevels(speaking="A2"),
            "registered_on": date(2025, 1, 13),
            "promise_date": promise_date(date(2025, 1, 13)),
        }
        need = it.NeedRegistered(**{**facts, **changes})
        await self.happened(it.SOURCE, need)
        return need

    async def candidate(self, **mapped: Any) -> str:
        """Somebody registered, mapped, ready and consenting."""
        (candidate_id,) = await self.candidates(1, **mapped)
        return candidate_id

    async def candidates(self, count: int, **mapped: Any) -> list[str]:
        """So many of them, in one commit."""
        names = [new_id() for _ in range(count)]
        await self.happened(it.SOURCE, *(event for name in names for event in ready_events(name, mapped)))
        return names

    def token(self, persona: str, candidate_id: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {DevIssuer(self.settings).token(persona, candidate_id)}"}

    async def get(
        self, path: str, persona: str = "counsellor-refugee-service", candidate_id: str | None = None, **params: Any
    ) -> httpx.Response:
        """A query that has seen all that happened elsewhere."""
        headers = self.token(persona, candidate_id)
        return await self.http.get(path, headers=headers, params={**params, "min_position": self.seen})

    async def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        persona: str = "counsellor-refugee-service",
        candidate_id: str | None = None,
        *,
        version: int | None = None,
        key: str | None = None,
        instance: int = 0,
        wait: float = 0,
    ) -> httpx.Response:
        """A command."""
        headers = {**self.token(persona, candidate_id), "Idempotency-Key": key or uuid4().hex}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        if wait:
            headers["Prefer"] = f"wait={wait}"
        return await self.instances[instance].post(path, headers=headers, json=body or {})

    async def propose(self, slot_id: str, candidate_id: str) -> str:
        """A proposal; the match's id."""
        await self.get(f"/slots/{slot_id}/candidates")
        answer = await self.post(f"/slots/{slot_id}/matches", {"candidate_id": candidate_id})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["match_id"])

    async def presented(self, slot_id: str, candidate_id: str, employer: str = "employer-lier") -> str:
        """A match whose employer has said that the candidate is relevant (version 5)."""
        match_id = await self.propose(slot_id, candidate_id)
        steps: tuple[tuple[str, dict[str, Any], str, str | None], ...] = (
            ("question", {"deadline": "2025-01-31"}, "counsellor-refugee-service", None),
            ("answer", {"answer": "accept"}, "candidate", candidate_id),
            ("presentation", {}, "counsellor-refugee-service", None),
            ("response", {"response": "relevant"}, employer, None),
        )
        for version, (step, body, persona, own) in enumerate(steps, start=1):
            answer = await self.post(f"/matches/{match_id}/{step}", body, persona, own, version=version)
            assert answer.status_code == 201, answer.text
        return match_id


def ready_events(candidate_id: str, mapped: Mapping[str, Any]) -> list[Event]:
    """What makes a person ready to be proposed."""
    profile: dict[str, Any] = {
        "municipality": "3312",
        "language": it.LanguageLevels(speaking="B1"),
        "experience": (it.Experience(occupation="5223", months=30),),
        "wished_occupations": ("5223",),
        "hours_per_week": 37.5,
    }
    day, last = date(2025, 1, 10), date(2025, 12, 31)
    return [
        it.CandidateRegistered(candidate_id=candidate_id, intermediary="refugee_service", registered_on=day),
        it.CandidateMapped(candidate_id=candidate_id, mapped_on=day, **{**profile, **mapped}),
        it.CandidateAssessed(candidate_id=candidate_id, ready=True, assessed_on=day, valid_until=last),
        it.ConsentGiven(candidate_id=candidate_id, scope="matching", given_on=day),
    ]


@asynccontextmanager
async def matching_world(settings: Settings, instances: int = 1) -> AsyncIterator[World]:
    """So many instances of matching on one database, and the other services' logs."""
    settings = settings.model_copy(update={"dev_issuer_key": SecretStr("test")})
    writer = Service("writer", settings)
    logs = {each.SOURCE: writer.log(each.SOURCE, each.TOPIC, SOURCES[each.SOURCE]) for each in (it, fo)}
    background = it.BACKGROUND_SOURCE
    logs[background] = writer.log(background, it.BACKGROUND_TOPIC, SOURCES[background])
    writer.clock.set(REGISTERED)
    async with AsyncExitStack() as stack:
        await writer.start()
        stack.push_async_callback(writer.stop)
        clients, services, names = [], [], NamesOf()
        for number in range(instances):
            service = create_matching(settings, Keys(), names)
            service.clock.set(LATER)
            services.append(service)
            app = web_app(service)
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app=app)
            client = httpx.AsyncClient(transport=transport, base_url=f"http://matching-{number}", timeout=30)
            clients.append(await stack.enter_async_context(client))
        yield World(settings, writer, logs, clients, services, names)
