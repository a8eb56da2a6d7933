"""The broker killed in the middle of `dugnad rebuild`: the command says so, and given again comes to its end."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from benchmarks.cases import fill
from chassis.generations import Generations
from chassis.mongo import Client, Database
from chassis.mongo import database as open_database
from chassis.settings import Settings
from deploy.local.engines import Engines
from services.reporting.views import placement
from tests.service import test_cli_killed, test_cli_workers
from tests.service.platform_helpers import until
from tests.service.test_cli_killed import _bits, dugnad
from tests.service.test_cli_workers import as_live
from tests.service.test_rebuild import contents

live = test_cli_killed.database
AWAY = re.compile(rb"dugnad: Kafka at \S+ [^\n]+\n")
Folded = Callable[[], Awaitable[int]]


@asynccontextmanager
async def without_broker(engines: Engines) -> AsyncIterator[None]:
    """SIGKILL; at the end of the block it is back, on its own data."""
    if not engines.can_kill:
        pytest.skip("these engines are not ours to kill; tests/engines asserts that the embedded ones are")
    await engines.kill_kafka()
    try:
        yield
    finally:
        await engines.restart_kafka()


async def _cut_off(engines: Engines, settings: Settings, argv: tuple[str, ...], folded: Folded, events: int) -> int:
    """Kill the broker under a rebuild, see how it ends, bring the broker back; how many events it has folded."""
    async with dugnad(settings, *argv) as process:

        async def in_the_middle() -> bool:
            assert process.returncode is None, "it was complete before the broker could be killed"
            return await folded() > 0

        await until(in_the_middle, "it has folded something", 60)
        async with without_broker(engines):
            _, err = await asyncio.wait_for(process.communicate(), 90)
            assert process.returncode == 3, err
            assert AWAY.fullmatch(err), err
            kept = await folded()
    assert 0 < kept < events, "it was not in the middle"
    return kept


async def _go_on(settings: Settings, argv: tuple[str, ...]) -> tuple[int, bool, int]:
    """The same command again: the generation, whether it is served, and how many events were left for it."""
    async with dugnad(settings, *argv, "--json") as again:
        out, err = await asyncio.wait_for(again.communicate(), 120)
        assert again.returncode == 0, err
    told = json.loads(out)
    done, left = re.findall(rb"(\d+) of (\d+) events", err)[-1]
    assert done == left
    return told["generation"], told["served"], int(left)


@pytest.mark.timeout(300)
async def test_a_rebuild_under_which_the_broker_is_killed_goes_on_and_equals_live(
    engines: Engines, live: Database, settings: Settings
) -> None:
    argv, events = ("rebuild", "reporting/workforce"), test_cli_killed.EVENTS
    kept = await _cut_off(engines, settings, argv, lambda: _bits(live, "workforce_2"), events)
    serving = await Generations(live, "workforce", 1).serving()
    assert serving is not None
    assert serving.number == 1, "what was served is served"
    assert await _go_on(settings, argv) == (2, True, events - kept)
    assert await contents(live, "workforce_2") == await contents(live, "workforce_1")
    assert len(await contents(live, "workforce_2")) == test_cli_killed.EMPLOYERS


@pytest.mark.timeout(400)
async def test_a_rebuild_in_bulk_under_which_the_broker_is_killed_goes_on_and_equals_live(
    engines: Engines, mongo: Client, settings: Settings
) -> None:
    await fill(settings, test_cli_workers.CASES)
    database = open_database(mongo, settings.database("reporting"))
    await Generations(database, placement.name, placement.version).first()
    argv = ("rebuild", test_cli_workers.TARGET, "--workers", "2")
    kept = await _cut_off(engines, settings, argv, lambda: _bits(database, "placement_2"), test_cli_workers.EVENTS)
    assert await _go_on(settings, argv) == (2, True, test_cli_workers.EVENTS - kept)
    assert await contents(database, "placement_2") == await as_live(database, settings)
    assert len(await contents(database, "placement_2")) == test_cli_workers.CASES
