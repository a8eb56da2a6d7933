"""The broker: what the relay and the readers ask of it.

Invariant: records of one key stay in order and are stored once, also when a send is repeated; readers find their place.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import RequestTimedOutError
from aiokafka.structs import OffsetAndMetadata

from chassis.settings import Settings
from chassis.topics import TopicUnfit, ensure_topics
from deploy.local.processes import until
from tests.engines.broker import PATIENCE, administration, ends, read, reader, writer


@pytest.fixture
async def topic(settings: Settings) -> str:
    """An empty topic."""
    await ensure_topics(settings, ["dugnad.test.v1"])
    return settings.topic("dugnad.test.v1")


async def test_a_topic_takes_records_in_every_partition_as_soon_as_it_is_made(settings: Settings) -> None:
    for number in range(3):
        await ensure_topics(settings, [f"dugnad.new{number}.v1"])
        async with writer(settings) as producer:
            for partition in range(settings.partitions):
                sent = await producer.send_and_wait(settings.topic(f"dugnad.new{number}.v1"), b"x", partition=partition)
                assert sent.offset == 0


async def test_processes_that_make_the_same_topics_at_once_agree(settings: Settings) -> None:
    names = ["dugnad.one.v1", "dugnad.two.v1"]
    await asyncio.gather(*(ensure_topics(settings, names) for _ in range(4)))
    async with administration(settings) as admin:
        partitions = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics()}
    assert [partitions[settings.topic(name)] for name in names] == [settings.partitions] * 2


async def test_a_topic_with_another_number_of_partitions_is_refused(settings: Settings, topic: str) -> None:
    with pytest.raises(TopicUnfit, match=f"{topic} has 6 partitions and DUGNAD_PARTITIONS is 3"):
        await ensure_topics(settings.model_copy(update={"partitions": 3}), ["dugnad.test.v1"])


async def test_records_of_one_key_come_in_the_order_in_which_they_were_sent(settings: Settings, topic: str) -> None:
    keys, each = 20, 50
    async with writer(settings) as producer:
        sends = [
            await producer.send(topic, str(number).encode(), key=f"need:{key}".encode())
            for number in range(each)
            for key in range(keys)
        ]
        await asyncio.gather(*sends)
    async with reader(settings, topic) as consumer:
        records = await read(consumer, keys * each)
    assert len(records) == keys * each
    for key in range(keys):
        own = [record for record in records if record.key == f"need:{key}".encode()]
        assert [int(record.value or b"") for record in own] == list(range(each))
        assert len({record.partition for record in own}) == 1


async def test_one_key_lies_in_the_same_partition_of_every_topic(settings: Settings) -> None:
    names = ["dugnad.one.v1", "dugnad.two.v1"]
    await ensure_topics(settings, names)
    async with writer(settings) as producer:
        for number in range(40):
            key = f"need:{number}".encode()
            places = [(await producer.send_and_wait(settings.topic(name), b"", key=key)).partition for name in names]
            assert places[0] == places[1]


@pytest.mark.parametrize(("idempotent", "stored"), [(True, 1), (False, 2)])
async def test_a_repeated_send_is_stored_once_by_an_idempotent_writer_only(
    settings: Settings, topic: str, monkeypatch: pytest.MonkeyPatch, idempotent: bool, stored: int
) -> None:
    async with writer(settings, enable_idempotence=idempotent) as producer:
        await producer.send_and_wait(topic, b"before", partition=0)
        send, lost = producer.client.send, 0

        async def lose_one_answer(node: int, request: Any, **options: Any) -> Any:
            nonlocal lost
            answer = await send(node, request, **options)
            if type(request).__name__.startswith("Produce") and not lost:
                lost += 1
                raise RequestTimedOutError
            return answer

        monkeypatch.setattr(producer.client, "send", lose_one_answer)
        await producer.send_and_wait(topic, b"sent twice", partition=0)
        assert lost == 1
        await producer.send_and_wait(topic, b"after", partition=0)
    async with reader(settings, topic) as consumer:
        values = [record.value for record in await read(consumer, stored + 2)]
    assert values == [b"before", *[b"sent twice"] * stored, b"after"]


async def test_headers_keys_and_values_come_back_byte_for_byte(settings: Settings, topic: str) -> None:
    headers = [("ce_id", b"dugnad/intake#43"), ("ce_time", "ø".encode()), ("empty", b""), ("ce_id", b"twice")]
    async with writer(settings, compression_type="gzip") as producer:
        await producer.send_and_wait(topic, b'{"a": "\xc3\xb8"}', key=b"need:01J", headers=headers)
    async with reader(settings, topic) as consumer:
        (record,) = await read(consumer, 1)
    assert (record.key, record.value, list(record.headers)) == (b"need:01J", b'{"a": "\xc3\xb8"}', headers)


async def test_the_largest_event_that_the_log_takes_fits_into_a_record(settings: Settings, topic: str) -> None:
    value = bytes(768 * 1024)
    async with writer(settings) as producer:
        await producer.send_and_wait(topic, value, key=b"need:1", headers=[("ce_id", b"x" * 1000)] * 10)
    async with reader(settings, topic) as consumer:
        (record,) = await read(consumer, 1)
    assert record.value == value


async def test_a_reader_goes_on_where_it_committed_each_partition_by_itself(settings: Settings, topic: str) -> None:
    async with writer(settings) as producer:
        for number in range(10):
            for partition in range(2):
                await producer.send_and_wait(topic, str(number).encode(), partition=partition)
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
    async with reader(settings, topic, group="a") as consumer:
        await read(consumer, 20)
        await consumer.commit({first: OffsetAndMetadata(7, "")})
        assert await consumer.committed(second) is None
    async with reader(settings, topic, group="a") as consumer:
        records = await read(consumer, 13)
    assert [int(record.value or b"") for record in records if record.partition == 0] == [7, 8, 9]
    assert [int(record.value or b"") for record in records if record.partition == 1] == list(range(10))


async def test_a_reader_whose_place_is_gone_begins_at_the_earliest_record_that_is_left(
    settings: Settings, topic: str
) -> None:
    partition = TopicPartition(topic, 0)
    async with writer(settings) as producer:
        for number in range(10):
            await producer.send_and_wait(topic, str(number).encode(), partition=0)
    async with reader(settings, topic, group="a") as consumer:
        await read(consumer, 10)
        await consumer.commit({partition: OffsetAndMetadata(2, "")})
    async with administration(settings) as admin:
        await admin.delete_records({partition: RecordsToDelete(before_offset=6)})
    async with reader(settings, topic, group="a") as consumer:
        records = await read(consumer, 4)
    assert [record.offset for record in records] == [6, 7, 8, 9]


async def test_the_ends_of_a_topic_count_what_was_sent(settings: Settings, topic: str) -> None:
    async with writer(settings) as producer, reader(settings) as consumer:
        assert set((await ends(consumer, topic, settings)).values()) == {0}
        for number in range(7):
            await producer.send_and_wait(topic, b"", partition=number % 2)
        assert await ends(consumer, topic, settings) == {0: 4, 1: 3, 2: 0, 3: 0, 4: 0, 5: 0}


async def test_readers_of_one_group_share_the_partitions_and_take_over_from_one_that_leaves(
    settings: Settings, topic: str
) -> None:
    async def settled(count: int, *consumers: Any) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                await asyncio.gather(*(consumer.getmany(timeout_ms=50) for consumer in consumers))
                shares = [{each.partition for each in consumer.assignment()} for consumer in consumers]
                if set().union(*shares) == set(range(count)) and sum(map(len, shares)) == count and all(shares):
                    return

    async with reader(settings, topic, group="a") as staying:
        async with reader(settings, topic, group="a") as leaving:
            await settled(settings.partitions, staying, leaving)
        await settled(settings.partitions, staying)


async def test_a_topic_deleted_and_made_anew_is_empty_and_nobody_has_a_place_in_it(
    settings: Settings, topic: str
) -> None:
    partition = TopicPartition(topic, 0)
    async with writer(settings) as producer:
        await producer.send_and_wait(topic, b"old", partition=0)
    async with reader(settings, topic, group="a") as consumer:
        await read(consumer, 1)
        await consumer.commit({partition: OffsetAndMetadata(1, "")})
    async with administration(settings) as admin:

        async def gone() -> bool:
            return topic not in await admin.list_topics()

        await admin.delete_topics([topic])
        assert await until(gone, PATIENCE)
    await ensure_topics(settings, ["dugnad.test.v1"])
    async with writer(settings) as producer:
        assert (await producer.send_and_wait(topic, b"new", partition=0)).offset == 0
    async with reader(settings, topic, group="a") as consumer:
        assert await consumer.committed(partition) is None
        assert [record.value for record in await read(consumer, 1)] == [b"new"]
