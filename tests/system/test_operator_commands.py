"""The operator's commands from a shell, on all four services."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis.settings import Settings
from deploy.local.engines import Engines
from tests.service.platform_helpers import until
from tests.system.system_helpers import system

ROOT = Path(__file__).parents[2]
BEGIN = datetime(2025, 1, 13, 9, tzinfo=UTC)
NEED = {"occupation": "5223", "municipality": "3312"}
SCHEDULE = """
version = "test"
day = 15
public_bodies = []
[tables.ventetid]
since = "2024M11"
preliminary = 1
final = 200
"""


@pytest.mark.timeout(240)
async def test_an_operator_sees_everything_and_builds_the_facts_as_of_an_instant(
    engines: Engines, settings: Settings, tmp_path: Path
) -> None:
    async with system(engines, settings, tmp_path) as services:
        variables = {**os.environ, **engines.variables, **services.variables, "DUGNAD_PREFIX": settings.prefix}
        variables.pop("COLUMNS", None)
        await _at(services.urls, BEGIN)
        await _need(services.urls["intake"])
        await _at(services.urls, BEGIN + timedelta(minutes=5))
        await _need(services.urls["intake"])
        await _at(services.urls, BEGIN + timedelta(minutes=10))

        async def complete() -> bool:
            code, out = await _dugnad(variables, "status", "--json")
            assert code == 0, out
            told = [each for service in json.loads(out)["services"] for each in service["projections"]]
            heads = {source["source"]: source["complete_to"] for each in told for source in each["sources"]}
            lag = sum(source["lag_events"] for each in told for source in each["sources"])
            return bool(lag == 0 and heads["dugnad/intake"] == 2)

        await until(complete, "every projection is complete", 60)
        code, out = await _dugnad(variables, "status")
        assert code == 0
        assert "\x1b" not in out
        # A heading, and a line for each projection of intake, matching, followup and reporting.
        assert len(out.splitlines()) == 1 + 4 + 3 + 3 + 5

        at = (BEGIN + timedelta(minutes=4)).isoformat()
        code, out = await _dugnad(variables, "rebuild", "reporting/placement", "--as-of", at, "--json")
        assert code == 0, out
        built = json.loads(out)
        # Matching and followup react to a need with events of their own, at their own time.
        assert {**built["until"], "dugnad/matching": 0, "dugnad/followup": 0} == {
            "dugnad/intake": 1,
            "dugnad/matching": 0,
            "dugnad/followup": 0,
        }
        assert not built["served"]
        code, out = await _dugnad(variables, "generations", "reporting/placement", "--json")
        assert code == 0
        kept = json.loads(out)["generations"]
        assert [(each["number"], each["serving"], each["as_of"]) for each in kept] == [
            (1, True, None),
            (built["generation"], False, at),
        ]
        code, out = await _dugnad(variables, "verify", "reporting")
        assert code == 0, out

        # Persons' keys are asked of intake, as reporting; the variables of a local run hold no secret for it.
        (tmp_path / "schedule.toml").write_text(SCHEDULE)
        variables |= {"DUGNAD_RELEASE_SCHEDULE": str(tmp_path / "schedule.toml")}
        variables |= {"DUGNAD_RELEASE_RECORD_KEY": "a1" * 32, "DUGNAD_RELEASE_NOISE_KEY": "b2" * 32}
        code, out = await _dugnad(variables, "release", "seal", "--at", BEGIN.isoformat())
        assert (code, out.splitlines()[-1]) == (0, "2024-12-15 is sealed: publish it, or leave it")


async def _at(urls: dict[str, str], at: datetime) -> None:
    async with httpx.AsyncClient() as http:
        for url in urls.values():
            (await http.put(f"{url}/dev/clock", json={"now": at.isoformat()})).raise_for_status()


async def _need(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as http:
        token = (await http.post("/dev/token", json={"persona": "employer-lier"})).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": os.urandom(8).hex(), "Prefer": "wait=5"}
        (await http.post("/needs", json=NEED, headers=headers)).raise_for_status()


async def _dugnad(variables: dict[str, Any], *argv: str) -> tuple[int | None, str]:
    command: Sequence[str] = (str(ROOT / "dugnad"), *argv)
    process = await asyncio.create_subprocess_exec(*command, env=variables, stdout=asyncio.subprocess.PIPE, stderr=None)
    out, _ = await process.communicate()
    return process.returncode, out.decode()
