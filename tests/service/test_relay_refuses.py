"""When a relay must not work: Kafka lost records, the database is an older one, the clock is wrong."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from chassis import startcheck
from chassis.clock import Clock, machine_now
from chassis.commands import Commands
from chassis.continued import NotRestored, continue_log
from chassis.eventlog import EventLog
from chassis.heads import last_positions, topic_head
from chassis.lease import Lease, LeaseLost
from chassis.ledger import Page
from chassis.mongo import Database
from chassis.relay import Relay
from chassis.republish import OnlyOnTopic, republish
from chassis.settings import Settings
from chassis.startcheck import ClockApart, check_topic
from chassis.topics import ensure_topics
from contracts import intake
from tests.service.platform_helpers import INTAKE_EVENTS, figures, published, reading_service, report, until
from tests.service.test_relay import all_published, on_topic, raise_it

SECOND = f"{intake.SOURCE}~2"


async def opened(database: Database) -> EventLog:
    log = EventLog(database, intake.SOURCE, intake.TOPIC, INTAKE_EVENTS, Clock())
    await log.prepare()
    log.start()
    return log


async def refusal(relay: Relay, words: str) -> None:
    """Wait until a relay says so, then stop it."""

    async def said() -> bool:
        return relay.fault is not None and words in relay.fault

    relay.start(raise_it)
    await until(said, f"the relay says {words!r}")
    await relay.stop()


async def test_a_relay_publishes_nothing_behind_records_that_kafka_lost(database: Database, settings: Settings) -> None:
    await ensure_topics(settings, [intake.TOPIC])
    log = await opened(database)
    commands = Commands(log)
    for n in range(5):
        await report(commands, str(n), n)
    await all_published(log, Relay(log, settings), 5)
    assert await topic_head(settings, intake.TOPIC) == {intake.SOURCE: 5}
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    await admin.delete_topics([settings.topic(intake.TOPIC)])

    async def gone() -> bool:
        return settings.topic(intake.TOPIC) not in await admin.list_topics()

    await until(gone, "the topic is deleted")
    await admin.close()
    await ensure_topics(settings, [intake.TOPIC])
    await report(commands, "5", 5)
    await refusal(Relay(log, settings), "docs/runbooks/nothing-published.md")
    assert await on_topic(settings) == []
    assert await republish(log, settings) == 5
    await all_published(log, Relay(log, settings), 6)
    assert sorted(each.sequence for each in await on_topic(settings)) == [1, 2, 3, 4, 5, 6]
    await log.stop()


async def _delete_records(settings: Settings, partition: int) -> None:
    """What a broker has left of a partition whose log it lost: its offsets go on, the records are gone."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    await admin.delete_records({TopicPartition(settings.topic(intake.TOPIC), partition): RecordsToDelete(-1)})
    await admin.close()


async def test_a_relay_notices_the_loss_of_one_partition_while_another_has_the_last_position(
    database: Database, settings: Settings
) -> None:
    await ensure_topics(settings, [intake.TOPIC])
    log = await opened(database)
    commands = Commands(log)
    for n in range(12):
        await report(commands, str(n), n)
    await all_published(log, Relay(log, settings), 12)
    found = await last_positions(settings, intake.TOPIC)
    ends = {partition: each[intake.SOURCE] for partition, each in found.items() if each}
    lost = min(ends, key=lambda partition: ends[partition])
    await _delete_records(settings, lost)
    await report(commands, "12", 12)
    assert (await topic_head(settings, intake.TOPIC))[intake.SOURCE] == 12, "the highest position is still there"
    await refusal(Relay(log, settings), f"partition {lost} had position {ends[lost]}, it ends at 0")
    assert await republish(log, settings) == 12
    await all_published(log, Relay(log, settings), 13)
    assert sorted(each.sequence for each in await on_topic(settings)) == list(range(1, 14))
    await log.stop()


async def test_a_topic_that_a_broker_does_not_know_yet_is_not_taken_for_lost(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure_topics(settings, [intake.TOPIC])
    log = await opened(database)
    await report(Commands(log), "1", 1)
    await all_published(log, Relay(log, settings), 1)
    looks = 0

    async def loading(settings: Settings, topic: str, records: int = 1) -> dict[int, dict[str, int]]:
        nonlocal looks
        looks += 1
        return {} if looks <= 3 else await last_positions(settings, topic, records)

    monkeypatch.setattr(startcheck, "last_positions", loading)
    await report(Commands(log), "1", 2)
    await check_topic(log, settings)
    assert looks == 4
    await log.stop()


async def test_an_old_record_that_arrives_late_is_not_taken_for_a_loss(database: Database, settings: Settings) -> None:
    """A relay that was paused in the middle of sending, and wakes after another one went on, sends what it had."""
    await ensure_topics(settings, [intake.TOPIC])
    log = await opened(database)
    commands = Commands(log)
    for n in range(5):
        await report(commands, "1", n)
    await all_published(log, Relay(log, settings), 5)
    topic = settings.topic(intake.TOPIC)
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=settings.kafka_bootstrap_servers, auto_offset_reset="earliest")
    async with consumer, AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers) as producer:
        old = await consumer.getone()
        await producer.send_and_wait(
            topic, key=old.key, value=old.value, headers=list(old.headers), partition=old.partition
        )
    assert await topic_head(settings, intake.TOPIC) == {intake.SOURCE: 1}
    await report(commands, "1", 5)
    await all_published(log, Relay(log, settings), 6)
    assert [each.sequence for each in await on_topic(settings)] == [1, 2, 3, 4, 5, 1, 6]
    await log.stop()


async def _restore(database: Database, backup: dict[str, list[dict[str, Any]]]) -> None:
    for name, documents in backup.items():
        await database[name].delete_many({})
        if documents:
            await database[name].insert_many(documents)


async def test_a_restored_log_gives_no_position_twice_and_readers_have_all_of_before_and_after(
    database: Database, settings: Settings
) -> None:
    await ensure_topics(settings, [intake.TOPIC])
    log = await opened(database)
    commands = Commands(log)
    for n in range(4):
        await report(commands, "kept", n)
    await all_published(log, Relay(log, settings), 4)
    names = ("commits", "ledger", "lease")
    backup = {name: await database[name].find({}).to_list(None) for name in names}
    for n in range(3):
        await report(commands, "lost", n)
    await all_published(log, Relay(log, settings), 7)
    with pytest.raises(NotRestored):
        await continue_log(log, settings)
    await log.stop()
    await _restore(database, backup)
    log = await opened(database)
    commands = Commands(log)
    await report(commands, "after", 10)
    await refusal(Relay(log, settings), "docs/runbooks/restored-database.md")
    assert len(await on_topic(settings)) == 7
    continued = await continue_log(log, settings)
    assert (continued.source, continued.lost) == (SECOND, {intake.SOURCE: (5, 7)})
    await log.stop()

    log = await opened(database)
    assert log.source == SECOND
    commands = Commands(log)
    await report(commands, "kept", 11)
    await all_published(log, Relay(log, settings), 2)
    places = Counter((each.source, each.sequence) for each in await on_topic(settings))
    assert set(places.values()) == {1}
    assert sorted(places) == [(intake.SOURCE, n) for n in range(1, 8)] + [(SECOND, 1), (SECOND, 2)]
    service = reading_service(settings, figures())
    await service.start()
    try:
        view = service.view("figures")
        assert await view.wait_for(intake.SOURCE, 7, 20)
        assert await view.wait_for(SECOND, 2, 20)
        found = {each["_id"]: each["counts"] for each in await view.find()}
        assert found["lost"] == [0, 1, 2]
        assert found["after"] == [10]
        assert found["kept"] == [0, 1, 2, 3, 11]
    finally:
        await service.stop()
    with pytest.raises(OnlyOnTopic):
        await republish(log, settings)
    await log.stop()


async def test_in_production_nothing_is_numbered_while_the_clock_is_apart_from_that_of_the_database(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure_topics(settings, [intake.TOPIC])
    log = await opened(database)
    await report(Commands(log), "1", 1)
    relay = Relay(log, settings.model_copy(update={"environment": "production"}))
    with monkeypatch.context() as patch:
        patch.setattr(startcheck, "machine_now", lambda: machine_now() + timedelta(seconds=3))
        with pytest.raises(ClockApart):
            await relay.number()
        await refusal(relay, "clock")
        assert await log.ledger.head() is None
        assert await Relay(log, settings).number() == 1, "development has clocks of its own"
    await report(Commands(log), "1", 2)
    right = Relay(log, settings.model_copy(update={"environment": "production"}))
    right.start(raise_it)
    await published(log, 2)
    assert right.fault is None
    await right.stop()
    await log.stop()


async def test_a_process_that_wakes_after_its_lease_is_gone_writes_neither_the_mark_nor_a_page(
    database: Database, settings: Settings
) -> None:
    await ensure_topics(settings, [intake.TOPIC])
    log = await opened(database)
    commands = Commands(log)
    await report(commands, "1", 1)
    paused = Lease(database["lease"], log.source, 0.1)
    await paused.prepare()
    assert await paused.acquire()
    asleep = Page(1, 2, log.clock.now(), (("what it meant to number", 1),))
    await all_published(log, Relay(log, settings), 1)
    await report(commands, "1", 2)
    await all_published(log, Relay(log, settings), 2)
    with pytest.raises(LeaseLost):
        await paused.keep()
    with pytest.raises(LeaseLost):
        await paused.publish_up_to(1)
    assert not await log.ledger.insert(asleep)
    found = await database["lease"].find_one({"_id": log.source})
    assert found is not None
    assert found["published"] == 2
    assert [(page.first, page.next) for page in await log.ledger.after(0, 10)] == [(1, 2), (2, 3)]
    await log.stop()
