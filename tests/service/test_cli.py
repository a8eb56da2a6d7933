"""The operator's commands against intake on real engines, called as from a shell."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
import uvicorn
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from pydantic import SecretStr

from chassis.issuer import DevIssuer
from chassis.keyring import KeyUnknown, RemoteKeyring
from chassis.mongo import Client, Database
from chassis.mongo import database as open_database
from chassis.settings import Settings
from contracts import intake
from deploy.cli.__main__ import main
from deploy.cli.http import service_tokens
from deploy.local.processes import free_port
from services.intake.app import create_app
from tests.service.intake_helpers import MONDAY, World
from tests.service.platform_helpers import until

Dugnad = Callable[..., Awaitable[tuple[int, str, str]]]


@asynccontextmanager
async def listening(settings: Settings) -> AsyncIterator[World]:
    """Intake on a port of its own, on Monday 13 January 2025."""
    app = create_app(settings)
    server = uvicorn.Server(uvicorn.Config(app, port=int(settings.intake_url.rpartition(":")[2]), log_level="error"))
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started or serving.done()

    await until(started, "intake answers")
    async with httpx.AsyncClient(base_url=settings.intake_url) as http:
        world = World(app, http, DevIssuer(settings), settings)
        await world.clock(MONDAY)
        yield world
    server.should_exit = True
    await serving


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    url = f"http://127.0.0.1:{free_port()}"
    mine = settings.model_copy(update={"dev_issuer_key": SecretStr("test"), "intake_url": url})
    async with listening(mine) as world:
        yield world


@pytest.fixture
def database(mongo: Client, settings: Settings) -> Database:
    return open_database(mongo, settings.database("intake"))


@contextmanager
def dugnad_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Dugnad]:
    """Runs a command against intake with these settings; gives exit code, standard output and standard error."""
    variables = {
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "MONGODB_URI": settings.mongodb_uri,
        "DUGNAD_ENVIRONMENT": "development",
        "DUGNAD_PREFIX": settings.prefix,
        "DUGNAD_INTAKE_URL": settings.intake_url,
        **{f"DUGNAD_{name}_URL": "http://127.0.0.1:1" for name in ("MATCHING", "FOLLOWUP", "REPORTING")},
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # As in a process of its own: what other tests have set up to log would end up in the answer.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    async def run(*argv: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = await asyncio.to_thread(main, argv)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    yield run


@pytest.fixture
def dugnad(world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Dugnad]:
    """Runs a command against the intake of the test."""
    with dugnad_on(world.settings, monkeypatch, capsys) as run:
        yield run


async def needs(world: World, count: int) -> int:
    """Registers needs; gives the position of the last one, which is in the view."""
    told: dict[str, Any] = {}
    for _ in range(count):
        told = await world.need()
    await world.as_("employer-lier").get("/needs", min_position=f"intake:{told['position']}")
    return int(told["position"])


async def test_status_tells_of_each_projection_how_far_it_is(world: World, dugnad: Dugnad) -> None:
    position = await needs(world, 3)

    async def complete() -> bool:
        told = (await world.as_("operator").get("/projections")).json()["projections"]
        own = [source for each in told for source in each["sources"] if source["source"] == intake.SOURCE]
        return all(source["lag_events"] == 0 == source["head"] - position for source in own)

    await until(complete, "everything folded")
    code, out, _ = await dugnad("status", "--json")
    # The other services do not run here.
    assert code == 3
    told = json.loads(out)["services"]
    assert ["down" in each for each in told] == [False, True, True, True]
    found = {each["name"]: each for each in told[0]["projections"]}
    assert found.keys() == {"needs", "places", "candidates", "erased"}
    shown = found["needs"]
    assert shown["documents"] == 3
    assert shown["serving"]
    assert shown["generation"]["number"] == 1
    assert shown["generation"]["created"].endswith("Z")
    assert shown["parked"] == {"events": 0, "subjects": 0}
    assert (shown["stopped"], shown["last_error"], shown["short"]) == ([], None, [])
    assert told[0]["faults"] == []
    nothing: dict[str, Any] = {"parked": {"events": 0, "subjects": 0}, "last_error": None, "stopped": []}
    assert told[0]["reactions"] == [{"log": "intake", **nothing}]
    assert shown["sources"] == [
        {
            "source": intake.SOURCE,
            "complete_to": position,
            "head": position,
            "lag_events": 0,
            "lag_seconds": 0.0,
            "missing": [],
            "missing_seconds": 0.0,
        }
    ]


async def test_only_an_operator_sees_it(world: World) -> None:
    for path in ("/projections", "/log/head"):
        assert (await world.as_("analyst").get(path)).status_code == 403
        assert (await world.http.get(path)).status_code == 401
        assert (await world.as_("operator").get(path)).status_code == 200


async def test_a_document_that_was_changed_by_hand_is_found_and_made_right(
    world: World, dugnad: Dugnad, database: Database
) -> None:
    await needs(world, 4)
    code, out, _ = await dugnad("verify", "intake")
    assert code == 0, out
    assert "intake/needs: 4 documents are what 4 events say" in out
    changed = await database["view_needs_1"].find_one_and_update({}, {"$set": {"occupation": "0000"}})
    assert changed is not None
    code, out, _ = await dugnad("verify", "intake/needs", "--json")
    assert code == 1
    assert json.loads(out)["projections"][0]["differing"] == [changed["_id"]]

    code, out, _ = await dugnad("rebuild", "intake/needs", "--dry-run")
    assert code == 0
    assert "then serve it in place of generation 1" in out
    code, out, _ = await dugnad("rebuild", "intake/needs")
    assert code == 0
    assert "4 of 4 events" in out
    assert "generation 2 is complete and is served in place of 1" in out
    assert (await dugnad("verify", "intake/needs"))[0] == 0

    code, out, err = await dugnad("rollback", "intake/needs")
    assert code == 2
    assert "serve generation 1 in place of 2" in out
    assert "add --yes" in err
    assert (await dugnad("rollback", "intake/needs", "--yes"))[0] == 0
    assert (await dugnad("verify", "intake/needs"))[0] == 1

    code, out, _ = await dugnad("generations", "intake/needs", "--json")
    assert code == 0
    assert [(each["number"], each["serving"]) for each in json.loads(out)["generations"]] == [(1, True), (2, False)]
    assert (await dugnad("generations", "intake/needs", "--drop", "1", "--yes"))[0] == 2
    assert (await dugnad("generations", "intake/needs", "--drop", "2"))[0] == 2
    assert (await dugnad("generations", "intake/needs", "--drop", "2", "--yes"))[0] == 0
    assert len(json.loads((await dugnad("generations", "intake/needs", "--json"))[1])["generations"]) == 1


async def test_a_rebuild_as_of_an_instant_holds_what_had_been_recorded_by_then(
    world: World, dugnad: Dugnad, database: Database
) -> None:
    first = await needs(world, 2)
    later = MONDAY + timedelta(minutes=5)
    await world.clock(later)
    await needs(world, 3)
    code, _, err = await dugnad("log", "head", "intake", "--at", later.isoformat())
    assert code == 2
    assert err == "dugnad: intake: Choose an instant that is at least a minute old.\n", (
        "in the language of the commands"
    )
    await world.clock(MONDAY + timedelta(minutes=10))
    at = (MONDAY + timedelta(minutes=4)).isoformat()
    code, out, _ = await dugnad("log", "head", "intake", "--at", at, "--json")
    assert code == 0
    heads = {each["source"]: each["position"] for each in json.loads(out)["logs"]}
    assert heads == {intake.SOURCE: first, intake.BACKGROUND_SOURCE: 0}
    code, out, _ = await dugnad("rebuild", "intake/needs", "--as-of", at, "--json")
    assert code == 0
    assert json.loads(out) == {
        "projection": "intake/needs",
        "generation": 2,
        "served": False,
        "until": {intake.SOURCE: first},
    }
    assert await database["view_needs_2"].count_documents({}) == 2
    assert await database["view_needs_1"].count_documents({}) == 5
    code, out, err = await dugnad("rebuild", "intake/needs", "--until", "intake=99")
    assert code == 2
    assert f"{intake.SOURCE} goes to 5" in err


async def test_republish_shows_its_plan_and_sends_everything_again(world: World, dugnad: Dugnad) -> None:
    await needs(world, 3)
    code, out, err = await dugnad("republish", "intake")
    assert code == 2
    assert f"send the 3 events of {intake.SOURCE}" in out
    assert "add --yes" in err
    code, out, _ = await dugnad("republish", "intake", "--yes", "--json")
    assert code == 0
    assert [each["position"] for each in json.loads(out)["plan"]] == [3, 0]
    code, out, _ = await dugnad("verify", "intake/needs")
    assert code == 0, out


async def test_with_records_lost_nobody_is_told_to_build_anew_from_what_is_left(world: World, dugnad: Dugnad) -> None:
    position = await needs(world, 3)
    admin = AIOKafkaAdminClient(bootstrap_servers=world.settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        topic = world.settings.topic(intake.TOPIC)
        partitions = [TopicPartition(topic, number) for number in range(world.settings.partitions)]
        await admin.delete_records(dict.fromkeys(partitions, RecordsToDelete(-1)))
    finally:
        await admin.close()
    said = f"the topic of {intake.SOURCE} ends at 0, and {position} were handled"
    short = [{"source": intake.SOURCE, "topic_ends": 0, "handled": position}]

    async def seen() -> bool:
        told = (await world.as_("operator").get("/projections")).json()["projections"]
        return bool(next(each["short"] for each in told if each["name"] == "needs") == short)

    await until(seen, "the topic is known to be short")
    code, _, err = await dugnad("rebuild", "intake/needs")
    assert code == 1
    assert said in err
    assert "`dugnad republish intake`" in err
    code, out, _ = await dugnad("verify", "intake/needs")
    assert code == 1
    assert said in out
    assert "makes it right" not in out
    assert (await dugnad("rebuild", "intake/needs", "--force", "--dry-run"))[0] == 0
    assert (await dugnad("republish", "intake", "--yes"))[0] == 0
    assert (await dugnad("verify", "intake/needs"))[0] == 0
    code, out, _ = await dugnad("rebuild", "intake/needs")
    assert code == 0
    assert f"{position} of {position} events" in out


async def test_a_command_that_works_for_a_service_needs_no_secret_beside_a_local_run(world: World) -> None:
    keyless = world.settings.model_copy(update={"dev_issuer_key": None})
    keyring = RemoteKeyring(keyless.intake_url, service_tokens(keyless, "reporting"))
    try:
        # Intake took the token: it looked for the key, and there is none.
        with pytest.raises(KeyUnknown):
            await keyring.key("01J0000000000000000000000C")
    finally:
        await keyring.aclose()
