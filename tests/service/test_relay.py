"""The relay: at least once, in the ledger's order, whatever it is in the middle of when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from chassis import mongo
from chassis.clock import Clock
from chassis.commands import Commands
from chassis.errors import DependencyDown
from chassis.eventlog import EventLog
from chassis.lease import Lease, LeaseLost
from chassis.ledger import LedgerHole, Page
from chassis.ordering import MissingPredecessor
from chassis.relay import Relay
from chassis.republish import RelayHolds, republish
from chassis.settings import Settings
from chassis.topics import ensure_topics
from contracts import intake
from contracts.envelope import Envelope, decode
from tests.service.platform_helpers import INTAKE_EVENTS, published, report

SHORT = 0.3
"""A lease that a test can wait for."""


class Crash(Exception):
    """The process ends here."""


@pytest.fixture
async def eventlog(database: mongo.Database, settings: Settings) -> AsyncIterator[EventLog]:
    await ensure_topics(settings, [intake.TOPIC])
    log = EventLog(database, intake.SOURCE, intake.TOPIC, INTAKE_EVENTS, Clock())
    await log.prepare()
    log.start()
    yield log
    await log.stop()


async def on_topic(settings: Settings) -> list[Envelope]:
    """Everything on intake's topic, partition after partition."""
    topic = settings.topic(intake.TOPIC)
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(settings.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: dict[TopicPartition, list[Envelope]] = {partition: [] for partition in partitions}
        while sum(len(records) for records in found.values()) < sum(ends.values()):
            for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                found[partition].extend(decode(each.key, each.value, each.headers) for each in records)
    finally:
        await consumer.stop()
    return [each for records in found.values() for each in records]


def assert_complete_and_in_order(envelopes: list[Envelope], last: int) -> None:
    """1..last without a hole, the same id always the same event, and per key first seen in order."""
    first: dict[int, Envelope] = {}
    for each in envelopes:
        same = first.setdefault(each.sequence, each)
        assert (same.id, same.subject, same.data, same.recorded) == (each.id, each.subject, each.data, each.recorded)
    assert sorted(first) == list(range(1, last + 1))
    by_key: dict[str, list[int]] = {}
    for position, each in first.items():
        by_key.setdefault(each.partition_key, []).append(position)
    assert all(positions == sorted(positions) for positions in by_key.values())


async def all_published(eventlog: EventLog, relay: Relay, last: int) -> None:
    relay.start(raise_it)
    await published(eventlog, last)
    await relay.stop()


def raise_it(error: BaseException) -> None:
    raise error


async def test_the_order_in_the_ledger_is_the_order_of_versions_not_of_ids(
    eventlog: EventLog, settings: Settings
) -> None:
    commands = Commands(eventlog)
    for n in range(5):
        await report(commands, "1", n)
    # As clocks that are apart would give them: ids that sort against the order of decisions.
    documents = await eventlog.commits.find({}).to_list(None)
    await eventlog.commits.delete_many({})
    for place, document in enumerate(documents):
        await eventlog.commits.insert_one({**document, "_id": f"{9 - place}-{document['_id']}"})
    relay = Relay(eventlog, settings)
    assert await relay.number() == 5
    page = (await eventlog.ledger.after(0, 1))[0]
    assert [commit.partition("-")[0] for commit, _ in page.commits] == ["9", "8", "7", "6", "5"]


async def test_a_commit_whose_predecessor_does_not_exist_is_an_alarm(eventlog: EventLog, settings: Settings) -> None:
    commands = Commands(eventlog)
    first = await report(commands, "1", 1)
    await report(commands, "1", 2)
    await eventlog.commits.delete_one({"_id": first.commit_id})
    with pytest.raises(MissingPredecessor):
        await Relay(eventlog, settings).number()
    assert await eventlog.ledger.head() is None


async def test_a_hole_in_the_ledger_stops_its_readers(eventlog: EventLog) -> None:
    now = Clock().now()
    assert await eventlog.ledger.insert(Page(1, 3, now, (("a", 2),)))
    assert await eventlog.ledger.insert(Page(4, 5, now, (("b", 1),)))
    with pytest.raises(LedgerHole):
        await eventlog.ledger.after(0, 10)


async def test_only_one_of_two_relays_extends_the_ledger(eventlog: EventLog) -> None:
    now = Clock().now()
    inserted = await asyncio.gather(
        *(eventlog.ledger.insert(Page(1, 2, now, ((f"commit-{n}", 1),))) for n in range(10))
    )
    assert sum(inserted) == 1


async def test_recorded_time_never_goes_back(eventlog: EventLog, settings: Settings) -> None:
    commands, relay = Commands(eventlog), Relay(eventlog, settings)
    later = eventlog.clock.now().replace(year=2040)
    eventlog.clock.set(later)
    await report(commands, "1", 1)
    await relay.number()
    eventlog.clock.follow_machine()
    await report(commands, "1", 2)
    await relay.number()
    assert [page.at for page in await eventlog.ledger.after(0, 10)] == [later, later]


async def _run_until(crash_at: int, after: bool, eventlog: EventLog, settings: Settings) -> int:
    """A relay's rounds, ended at its nth step, before or after that took effect. Returns the steps seen."""
    steps = 0

    def crashing(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def step(*args: Any, **named: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == crash_at and not after:
                raise Crash
            result = await original(*args, **named)
            if steps == crash_at and after:
                raise Crash
            return result

        return step

    lease = Lease(eventlog.database["lease"], eventlog.source, SHORT)
    await lease.prepare()
    assert await lease.acquire()
    relay = Relay(eventlog, settings, lease_seconds=SHORT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(eventlog.ledger, "insert", crashing(eventlog.ledger.insert))
        patch.setattr(eventlog.ledger, "after", crashing(eventlog.ledger.after))
        patch.setattr(lease, "publish_up_to", crashing(lease.publish_up_to))
        async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, acks="all") as producer:
            patch.setattr(producer, "send_batch", crashing(producer.send_batch))
            try:
                for _ in range(3):
                    await relay.number()
                    await relay.publish(lease, producer)
            except Crash:
                await producer.flush()
    await lease.release()
    return steps


@pytest.mark.parametrize("after", [False, True], ids=["before it took effect", "after it took effect"])
async def test_a_relay_that_ends_at_any_step_loses_nothing_and_keeps_the_order(
    eventlog: EventLog, settings: Settings, after: bool
) -> None:
    commands = Commands(eventlog)
    last, crash_at = 0, 1
    while True:
        for n in range(3):
            await report(commands, str(n % 2), crash_at * 10 + n)
        last += 3
        steps = await _run_until(crash_at, after, eventlog, settings)
        if steps < crash_at:
            break
        crash_at += 1
    assert crash_at > 7, "fewer steps than a round has: the crashes were not planted"
    await all_published(eventlog, Relay(eventlog, settings, lease_seconds=SHORT), last)
    envelopes = await on_topic(settings)
    assert_complete_and_in_order(envelopes, last)
    assert len(envelopes) > last, "a crash after sending must send again"


async def test_a_relay_whose_lease_is_gone_cannot_move_the_mark(eventlog: EventLog) -> None:
    collection = eventlog.database["lease"]
    paused = Lease(collection, "relay", SHORT)
    await paused.prepare()
    assert await paused.acquire()
    await paused.release()
    successor = Lease(collection, "relay", 60)
    assert await successor.acquire()
    assert successor.token == paused.token + 1
    with pytest.raises(LeaseLost):
        await paused.publish_up_to(7)
    await successor.publish_up_to(5)
    stored = await collection.find_one({"_id": "relay"})
    assert stored is not None
    assert stored["published"] == 5


async def test_while_the_lease_lasts_nobody_else_gets_it(eventlog: EventLog) -> None:
    collection = eventlog.database["lease"]
    holder = Lease(collection, "relay", 60)
    await holder.prepare()
    assert await holder.acquire()
    assert not await Lease(collection, "relay", 60).acquire()


async def test_republish_fills_a_new_topic_from_the_first_position(eventlog: EventLog, settings: Settings) -> None:
    commands = Commands(eventlog)
    for n in range(7):
        await report(commands, str(n % 3), n)
    await all_published(eventlog, Relay(eventlog, settings), 7)
    before = await on_topic(settings)
    assert await republish(eventlog, settings) == 7
    again = await on_topic(settings)
    assert sorted((each.id, each.data) for each in again) == sorted((each.id, each.data) for each in before)
    await report(commands, "9", 9)
    await all_published(eventlog, Relay(eventlog, settings), 8)
    assert_complete_and_in_order(await on_topic(settings), 8)


async def test_a_republish_that_ends_in_the_middle_holds_up_neither_the_relay_nor_the_next_one(
    eventlog: EventLog, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands(eventlog)
    for n in range(3):
        await report(commands, str(n), n)
    await all_published(eventlog, Relay(eventlog, settings), 3)

    async def away(*_: object) -> None:
        raise DependencyDown("the broker has just gone")

    monkeypatch.setattr("chassis.republish.ensure_topics", away)
    with pytest.raises(DependencyDown):
        await republish(eventlog, settings)
    monkeypatch.undo()
    after = Lease(eventlog.database["lease"], eventlog.source, 60)
    assert await after.acquire(), "its lease is still held"
    assert after.published == 0, "the topic is gone"
    await after.release()
    assert await republish(eventlog, settings) == 3
    assert_complete_and_in_order(await on_topic(settings), 3)


async def test_a_republish_changes_nothing_where_somebody_does_not_let_go(
    eventlog: EventLog, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await report(Commands(eventlog), "1", 1)
    await all_published(eventlog, Relay(eventlog, settings), 1)
    holder = Lease(eventlog.database["lease"], eventlog.source, 60)
    assert await holder.acquire()
    monkeypatch.setattr("chassis.republish.PATIENCE_SECONDS", 0.3)
    with pytest.raises(RelayHolds):
        await republish(eventlog, settings)
    assert len(await on_topic(settings)) == 1
