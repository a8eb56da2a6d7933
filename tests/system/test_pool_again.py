"""What a trial does to other services: somebody leaves the pool and comes back, and a clock stops on the right day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis.settings import Settings
from deploy.local.engines import Engines
from deploy.local.player import Player
from deploy.local.player_scenario import Scenario, Step, Until, load
from tests.service.platform_helpers import until
from tests.system.system_helpers import system

COUNSELLOR, EMPLOYER, ANALYST = "counsellor-refugee-service", "employer-lier", "analyst"
RANKED = "/slots/{second_slot}/candidates"


def with_a_second_need(scenario: Scenario) -> Scenario:
    """The case of Lier, and another need that comes the day after the start: who may be proposed for it, and when?"""
    placed = Until(
        persona=COUNSELLOR,
        service="matching",
        path=RANKED,
        where={
            "/ranked_count": 0,
            "/excluded/0/candidate_id": "{candidate_id}",
            "/excluded/0/guards/0/code": "not_free",
        },
    )
    free = Until(
        persona=COUNSELLOR,
        service="matching",
        path=RANKED,
        where={"/ranked_count": 1, "/items/0/candidate_id": "{candidate_id}", "/excluded_count": 0},
    )
    (need,) = (step for step in scenario.steps if step.id == "need")
    (start,) = (step for step in scenario.steps if step.id == "start")
    second = need.model_copy(
        update={"id": "second-need", "at": start.at, "capture": {"second_slot": "/slot_ids/0"}, "until": (placed,)}
    )

    def told(step: Step) -> list[Step]:
        match step.id:
            case "start":
                return [step, second]
            case "close":
                return [step.model_copy(update={"until": (free,)})]
            case _:
                return [step]

    return scenario.model_copy(update={"steps": tuple(each for step in scenario.steps for each in told(step))})


class Desk:
    """Somebody at followup, over a socket."""

    def __init__(self, http: httpx.AsyncClient, urls: dict[str, str]) -> None:
        self._http, self._urls = http, urls

    async def send(self, persona: str, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
        """A command."""
        token = (await self._http.post(f"{self._urls['followup']}/dev/token", json={"persona": persona})).json()
        about = {"Authorization": f"Bearer {token['access_token']}", "Idempotency-Key": path, **headers}
        return await self._http.post(f"{self._urls['followup']}{path}", json=body, headers=about)


@pytest.mark.timeout(300)
async def test_a_closed_trial_gives_the_candidate_back_to_the_pool_and_a_start_put_right_moves_the_figures(
    engines: Engines, settings: Settings, tmp_path: Path
) -> None:
    (lier,) = load(["lier"])
    async with (
        system(engines, settings, tmp_path) as services,
        Player(services.urls) as player,
        httpx.AsyncClient() as http,
    ):
        # Out of the pool while the trial runs, in it again once it is closed: the scenario waits for both.
        await player.play([with_a_second_need(lier)])
        known, desk = player.played.known["lier"], Desk(http, dict(services.urls))

        async def waiting() -> dict[str, int]:
            table = (await player.get("reporting", "/tables/ventetid", ANALYST)).json()
            return {row["waiting"]: row["slots"] for row in table["rows"] if row["slots"]}

        async def started() -> bool:
            return (await waiting()).get("15_28") == 1

        await until(started, "reporting knows of the start", 60)
        # The counsellor has another day, one that misses the promise.
        agreement = f"/agreements/{known['agreement_id']}"
        read = await player.get("followup", agreement, COUNSELLOR)
        other = await desk.send(
            COUNSELLOR, f"{agreement}/start", {"on": "2025-02-11"}, **{"If-Match": read.headers["ETag"]}
        )
        assert (other.status_code, other.json()["code"]) == (409, "start_date_differs")

        case = f"/cases/{known['match_id']}"
        task: list[str] = []

        async def asked() -> bool:
            shown = (await player.get("followup", case, COUNSELLOR)).json()
            task[:] = [each["task_id"] for each in shown["tasks"] if each["task"] == "settle_start_date"]
            return bool(task)

        await until(asked, "the counsellor is asked to settle it", 30)
        right = {"on": "2025-02-11", "reason": "parties_agree"}
        settled = await desk.send(COUNSELLOR, f"{case}/tasks/{task[0]}/completion", right)
        assert settled.status_code == 201, settled.text

        async def moved() -> bool:
            return (await waiting()).get("29_56") == 1

        await until(moved, "reporting counts from the right day", 60)
        assert "15_28" not in await waiting()
        for service, path, wanted in (
            ("intake", f"/needs/{known['need_id']}", "2025-02-11"),
            ("followup", f"/slots/{known['slot_id']}", "late"),
        ):
            assert wanted in (await player.get(service, path, COUNSELLOR)).text, service
        # The day that was put right takes nobody back out of the pool.
        again = (await player.get("matching", RANKED.format_map(known), COUNSELLOR)).json()
        codes = [guard["code"] for each in again["excluded"] for guard in each["guards"]]
        assert codes == ["assessment_expired"]
