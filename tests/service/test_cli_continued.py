"""A log that was continued after a restored backup, as an operator and a client see it: nothing of it is left out."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from chassis.mongo import Database
from chassis.settings import Settings
from contracts import intake
from deploy.local.processes import free_port
from tests.service.intake_helpers import MONDAY, World
from tests.service.platform_helpers import until
from tests.service.test_cli import Dugnad, database, dugnad_on, listening, needs

__all__ = ["database"]
SECOND = f"{intake.SOURCE}~2"
LATER = MONDAY + timedelta(minutes=5)


async def _copy(database: Database, names: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
    return {name: await database[name].find({}).to_list(None) for name in names}


async def _restore(database: Database, backup: dict[str, list[dict[str, Any]]]) -> None:
    for name, documents in backup.items():
        await database[name].delete_many({})
        if documents:
            await database[name].insert_many(documents)


async def _sources(world: World, projection: str) -> dict[str, int]:
    told = (await world.as_("operator").get("/projections")).json()["projections"]
    shown = next(each for each in told if each["name"] == projection)
    return {each["source"]: each["complete_to"] for each in shown["sources"]}


@pytest.mark.timeout(240)
async def test_a_continued_log_is_seen_with_all_its_sources(
    settings: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    mine = settings.model_copy(update={"dev_issuer_key": SecretStr("test"), "intake_url": url})
    async with listening(mine) as world:
        await needs(world, 2)
        backup = await _copy(database, ("commits", "ledger", "lease"))
        await world.clock(LATER)
        await needs(world, 3)
    await _restore(database, backup)

    with dugnad_on(mine, monkeypatch, capsys) as dugnad:
        await _continue(dugnad)
        async with listening(mine) as world:
            await world.clock(MONDAY + timedelta(minutes=10))
            told = await world.need()
            assert (told["position"], told["position_source"]) == (1, "intake~2")
            await _is_read(world, told)

            async def complete() -> bool:
                return await _sources(world, "needs") == {intake.SOURCE: 5, SECOND: 1}

            await until(complete, "every source of the log is shown, and complete")
            _, out, _ = await dugnad("status")
            assert "intake 5, intake~2 1" in out

            await _ends(dugnad, database)
            await _as_of(world, dugnad, database)


async def _continue(dugnad: Dugnad) -> None:
    code, out, err = await dugnad("continue", "intake")
    assert code == 2
    assert (
        f"{intake.SOURCE}: go on under a new source; positions 3 to 5 of {intake.SOURCE} stay on the topic only" in out
    )
    assert "add --yes" in err
    code, out, _ = await dugnad("continue", "intake", "--yes", "--json")
    assert code == 0
    (continued,) = json.loads(out)["plan"]
    assert (continued["source"], continued["lost"]) == (SECOND, {intake.SOURCE: [3, 5]})
    # Given again it does nothing: the topic ends where the log does.
    for service in ("intake", "matching"):
        code, out, _ = await dugnad("continue", service, "--yes")
        assert (code, out) == (0, f"nothing to do: the topics of {service} end where its ledgers do\n")
    code, out, _ = await dugnad("log", "lost", "intake", "--json")
    assert code == 1
    lost = json.loads(out)["lost"]
    assert [each["id"] for each in lost] == [f"{intake.SOURCE}#{n}" for n in (3, 4, 5)]
    assert lost[0]["data"]["need_id"] in lost[0]["subject"]
    code, out, _ = await dugnad("log", "lost", "matching")
    assert (code, out) == (0, "nothing is lost: the logs have everything that their topics have\n")
    code, _, err = await dugnad("republish", "intake", "--yes")
    assert code == 1
    assert "dugnad log lost intake" in err


async def _is_read(world: World, told: dict[str, Any]) -> None:
    """What was written is read back under the new source."""
    seen = f"{told['position_source']}:{told['position']}"
    answer = await world.as_("employer-lier").get(f"/needs/{told['need_id']}", min_position=seen)
    assert answer.status_code == 200, answer.text
    late = await world.as_("employer-lier").get("/needs", min_position="intake~2:2")
    assert (late.status_code, "Retry-After" in late.headers) == (503, True)


async def _ends(dugnad: Dugnad, database: Database) -> None:
    code, _, err = await dugnad("rebuild", "intake/needs", "--until", "intake=4")
    assert code == 2
    assert f"give --until for {SECOND} too" in err
    code, out, err = await dugnad("rebuild", "intake/needs", "--until", "intake=4", "--until", "intake~2=1", "--json")
    assert code == 0, err
    generation = json.loads(out)["generation"]
    assert await database[f"view_needs_{generation}"].count_documents({}) == 5


async def _as_of(world: World, dugnad: Dugnad, database: Database) -> None:
    """Before the loss, after it, and with what came under the new source."""
    await world.clock(MONDAY + timedelta(minutes=20))
    for minutes, until_then, documents in ((4, (2, 0), 2), (6, (5, 0), 5), (11, (5, 1), 6)):
        at = (MONDAY + timedelta(minutes=minutes)).isoformat()
        code, out, err = await dugnad("rebuild", "intake/needs", "--as-of", at, "--json")
        assert code == 0, err
        built = json.loads(out)
        assert built["until"] == dict(zip((intake.SOURCE, SECOND), until_then, strict=True))
        assert await database[f"view_needs_{built['generation']}"].count_documents({}) == documents
