"""What followup makes of intake's answers: a missing answer is neither a yes nor a no."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import httpx
import pytest

from chassis.errors import DependencyDown
from chassis.problems import Problem
from contracts.refused import Refused
from contracts.vocabulary import Measure
from services.followup.domain.commands import Eligibility
from services.followup.intake import IntakePersons

TOLD = {
    "old_enough": True,
    "not_too_old": True,
    "eligible": True,
    "longest_end": "2026-02-02",
    "subsidy_class": "reduced_work_capacity",
    "rule_version": "2024-01-01",
}


class Tokens:
    def __init__(self, down: bool = False) -> None:
        self.down = down

    async def token(self, audience: str | None = None) -> str:
        if self.down:
            raise DependencyDown("no token")
        return "t0ken"


def persons(answer: Callable[[httpx.Request], httpx.Response], *, down: bool = False) -> IntakePersons:
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return IntakePersons("http://intake.test/", Tokens(down), client=client)


async def asked(answer: Callable[[httpx.Request], httpx.Response]) -> Eligibility:
    return await persons(answer).eligibility("K1", Measure.WORK_TRAINING, date(2025, 2, 3), date(2025, 5, 2))


async def test_the_question_names_measure_and_days_and_the_named_answers_are_kept() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=TOLD)

    assert await asked(answer) == Eligibility(
        answers={"old_enough": True, "not_too_old": True, "eligible": True},
        reduced_work_capacity=True,
        rule_version="2024-01-01",
    )
    assert str(seen[0].url) == "http://intake.test/candidates/K1/eligibility"
    assert seen[0].headers["Authorization"] == "Bearer t0ken"
    assert b'"start":"2025-02-03"' in seen[0].content.replace(b" ", b"")


async def test_anything_but_true_is_no_yes() -> None:
    eligibility = await asked(lambda _: httpx.Response(200, json={**TOLD, "not_too_old": "yes"}))
    assert eligibility.answers == {"old_enough": True, "not_too_old": False, "eligible": True}


@pytest.mark.parametrize("body", [{}, [], {"old_enough": True}])
async def test_an_answer_with_a_hole_is_503(body: Any) -> None:
    with pytest.raises(Problem, match="503"):
        await asked(lambda _: httpx.Response(200, json=body))


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503])
async def test_an_answer_that_is_none_is_503(status: int) -> None:
    with pytest.raises(Problem) as problem:
        await asked(lambda _: httpx.Response(status, json={}))
    assert (problem.value.status, problem.value.code) == (503, "intake_unavailable")
    assert "Retry-After" in problem.value.headers


async def test_text_that_is_no_json_is_503() -> None:
    with pytest.raises(Problem, match="503"):
        await asked(lambda _: httpx.Response(200, text="hello"))


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectTimeout("away", request=request)


async def test_an_intake_that_is_away_is_503() -> None:
    with pytest.raises(Problem, match="503"):
        await asked(unreachable)


@pytest.mark.parametrize("status", [404, 409, 410])
async def test_a_person_who_is_not_there_is_not_available(status: int) -> None:
    with pytest.raises(Refused, match="candidate_unavailable"):
        await asked(lambda _: httpx.Response(status, json={}))


async def test_dates_that_intake_refuses_are_a_no_behind_what_the_rules_here_say() -> None:
    eligibility = await asked(lambda _: httpx.Response(422, json={}))
    assert not all(eligibility.answers.values())


async def test_a_name_is_told_where_it_can_be_and_missing_where_it_cannot() -> None:
    assert await persons(lambda _: httpx.Response(200, json={"name": "Kari"})).name("K1") == "Kari"
    for answer in (lambda _: httpx.Response(404), lambda _: httpx.Response(200, text="x"), unreachable):
        assert await persons(answer).name("K1") is None
    assert await persons(unreachable, down=True).name("K1") is None
