"""`dugnad rebuild` with workers in processes of their own: equal to one process, killed in the middle, orphaned."""

from __future__ import annotations

import asyncio
import json
import os
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cases import fill
from chassis.generations import Generations
from chassis.mongo import Client, Database
from chassis.mongo import database as open_database
from chassis.rebuild import Rebuild
from chassis.settings import Settings
from services.reporting.views import placement
from tests.service.platform_helpers import until
from tests.service.test_cli_killed import _bits, dugnad
from tests.service.test_rebuild import contents, silent

CASES = 5_000
EVENTS = CASES * 5
TARGET = "reporting/placement"


@pytest.fixture
async def database(mongo: Client, settings: Settings) -> Database:
    """Reporting's, with nothing folded; the topics are full."""
    await fill(settings, CASES)
    found = open_database(mongo, settings.database("reporting"))
    await Generations(found, placement.name, placement.version).first()
    return found


def workers_of(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def as_live(database: Database, settings: Settings) -> list[dict[str, Any]]:
    """What the consumer alone makes of the topics."""
    rebuild = Rebuild(replace(placement, name="alone"), database, settings, "reporting", bulk_from=10**9)
    generation = await rebuild.run(silent)
    return await contents(database, generation.name)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes as Linux shows them")
@pytest.mark.timeout(300)
async def test_workers_that_are_killed_with_their_command_go_on_where_they_were_and_equal_live(
    database: Database, settings: Settings
) -> None:
    argv = ("rebuild", TARGET, "--workers", "2")
    async with dugnad(settings, *argv) as killed:

        async def in_the_middle() -> bool:
            assert killed.returncode is None, "it was complete before it could be killed"
            return await _bits(database, "placement_2") > 0

        await until(in_the_middle, "a partition is folded", 60)
        workers = workers_of(killed.pid)
        killed.kill()
        assert await killed.wait() == -9
    assert len(workers) == 1, "one beside the command itself"

    async def ended() -> bool:
        return not any(alive(pid) for pid in workers)

    await until(ended, "no worker outlives its command")
    folded = await _bits(database, "placement_2")
    assert 0 < folded < EVENTS, "it was not in the middle"
    async with dugnad(settings, *argv, "--json") as again:
        out, err = await asyncio.wait_for(again.communicate(), 120)
        assert again.returncode == 0, err
    told = json.loads(out)
    assert (told["generation"], told["served"]) == (2, True)
    counts = re.findall(rb"(\d+) of (\d+) events", err)
    assert counts[-1] == (b"%d" % (EVENTS - folded), b"%d" % (EVENTS - folded))
    assert await contents(database, "placement_2") == await as_live(database, settings)
    assert len(await contents(database, "placement_2")) == CASES


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes as Linux shows them")
@pytest.mark.timeout(300)
async def test_what_a_worker_leaves_that_is_killed_the_command_folds(database: Database, settings: Settings) -> None:
    async with dugnad(settings, "rebuild", TARGET, "--workers", "3", "--json") as process:

        async def started() -> bool:
            assert process.returncode is None, "it was complete before a worker could be killed"
            return len(workers_of(process.pid)) == 2

        await until(started, "its workers run", 60)
        os.kill(workers_of(process.pid)[0], 9)
        out, err = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == 0, err
    assert json.loads(out)["generation"] == 2
    assert await contents(database, "placement_2") == await as_live(database, settings)
