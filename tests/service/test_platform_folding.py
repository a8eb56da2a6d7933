"""Folding under contention: documents in one transaction, retries within their time, holes that last."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.monitoring import CommandListener, CommandStartedEvent

from chassis import mongo
from chassis.consumer import BatchConsumer
from chassis.errors import LogUnavailable
from chassis.handled import Handled, Raw
from chassis.measures import measure_holes
from chassis.metrics import PROJECTION_HOLES
from chassis.progress import Progress
from chassis.projector import Projector
from chassis.revisions import revision, write_or_lose
from chassis.settings import Settings
from contracts import intake
from tests.service.platform_helpers import figures, until
from tests.service.test_projection_runner import record


class Handling:
    """A reader of batches that does what a test wants."""

    def __init__(self, handle: Callable[[Sequence[Raw]], Awaitable[Handled]]) -> None:
        self._handle = handle

    async def handle(self, raws: Sequence[Raw]) -> Handled:
        return await self._handle(raws)

    async def release(self, partitions: Iterable[TopicPartition]) -> int:
        return 0


async def test_two_readers_that_write_many_documents_at_once_lose_nothing(database: mongo.Database) -> None:
    """Enough documents for the transaction: it must yield to whoever was first, and fold again."""
    readers = [Projector(figures(), database) for _ in range(2)]
    records = [record(n, str(n % 30), n) for n in range(1, 301)]
    for first in range(0, 300, 60):
        await asyncio.gather(*(reader.handle(records[first : first + 60]) for reader in readers))
    stored = {each["_id"]: each["counts"] async for each in database["view_figures"].find({})}
    assert stored == {str(k): [n for n in range(1, 301) if n % 30 == k] for k in range(30)}
    assert await readers[0].progress.complete_to(intake.SOURCE) == 300


class _Commits(CommandListener):
    """The write concern of every transaction that is committed."""

    def __init__(self) -> None:
        self.concerns: list[object] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name == "commitTransaction":
            self.concerns.append(event.command.get("writeConcern"))

    def succeeded(self, event: object) -> None:
        pass

    def failed(self, event: object) -> None:
        pass


async def test_documents_written_in_one_transaction_are_as_durable_as_others(settings: Settings) -> None:
    """A transaction takes the client's write concern, not the collection's, unless it is told."""
    commits = _Commits()
    client: mongo.Client = AsyncIOMotorClient(settings.mongodb_uri, event_listeners=[commits])
    try:
        database = mongo.database(client, settings.database("test"))
        assert await write_or_lose(database["view"], [revision(str(n), 0, {}) for n in range(20)]) == []
        assert await database["view"].count_documents({}) == 20
    finally:
        client.close()
    assert commits.concerns == [{"w": "majority", "j": True}]


async def test_the_name_of_a_lost_document_is_its_own_whatever_its_fields(database: mongo.Database) -> None:
    await database["view"].insert_one({"_id": "a", "rev": 1})
    assert await write_or_lose(database["view"], [revision("a", 0, {"q": {"_id": "b"}})]) == ["a"]


async def test_retries_of_a_batch_and_of_its_offsets_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.consumer.MAX_POLL_SECONDS", 4.0)
    monkeypatch.setattr("chassis.consumer.RETRY_SECONDS", (0.05, 0.05, 0.05))
    begun = monotonic()
    partition = TopicPartition("t", 0)

    async def handle(_: Any) -> Handled:
        if monotonic() - begun < 1.5:
            raise LogUnavailable("planted")
        return Handled({partition: 1}, [])

    async def commit(_: Any) -> None:
        raise KafkaError("planted")

    ended: list[BaseException] = []
    consumer = BatchConsumer(KafkaBroker(), "c", ["t"], "g", Handling(handle), ended.append)
    held = SimpleNamespace(assignment=lambda: {partition}, commit=commit)
    monkeypatch.setattr(consumer, "_subscriber", SimpleNamespace(consumer=held))
    batch: list[Raw] = [record(1, "1", 1)]
    await consumer._on_batch(batch)
    assert [type(each) for each in ended] == [KafkaError]
    assert monotonic() - begun < 3.0, "each had a deadline of its own: together past half of the interval"


@pytest.mark.parametrize(("stopped", "faults"), [(True, 0), (False, 1)])
async def test_a_batch_that_is_thrown_away_ends_the_process_only_of_a_member_that_runs(
    stopped: bool, faults: int
) -> None:
    """The collector throws it away where its client was left while the batch waited for a broker that is away."""

    async def handle(_: Any) -> Handled:
        await asyncio.Event().wait()
        raise AssertionError("it waits for ever")

    ended: list[BaseException] = []
    consumer = BatchConsumer(KafkaBroker(), "c", ["t"], "g", Handling(handle), ended.append)
    waiting = consumer._on_batch([record(1, "1", 1)])
    waiting.send(None)
    if stopped:
        await consumer.stop()
    waiting.close()
    assert len(ended) == faults


async def test_a_hole_that_lasts_is_an_alarm_until_it_is_filled(
    database: mongo.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.measures.HOLE_SECONDS", 0.2)
    progress = Progress(database, "figures_1")
    holes = PROJECTION_HOLES.labels("figures")
    await progress.record({(intake.SOURCE, 0): [1, 2, 4]})
    await measure_holes("figures", progress)
    assert holes._value.get() == 0
    await progress.record({(intake.SOURCE, 1): [6]})

    async def alarmed() -> bool:
        await measure_holes("figures", progress)
        return bool(holes._value.get() == 1)

    await until(alarmed, "the alarm", 5)
    assert [(hole.source, hole.position) for hole in await progress.holes()] == [(intake.SOURCE, 3)]
    await progress.record({(intake.SOURCE, 0): [3]})
    await measure_holes("figures", progress)
    assert holes._value.get() == 0
    await progress.record({(intake.SOURCE, 0): [5]})
    assert await progress.holes() == []


async def test_a_partition_that_has_more_and_gives_nothing_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    idle, moving, hanging, nowhere, failing = (TopicPartition("t", number) for number in range(5))
    positions: dict[TopicPartition, int | None] = {idle: 5, moving: 1, hanging: 1, nowhere: None, failing: -1}

    async def position(partition: TopicPartition) -> int:
        if (known := positions[partition]) is None:
            await asyncio.Event().wait()
        assert known is not None
        if known < 0:
            raise KafkaError("the coordination of this client has ended")
        return known

    async def handle(_: Any) -> Handled:
        return Handled()

    consumer = BatchConsumer(KafkaBroker(), "c", ["t"], "g", Handling(handle))
    held = SimpleNamespace(assignment=lambda: set(positions), position=position)
    ends = dict.fromkeys(positions, 5)
    monkeypatch.setattr(consumer, "_subscriber", SimpleNamespace(consumer=held))
    monkeypatch.setattr("chassis.standing.LOOK_SECONDS", 0.01)
    await consumer.look(ends)
    begun = monotonic()
    while monotonic() - begun < 0.2:
        positions[moving] = (positions[moving] or 0) + 1
        await consumer.look(ends)
    lines = sorted(line.partition(" for ")[0] for line in consumer.stuck(0.1))
    assert lines == ["c has not moved on t/2", "c has not moved on t/3", "c has not moved on t/4"]
    positions[hanging] = positions[nowhere] = positions[failing] = 2
    await consumer.look(ends)
    assert consumer.stuck(0.1) == []
