"""Projections on real engines: two readers at once, a rebalance, records that nobody can read, progress."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import TopicPartition

from chassis import mongo
from chassis.clock import Clock
from chassis.commands import Commands
from chassis.eventlog import EventLog
from chassis.handled import Raw
from chassis.parking import RawRecord
from chassis.progress import BLOCK, Progress
from chassis.projection import Document, Projection, Record
from chassis.projector import Projector, View
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.topics import ensure_topics
from contracts import intake
from contracts.envelope import encode
from tests.service.platform_helpers import (
    INTAKE_EVENTS,
    figures,
    reading_service,
    report,
    until,
    workforce,
)
from tests.service.test_relay import raise_it

NOW = datetime(2025, 1, 13, 9, tzinfo=UTC)


def record(position: int, org_number: str, head_count: int, *, partition: int = 0) -> Raw:
    """A record on one partition; its offset is its position."""
    encoded = encode(
        workforce(org_number, 2025, head_count).model_copy(update={"occurred": NOW}),
        source=intake.SOURCE,
        position=position,
        recorded=NOW,
        correlation="c",
        causation=None,
        traceparent=None,
        schema_base_url="https://dugnad.example/schemas/",
    )
    return RawRecord("t", partition, position, encoded.key, encoded.value, encoded.headers)


async def test_two_readers_of_one_partition_in_the_middle_of_a_batch_lose_nothing(
    database: mongo.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that lost its partition has loaded, and writes after its successor has folded the same and more."""
    old, new = Projector(figures(), database), Projector(figures(), database)
    records = [record(n, str(n % 4), n) for n in range(1, 101)]
    await old.handle(records[:50])
    fold = old._fold
    overtaken = asyncio.Event()

    def folding(*arguments: Any) -> Any:
        overtaken.set()
        return fold(*arguments)

    monkeypatch.setattr(old, "_fold", folding)
    bulk_write = old._documents.bulk_write

    async def late(*arguments: Any, **named: Any) -> Any:
        if overtaken.is_set():
            overtaken.clear()
            await new.handle(records[50:])
        return await bulk_write(*arguments, **named)

    monkeypatch.setattr(old, "_documents", _Late(old._documents, late))
    await old.handle(records[50:75])
    stored = {each["_id"]: each["counts"] async for each in database["view_figures"].find({})}
    assert stored == {str(k): [n for n in range(1, 101) if n % 4 == k] for k in range(4)}
    assert await new.progress.complete_to(intake.SOURCE) == 100


class _Late:
    """A collection whose bulk write is late."""

    def __init__(self, collection: mongo.Collection, bulk_write: Any) -> None:
        self._collection, self.bulk_write = collection, bulk_write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)


async def test_two_readers_that_fold_the_same_batches_at_once_lose_nothing(database: mongo.Database) -> None:
    readers = [Projector(figures(), database) for _ in range(2)]
    records = [record(n, str(n % 7), n) for n in range(1, 201)]
    for first in range(0, 200, 20):
        await asyncio.gather(*(reader.handle(records[first : first + 20]) for reader in readers))
    stored = {each["_id"]: each["counts"] async for each in database["view_figures"].find({})}
    assert stored == {str(k): [n for n in range(1, 201) if n % 7 == k] for k in range(7)}


async def test_a_batch_is_one_load_and_one_bulk_write_of_documents(database: mongo.Database) -> None:
    projector = Projector(figures(), database)
    handled = await projector.handle([record(n, str(n % 50), n) for n in range(1, 501)])
    assert handled.offsets == {TopicPartition("t", 0): 501}
    assert await database["view_figures"].count_documents({}) == 50
    assert await database["view_figures"].count_documents({"rev": 1}) == 50


async def test_duplicates_change_no_document_and_are_complete(database: mongo.Database) -> None:
    projector = Projector(figures(), database)
    records = [record(n, "1", n) for n in range(1, 11)]
    await projector.handle(records)
    before = await database["view_figures"].find_one({})
    await projector.handle(records[3:])
    assert await database["view_figures"].find_one({}) == before
    assert await projector.progress.complete_to(intake.SOURCE) == 10


async def test_a_tombstone_stays_invisible_whatever_comes_later(database: mongo.Database) -> None:
    def gone_at_three(_: str, document: Document | None, folded: Record) -> Document | None:
        assert isinstance(folded.event, intake.WorkforceReported)
        return None if folded.event.head_count == 3 else {"last": folded.event.head_count, **(document or {})}

    projection = Projection("mortal", (intake.TOPIC,), (intake.WorkforceReported,), figures().keys, gone_at_three)
    projector = Projector(projection, database)
    await projector.handle([record(n, "1", n) for n in range(1, 6)])
    view = View(projection, database, projection.name)
    assert await view.get("1") is None
    assert await view.find() == []
    stored = await database["view_mortal"].find_one({"_id": "1"})
    assert stored is not None
    assert stored["gone"]
    assert "last" not in stored


async def test_a_rebalance_in_the_middle_of_the_stream_loses_nothing_and_doubles_nothing(
    database: mongo.Database, settings: Settings
) -> None:
    await ensure_topics(settings, [intake.TOPIC])
    eventlog = EventLog(database, intake.SOURCE, intake.TOPIC, INTAKE_EVENTS, Clock())
    await eventlog.prepare()
    eventlog.start()
    relay = Relay(eventlog, settings)
    relay.start(raise_it)
    commands = Commands(eventlog)
    first, second = reading_service(settings, figures()), reading_service(settings, figures())
    await first.start()
    reporting = asyncio.gather(*(_report_many(commands, str(n), 12) for n in range(10)))
    await second.start()
    await reporting
    view = first.view("figures")
    assert await view.wait_for(intake.SOURCE, 60, 20)
    await first.stop()
    for n in range(10):
        await report(commands, str(n), 12)
    view = second.view("figures")

    async def complete() -> bool:
        return await view.complete_to(intake.SOURCE) == 130

    await until(complete, "all 130 events folded")
    assert {each["_id"]: each["counts"] for each in await view.find()} == {str(n): list(range(13)) for n in range(10)}
    await second.stop()
    await relay.stop()
    await eventlog.stop()


async def _report_many(commands: Commands, org_number: str, times: int) -> None:
    for n in range(times):
        await report(commands, org_number, n)


async def test_completeness_is_the_first_hole_over_all_partitions(database: mongo.Database) -> None:
    progress = Progress(database, "p")
    await progress.record({("s", 0): [1, 2, 4], ("s", 1): [3, 6]})
    assert await progress.complete_to("s") == 4
    await progress.record({("s", 1): [5]})
    assert await progress.complete_to("s") == 6
    assert await progress.complete_to("another") == 0
    assert await progress.has("s", 6)
    assert not await progress.has("s", 7)
    assert await progress.missing("s", 9) == 3


async def test_full_blocks_collapse_and_stay_complete(database: mongo.Database) -> None:
    progress = Progress(database, "p")
    await progress.record({("s", 0): range(1, BLOCK + 1, 2), ("s", 1): range(2, BLOCK + 3, 2)})
    assert await progress.complete_to("s") == BLOCK
    await progress.record({("s", 0): [BLOCK + 1]})
    assert await progress.complete_to("s") == BLOCK + 2
    assert await database["progress_p"].count_documents({"block": 0}) == 0
    assert await progress.has("s", 17)
    assert await progress.missing("s", BLOCK + 5) == 3
    # A duplicate of what is collapsed does not make it incomplete again.
    await progress.record({("s", 0): [17]})
    assert await progress.complete_to("s") == BLOCK + 2


async def test_two_readers_that_record_progress_at_once_give_the_union(database: mongo.Database) -> None:
    readers = [Progress(database, "p") for _ in range(2)]
    await asyncio.gather(*(readers[n % 2].record({("s", 0): [position]}) for n, position in enumerate(range(1, 41))))
    assert await readers[0].complete_to("s") == 40
