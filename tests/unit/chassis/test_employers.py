"""Employers' names are shown where they can be told, and nothing waits or fails for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from chassis import employers as module
from chassis.employers import HELD_SECONDS, PAUSE_SECONDS, IntakeEmployers
from chassis.errors import DependencyDown

FLORIST, GONE = "315486890", "310000027"
Answer = Callable[[httpx.Request], httpx.Response]


class Tokens:
    def __init__(self, down: bool = False) -> None:
        self.down = down

    async def token(self, audience: str | None = None) -> str:
        if self.down:
            raise DependencyDown("no token")
        return "t0ken"


class Asked:
    """Intake, which knows the florist."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer t0ken"
        self.paths.append(request.url.path)
        known = request.url.path == f"/employers/{FLORIST}"
        return httpx.Response(200, json={"name": "FLORIST AS"}) if known else httpx.Response(404, json={})


def employers(answer: Answer, *, down: bool = False, elapsed: Callable[[], float] = lambda: 0.0) -> IntakeEmployers:
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return IntakeEmployers("http://intake.test/", Tokens(down), client=client, elapsed=elapsed)


async def test_a_name_is_asked_for_once_an_hour_and_so_is_one_that_there_is_not() -> None:
    intake, now = Asked(), [0.0]
    names = employers(intake, elapsed=lambda: now[0])
    for _ in range(2):
        assert await names.of([FLORIST, GONE, FLORIST]) == {FLORIST: "FLORIST AS"}
        assert intake.paths == [f"/employers/{FLORIST}", f"/employers/{GONE}"]
    now[0] = HELD_SECONDS
    assert await names.of([FLORIST]) == {FLORIST: "FLORIST AS"}
    assert len(intake.paths) == 3


@pytest.mark.parametrize("status", [403, 500, 503])
async def test_a_refusal_leaves_the_name_out_and_is_asked_again(status: int) -> None:
    intake = Asked()
    answers: list[Answer] = [lambda _: httpx.Response(status, json={}), intake]
    names = employers(lambda request: answers.pop(0)(request))
    assert await names.of([FLORIST]) == {}
    assert await names.of([FLORIST]) == {FLORIST: "FLORIST AS"}


async def test_what_fails_of_one_leaves_the_others() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(GONE):
            raise httpx.ConnectError("no route")
        return httpx.Response(200, json={"name": "FLORIST AS"})

    assert await employers(answer).of([GONE, FLORIST]) == {FLORIST: "FLORIST AS"}


async def test_without_a_token_and_with_nobody_to_name_nothing_is_asked() -> None:
    intake = Asked()
    assert await employers(intake, down=True).of([FLORIST]) == {}
    assert await employers(intake).of([]) == {}
    assert intake.paths == []


async def test_an_intake_that_hangs_is_waited_for_once_and_asked_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.01)
    asked, now, never = 0, [0.0], asyncio.Event()

    async def hangs(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        await never.wait()
        raise AssertionError

    client = httpx.AsyncClient(transport=httpx.MockTransport(hangs))
    names = IntakeEmployers("http://intake.test/", Tokens(), client=client, elapsed=lambda: now[0])
    for _ in range(3):
        assert await names.of([FLORIST]) == {}
    assert asked == 1
    now[0] = PAUSE_SECONDS
    assert await names.of([FLORIST]) == {}
    assert asked == 2
