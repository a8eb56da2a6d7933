"""Input as Schemathesis makes it from a service's description, right and wrong, with a fixed seed.

Invariant: every described operation is tried in both ways; whatever is answered otherwise than described is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chassis.issuer import PERSONAS

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 12
"""Per operation and way. One run of a service takes about half a minute."""
TRIES = 5
"""Of what is answered 503; one that stays is told."""


def persona_for(security: list[Mapping[str, list[str]]]) -> str | None:
    """Somebody who may call an operation; None where nobody has to be logged in."""
    scopes = {scope for each in security for names in each.values() for scope in names}
    if not security:
        return None
    return next(
        (name for name, who in PERSONAS.items() if scopes & set(who.scopes) and name != "candidate"), "operator"
    )


def plain(values: Mapping[str, Any] | None) -> dict[str, str]:
    """Headers that a client can send at all."""
    sendable = {name: str(value) for name, value in (values or {}).items()}
    return {name: value for name, value in sendable.items() if value.isascii() and value.isprintable()}


@dataclass
class Tried:
    """What came of it."""

    operations: int = 0
    """How many the description has. To be held against a bound: without operations every check would pass."""
    faults: list[str] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)


class _Sender:
    """Sends generated cases; every second one to something that is there."""

    def __init__(self, http: httpx.AsyncClient, token: Callable[[str], str], known: Mapping[str, str]) -> None:
        self._http, self._token, self._known = http, token, known
        self._sent = 0
        self.statuses: set[int] = set()

    async def send(self, case: Any, security: list[Mapping[str, list[str]]]) -> httpx.Response:
        self._sent += 1
        found = {name: str(value) for name, value in (case.path_parameters or {}).items()}
        if self._sent % 2:
            found |= {name: self._known[name] for name in found if name in self._known}
        case.path_parameters = found
        path = case.path
        for name, value in found.items():
            path = path.replace(f"{{{name}}}", quote(value, safe="") or "x")
        headers = {"Idempotency-Key": uuid4().hex, "If-Match": '"1"', **plain(case.headers)}
        if (persona := persona_for(security)) is not None:
            headers["Authorization"] = f"Bearer {self._token(persona)}"
        # A position that has not come is waited for, and then answered 503: as described, but slow.
        query = {name: value for name, value in (case.query or {}).items() if name != "min_position"}
        given = isinstance(case.body, (dict, list, str, int, float, bool, type(None)))
        body: dict[str, Any] = {"json": case.body} if given else {}
        answer = await self._http.request(case.method, path, params=query, headers=headers, **body)
        for _ in range(TRIES):
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            # As a client does: a process that was starved for some seconds refuses what may have waited as long.
            await asyncio.sleep(int(answer.headers["Retry-After"]))
            answer = await self._http.request(case.method, path, params=query, headers=headers, **body)
        self.statuses.add(answer.status_code)
        return answer


def _checked(operation: Any, mode: GenerationMode, send: Callable[[Any], httpx.Response]) -> None:
    """Try an operation with generated input; raises for the first answer that is not as described."""

    @hypothesis_settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def each(case: Any) -> None:
        answer = send(case)
        case.validate_response(answer, checks=CHECKS)

    each()


def _operations(document: Mapping[str, Any]) -> Iterator[Any]:
    for result in schemathesis.openapi.from_dict(dict(document)).get_all_operations():
        assert isinstance(result, Ok), result
        yield result.ok()


async def tried(
    document: Mapping[str, Any], http: httpx.AsyncClient, token: Callable[[str], str], known: Mapping[str, str]
) -> Tried:
    """Try all operations of an OpenAPI document. `token` of a persona; `known` are path parameters that exist."""
    sender = _Sender(http, token, known)
    loop = asyncio.get_running_loop()
    found = Tried(statuses=sender.statuses)

    def try_all() -> None:
        for operation in _operations(document):
            security = operation.definition.raw["security"]

            def send(case: Any, security: Any = security) -> httpx.Response:
                return asyncio.run_coroutine_threadsafe(sender.send(case, security), loop).result(30)

            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                try:
                    _checked(operation, mode, send)
                except Unsatisfiable:
                    # No input of this operation can be wrong in the sense of the description.
                    continue
                except BaseExceptionGroup as group:
                    # The other operations are tried too.
                    found.faults.extend(f"{operation.label} {mode.value}: {each}"[:1500] for each in group.exceptions)
            found.operations += 1

    await asyncio.to_thread(try_all)
    return found
