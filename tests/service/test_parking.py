"""Parked events: kept whole, in order behind one another, and let go only by an operator's word."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from chassis import mongo
from chassis.clock import Clock
from chassis.commands import Commands
from chassis.eventlog import EventLog
from chassis.parking import MAX_SUBJECTS, State
from chassis.projection import Document, Projection, Record
from chassis.projector import Projector
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.topics import ensure_topics
from contracts import envelope, intake
from tests.service.platform_helpers import (
    INTAKE_EVENTS,
    figures,
    published,
    reading_service,
    report,
    until,
)
from tests.service.test_projection_runner import record
from tests.service.test_relay import raise_it

ALL = [TopicPartition("t", partition) for partition in range(6)]


class Flaw:
    """What a fold cannot take, until it is mended."""

    def __init__(self) -> None:
        self.refused = {13}

    def projection(self) -> Projection:
        """Head counts per employer; raises on those that are refused."""

        def fold(key: str, document: Document | None, folded: Record) -> Document | None:
            assert isinstance(folded.event, intake.WorkforceReported)
            if folded.event.head_count in self.refused:
                raise ValueError("cannot fold this")
            return figures().fold(key, document, folded)

        return Projection("picky", (intake.TOPIC,), (intake.WorkforceReported,), figures().keys, fold)


@pytest.fixture
def flaw() -> Flaw:
    return Flaw()


async def counts(database: mongo.Database) -> dict[str, list[int]]:
    return {each["_id"]: each["counts"] async for each in database["view_picky"].find({})}


async def test_an_event_that_cannot_be_folded_parks_and_everything_else_flows(
    database: mongo.Database, flaw: Flaw
) -> None:
    projector = Projector(flaw.projection(), database)
    handled = await projector.handle([record(n, str(n % 4), n) for n in range(1, 21)])
    assert handled.offsets == {TopicPartition("t", 0): 21}
    assert not handled.stopped
    # 13, and behind it 17, which is of the same subject.
    assert await counts(database) == {
        "0": [4, 8, 12, 16, 20],
        "1": [1, 5, 9],
        "2": [2, 6, 10, 14, 18],
        "3": [3, 7, 11, 15, 19],
    }
    assert await projector.progress.complete_to(intake.SOURCE) == 12
    listed = await projector.reader.parking.listed()
    assert [(each["offset"], each["attempts"], each["error"]) for each in listed] == [
        (13, 1, "ValueError in the fold"),
        (17, 1, "waits behind an earlier event of its subject"),
    ]


async def test_later_batches_wait_behind_what_is_parked(database: mongo.Database, flaw: Flaw) -> None:
    projector = Projector(flaw.projection(), database)
    await projector.handle([record(n, "1", n) for n in (12, 13)])
    flaw.refused.clear()
    await projector.handle([record(14, "1", 14), record(15, "2", 15)])
    assert await counts(database) == {"1": [12], "2": [15]}
    assert await projector.reader.parking.count() == 2


async def test_a_replay_goes_in_order_and_frees_the_subject(database: mongo.Database, flaw: Flaw) -> None:
    projector = Projector(flaw.projection(), database)
    await projector.handle([record(n, "1", n) for n in range(1, 17)])
    parking = projector.reader.parking
    subject = (await parking.listed())[0]["subject"]
    flaw.refused.clear()
    assert await parking.mark(subject, State.REPLAY, "operator", "fold mended") == 4
    assert await projector.reader.release(ALL) == 4
    assert await counts(database) == {"1": list(range(1, 17))}
    assert await projector.progress.complete_to(intake.SOURCE) == 16
    assert await parking.count() == 0
    await projector.handle([record(17, "1", 17)])
    assert await counts(database) == {"1": list(range(1, 18))}


async def test_what_came_behind_after_a_replay_was_asked_for_goes_with_it(database: mongo.Database, flaw: Flaw) -> None:
    projector = Projector(flaw.projection(), database)
    await projector.handle([record(n, "1", n) for n in (12, 13)])
    parking = projector.reader.parking
    await parking.mark((await parking.listed())[0]["subject"], State.REPLAY, "operator", "fold mended")
    await projector.handle([record(14, "1", 14)])
    flaw.refused.clear()
    assert await projector.reader.release(ALL) == 2
    assert await counts(database) == {"1": [12, 13, 14]}
    await projector.handle([record(15, "1", 15)])
    assert await counts(database) == {"1": [12, 13, 14, 15]}


async def test_a_replay_that_fails_again_keeps_the_order_and_counts_the_attempts(
    database: mongo.Database, flaw: Flaw
) -> None:
    projector = Projector(flaw.projection(), database)
    await projector.handle([record(n, "1", n) for n in range(12, 16)])
    parking = projector.reader.parking
    subject = (await parking.listed())[0]["subject"]
    await parking.mark(subject, State.REPLAY, "operator", "a try")
    assert await projector.reader.release(ALL) == 0
    assert [(each["offset"], each["attempts"]) for each in await parking.listed()] == [(13, 2), (14, 1), (15, 1)]
    flaw.refused = {14}
    await parking.mark(subject, State.REPLAY, "operator", "half mended")
    assert await projector.reader.release(ALL) == 1
    assert await counts(database) == {"1": [12, 13]}


async def test_a_partition_is_released_by_the_reader_that_owns_it(database: mongo.Database, flaw: Flaw) -> None:
    projector = Projector(flaw.projection(), database)
    await projector.handle([record(13, "1", 13, partition=3)])
    parking = projector.reader.parking
    flaw.refused.clear()
    await parking.mark((await parking.listed())[0]["subject"], State.REPLAY, "operator", "mended")
    assert await projector.reader.release([TopicPartition("t", 2)]) == 0
    assert await projector.reader.release([TopicPartition("t", 3)]) == 1


async def test_a_discard_is_signed_and_counts_as_handled(database: mongo.Database, flaw: Flaw) -> None:
    projector = Projector(flaw.projection(), database)
    await projector.handle([record(n, "1", n) for n in range(1, 14)])
    parking = projector.reader.parking
    subject = (await parking.listed())[0]["subject"]
    await parking.mark(subject, State.DISCARD, "operator-1", "a test that got into production")
    assert await projector.reader.release(ALL) == 1
    assert await counts(database) == {"1": list(range(1, 13))}
    assert await projector.progress.complete_to(intake.SOURCE) == 13
    audited = await database["parking_audit"].find_one({})
    assert audited is not None
    assert (audited["asked"], audited["who"], audited["reason"]) == (
        "discard",
        "operator-1",
        "a test that got into production",
    )


@pytest.mark.parametrize(
    ("type_name", "said"),
    [
        ("dugnad.WorkforceReported.v9", "newer than this version"),
        ("dugnad.SomethingNew.v1", "no event type"),
    ],
)
async def test_unknown_types_and_newer_versions_park_and_never_vanish(
    database: mongo.Database, type_name: str, said: str
) -> None:
    raw = record(1, "1", 1)
    raw.headers = [(name, type_name.encode() if name == envelope.TYPE else value) for name, value in raw.headers]
    projector = Projector(figures(), database)
    await projector.handle([raw, record(2, "1", 2), record(3, "2", 3)])
    listed = await projector.reader.parking.listed()
    assert [each["offset"] for each in listed] == [1, 2]
    assert said in listed[0]["error"]
    (stored,) = await projector.reader.parking.of(listed[0]["_id"])
    assert stored["value"] == raw.value
    assert [tuple(pair) for pair in stored["headers"]] == list(raw.headers)


async def test_the_same_event_delivered_again_is_one_more_attempt_not_one_more_entry(
    database: mongo.Database, flaw: Flaw
) -> None:
    projector = Projector(flaw.projection(), database)
    for _ in range(3):
        await projector.handle([record(13, "1", 13)])
    assert await projector.reader.parking.count() == 1


async def test_with_too_many_parked_subjects_the_partition_stops_instead(database: mongo.Database, flaw: Flaw) -> None:
    flaw.refused = set(range(1000))
    projector = Projector(flaw.projection(), database)
    many = [record(n, f"subject-{n}", n) for n in range(1, MAX_SUBJECTS + 1)]
    assert not (await projector.handle(many)).stopped
    handled = await projector.handle([record(200, "fine", 2000), record(201, "one-more", 201)])
    assert [(each.offset, "parked subjects" in each.reason) for each in handled.stopped] == [(201, True)]
    assert handled.offsets == {TopicPartition("t", 0): 201}


async def _spoil(settings: Settings, topic: str) -> tuple[int, int]:
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers) as producer:
        spoilt = await producer.send_and_wait(topic, b"not an event", key=b"employer:0", partition=2)
    return spoilt.partition, spoilt.offset


@pytest.fixture
async def eventlog(database: mongo.Database, settings: Settings) -> AsyncIterator[EventLog]:
    await ensure_topics(settings, [intake.TOPIC])
    log = EventLog(database, intake.SOURCE, intake.TOPIC, INTAKE_EVENTS, Clock())
    await log.prepare()
    log.start()
    relay = Relay(log, settings)
    relay.start(raise_it)
    yield log
    await relay.stop()
    await log.stop()


async def test_a_record_that_is_no_event_parks_and_its_partition_goes_on(
    eventlog: EventLog, settings: Settings
) -> None:
    commands = Commands(eventlog)
    for n in range(12):
        await report(commands, str(n), n)
    await published(eventlog, 12)
    topic = settings.topic(intake.TOPIC)
    _, offset = await _spoil(settings, topic)
    for n in range(12, 40):
        await report(commands, str(n), n)
    service = reading_service(settings, figures())
    await service.start()
    try:
        view = service.view("figures")

        async def complete() -> bool:
            return await view.complete_to(intake.SOURCE) == 40

        await until(complete, "all events folded around the record that is none")
        parked = await service.database("small")["parked_figures_1"].find({}).to_list(10)
        assert [(each["partition"], each["offset"], bytes(each["value"])) for each in parked] == [
            (2, offset, b"not an event")
        ]
        assert await service.faults_ready() == []
    finally:
        await service.stop()


async def test_a_marked_event_is_taken_up_again_by_the_running_service(eventlog: EventLog, settings: Settings) -> None:
    flaw = Flaw()
    commands = Commands(eventlog)
    for n in range(10, 16):
        await report(commands, "1", n)
    service = reading_service(settings, flaw.projection())
    await service.start()
    try:
        parked = service.database("small")["parked_picky_1"]

        async def three_parked() -> bool:
            return await parked.count_documents({}) == 3

        await until(three_parked, "13, 14 and 15 parked")
        flaw.refused.clear()
        one = await parked.find_one({})
        assert one is not None
        await parked.update_many({"subject": one["subject"]}, {"$set": {"state": "replay"}})
        view = service.view("picky")

        async def complete() -> bool:
            return await view.complete_to(intake.SOURCE) == 6

        await until(complete, "everything folded")
        assert await view.find() == [{"_id": "1", "counts": [10, 11, 12, 13, 14, 15]}]
    finally:
        await service.stop()
