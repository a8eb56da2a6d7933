"""How far the topic of a log reaches.

Invariant: what is said of a topic is read from the topic, never from what the database remembers of it.
"""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis.kafka import client_options
from chassis.settings import Settings
from contracts import envelope

FETCH_MILLISECONDS = 200


async def topic_heads(settings: Settings, topic: str) -> dict[str, int]:
    """Per source the highest position among the last records of all partitions; empty for an empty or absent topic.

    `topic` is its name in the contracts. Raises KafkaError, TimeoutError, Undecodable.
    """
    name = settings.topic(topic)
    heads: dict[str, int] = {}
    consumer = AIOKafkaConsumer(**client_options(settings), enable_auto_commit=False)
    try:
        async with asyncio.timeout(settings.engine_timeout_seconds):
            await consumer.start()
            if name not in await consumer.topics():
                return {}
            partitions = [TopicPartition(name, number) for number in range(settings.partitions)]
            consumer.assign(partitions)
            begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
            awaited = {each for each in partitions if ends[each] > begins[each]}
            consumer.pause(*(each for each in partitions if each not in awaited))
            for each in awaited:
                consumer.seek(each, ends[each] - 1)
            while awaited:
                for partition, records in (await consumer.getmany(timeout_ms=FETCH_MILLISECONDS)).items():
                    for record in records:
                        source = envelope.header(record.headers, envelope.SOURCE)
                        if source is None:
                            raise envelope.Undecodable(f"{envelope.SOURCE} is missing")
                        heads[source] = max(heads.get(source, 0), envelope.position(record.headers))
                    awaited.discard(partition)
    finally:
        await consumer.stop()
    return heads
