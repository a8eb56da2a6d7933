"""What followup asks of intake: whether a person may take part, and what they are called.

Invariant: an answer that did not come is an error (503), never a yes and never a no; a name is passed on and not kept.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Protocol

import httpx

from chassis.errors import DependencyDown
from chassis.keyring import ServiceTokenSource
from chassis.problems import busy
from chassis.telemetry import carry
from contracts.refused import Refused
from contracts.vocabulary import Measure
from services.followup.domain.commands import Eligibility

_TIMEOUT = httpx.Timeout(5.0, connect=2.0)
_ANSWERS = ("old_enough", "not_too_old", "eligible")


class Persons(Protocol):
    """What is known of people, elsewhere."""

    async def eligibility(self, candidate_id: str, measure: Measure, start_on: date, end_on: date) -> Eligibility:
        """Whether this person may take part. Raises Refused, or Problem 503 where nobody answers."""
        ...

    async def name(self, candidate_id: str) -> str | None:
        """What the person is called; None where it cannot be told now or at all."""
        ...


class IntakePersons:
    """Intake over HTTP, with this service's own token."""

    def __init__(self, base_url: str, tokens: ServiceTokenSource, *, client: httpx.AsyncClient | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._tokens = tokens
        self._client = client or httpx.AsyncClient(timeout=_TIMEOUT, event_hooks={"request": [carry]})

    async def eligibility(self, candidate_id: str, measure: Measure, start_on: date, end_on: date) -> Eligibility:
        asked = {"measure": measure.value, "start": start_on.isoformat(), "end": end_on.isoformat()}
        answer = await self._ask("POST", f"/candidates/{candidate_id}/eligibility", asked)
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            # Intake refuses the dates themselves; the rules here say which and why, and this no stands behind them.
            return Eligibility({"dates_accepted": False}, reduced_work_capacity=False, rule_version="none")
        if answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.CONFLICT, httpx.codes.GONE):
            raise Refused("candidate_unavailable")
        if answer.status_code != httpx.codes.OK:
            raise busy("intake_unavailable")
        try:
            told: dict[str, Any] = answer.json()
            return Eligibility(
                answers={name: told[name] is True for name in _ANSWERS},
                reduced_work_capacity=told["subsidy_class"] == "reduced_work_capacity",
                rule_version=str(told["rule_version"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise busy("intake_unavailable") from error

    async def name(self, candidate_id: str) -> str | None:
        try:
            token = await self._tokens.token()
            answer = await self._client.get(
                f"{self._base_url}/candidates/{candidate_id}/name", headers={"Authorization": f"Bearer {token}"}
            )
            # A page without the name is better than no page; it says that the name is not there.
            return str(answer.json()["name"]) if answer.status_code == httpx.codes.OK else None
        except (httpx.HTTPError, DependencyDown, ValueError, KeyError, TypeError):
            return None

    async def _ask(self, method: str, path: str, body: dict[str, str]) -> httpx.Response:
        token = await self._tokens.token()
        try:
            return await self._client.request(
                method, f"{self._base_url}{path}", json=body, headers={"Authorization": f"Bearer {token}"}
            )
        except httpx.HTTPError as error:
            raise busy("intake_unavailable") from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
