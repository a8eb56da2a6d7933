"""What people and employers are called, asked of intake while a page is made.

Invariant: a name is passed on and never kept; where it does not come, the page says less and stands all the same.
"""

from __future__ import annotations

from typing import Protocol

import httpx

from chassis.errors import DependencyDown
from chassis.keyring import ServiceTokenSource
from chassis.telemetry import carry

_TIMEOUT = httpx.Timeout(2.0, connect=1.0)


class Names(Protocol):
    """Where names come from."""

    async def name(self, candidate_id: str) -> str | None:
        """What the person is called; None where it cannot be told, now or at all."""
        ...

    async def employer(self, org_number: str) -> str | None:
        """What the register of units calls an employer; None where it cannot be told."""
        ...


class IntakeNames:
    """Intake over HTTP, with this service's own token; intake audits the question."""

    def __init__(self, base_url: str, tokens: ServiceTokenSource, *, client: httpx.AsyncClient | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._tokens = tokens
        self._client = client or httpx.AsyncClient(timeout=_TIMEOUT, event_hooks={"request": [carry]})

    async def name(self, candidate_id: str) -> str | None:
        return await self._named(f"/candidates/{candidate_id}/name")

    async def employer(self, org_number: str) -> str | None:
        return await self._named(f"/employers/{org_number}")

    async def _named(self, path: str) -> str | None:
        url = f"{self._base_url}{path}"
        try:
            headers = {"Authorization": f"Bearer {await self._tokens.token()}"}
            answer = await self._client.get(url, headers=headers)
            return str(answer.json()["name"]) if answer.status_code == httpx.codes.OK else None
        except (httpx.HTTPError, DependencyDown, ValueError, KeyError, TypeError):
            return None
