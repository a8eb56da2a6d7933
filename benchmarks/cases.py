"""Very many events of cases on real topics, as the relays of three services would have sent them.

Invariant: every record passes as one of the contracts; positions are dense per source; partition p holds whole cases.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaProducer

from benchmarks.projection import case
from chassis.kafka import client_options
from chassis.settings import Settings
from chassis.topics import ensure_topics
from contracts import envelope
from contracts.envelope import KafkaRecord, encode, instant_text
from contracts.registry import TOPICS

EVENTS_PER_CASE = 5
OPEN_CASES = 1_000
"""Cases that go on at the same time."""
BATCH_BYTES = 64_000
START = datetime(2025, 1, 13, 9, tzinfo=UTC)
_NUMBER = b"%08d"
_BEGUN = 99_999_999
"""The number of the case that all others are copies of."""


def copies(extra: int = 0) -> list[tuple[str, str, KafkaRecord]]:
    """The events of one case, with `extra` presentations more: source, topic, record."""
    events = case(_BEGUN)
    # Presented again and again: more events of the same documents.
    events[3:3] = [events[2]] * extra
    return [
        (
            source,
            topic,
            encode(
                event.model_copy(update={"occurred": START}), source=source, position=1, recorded=START,
                correlation="01J00000000000000000000000", causation=None, traceparent=None,
                schema_base_url="https://dugnad.example/schemas/",
            ),
        )
        for source, topic, event in events
    ]  # fmt: skip


def records(cases: int, extra: int, partitions: int) -> Iterator[tuple[str, int, KafkaRecord]]:
    """All events of so many cases, interleaved: topic, partition, record."""
    pattern, begun = copies(extra), _NUMBER % _BEGUN
    positions = {source: 0 for source, _, _ in pattern}
    for first in range(0, cases, OPEN_CASES):
        for step, (source, topic, record) in enumerate(pattern):
            for number in range(first, min(first + OPEN_CASES, cases)):
                positions[source] += 1
                at = START + timedelta(milliseconds=50 * first + number + step)
                new = {
                    envelope.ID: f"{source}#{positions[source]}".encode(),
                    envelope.SEQUENCE: b"%020d" % positions[source],
                    envelope.TIME: instant_text(at).encode(),
                    envelope.RECORDED: instant_text(at + timedelta(milliseconds=5)).encode(),
                }
                mine = _NUMBER % number
                headers = [(name, new.get(name) or value.replace(begun, mine)) for name, value in record.headers]
                key, value = record.key.replace(begun, mine), record.value.replace(begun, mine)
                yield topic, number % partitions, KafkaRecord(key, value, headers)


async def fill(settings: Settings, cases: int, extra: int = 0, into: str | None = None) -> int:
    """Send the events of so many cases to empty topics, or all of them `into` one. Returns how many."""
    await ensure_topics(settings, TOPICS if into is None else [into])
    sent = 0
    async with AIOKafkaProducer(**client_options(settings), acks="all", max_batch_size=BATCH_BYTES) as producer:
        open_batches: dict[tuple[str, int], Any] = {}
        sending: list[asyncio.Future[Any]] = []

        async def send(topic: str, partition: int, batch: Any) -> None:
            sending.append(await producer.send_batch(batch, settings.topic(topic), partition=partition))
            if len(sending) > 100:
                await asyncio.gather(*sending)
                sending.clear()

        for of_source, partition, record in records(cases, extra, settings.partitions):
            topic = into or of_source
            batch = open_batches.get((topic, partition)) or producer.create_batch()
            if batch.append(key=record.key, value=record.value, timestamp=None, headers=record.headers) is None:
                await send(topic, partition, batch)
                batch = producer.create_batch()
                batch.append(key=record.key, value=record.value, timestamp=None, headers=record.headers)
            open_batches[topic, partition] = batch
            sent += 1
        for (topic, partition), batch in open_batches.items():
            await send(topic, partition, batch)
        await asyncio.gather(*sending)
    return sent


def variables(settings: Settings) -> Mapping[str, str]:
    """What a process needs in its environment to have the same settings."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "MONGODB_URI": settings.mongodb_uri,
        "DUGNAD_ENVIRONMENT": "development",
        "DUGNAD_PREFIX": settings.prefix,
        "DUGNAD_SYNTHETIC_ORG_NUMBERS": "true",
    }
