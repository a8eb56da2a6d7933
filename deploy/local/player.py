"""Plays scenarios through the public HTTP interfaces, as the people in them.

Invariant: a second play sends the same keys and changes nothing; a step that does not go as written is one line that
says which, with which status and why.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import httpx
from pydantic import JsonValue

from deploy.local.player_scenario import Scenario, Step, Until, filled, in_time_order, pointed
from deploy.local.services import ServiceFault

WAIT_SECONDS = 20.0
POLL_SECONDS = 0.03
REQUEST_SECONDS = 30.0
LOGGING = ("intake", "matching", "followup")
"""The services that have logs."""
OPERATOR = "operator"
BACKGROUND = "/background"
"""Commands with this ending are answered with a position of the background log."""


class StepFailed(ServiceFault):
    """A scenario did not go as written."""


@dataclass
class Played:
    """What a play has learnt: ids by scenario, and the last position of each source."""

    known: dict[str, dict[str, str]] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    repeated: int = 0
    """How many commands had been played before."""


class Player:
    """One play. An asynchronous context manager. `transport` stands for the network in tests."""

    def __init__(self, urls: Mapping[str, str], *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._urls = dict(urls)
        headers = {"Accept-Language": "nb"}
        self._http = httpx.AsyncClient(timeout=REQUEST_SECONDS, headers=headers, transport=transport)
        self._tokens: dict[tuple[str, str], str] = {}
        self._clock: datetime | None = None
        self._refused_clocks: set[str] = set()
        self.played = Played()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def play(self, scenarios: Sequence[Scenario]) -> None:
        """All steps in the order of time; then the business clocks follow the machine's. Raises StepFailed."""
        self.played.known.update({scenario.name: {} for scenario in scenarios})
        for scenario, step in in_time_order(scenarios):
            where = f"{scenario.name}, step {step.id}"
            await self._turn_clocks(step.at, where)
            await self._step(scenario, step, where)
        await self._turn_clocks(None, "at the end")
        await self._learn_heads()

    async def get(self, service: str, path: str, persona: str, **query: Any) -> httpx.Response:
        """A question as a persona, again for a while where the answer is that the service is behind.

        Raises StepFailed where the service cannot be reached.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            answer = await self._send("GET", service, path, persona, f"GET {path}", params=query)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                return answer
            await asyncio.sleep(POLL_SECONDS)

    async def _learn_heads(self) -> None:
        """What the clocks brought at the end (a check-in that was missed since) belongs to what readers wait for."""
        for service in LOGGING:
            answer = await self.get(service, "/log/head", OPERATOR)
            if answer.status_code != httpx.codes.OK:
                raise StepFailed(f"GET {service}/log/head answered {answer.status_code}: {_told(answer)}")
            for each in answer.json()["logs"]:
                source = each["source"].rpartition("/")[2]
                self.played.positions[source] = max(self.played.positions.get(source, 0), each["position"])

    async def _turn_clocks(self, at: datetime | None, where: str) -> None:
        if at is not None and at == self._clock:
            return
        self._clock = at
        body = {"now": None if at is None else at.isoformat()}
        answers = await asyncio.gather(*(self._turn(service, body, where) for service in self._urls))
        self._refused_clocks = {
            service for service, answer in zip(self._urls, answers, strict=True) if answer.status_code == 409
        }
        for service, answer in zip(self._urls, answers, strict=True):
            # 409 clock_backwards: this was played before, and is answered from memory.
            if answer.status_code != 200 and _problem(answer).get("code") != "clock_backwards":
                raise StepFailed(f"{where}: the clock of {service} cannot be set: {_told(answer)}")

    async def _turn(self, service: str, body: dict[str, Any], where: str) -> httpx.Response:
        try:
            return await self._http.put(f"{self._urls[service]}/dev/clock", json=body)
        except httpx.HTTPError as error:
            raise StepFailed(f"{where}: {service} does not answer ({type(error).__name__})") from error

    async def _step(self, scenario: Scenario, step: Step, where: str) -> None:
        known = self.played.known[scenario.name]
        key = f"{scenario.name}/{step.id}"
        try:
            answer = await self._accepted(step, known, where, key)
        except KeyError as name:
            raise StepFailed(f"{where}: nothing has captured {name}") from name
        repeated = answer.headers.get("Idempotent-Replay") == "true"
        if not repeated and step.service in self._refused_clocks:
            raise StepFailed(
                f"{where}: {step.service} has moved past {step.at.isoformat()} without it: begin again with empty data"
            )
        self._learn(step, answer, known, where)
        self.played.sent += 1
        self.played.repeated += repeated
        for until in step.until:
            await self._until(until, known, where)

    async def _accepted(self, step: Step, known: Mapping[str, str], where: str, key: str) -> httpx.Response:
        """The answer of the command. Read again and tried again, for a while, where somebody else was faster."""
        persona, path, body = step.persona.format_map(known), step.path.format_map(known), filled(step.body, known)
        headers = {"Idempotency-Key": key, "Prefer": "wait=10"}
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            if step.if_match is not None:
                read = await self._send("GET", step.service, step.if_match.format_map(known), persona, where)
                headers["If-Match"] = read.headers.get("ETag", '"0"')
            answer = await self._send("POST", step.service, path, persona, where, json=body, headers=headers)
            if answer.is_success:
                return answer
            again = answer.status_code == 503 or _problem(answer).get("code") in ("stale", "contended")
            if not again or time.monotonic() > deadline:
                raise StepFailed(f"{where} ({persona}: POST {step.service}{path}): {_told(answer)}")
            await asyncio.sleep(POLL_SECONDS)

    def _learn(self, step: Step, answer: httpx.Response, known: dict[str, str], where: str) -> None:
        told: dict[str, JsonValue] = answer.json()
        for name, pointer in step.capture.items():
            try:
                known[name] = str(pointed(told, pointer))
            except LookupError:
                raise StepFailed(f"{where}: the answer has nothing at {pointer}") from None
        position = told.get("position")
        if isinstance(position, int):
            source = "background" if step.path.endswith(BACKGROUND) else step.service
            self.played.positions[source] = max(self.played.positions.get(source, 0), position)
            known[f"{source}_position"] = str(position)

    async def _until(self, until: Until, known: dict[str, str], where: str) -> None:
        persona, path = until.persona.format_map(known), until.path.format_map(known)
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            answer = await self._send("GET", until.service, path, persona, where)
            if answer.is_success and _says(answer.json(), until.where, known):
                return
            if time.monotonic() > deadline:
                said = _told(answer) if not answer.is_success else f"not {until.where}"
                raise StepFailed(f"{where}: waited {WAIT_SECONDS:.0f} s for {until.service}{path}: {said}")
            await asyncio.sleep(POLL_SECONDS)

    async def _send(
        self, method: str, service: str, path: str, persona: str, where: str, **more: Any
    ) -> httpx.Response:
        token = await self._token(service, persona, where)
        headers = {**more.pop("headers", {}), "Authorization": f"Bearer {token}"}
        try:
            return await self._http.request(method, f"{self._urls[service]}{path}", headers=headers, **more)
        except httpx.HTTPError as error:
            raise StepFailed(f"{where}: {service} does not answer ({type(error).__name__})") from error

    async def _token(self, service: str, persona: str, where: str) -> str:
        if (service, persona) not in self._tokens:
            name, _, candidate_id = persona.partition(":")
            wanted = {"persona": name, "candidate_id": candidate_id or None}
            try:
                answer = await self._http.post(f"{self._urls[service]}/dev/token", json=wanted)
            except httpx.HTTPError as error:
                raise StepFailed(f"{where}: {service} does not answer ({type(error).__name__})") from error
            if answer.status_code != 200:
                raise StepFailed(f"{where}: no token for {persona}: {_told(answer)}")
            self._tokens[service, persona] = answer.json()["access_token"]
        return self._tokens[service, persona]


def _says(document: JsonValue, where: Mapping[str, JsonValue], known: Mapping[str, str]) -> bool:
    for pointer, wanted in where.items():
        try:
            found = pointed(document, pointer)
        except LookupError:
            return False
        wanted = filled(wanted, known)
        allowed = wanted["any"] if isinstance(wanted, dict) and "any" in wanted else [wanted]
        if not isinstance(allowed, list) or found not in allowed:
            return False
    return True


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _told(answer: httpx.Response) -> str:
    """Status, code, sentence and fields of a problem document, in one line."""
    problem = _problem(answer)
    errors = problem.get("errors") or []
    fields = ", ".join(f"{each.get('pointer') or each.get('parameter')}: {each.get('detail')}" for each in errors)
    parts = [str(answer.status_code), problem.get("code", ""), problem.get("detail", ""), fields]
    return " ".join(part for part in parts if part)
