"""Asking the services over HTTP, as an operator.

Invariant: a token goes in a header, to the service's own address only, and is never printed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from time import monotonic
from typing import Any

import httpx

from chassis.auth import ServiceTokens
from chassis.keyring import ServiceTokenSource
from chassis.settings import Settings
from deploy.cli.outcome import Fault, Usage, Wanting

SECONDS = 10.0
TOKEN = "DUGNAD_TOKEN"
_HELD_SECONDS = 600.0
"""A token of the development login holds for an hour."""


async def ask(settings: Settings, service: str, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    """GET a document. Raises Wanting, or Usage or Fault with what the service answers."""
    url: str = getattr(settings, f"{service}_url")
    async with httpx.AsyncClient(base_url=url, timeout=SECONDS) as client:
        try:
            token = await _token(settings, client)
            # The commands speak English; what a service refuses with is shown as it stands.
            headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}
            answer = await client.get(path, params=query, headers=headers)
        except httpx.TransportError as error:
            raise _silent(service, url) from error
    if answer.is_success:
        document: dict[str, Any] = answer.json()
        return document
    said = _said(answer)
    match answer.status_code:
        case 401 | 403:
            raise Usage(f"{service} refuses the token: set {TOKEN} to one with the scope operate ({said})")
        case 422:
            raise Usage(f"{service}: {said}")
        case 503:
            raise Wanting(f"{service} at {url} cannot answer now: {said}")
        case status:
            raise Fault(f"{service} answers {status} to {path}: {said}")


async def _token(settings: Settings, client: httpx.AsyncClient) -> str:
    if given := os.environ.get(TOKEN):
        return given
    if settings.environment == "production":
        raise Usage(f"{TOKEN} is unset: set it to a token with the scope operate")
    return await _development_token(client, "operator")


def service_tokens(settings: Settings, service: str) -> ServiceTokenSource:
    """What a command that works in a service's place shows to others. Raises Usage with what to set."""
    if settings.environment == "development" and settings.dev_issuer_key is None:
        # What a local run keeps for commands holds no secret: a token is asked for, as the operator's is.
        return _DevelopmentTokens(settings, service)
    try:
        return ServiceTokens(settings, service)
    except ValueError as wrong:
        raise Usage(str(wrong)) from wrong


class _DevelopmentTokens:
    """A service's own token from intake's development login. Its errors are those of `ask`."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._url, self._service = settings.intake_url, service
        self._held: tuple[float, str] | None = None

    async def token(self, audience: str | None = None) -> str:  # noqa: ARG002 - intake alone is asked
        if self._held is None or monotonic() - self._held[0] > _HELD_SECONDS:
            async with httpx.AsyncClient(base_url=self._url, timeout=SECONDS) as client:
                try:
                    self._held = (monotonic(), await _development_token(client, self._service))
                except httpx.TransportError as error:
                    raise _silent("intake", self._url) from error
        return self._held[1]


async def _development_token(client: httpx.AsyncClient, persona: str) -> str:
    answer = await client.post("/dev/token", json={"persona": persona})
    if not answer.is_success:
        raise Fault(f"{client.base_url} gives {persona} no token: run it in development, or set {TOKEN}")
    token: str = answer.json()["access_token"]
    return token


def _silent(service: str, url: str) -> Wanting:
    return Wanting(f"{service} at {url} does not answer: start it, or set DUGNAD_{service.upper()}_URL")


def _said(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return f"status {answer.status_code}"
    errors = [each["detail"] for each in problem.get("errors", ()) if "detail" in each]
    return str(errors[0] if errors else problem.get("detail", f"status {answer.status_code}"))
