"""A rebuild equals what grew live: with events that came twice, in another order between topics, or are parked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from chassis import mongo
from chassis.clock import Clock
from chassis.commands import Commands
from chassis.eventlog import EventLog
from chassis.generations import Generations
from chassis.kafka import client_options
from chassis.projection import Document, Projection, Record, at_key
from chassis.rebuild import Rebuild
from chassis.relay import Relay
from chassis.service import Service
from chassis.settings import Settings
from chassis.topics import ensure_topics
from chassis.verify import verify
from contracts import followup, intake
from tests.service.platform_helpers import INTAKE_EVENTS, published, reading_service, report, until
from tests.service.test_rebuild import contents, silent
from tests.service.test_relay import raise_it

TOPICS = (intake.TOPIC, followup.TOPIC)
EMPLOYERS = 7
EACH = 60
UNFOLDABLE = 13


def sums() -> Projection:
    """Per employer what each source has said, and the last figure by the fixed rule: intake's before followup's."""

    def fold(_: str, document: Document | None, record: Record) -> Document:
        assert isinstance(record.event, intake.WorkforceReported)
        said = {} if document is None else document["said"]
        mine = [*said.get(at_key(record), ()), record.event.head_count]
        said = {**said, at_key(record): mine}
        return {"said": dict(sorted(said.items())), "last": said[max(said)][-1]}

    def keys(record: Record) -> list[str]:
        assert isinstance(record.event, intake.WorkforceReported)
        return [record.event.org_number]

    return Projection("sums", TOPICS, (intake.WorkforceReported,), keys, fold)


def flawed() -> Projection:
    """The same, by a fold that one figure is too much for."""
    mended = sums().fold

    def fold(key: str, document: Document | None, record: Record) -> Document | None:
        assert isinstance(record.event, intake.WorkforceReported)
        if record.event.head_count == UNFOLDABLE:
            raise ValueError("cannot fold this")
        return mended(key, document, record)

    return replace(sums(), fold=fold)


@dataclass
class Logs:
    """Two logs, each with a relay, on topics of their own."""

    settings: Settings
    logs: Mapping[str, EventLog]

    async def report(self, first: int, events: int) -> None:
        """So many figures into each log, at once."""

        async def into(log: EventLog) -> None:
            commands = Commands(log)
            for n in range(first, first + events):
                await report(commands, str(n % EMPLOYERS), n)

        await asyncio.gather(*(into(log) for log in self.logs.values()))
        for log in self.logs.values():
            await published(log, first + events)

    async def again(self, topic: str) -> int:
        """Everything that a topic has once more behind it, as a relay does that was killed before its mark."""
        return await once_more(self.settings, topic)


Headers = list[tuple[str, bytes]]


async def once_more(settings: Settings, topic: str, change: Callable[[Headers], Headers] = list, **how: Any) -> int:
    """Everything that a topic has, behind it, with headers as `change` has them; how many records that is."""
    name = settings.topic(topic)
    partitions = [TopicPartition(name, number) for number in range(settings.partitions)]
    async with AIOKafkaConsumer(**client_options(settings), enable_auto_commit=False) as consumer:
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        records: list[Any] = []
        while len(records) < sum(ends.values()):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records += batch
    async with AIOKafkaProducer(**client_options(settings), **how) as producer:
        for each in records:
            headers = change(list(each.headers))
            await producer.send(name, each.value, each.key, headers=headers, partition=each.partition)
    return len(records)


@pytest.fixture
async def logs(mongo_client: mongo.Client, settings: Settings) -> AsyncIterator[Logs]:
    await ensure_topics(settings, TOPICS)
    made, relays = {}, []
    for source, topic in ((intake.SOURCE, intake.TOPIC), (followup.SOURCE, followup.TOPIC)):
        database = mongo.database(mongo_client, settings.database(source.rpartition("/")[2]))
        log = EventLog(database, source, topic, INTAKE_EVENTS, Clock())
        await log.prepare()
        log.start()
        relay = Relay(log, settings)
        relay.start(raise_it)
        made[source] = log
        relays.append(relay)
    yield Logs(settings, made)
    for relay in relays:
        await relay.stop()
    for log in made.values():
        await log.stop()


@pytest.fixture
def mongo_client(mongo: mongo.Client) -> mongo.Client:
    """The client of the document server, under a name that is not the module's."""
    return mongo


async def _folded(service: Service, events: int) -> None:
    view = service.view("sums")

    async def complete() -> bool:
        return {await view.complete_to(source) for source in (intake.SOURCE, followup.SOURCE)} == {events}

    await until(complete, f"everything folded up to {events}", 30)


async def test_a_rebuild_equals_live_under_duplicates_and_another_order_between_topics(
    logs: Logs, settings: Settings
) -> None:
    service = reading_service(settings, sums())
    await service.start()
    try:
        # Live the two topics come as they grow, each event a moment after it was decided; a rebuild reads them in bulk.
        await logs.report(0, EACH)
        sent_again = [await logs.again(topic) for topic in TOPICS]
        assert sent_again == [EACH, EACH]
        await logs.report(EACH, 10)
        await _folded(service, EACH + 10)
        database = service.database("small")
        rebuild = Rebuild(sums(), database, settings, "small")
        generation = await rebuild.run(silent)
        live = await contents(database, "sums_1")
        assert await contents(database, generation.name) == live
        assert len(live) == EMPLOYERS
        figures = [n for each in live for of_source in each["said"].values() for n in of_source]
        assert sorted(figures) == sorted([*range(EACH + 10)] * 2)
        verdict = await verify(sums(), generation, database, settings)
        assert verdict.fine, verdict
    finally:
        await service.stop()


async def test_a_rebuild_equals_live_with_the_same_events_parked_and_after_their_replay(
    logs: Logs, settings: Settings
) -> None:
    await logs.report(0, EACH)
    service = reading_service(settings, flawed())
    await service.start()
    database = service.database("small")
    try:

        async def parked() -> bool:
            # In each log the one, and behind it what else its employer reported.
            behind = len(range(UNFOLDABLE, EACH, EMPLOYERS))
            return await database["parked_sums_1"].count_documents({}) == 2 * behind

        await until(parked, "what cannot be folded is parked")

        async def others() -> bool:
            return await database["view_sums_1"].count_documents({}) == EMPLOYERS

        await until(others, "everything else flows")
        forced = await Rebuild(flawed(), database, settings, "small").run(silent, force=True)
        assert await contents(database, forced.name) == await contents(database, "sums_1")

        async def of(generation: str) -> list[tuple[str, bytes]]:
            found = database[f"parked_{generation}"].find({}, sort=[("_id", 1)])
            return [(each["_id"], bytes(each["value"])) async for each in found]

        assert await of(forced.name) == await of("sums_1")
    finally:
        await service.stop()

    mended = reading_service(settings, sums())
    await mended.start()
    try:
        database = mended.database("small")
        parked_now = database[f"parked_{forced.name}"]
        await parked_now.update_many({}, {"$set": {"state": "replay"}})
        await _folded(mended, EACH)
        serving = await Generations(database, "sums", 1).serving()
        assert serving is not None
        assert serving.number == forced.number
        anew = await Rebuild(sums(), database, settings, "small").run(silent)
        assert await contents(database, anew.name) == await contents(database, forced.name)
        verdict = await verify(sums(), anew, database, settings)
        assert verdict.fine, verdict
    finally:
        await mended.stop()
