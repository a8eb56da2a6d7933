"""The player against a service that is played here: what it sends, and what it says when something goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from deploy.local.player import Player, StepFailed
from deploy.local.player_scenario import Scenario

URLS = {"intake": "http://intake", "matching": "http://matching", "followup": "http://followup"}
Answer = Callable[[httpx.Request], httpx.Response]


def scenario(**changes: Any) -> Scenario:
    step = {
        "id": "need",
        "at": "2025-01-13T10:00:00+01:00",
        "persona": "employer-lier",
        "service": "intake",
        "path": "/needs",
        "body": {"occupation": "5223"},
        "capture": {"need_id": "/need_id"},
        **changes,
    }
    return Scenario.model_validate({"name": "lier", "title": "Lier", "steps": [step]})


class World:
    """Remembers what was sent; a test says what is answered to what, everything else goes well."""

    def __init__(self, **answers: list[httpx.Response]) -> None:
        self.sent: list[httpx.Request] = []
        self._answers = answers

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        kinds = {"/dev/clock": "clock", "/dev/token": "token", "/log/head": "head"}
        kind = kinds.get(request.url.path, request.method.lower())
        waiting = self._answers.get(kind, [])
        if waiting:
            return waiting.pop(0)
        match kind:
            case "token":
                return httpx.Response(200, json={"access_token": json.loads(request.content)["persona"]})
            case "head":
                return httpx.Response(200, json={"logs": []})
            case "post":
                return httpx.Response(201, json={"need_id": "N1", "position": 7})
            case "get":
                return httpx.Response(200, json={"stage": "open"}, headers={"ETag": '"3"'})
            case _:
                return httpx.Response(200, json={})

    async def play(self, told: Scenario) -> Player:
        async with Player(URLS, transport=httpx.MockTransport(self)) as player:
            await player.play([told])
            return player

    def of(self, method: str, path: str) -> list[httpx.Request]:
        return [each for each in self.sent if (each.method, each.url.path) == (method, path)]


def problem(status: int, code: str, **more: Any) -> httpx.Response:
    return httpx.Response(status, json={"status": status, "code": code, "detail": "Slik er det.", **more})


async def test_a_step_is_sent_with_its_key_as_its_persona_at_its_time() -> None:
    world = World()
    player = await world.play(scenario())
    (sent,) = world.of("POST", "/needs")
    assert sent.headers["Idempotency-Key"] == "lier/need"
    assert sent.headers["Authorization"] == "Bearer employer-lier"
    assert sent.headers["Prefer"] == "wait=10"
    clocks = [json.loads(each.content)["now"] for each in world.of("PUT", "/dev/clock")]
    assert clocks == ["2025-01-13T10:00:00+01:00"] * len(URLS) + [None] * len(URLS)
    assert player.played.known["lier"] == {"need_id": "N1", "intake_position": "7"}
    assert player.played.positions == {"intake": 7}


async def test_what_the_clocks_brought_at_the_end_belongs_to_what_readers_wait_for() -> None:
    behind = {"logs": [{"source": "dugnad/intake", "position": 3}]}
    ahead = {"logs": [{"source": "dugnad/matching", "position": 9}, {"source": "dugnad/background", "position": 2}]}
    heads = [httpx.Response(200, json=each) for each in (behind, ahead)]
    world = World(head=heads)
    player = await world.play(scenario())
    assert player.played.positions == {"intake": 7, "matching": 9, "background": 2}
    assert len(world.of("GET", "/log/head")) == 3


async def test_a_step_that_was_played_before_is_repeated_though_the_clocks_have_gone_on() -> None:
    replayed = httpx.Response(201, json={"need_id": "N1"}, headers={"Idempotent-Replay": "true"})
    clocks = [problem(409, "clock_backwards") for _ in URLS]
    player = await World(post=[replayed], clock=clocks).play(scenario())
    assert (player.played.sent, player.played.repeated) == (1, 1)


async def test_a_new_step_on_a_clock_that_has_gone_on_is_a_failure() -> None:
    clocks = [problem(409, "clock_backwards") for _ in URLS]
    with pytest.raises(StepFailed, match="begin again with empty data"):
        await World(clock=clocks).play(scenario())


async def test_a_refused_step_is_one_line_with_step_status_and_reason() -> None:
    refused = problem(422, "occupation_unknown", errors=[{"pointer": "/occupation", "detail": "Finnes ikke."}])
    with pytest.raises(StepFailed) as failed:
        await World(post=[refused]).play(scenario())
    assert failed.value.message == (
        "lier, step need (employer-lier: POST intake/needs): 422 occupation_unknown Slik er det. "
        "/occupation: Finnes ikke."
    )


async def test_a_stale_step_is_read_again_and_sent_again() -> None:
    world = World(post=[problem(409, "stale")])
    await world.play(scenario(if_match="/needs/N1"))
    assert len(world.of("GET", "/needs/N1")) == len(world.of("POST", "/needs")) == 2
    assert world.of("POST", "/needs")[1].headers["If-Match"] == '"3"'


async def test_the_next_step_waits_until_others_have_heard_of_it() -> None:
    behind = [problem(404, "not_found"), httpx.Response(200, json={"stage": "new"})]
    world = World(get=behind)
    until = {
        "persona": "candidate:{need_id}",
        "service": "matching",
        "path": "/needs/{need_id}",
        "where": {"/stage": {"any": ["open", "closed"]}},
    }
    await world.play(scenario(until=[until]))
    assert len(world.of("GET", "/needs/N1")) == 3
    tokens = [json.loads(each.content) for each in world.of("POST", "/dev/token")]
    assert {"persona": "candidate", "candidate_id": "N1"} in tokens


async def test_a_question_is_asked_again_while_the_service_is_behind() -> None:
    world = World(get=[problem(503, "view_behind")])
    async with Player(URLS, transport=httpx.MockTransport(world)) as player:
        answer = await player.get("matching", "/needs/N1", "counsellor-nav", min_position=["intake:7"])
    assert answer.status_code == 200
    assert [each.url.query for each in world.of("GET", "/needs/N1")] == [b"min_position=intake%3A7"] * 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"capture": {"x": "/nothing"}}, "the answer has nothing at /nothing"),
        ({"path": "/needs/{unknown}"}, "nothing has captured 'unknown'"),
    ],
)
async def test_a_scenario_with_a_slip_says_where(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(StepFailed, match=said):
        await World().play(scenario(**changes))


async def test_a_service_that_does_not_answer_is_named() -> None:
    def dead(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async with Player(URLS, transport=httpx.MockTransport(dead)) as player:
        with pytest.raises(StepFailed, match="intake does not answer"):
            await player.play([scenario()])
