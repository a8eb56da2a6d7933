"""A killed broker: what acknowledged means there, and who goes on.

Invariant: acknowledged records and committed places are there after SIGKILL; a writer that went on trying has lost and
doubled nothing.
"""

from __future__ import annotations

import asyncio

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from chassis.settings import Settings
from chassis.topics import ensure_topics
from deploy.local.engines import Engines
from deploy.local.processes import until
from tests.engines.broker import PATIENCE, read, reader, writer


async def test_records_and_places_survive_a_kill_and_a_writer_goes_on_in_order(
    killable: Engines, settings: Settings
) -> None:
    await ensure_topics(settings, ["dugnad.test.v1"])
    topic = settings.topic("dugnad.test.v1")
    partition = TopicPartition(topic, 0)
    sent = 0
    enough, stop = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        nonlocal sent
        async with writer(settings) as producer:
            while not stop.is_set():
                await producer.send_and_wait(topic, str(sent).encode(), partition=0)
                sent += 1
                if sent >= 200:
                    enough.set()

    async with reader(settings, topic, group="a") as consumer:
        writing = asyncio.create_task(write())
        await asyncio.wait_for(enough.wait(), PATIENCE)
        await read(consumer, 100)
        await consumer.commit({partition: OffsetAndMetadata(100, "")})
    await killable.kill_kafka()
    before = sent

    async def goes_on() -> bool:
        return sent >= before + 50

    await killable.restart_kafka()
    assert await until(goes_on, PATIENCE)
    stop.set()
    await writing
    async with reader(settings, topic, group="a") as consumer:
        records = await read(consumer, sent - 100)
    assert [int(record.value or b"") for record in records] == list(range(100, sent))
