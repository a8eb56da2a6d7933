"""Every event type of the contracts on live topics, by way of the real log and relay.

Invariant: what subscribers are tested on are bytes that the relay published, each of them twice, as after a relay that
ended before it could mark them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from chassis import mongo
from chassis.clock import Clock
from chassis.decisions import Answer
from chassis.eventlog import EventLog, NewCommit, Stored
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.topics import ensure_topics
from contracts.event import Event
from contracts.registry import SOURCES, topic_of
from tests.service.platform_helpers import published
from tests.unit.contracts.examples import EXAMPLES

TIMES = 2
"""How often each record is on its topic."""


@dataclass(frozen=True)
class Publication:
    """What is on the topics."""

    topics: tuple[str, ...]
    """By their names on the broker."""
    types: dict[str, str]
    """`ce_id` to `ce_type`."""

    heads: dict[str, int]
    """The last position of each source."""


async def publish_examples(settings: Settings, sources: Sequence[str] = tuple(SOURCES)) -> Publication:
    """Append one event of every type of these sources, publish each twice; returns when all are on their topics."""
    await ensure_topics(settings, [topic_of(source) for source in sources])
    types: dict[str, str] = {}
    heads: dict[str, int] = {}
    client = mongo.connect(settings)
    try:
        for source in sources:
            database = mongo.database(client, settings.database(source.replace("/", "_")))
            eventlog = EventLog(database, source, topic_of(source), SOURCES[source], Clock())
            events = [EXAMPLES[event.type_name()] for event in SOURCES[source]]
            await _append(eventlog, events)
            for _ in range(TIMES):
                await _relay(eventlog, settings, len(events))
            heads[source] = len(events)
            types |= {f"{source}#{n}": event.type_name() for n, event in enumerate(events, start=1)}
    finally:
        client.close()
    return Publication(tuple(settings.topic(topic_of(source)) for source in sources), types, heads)


async def _append(eventlog: EventLog, events: Sequence[Event]) -> None:
    await eventlog.prepare()
    eventlog.start()
    versions: dict[str, int] = {}
    for number, event in enumerate(events):
        version = versions.get(event.subject, 0)
        versions[event.subject] = version + 1
        commit = NewCommit(
            command=f"command:{number}",
            command_hash=b"",
            reads={event.subject: version},
            events=[event],
            answer=Answer({}, "/", event.subject),
            actor="test",
            correlation="01JHF3M0Q8R7ZV5X6T7B8C9D0E",
            causation="dugnad/intake#42",
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        assert isinstance(await eventlog.append(commit), Stored)
    await eventlog.stop()


async def _relay(eventlog: EventLog, settings: Settings, last: int) -> None:
    """Let a relay publish the whole log from its first position."""
    # As of a relay that was killed between the broker's acknowledgement and its mark.
    await eventlog.database["lease"].update_one({"_id": eventlog.source}, {"$set": {"published": 0}})
    relay = Relay(eventlog, settings)
    relay.start(_raise)
    await published(eventlog, last)
    await relay.stop()


def _raise(error: BaseException) -> None:
    raise error


async def on_topics(settings: Settings, topics: Sequence[str]) -> list[ConsumerRecord]:
    """Every record that is on the topics now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers, auto_offset_reset="earliest")
    async with consumer:
        partitions = [TopicPartition(topic, number) for topic in topics for number in range(settings.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[ConsumerRecord] = []
        while len(found) < sum(ends.values()):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                found.extend(records)
    return found
