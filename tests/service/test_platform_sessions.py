"""Reads of a log are causally consistent: never older than what this process wrote or saw."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.monitoring import CommandListener, CommandStartedEvent, CommandSucceededEvent

from chassis import mongo
from chassis.clock import Clock
from chassis.commands import Commands
from chassis.eventlog import EventLog
from chassis.relay import Relay
from chassis.settings import Settings
from contracts import intake
from tests.service.platform_helpers import INTAKE_EVENTS, report

LOG = {"commits", "ledger"}


class _Times(CommandListener):
    """For each read of the log: the latest write that it must see, and what the read asked to see."""

    def __init__(self) -> None:
        self.written: Any = None
        self.reads: list[tuple[Any, Any]] = []
        self._writing: set[int] = set()

    def started(self, event: CommandStartedEvent) -> None:
        collection = event.command.get(event.command_name)
        if collection in LOG and event.command_name in ("insert", "update"):
            self._writing.add(event.request_id)
        if collection in LOG and event.command_name == "find" and self.written is not None:
            self.reads.append((self.written, event.command.get("readConcern", {}).get("afterClusterTime")))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        if event.request_id in self._writing:
            self.written = event.reply.get("operationTime", self.written)

    def failed(self, event: object) -> None:
        pass


@pytest.fixture
async def times() -> _Times:
    return _Times()


@pytest.fixture
async def eventlog(settings: Settings, times: _Times) -> AsyncIterator[EventLog]:
    client: mongo.Client = AsyncIOMotorClient(settings.mongodb_uri, event_listeners=[times])
    database = mongo.database(client, settings.database("test"))
    log = EventLog(database, intake.SOURCE, intake.TOPIC, INTAKE_EVENTS, Clock())
    await log.prepare()
    log.start()
    yield log
    await log.stop()
    client.close()


async def test_every_read_of_a_log_asks_for_what_was_written_before(
    eventlog: EventLog, settings: Settings, times: _Times
) -> None:
    commands, relay = Commands(eventlog), Relay(eventlog, settings)
    done = await report(commands, "1", 1)
    await relay.number()
    await report(commands, "1", 2)
    await relay.number()
    await eventlog.ledger.last_position(done.commit_id)
    await eventlog.ledger.after(0, 10)
    assert len(times.reads) >= 10
    assert [read for written, read in times.reads if read is None or read < written] == []
