"""What people and employers are called, asked of intake while a page is made.

Invariant: a person's name is passed on and never kept; where a name does not come, the page says less and stands all
the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import httpx

from chassis.employers import IntakeEmployers
from chassis.errors import DependencyDown
from chassis.keyring import ServiceTokenSource
from chassis.telemetry import carry

_TIMEOUT = httpx.Timeout(2.0, connect=1.0)


class Names(Protocol):
    """Where names come from."""

    async def name(self, candidate_id: str) -> str | None:
        """What the person is called; None where it cannot be told, now or at all."""
        ...

    async def employers(self, org_numbers: Iterable[str]) -> dict[str, str]:
        """What the register of units calls employers, by their numbers; without those that cannot be told."""
        ...


class IntakeNames:
    """Intake over HTTP, with this service's own token; intake audits the question."""

    def __init__(self, base_url: str, tokens: ServiceTokenSource, *, client: httpx.AsyncClient | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._tokens = tokens
        self._client = client or httpx.AsyncClient(timeout=_TIMEOUT, event_hooks={"request": [carry]})
        self._employers = IntakeEmployers(base_url, tokens, client=self._client)

    async def name(self, candidate_id: str) -> str | None:
        try:
            headers = {"Authorization": f"Bearer {await self._tokens.token()}"}
            answer = await self._client.get(f"{self._base_url}/candidates/{candidate_id}/name", headers=headers)
            return str(answer.json()["name"]) if answer.status_code == httpx.codes.OK else None
        except (httpx.HTTPError, DependencyDown, ValueError, KeyError, TypeError):
            return None

    async def employers(self, org_numbers: Iterable[str]) -> dict[str, str]:
        return await self._employers.of(org_numbers)
