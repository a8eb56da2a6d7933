"""Writers and readers of a topic, set up as the platform's are, for the rules on the broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from chassis.settings import Settings

PATIENCE = 60.0
"""Seconds that a rule may take on a busy machine; nothing waits this long where the rule holds."""


@asynccontextmanager
async def writer(settings: Settings, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """An idempotent producer that waits for all replicas."""
    options = {"enable_idempotence": True, "acks": "all", "linger_ms": 0, **options}
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def reader(settings: Settings, *topics: str, group: str | None = None) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that begins at the earliest record and commits nothing by itself."""
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=None if group is None else settings.group("test", group),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=50,
        session_timeout_ms=6000,
        heartbeat_interval_ms=500,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


@asynccontextmanager
async def administration(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """The broker's administrative interface."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def read(consumer: AIOKafkaConsumer, count: int) -> list[ConsumerRecord[bytes, bytes]]:
    """At least so many records, in the order in which they came. Bounded by the test's own time limit."""
    records: list[ConsumerRecord[bytes, bytes]] = []
    while len(records) < count:
        for batch in (await consumer.getmany(timeout_ms=500)).values():
            records.extend(batch)
    return records


async def ends(consumer: AIOKafkaConsumer, topic: str, settings: Settings) -> dict[int, int]:
    """The end of each partition."""
    partitions = [TopicPartition(topic, number) for number in range(settings.partitions)]
    return {partition.partition: end for partition, end in (await consumer.end_offsets(partitions)).items()}
