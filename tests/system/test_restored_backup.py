"""A service's database restored from a backup, and brought back by the runbook: its commands, on a real process."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis.clock import machine_now
from chassis.mongo import Client, Database, database
from chassis.settings import Settings
from deploy.local.engines import Engines
from deploy.local.services import Services
from tests.chaos.evidence import records_of
from tests.service.platform_helpers import until

ROOT = Path(__file__).parents[2]
NEED = {"occupation": "5223", "municipality": "3312"}
TOPIC = "dugnad.intake.v1"


async def register(url: str, needs: int, wait: int = 10) -> list[dict[str, Any]]:
    """So many needs, one after the other; the answers."""
    answers = []
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        token = (await client.post("/dev/token", json={"persona": "employer-lier"})).json()["access_token"]
        for _ in range(needs):
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": os.urandom(8).hex()}
            answer = await client.post("/needs", json=NEED, headers={**headers, "Prefer": f"wait={wait}"})
            assert answer.status_code == 201, answer.text
            answers.append(answer.json())
    return answers


async def listed(url: str) -> set[str]:
    """The needs that the view shows their employer."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        token = (await client.post("/dev/token", json={"persona": "employer-lier"})).json()["access_token"]
        answer = await client.get("/needs", headers={"Authorization": f"Bearer {token}"})
    return {need["need_id"] for need in answer.json()["items"]}


async def command(variables: Mapping[str, str], *words: str) -> tuple[int, str]:
    """Exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        cwd=ROOT,
        env=variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def _copy(whole: Database) -> dict[str, list[dict[str, Any]]]:
    names = await whole.list_collection_names()
    return {name: await whole[name].find({}).to_list(None) for name in names}


async def _restore(whole: Database, backup: Mapping[str, list[dict[str, Any]]]) -> None:
    for name in await whole.list_collection_names():
        await whole[name].delete_many({})
        if documents := backup.get(name):
            await whole[name].insert_many(documents)


@pytest.mark.timeout(240)
async def test_the_runbook_brings_a_restored_database_back_and_no_position_is_given_twice(
    engines: Engines, settings: Settings, tmp_path: Path, mongo: Client
) -> None:
    environ = {**os.environ, "DUGNAD_PREFIX": settings.prefix}
    services = Services(engines.variables, folder=tmp_path, environ=environ, names=("intake",))
    variables = {**environ, **engines.variables, **services.variables}
    whole = database(mongo, settings.database("intake"))

    async with services:
        kept = await register(services.urls["intake"], 4)
        assert [each["position"] for each in kept] == [1, 2, 3, 4]
    backup = await _copy(whole)
    async with services:
        lost = await register(services.urls["intake"], 3)
        assert [each["position"] for each in lost] == [5, 6, 7]
    await _restore(whole, backup)

    # It says what is wrong, accepts commands, and numbers nothing.
    for each in services.replicas:
        each.process.start()
    try:
        async with httpx.AsyncClient() as client:

            async def says_so() -> bool:
                try:
                    answer = await client.get(f"{services.urls['intake']}/readyz")
                except httpx.TransportError:
                    return False
                return answer.status_code == 503 and "docs/runbooks/restored-database.md" in answer.text

            await until(says_so, "it names the runbook", 60)
        # The other services do not run here.
        code, said = await command(variables, "-m", "deploy.cli", "status")
        assert code == 3
        assert "intake: relay of dugnad/intake: the topic of dugnad/intake goes on to dugnad/intake#7" in said
        (waiting,) = await register(services.urls["intake"], 1, wait=0)
        assert "position" not in waiting
    finally:
        await services.stop()
    assert len(await records_of(engines.kafka_bootstrap_servers, settings.topic(TOPIC))) == 7

    code, said = await command(variables, "-m", "deploy.cli", "continue", "intake")
    assert code == 2, said
    assert "positions 5 to 7 of dugnad/intake stay on the topic only" in said
    code, said = await command(variables, "-m", "deploy.cli", "continue", "intake", "--yes")
    assert code == 0, said
    assert "dugnad/intake goes on as dugnad/intake~2" in said
    assert "dugnad/background" not in said, "nothing of this log was lost"

    async with services:
        (after,) = await register(services.urls["intake"], 1)
        assert after["position"] == 2
        records = await records_of(engines.kafka_bootstrap_servers, settings.topic(TOPIC))
        places = sorted((each.source, each.position) for each in records)
        assert places == [("dugnad/intake", n) for n in range(1, 8)] + [("dugnad/intake~2", n) for n in (1, 2)]

        # The views were in the backup as well: what was folded since is missing in them, and they are built anew.
        everything = {each["need_id"] for each in (*kept, *lost, waiting, after)}
        assert not {each["need_id"] for each in lost} & await listed(services.urls["intake"])
        code, said = await command(variables, "-m", "deploy.cli", "rebuild", "intake/needs")
        assert code == 0, said

        async def shown() -> bool:
            return await listed(services.urls["intake"]) == everything

        await until(shown, "what was lost in the database is in the view", 30)


async def assigned(log: Database) -> list[str]:
    """The need of every assignment that matching's log has, in no particular order."""
    commits = await log["commits"].find({}).to_list(None)
    return [
        each["data"]["need_id"]
        for commit in commits
        for each in commit["events"]
        if each["type"].startswith("dugnad.NeedAssigned.")
    ]


@pytest.mark.timeout(240)
async def test_reactions_that_a_restored_service_has_forgotten_are_done_again_and_no_other_twice(
    engines: Engines, settings: Settings, tmp_path: Path, mongo: Client
) -> None:
    environ = {**os.environ, "DUGNAD_PREFIX": settings.prefix}
    services = Services(engines.variables, folder=tmp_path, environ=environ, names=("intake", "matching"))
    variables = {**environ, **engines.variables, **services.variables}
    own = database(mongo, settings.database("matching"))
    rewind = ("-m", "deploy.cli", "rewind", "matching", "--since")

    async def are_assigned(needs: int) -> None:
        async def there() -> bool:
            return len(await assigned(own)) == needs

        await until(there, f"{needs} needs are assigned", 60)

    async with services:
        await register(services.urls["intake"], 2)
        await are_assigned(2)
    backup, made_at = await _copy(own), machine_now()
    async with services:
        await register(services.urls["intake"], 2)
        await are_assigned(4)
        since = made_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        code, said = await command(variables, *rewind, since, "--yes")
        assert code == 1
        assert "a process of matching is in the group" in said
    await _restore(own, backup)
    code, said = await command(variables, "-m", "deploy.cli", "continue", "matching", "--yes")
    assert code == 0, said
    code, said = await command(variables, *rewind, since)
    assert code == 2
    assert "nothing was done: add --yes" in said
    code, said = await command(variables, *rewind, since, "--yes")
    assert code == 0, said
    assert "back to" in said
    code, said = await command(variables, *rewind, since, "--yes")
    assert (code, said.count("nothing to do")) == (0, 1), said
    async with services:
        await are_assigned(4)
        await register(services.urls["intake"], 1)
        await are_assigned(5)
    assert len(set(await assigned(own))) == 5
