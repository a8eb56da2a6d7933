"""Asking the services over HTTP, as an operator.

Invariant: a token goes in a header, to the service's own address only, and is never printed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import httpx

from chassis.settings import Settings
from deploy.cli.outcome import Fault, Usage, Wanting

SECONDS = 10.0
TOKEN = "DUGNAD_TOKEN"


async def ask(settings: Settings, service: str, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    """GET a document. Raises Wanting, or Usage or Fault with what the service answers."""
    url: str = getattr(settings, f"{service}_url")
    async with httpx.AsyncClient(base_url=url, timeout=SECONDS) as client:
        try:
            headers = {"Authorization": f"Bearer {await _token(settings, client)}"}
            answer = await client.get(path, params=query, headers=headers)
        except httpx.TransportError as error:
            variable = f"DUGNAD_{service.upper()}_URL"
            raise Wanting(f"{service} at {url} does not answer: start it, or set {variable}") from error
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
    answer = await client.post("/dev/token", json={"persona": "operator"})
    if not answer.is_success:
        raise Fault(f"{client.base_url} gives the operator no token: run it in development, or set {TOKEN}")
    token: str = answer.json()["access_token"]
    return token


def _said(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return f"status {answer.status_code}"
    errors = [each["detail"] for each in problem.get("errors", ()) if "detail" in each]
    return str(errors[0] if errors else problem.get("detail", f"status {answer.status_code}"))
