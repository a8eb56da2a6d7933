"""Every event type and version of the contracts on live topics, by way of the real log and relay.

Invariant: what subscribers are tested on are bytes that the relay published, each of them twice, as after a relay that
ended before it could mark them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from chassis import mongo
from chassis.clock import Clock
from chassis.decisions import Answer
from chassis.eventlog import EventLog, NewCommit, Stored
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.topics import ensure_topics
from contracts.event import Event
from contracts.registry import BY_TYPE, SOURCES, topic_of
from tests.service.platform_helpers import published
from tests.unit.contracts.examples import EXAMPLES, GOLDEN, golden_record

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
    """Append one event of every type and version of these sources, publish each twice; returns when all are there."""
    await ensure_topics(settings, [topic_of(source) for source in sources])
    types: dict[str, str] = {}
    heads: dict[str, int] = {}
    client = mongo.connect(settings)
    try:
        for source in sources:
            database = mongo.database(client, settings.database(source.replace("/", "_")))
            eventlog = EventLog(database, source, topic_of(source), SOURCES[source], Clock())
            appended = await _append(eventlog)
            for _ in range(TIMES):
                await _relay(eventlog, settings, len(appended))
            order = [commit for page in await eventlog.ledger.after(0, len(appended)) for commit, _ in page.commits]
            types |= {f"{source}#{position}": appended[commit] for position, commit in enumerate(order, start=1)}
            heads[source] = len(order)
    finally:
        client.close()
    return Publication(tuple(settings.topic(topic_of(source)) for source in sources), types, heads)


async def _append(eventlog: EventLog) -> dict[str, str]:
    """One commit per type and version; the type by the commit's id."""
    await eventlog.prepare()
    eventlog.start()
    appended: dict[str, str] = {}
    versions: Counter[str] = Counter()
    for type_name, data in _older(eventlog.source).items():
        # As the service stored it when this version was the newest.
        document = await eventlog.document(_commit(_newest(type_name), versions))
        document["events"][0] |= {"type": type_name, "version": int(type_name.rpartition(".v")[2]), "data": data}
        await eventlog.commits.insert_one(document)
        appended[document["_id"]] = type_name
    for type_name in (event.type_name() for event in eventlog.types):
        stored = await eventlog.append(_commit(EXAMPLES[type_name], versions))
        assert isinstance(stored, Stored)
        appended[stored.commit_id] = type_name
    await eventlog.stop()
    return appended


def _older(source: str) -> dict[str, Any]:
    """The golden data of the versions that nobody writes any more."""
    found = {}
    for path in sorted(GOLDEN.glob("*.json")):
        type_name = f"dugnad.{path.stem}"
        golden = golden_record(path)
        if type_name not in BY_TYPE and dict(golden.headers)["ce_source"].decode() == source:
            found[type_name] = json.loads(golden.value)
    return found


def _newest(type_name: str) -> Event:
    name = type_name.rpartition(".v")[0]
    return next(event for newest, event in EXAMPLES.items() if newest.rpartition(".v")[0] == name)


def _commit(event: Event, versions: Counter[str]) -> NewCommit:
    version = versions[event.subject]
    versions[event.subject] += 1
    return NewCommit(
        command=f"command:{versions.total()}",
        command_hash=b"",
        reads={event.subject: version},
        events=[event],
        answer=Answer({}, "/", event.subject),
        actor="test",
        correlation="01JHF3M0Q8R7ZV5X6T7B8C9D0E",
        causation="dugnad/intake#42",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )


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
