"""How far back the reactions of a stopped service begin again: never forward, whoever else asks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from chassis import kafka
from chassis.rewind import GroupAtWork, rewind, steps
from chassis.settings import Settings
from chassis.topics import ensure_topics
from contracts import intake

GROUP = "dugnad.small.reactions-intake"
MINUTE = 60_000


@pytest.fixture
async def partition(settings: Settings) -> TopicPartition:
    """Five records, a minute apart from 1970 on, and a group that has read them all."""
    await ensure_topics(settings, [intake.TOPIC])
    found = TopicPartition(settings.topic(intake.TOPIC), 0)
    async with AIOKafkaProducer(**kafka.client_options(settings)) as producer:
        for minute in range(5):
            sent = {"partition": 0, "timestamp_ms": minute * MINUTE}
            await producer.send_and_wait(found.topic, b"{}", **sent)
    async with AIOKafkaConsumer(**kafka.client_options(settings), group_id=GROUP, enable_auto_commit=False) as reader:
        reader.assign([found])
        await reader.commit({found: 5})
    return found


def minute(number: int) -> datetime:
    return datetime.fromtimestamp(number * 60, UTC)


async def committed(settings: Settings, partition: TopicPartition) -> int | None:
    async with AIOKafkaConsumer(**kafka.client_options(settings), group_id=GROUP, enable_auto_commit=False) as reader:
        reader.assign([partition])
        offset: int | None = await reader.committed(partition)
    return offset


async def test_a_group_goes_back_to_the_first_record_that_was_sent_since(
    settings: Settings, partition: TopicPartition
) -> None:
    planned = await steps(settings, GROUP, [partition.topic], minute(2))
    assert planned[partition] == (5, 2)
    await rewind(settings, GROUP, planned)
    assert await committed(settings, partition) == 2
    again = await steps(settings, GROUP, [partition.topic], minute(3))
    assert partition not in again, "it would go forward"


async def test_two_who_rewind_at_once_leave_the_group_where_the_one_who_went_further_back_wants_it(
    settings: Settings, partition: TopicPartition
) -> None:
    late, early = [await steps(settings, GROUP, [partition.topic], minute(number)) for number in (3, 1)]
    await rewind(settings, GROUP, early)
    await rewind(settings, GROUP, late)
    assert await committed(settings, partition) == 1


async def test_nothing_is_moved_while_somebody_is_in_the_group(settings: Settings, partition: TopicPartition) -> None:
    planned = await steps(settings, GROUP, [partition.topic], minute(2))
    member = AIOKafkaConsumer(partition.topic, **kafka.client_options(settings), group_id=GROUP)
    async with member:
        with pytest.raises(GroupAtWork):
            await rewind(settings, GROUP, planned)
    assert await committed(settings, partition) == 5
