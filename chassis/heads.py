"""How far the topics go.

Invariant: a head is read from the last records themselves, never assumed from offsets: positions count per source.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from chassis.errors import DependencyDown
from chassis.kafka import client_options
from chassis.settings import Settings
from contracts import envelope
from contracts.envelope import Undecodable


async def topic_heads(settings: Settings, topics: Iterable[str]) -> dict[str, int]:
    """The last position of each source on these topics of the contracts; sources without a record are left out.

    Raises DependencyDown where the broker does not answer in time.
    """
    heads: dict[str, int] = {}
    consumer = AIOKafkaConsumer(**client_options(settings), enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        async with asyncio.timeout(settings.engine_timeout_seconds):
            await consumer.start()
            names = [settings.topic(topic) for topic in topics]
            partitions = [TopicPartition(name, number) for name in names for number in range(settings.partitions)]
            consumer.assign(partitions)
            begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
            waiting = {each for each in partitions if ends[each] > begins[each]}
            for each in partitions:
                consumer.seek(each, max(ends[each] - 1, begins[each]))
            while waiting:
                for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                    for record in records:
                        _note(heads, record.headers)
                        if record.offset >= ends[partition] - 1:
                            waiting.discard(partition)
    except (KafkaError, TimeoutError) as error:
        where = settings.kafka_bootstrap_servers
        raise DependencyDown(f"Kafka at {where} does not answer: start it, or set KAFKA_BOOTSTRAP_SERVERS") from error
    finally:
        await consumer.stop()
    return heads


def _note(heads: dict[str, int], headers: envelope.Headers) -> None:
    try:
        source, position = envelope.header(headers, envelope.SOURCE), envelope.position(headers)
    except Undecodable:
        # Not an event: it has no position, and is parked by whoever reads it.
        return
    if source is not None:
        heads[source] = max(heads.get(source, 0), position)
