"""How far the topics go.

Invariant: what is said of a topic is read from the topic's last records, never from offsets nor from what the database
remembers of it: positions count per source.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from chassis import kafka
from chassis.settings import Settings
from contracts import envelope
from contracts.envelope import Undecodable

FETCH_MILLISECONDS = 200


async def topic_heads(settings: Settings, topics: Iterable[str]) -> dict[str, int]:
    """The last position of each source on these topics of the contracts. Raises DependencyDown."""
    try:
        return _highest(await _last_records(settings, [*topics], 1))
    except (KafkaError, TimeoutError) as error:
        raise kafka.away(settings) from error


async def topic_head(settings: Settings, topic: str) -> dict[str, int]:
    """Per source the highest position among the last records of all partitions; empty for an empty or absent topic.

    `topic` is its name in the contracts. Raises KafkaError, TimeoutError.
    """
    return _highest(await _last_records(settings, [topic], 1))


async def has_records(settings: Settings, topic: str) -> bool:
    """Whether there is anything on a topic of the contracts. Asks for offsets only, as who may not read it can.

    Raises DependencyDown.
    """
    consumer = AIOKafkaConsumer(**kafka.client_options(settings), enable_auto_commit=False)
    try:
        async with asyncio.timeout(settings.engine_timeout_seconds):
            await consumer.start()
            return any(end > begin for begin, end in (await _offsets(consumer, settings, [topic])).values())
    except (KafkaError, TimeoutError) as error:
        raise kafka.away(settings) from error
    finally:
        await kafka.leave("heads", consumer)


async def last_positions(settings: Settings, topic: str, records: int = 1) -> dict[int, dict[str, int]]:
    """Per partition and source the highest position among so many of its last records; empty for an absent topic.

    Raises KafkaError and TimeoutError as long as it cannot be known: no broker, or partitions without a leader.
    """
    found = await _last_records(settings, [topic], records)
    return {each.partition: positions for each, positions in found.items()}


_Found = dict[TopicPartition, dict[str, int]]


async def _last_records(settings: Settings, topics: Sequence[str], records: int) -> _Found:
    # One client for all topics: each has to be told first where everything is.
    consumer = AIOKafkaConsumer(**kafka.client_options(settings), enable_auto_commit=False)
    try:
        async with asyncio.timeout(settings.engine_timeout_seconds):
            await consumer.start()
            offsets = await _offsets(consumer, settings, topics)
            found: _Found = {each: {} for each in offsets}
            awaited = {each for each, (begin, end) in offsets.items() if end > begin}
            for each in awaited:
                begin, end = offsets[each]
                consumer.seek(each, max(begin, end - records))
            consumer.resume(*awaited)
            while awaited:
                for partition, fetched in (await consumer.getmany(timeout_ms=FETCH_MILLISECONDS)).items():
                    for record in fetched:
                        _note(found[partition], record.headers)
                        if record.offset >= offsets[partition][1] - 1:
                            awaited.discard(partition)
    finally:
        await kafka.leave("heads", consumer)
    return found


def _highest(found: _Found) -> dict[str, int]:
    heads: dict[str, int] = {}
    for positions in found.values():
        for source, position in positions.items():
            heads[source] = max(heads.get(source, 0), position)
    return heads


async def _offsets(
    consumer: AIOKafkaConsumer, settings: Settings, topics: Sequence[str]
) -> dict[TopicPartition, tuple[int, int]]:
    """Where each partition begins and ends; nothing for an absent topic. They are assigned, and paused."""
    there = await consumer.topics()
    names = [name for name in map(settings.topic, topics) if name in there]
    partitions = [TopicPartition(name, number) for name in names for number in range(settings.partitions)]
    if not partitions:
        return {}
    consumer.assign(partitions)
    consumer.pause(*partitions)
    begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    if lacking := [each for each in partitions if min(begins[each], ends[each]) < 0]:
        raise OffsetOutOfRangeError(f"{lacking[0]} does not say how far it goes")
    return {each: (begins[each], ends[each]) for each in partitions}


def _note(heads: dict[str, int], headers: envelope.Headers) -> None:
    try:
        source, position = envelope.header(headers, envelope.SOURCE), envelope.position(headers)
    except Undecodable:
        # Not an event: it has no position, and is parked by whoever reads it.
        return
    if source is not None:
        heads[source] = max(heads.get(source, 0), position)
