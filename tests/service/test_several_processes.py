"""Several processes on one log: no hole, no commit twice, nobody starves, whoever is paused or killed."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from chassis import mongo
from chassis.clock import Clock
from chassis.commands import Commands
from chassis.eventlog import EventLog, split_claim
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.topics import ensure_topics
from contracts import intake
from deploy.local.engines import Engines
from tests.service.platform_helpers import (
    INTAKE_EVENTS,
    figures,
    published,
    reading_service,
    report,
    small_service,
    until,
)
from tests.service.test_relay import all_published, assert_complete_and_in_order, on_topic, raise_it

PROCESSES = 3
SECONDS = 6.0
ATTEMPTS = 3


@pytest.fixture
async def eventlog(database: mongo.Database, settings: Settings) -> EventLog:
    await ensure_topics(settings, [intake.TOPIC])
    log = EventLog(database, intake.SOURCE, intake.TOPIC, INTAKE_EVENTS, Clock())
    await log.prepare()
    return log


@asynccontextmanager
async def worker(settings: Settings, role: str, *arguments: str) -> AsyncIterator[Process]:
    """A process of its own, ended with the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.service.worker", role, settings.model_dump_json(), *arguments),
        stdin=PIPE,
        stdout=PIPE,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.kill()
        await process.wait()


async def said(process: Process, what: str) -> Any:
    """Wait until a worker says something."""
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while line := await process.stdout.readline():
            with suppress(json.JSONDecodeError):
                message = json.loads(line)
                if isinstance(message, dict) and what in message:
                    return message[what]
    raise AssertionError(f"the worker ended before it said {what}")


async def _pause_at_random(relays: list[Process], until_set: asyncio.Event) -> int:
    """SIGSTOP one relay or the other for longer than its lease, so that they take over from each other."""
    chance = random.Random(20250113)
    pauses = 0
    while not until_set.is_set():
        paused = chance.choice(relays)
        paused.send_signal(signal.SIGSTOP)
        pauses += 1
        with suppress(TimeoutError):
            await asyncio.wait_for(until_set.wait(), chance.uniform(0.2, 1.2))
        paused.send_signal(signal.SIGCONT)
        with suppress(TimeoutError):
            await asyncio.wait_for(until_set.wait(), 0.3)
    return pauses


async def _write_together(settings: Settings, attempt: int) -> list[int]:
    """How many commits each of three processes stored in the same seconds."""
    async with (
        worker(settings, "write", f"{attempt}1", str(SECONDS)) as one,
        worker(settings, "write", f"{attempt}2", str(SECONDS)) as two,
        worker(settings, "write", f"{attempt}3", str(SECONDS)) as three,
    ):
        writers = [one, two, three]
        for writing in writers:
            await said(writing, "ready")
        for writing in writers:
            assert writing.stdin is not None
            writing.stdin.write(b"\n")
        return [await said(writing, "done") for writing in writers]


def _is_fair(shares: list[int]) -> bool:
    return min(shares) >= 0.8 * sum(shares) / PROCESSES


@pytest.mark.timeout(300)
async def test_48_writers_in_3_processes_and_two_relays_that_pause_leave_no_hole(
    settings: Settings, eventlog: EventLog
) -> None:
    async with worker(settings, "relay") as first, worker(settings, "relay") as second:
        for relay in (first, second):
            await said(relay, "ready")
        over = asyncio.Event()
        pausing = asyncio.create_task(_pause_at_random([first, second], over))
        shares: list[list[int]] = []
        # A loser that starves, starves each time; what else a machine does at the moment, passes.
        while len(shares) < ATTEMPTS and not (shares and _is_fair(shares[-1])):
            shares.append(await _write_together(settings, len(shares)))
        total = sum(map(sum, shares))
        over.set()
        assert await pausing > 1
        await published(eventlog, total, 60)
    pages = await eventlog.ledger.after(0, 100_000)
    numbered = [commit for page in pages for commit, _ in page.commits]
    assert pages[-1].next - 1 == total
    assert [n for n, times in Counter(numbered).items() if times > 1] == []
    commits = {each["_id"]: each async for each in eventlog.commits.find({}, {"claims": 1})}
    assert set(numbered) == set(commits)
    versions: dict[str, list[int]] = {}
    for number in numbered:
        for claim in commits[number]["claims"]:
            if (split := split_claim(claim)) is not None:
                versions.setdefault(split[0], []).append(split[1])
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())
    assert_complete_and_in_order(await on_topic(settings), total)
    assert _is_fair(shares[-1]), shares


async def test_a_relay_killed_between_publishing_and_marking_repeats_the_same_ids_and_views_stay(
    settings: Settings, eventlog: EventLog
) -> None:
    commands = Commands(eventlog)
    eventlog.start()
    for n in range(20):
        await report(commands, str(n % 3), n)
    service = reading_service(settings, figures())
    async with worker(settings, "relay-that-never-marks") as killed:
        assert await said(killed, "published") == 20
        killed.kill()
        await killed.wait()
    await service.start()
    view = service.view("figures")
    try:
        assert await view.wait_for(intake.SOURCE, 20, 20)
        before = await view.find()
        await all_published(eventlog, Relay(eventlog, settings, lease_seconds=0.5), 20)
        envelopes = await on_topic(settings)
        assert_complete_and_in_order(envelopes, 20)
        assert len(envelopes) == 40
        await report(commands, "0", 99)
        await all_published(eventlog, Relay(eventlog, settings, lease_seconds=0.5), 21)
        assert await view.wait_for(intake.SOURCE, 21, 20)
        before[0]["counts"].append(99)
        assert await view.find() == before
    finally:
        await service.stop()
        await eventlog.stop()


async def test_a_handler_that_raises_in_its_second_batch_ends_the_process_and_nothing_is_skipped(
    settings: Settings, eventlog: EventLog
) -> None:
    commands, relay = Commands(eventlog), Relay(eventlog, settings)
    eventlog.start()
    relay.start(raise_it)
    for n in range(30):
        await report(commands, str(n % 5), n)
    async with worker(settings, "reader", "2") as raising:
        await said(raising, "batch")
        more = asyncio.create_task(_report_until_it_ends(commands, raising))
        async with asyncio.timeout(60):
            assert await raising.wait() == 70
        total = 30 + await more
    async with worker(settings, "reader", "0") as sound:
        await said(sound, "ready")
        view = reading_service(settings, figures()).view("figures")

        async def complete() -> bool:
            return await view.complete_to(intake.SOURCE) == total

        await until(complete, f"all {total} events folded")
        assert sum(len(each["counts"]) for each in await view.find()) == total
    await relay.stop()
    await eventlog.stop()


async def _report_until_it_ends(commands: Commands, process: Process) -> int:
    reported = 0
    while process.returncode is None:
        await report(commands, str(reported % 5), 100 + reported)
        reported += 1
    return reported


async def test_a_broker_that_is_killed_loses_no_command(engines: Engines, settings: Settings) -> None:
    if not engines.can_kill:
        pytest.skip("these engines are not ours to kill; tests/engines asserts that the embedded ones are")
    service, log = small_service(settings, figures())
    await service.start()
    try:
        commands = service.commands(log)
        for n in range(10):
            await report(commands, "1", n)
        await engines.kill_kafka()
        for n in range(10, 20):
            await report(commands, "1", n)
        await engines.restart_kafka()
        view = service.view("figures")
        assert await view.wait_for(intake.SOURCE, 20, 60)
        assert await view.find() == [{"_id": "1", "counts": list(range(20))}]
    finally:
        await service.stop()
