"""Whatever comes in over HTTP, right or wrong: no server error, and every answer is one that the description names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
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

from chassis.issuer import MESTER_GRONN, PERSONAS
from chassis.settings import Settings
from tests.service.intake_helpers import MAPPING, World, running

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 20
OPERATIONS = 30
"""At least so many are described: a description that lost its operations would pass every check."""


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


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


class Sender:
    """Sends generated cases; every second one to something that is there."""

    def __init__(self, world: World, known: Mapping[str, str]) -> None:
        self._world, self._known = world, known
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
            headers["Authorization"] = f"Bearer {self._world.as_(persona).token}"
        # A position that has not come is waited for, and then answered 503: as described, but slow.
        query = {name: value for name, value in (case.query or {}).items() if name != "min_position"}
        given = isinstance(case.body, (dict, list, str, int, float, bool, type(None)))
        body: dict[str, Any] = {"json": case.body} if given else {}
        answer = await self._world.http.request(case.method, path, params=query, headers=headers, **body)
        self.statuses.add(answer.status_code)
        return answer


def checked(operation: Any, mode: GenerationMode, send: Callable[[Any], httpx.Response]) -> None:
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


def operations(document: Mapping[str, Any]) -> Iterator[Any]:
    """The operations of the description."""
    for result in schemathesis.openapi.from_dict(dict(document)).get_all_operations():
        assert isinstance(result, Ok), result
        yield result.ok()


@pytest.mark.timeout(300)
async def test_no_input_leads_to_a_server_error_or_to_an_answer_that_is_not_described(world: World) -> None:
    need = await world.need()
    candidate_id = await world.candidate("counsellor-nav")
    await world.as_("counsellor-nav").post(f"/candidates/{candidate_id}/mapping", MAPPING, version=1)
    known = {"need_id": need["need_id"], "candidate_id": candidate_id, "candidate": candidate_id}
    sender = Sender(world, {**known, "org_number": MESTER_GRONN, "year": "2024"})
    loop = asyncio.get_running_loop()
    faults: list[str] = []

    def try_all() -> int:
        tried = 0
        for operation in operations(world.app.openapi()):
            security = operation.definition.raw["security"]

            def send(case: Any, security: Any = security) -> httpx.Response:
                return asyncio.run_coroutine_threadsafe(sender.send(case, security), loop).result(30)

            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                try:
                    checked(operation, mode, send)
                except Unsatisfiable:
                    # No input of this operation can be wrong in the sense of the description.
                    continue
                except BaseExceptionGroup as group:
                    # The other operations are tried too.
                    faults.extend(f"{operation.label} {mode.value}: {each}"[:1500] for each in group.exceptions)
            tried += 1
        return tried

    assert await asyncio.to_thread(try_all) >= OPERATIONS
    assert faults == [], "\n\n".join(faults)
    # It came past the door: something was read, something refused for its fields, for its state, and as absent.
    assert sender.statuses >= {200, 404, 409, 422}
