"""Commands over HTTP, each under a key of its own, and what became of them.

Invariant: a command is asked again under the same key until somebody says what became of it: 2xx or 4xx. A broken
connection, a time-out and a 5xx say nothing.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from deploy.local.services import Replica

REQUEST_SECONDS = 9.0
"""Longer than a command may be on its way in a service (`STILL_SECONDS` and `COMMAND_SECONDS`)."""
PATIENCE_SECONDS = 120.0
WAITING_SHARE = 0.3
"""Of the commands: those that want to be told their position, which the check then compares with the ledger."""
PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass
class Sent:
    """One command. `claim` is how its key stands in a commit."""

    claim: str
    service: str
    route: str
    status: int | None = None
    """The answer that counts; None as long as nobody has said."""
    answer: dict[str, Any] = field(default_factory=dict)
    replayed: bool = False
    tries: int = 0

    @property
    def accepted(self) -> bool:
        """Whether it took effect, as its client was told."""
        return self.status is not None and 200 <= self.status < 300


class Client:
    """A client who sends to any replica, and retries as the documentation of the interface says."""

    def __init__(self, replicas: Sequence[Replica], chance: random.Random, *, keep_alive: bool = True) -> None:
        self._replicas = replicas
        self._chance = chance
        limits = httpx.Limits(max_keepalive_connections=None if keep_alive else 0)
        self._http = httpx.AsyncClient(timeout=REQUEST_SECONDS, limits=limits)
        self._tokens: dict[str, str] = {}
        self.sent: list[Sent] = []
        self.mismatched = 0
        """How often a key came again with another body, and was refused."""
        self.unanswered: Counter[str] = Counter()
        """Tries that told nothing: 503, 500, or the name of what broke."""

    async def close(self) -> None:
        """Leave no connection open."""
        await self._http.aclose()

    async def post(
        self,
        service: str,
        persona: str,
        route: str,
        ids: Mapping[str, str],
        body: Any,
        *,
        if_match: str | None = None,
        twice: bool = False,
    ) -> Sent:
        """A command until it is answered. `twice`: at two replicas at once, as an impatient client does."""
        key = f"{self._chance.getrandbits(64):016x}"
        token = await self._token(service, persona)
        sent = Sent(_claim(token, route, key), service, route)
        self.sent.append(sent)
        headers = {"Idempotency-Key": key, **({"If-Match": if_match} if if_match else {})}
        if self._chance.random() < WAITING_SHARE:
            headers["Prefer"] = "wait=1"
        asked = [self._ask(service, route.format_map(ids), token, headers, body, sent) for _ in range(1 + twice)]
        answers = await asyncio.gather(*asked)
        known = {json.dumps(_unplaced(answer), sort_keys=True) for answer in answers}
        assert len({answer.status_code for answer in answers}) == len(known) == 1, (
            f"two answers to one command: {[answer.text for answer in answers]}"
        )
        sent.status, sent.answer = answers[0].status_code, answers[0].json()
        sent.replayed = any("Idempotent-Replay" in answer.headers for answer in answers)
        return sent

    async def post_other_body(self, sent_body: Any, service: str, persona: str, route: str, body: Any) -> Sent:
        """One body, then another one under the same key: refused with 422, and nothing changes."""
        key = f"{self._chance.getrandbits(64):016x}"
        token = await self._token(service, persona)
        sent = Sent(_claim(token, route, key), service, route)
        self.sent.append(sent)
        headers = {"Idempotency-Key": key}
        first = await self._ask(service, route, token, headers, sent_body, sent)
        sent.status, sent.answer = first.status_code, first.json()
        if sent.accepted:
            second = await self._ask(service, route, token, headers, body, sent)
            assert second.status_code == 422, f"another body under a used key was answered {second.status_code}"
            self.mismatched += 1
        return sent

    async def etag(self, service: str, persona: str, path: str) -> str | None:
        """The version of a resource, None where there is none yet."""
        answer = await self._until_told("GET", service, path, await self._token(service, persona), {}, None, None)
        return str(answer.headers["ETag"]) if "ETag" in answer.headers else None

    async def _ask(
        self, service: str, path: str, token: str, headers: Mapping[str, str], body: Any, sent: Sent
    ) -> httpx.Response:
        return await self._until_told("POST", service, path, token, headers, body, sent)

    async def _until_told(
        self,
        method: str,
        service: str,
        path: str,
        token: str,
        headers: Mapping[str, str],
        body: Any,
        sent: Sent | None,
    ) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_SECONDS
        tries = 0
        while True:
            replica = self._chance.choice([each for each in self._replicas if each.service == service])
            if sent is not None:
                sent.tries += 1
            try:
                answer = await self._http.request(
                    method,
                    f"{replica.url}{path}",
                    headers={**headers, **({"Authorization": f"Bearer {token}"} if token else {})},
                    json=body,
                )
            except httpx.TransportError as error:
                self.unanswered[type(error).__name__] += 1
            else:
                if answer.status_code < 500:
                    return answer
                self.unanswered[str(answer.status_code)] += 1
            if time.monotonic() > deadline:
                raise TimeoutError(f"nobody has said for {PATIENCE_SECONDS:.0f} s what became of {method} {path}")
            await asyncio.sleep(PAUSES_SECONDS[min(tries, len(PAUSES_SECONDS) - 1)] * self._chance.uniform(0.5, 1.5))
            tries += 1

    async def _token(self, service: str, persona: str) -> str:
        """Any replica of the system signs with the same key."""
        if persona not in self._tokens:
            name, _, candidate_id = persona.partition(":")
            wanted = {"persona": name, "candidate_id": candidate_id or None}
            answer = await self._until_told("POST", service, "/dev/token", "", {}, wanted, None)
            self._tokens[persona] = answer.json()["access_token"]
        return self._tokens[persona]


def _claim(token: str, route: str, key: str) -> str:
    """As a commit keeps it: who, which route, which key."""
    middle = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return "command:" + hashlib.sha256(f"{claims['client']}\nPOST {route}\n{key}".encode()).hexdigest()


def _unplaced(answer: httpx.Response) -> dict[str, Any]:
    """The place in the ledger is told only where it was known in time; who refuses says a correlation of its own."""
    return {name: value for name, value in answer.json().items() if name not in ("position", "instance")}
