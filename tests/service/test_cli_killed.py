"""`dugnad` in a process of its own: killed in the middle of a rebuild and given again; without a broker."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from chassis.clock import Clock
from chassis.decisions import Answer
from chassis.eventlog import EventLog, NewCommit, Stored
from chassis.generations import Generations
from chassis.mongo import Client, Database
from chassis.mongo import database as open_database
from chassis.relay import Relay
from chassis.service import Service
from chassis.settings import Settings
from chassis.topics import ensure_topics
from contracts import intake
from services.reporting.views import workforce as projection
from tests.service.platform_helpers import INTAKE_EVENTS, context, published, until, workforce
from tests.service.test_rebuild import contents
from tests.service.test_relay import raise_it

ROOT = Path(__file__).parents[2]
EMPLOYERS, EACH = 40, 100
EVENTS = EMPLOYERS * EACH


@pytest.fixture
async def database(mongo: Client, settings: Settings) -> AsyncIterator[Database]:
    """Reporting's, whose view of workforce figures is complete, while their relay runs."""
    await ensure_topics(settings, [intake.TOPIC])
    log = EventLog(
        open_database(mongo, settings.database("intake")), intake.SOURCE, intake.TOPIC, INTAKE_EVENTS, Clock()
    )
    await log.prepare()
    log.start()
    for number in range(EMPLOYERS):
        made, subject = context(), f"workforce:{number}-2025"
        events = [workforce(f"{number}", 2025, count) for count in range(EACH)]
        commit = NewCommit(made.claim, b"", {subject: 0}, events, Answer({}, "/", subject), "test", "test")
        assert isinstance(await log.append(commit), Stored)
    relay = Relay(log, settings)
    relay.start(raise_it)
    await published(log, EVENTS, 60)
    service = Service("reporting", settings)
    service.add_projection(projection)
    await service.start()
    assert await service.view("workforce").wait_for(intake.SOURCE, EVENTS, 60)
    yield service.database("reporting")
    await service.stop()
    await relay.stop()
    await log.stop()


@asynccontextmanager
async def dugnad(settings: Settings, *argv: str) -> AsyncIterator[Process]:
    """The command, as from a shell; killed with the block."""
    variables = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "MONGODB_URI": settings.mongodb_uri,
        "DUGNAD_ENVIRONMENT": "development",
        "DUGNAD_PREFIX": settings.prefix,
        "DUGNAD_ENGINE_TIMEOUT_SECONDS": str(settings.engine_timeout_seconds),
    }
    command = (sys.executable, "-m", "deploy.cli", *argv)
    process = await asyncio.create_subprocess_exec(*command, env=variables, cwd=ROOT, stdout=PIPE, stderr=PIPE)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _bits(database: Database, generation: str) -> int:
    found = database[f"progress_{generation}"].find({"block": {"$exists": True}}, {"bits": 1})
    return sum([int.from_bytes(bytes(each["bits"]), "little").bit_count() async for each in found])


AWAY = "127.0.0.1:1"


@pytest.mark.parametrize(
    "argv",
    [
        ["verify", "reporting/workforce"],
        ["rebuild", "reporting/workforce"],
        ["rebuild", "reporting/workforce", "--until", "intake=1"],
        ["republish", "intake", "--yes"],
        ["continue", "intake", "--yes"],
    ],
    ids=lambda argv: " ".join(argv),
)
async def test_with_the_broker_away_a_command_ends_with_three_and_one_line(argv: list[str], settings: Settings) -> None:
    service = Service("reporting", settings)
    await Generations(service.database("reporting"), "workforce", projection.version).first()
    async with dugnad(
        settings.model_copy(update={"kafka_bootstrap_servers": AWAY, "engine_timeout_seconds": 3.0}), *argv
    ) as process:
        out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 3, err
    assert out == b""
    assert re.fullmatch(rb"dugnad: Kafka at 127\.0\.0\.1:1 [^\n]+\n", err), err


@pytest.mark.parametrize("more", [[], ["--until", f"intake={EVENTS}"]], ids=["to the heads", "up to a position"])
@pytest.mark.timeout(300)
async def test_a_rebuild_killed_in_the_middle_goes_on_and_equals_live(
    more: list[str], database: Database, settings: Settings
) -> None:
    argv = ("rebuild", "reporting/workforce", *more)
    async with dugnad(settings, *argv) as killed:

        async def in_the_middle() -> bool:
            assert killed.returncode is None, "it was complete before it could be killed"
            return await _bits(database, "workforce_2") > 0

        await until(in_the_middle, "it has folded something", 60)
        killed.kill()
        assert await killed.wait() == -9
    folded = await _bits(database, "workforce_2")
    assert 0 < folded < EVENTS, "it was not in the middle"
    told: dict[str, Any]
    async with dugnad(settings, *argv, "--json") as again:
        out, err = await asyncio.wait_for(again.communicate(), 120)
        assert again.returncode == 0, err
        told = json.loads(out)
    assert (told["generation"], told["served"]) == (2, not more)
    counts = re.findall(rb"(\d+) of (\d+) events", err)
    # It counts what is left, and not from the first event.
    assert 0 < int(counts[-1][1]) <= EVENTS - folded
    assert counts[-1][0] == counts[-1][1]
    assert await contents(database, "workforce_2") == await contents(database, "workforce_1")
    assert len(await contents(database, "workforce_2")) == EMPLOYERS
