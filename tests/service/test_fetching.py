"""Batches that are read where they lie: every record once and in order, and an end where the broker gives no more."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import CorruptRecordException, KafkaConnectionError, OffsetOutOfRangeError
from aiokafka.protocol.fetch import FetchRequest

from chassis.fetching import Fetcher, Span, fetching
from chassis.kafka import client_options, ends
from chassis.settings import Settings
from chassis.topics import ensure_topics
from tests.service.platform_helpers import until

TOPICS = ("dugnad.first.v1", "dugnad.second.v1")
SECONDS = 5.0
RECORDS = 700


@pytest.fixture
async def topics(settings: Settings) -> list[TopicPartition]:
    """Partition 0 of two topics: one with small batches and a transaction at its end, the other with three records."""
    await ensure_topics(settings, TOPICS)
    first, second = (TopicPartition(settings.topic(name), 0) for name in TOPICS)
    plain = client_options(settings)
    async with AIOKafkaProducer(**plain, max_batch_size=2_000, compression_type="gzip") as producer:
        for number in range(RECORDS):
            await producer.send(first.topic, *_record(number), partition=0, headers=[("n", b"%d" % number)])
        for number in range(3):
            await producer.send(second.topic, *_record(number), partition=0)
    async with AIOKafkaProducer(**plain, transactional_id=uuid4().hex) as producer, producer.transaction():
        await producer.send(first.topic, *_record(RECORDS), partition=0, headers=[("n", b"%d" % RECORDS)])
    # The transaction's end, which is no record, is written after it has been answered.

    async def ended() -> bool:
        return await ends(settings, [first], SECONDS) == {first: RECORDS + 2}

    await until(ended, "the transaction is at its end")
    return [first, second]


def _record(number: int) -> tuple[bytes, bytes]:
    """Value and key, as the producer takes them."""
    return b"value %d" % number, b"key %d" % number


async def read(fetcher: Fetcher, *spans: Span) -> list[tuple[str, int, bytes | None, bytes | None]]:
    return [
        (partition.topic, each.offset, each.key, each.value)
        async for partition, records in fetcher.read(spans, 64)
        for each in records
    ]


def expected(partition: TopicPartition, start: int, end: int) -> list[tuple[str, int, bytes, bytes]]:
    return [(partition.topic, number, b"key %d" % number, b"value %d" % number) for number in range(start, end)]


async def test_every_record_of_the_spans_is_given_once_and_in_order(
    topics: list[TopicPartition], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Several pieces, of several batches each.
    monkeypatch.setattr("chassis.fetching.FETCH_BYTES", 5_000)
    first, second = topics
    found = await ends(settings, topics, SECONDS)
    assert found is not None
    assert found == {first: RECORDS + 2, second: 3}
    async with fetching(settings, [each.topic for each in topics], SECONDS) as fetcher:
        given = await read(fetcher, Span(first, 0, found[first]), Span(second, 1, 1), Span(second, 0, 3))
        assert given == expected(first, 0, RECORDS + 1) + expected(second, 0, 3)
        # From within a batch, to within one.
        assert await read(fetcher, Span(first, 11, 613)) == expected(first, 11, 613)
        assert await read(fetcher, Span(first, 5, 5)) == []


async def test_headers_are_given_as_they_were_written(topics: list[TopicPartition], settings: Settings) -> None:
    async with fetching(settings, [topics[0].topic], SECONDS) as fetcher:
        given = [
            list(each.headers) async for _, records in fetcher.read([Span(topics[0], 3, 5)], 1) for each in records
        ]
    assert given == [[("n", b"3")], [("n", b"4")]]


async def test_what_was_left_early_is_left_in_order(topics: list[TopicPartition], settings: Settings) -> None:
    before = asyncio.all_tasks()
    async with fetching(settings, [topics[0].topic], SECONDS) as fetcher:
        reading = fetcher.read([Span(topics[0], 0, RECORDS)], 64)
        await anext(reading)
        await reading.aclose()
    assert asyncio.all_tasks() == before


async def test_records_that_are_no_longer_there_are_not_passed_over(
    topics: list[TopicPartition], settings: Settings
) -> None:
    async with fetching(settings, [topics[1].topic], SECONDS) as fetcher:
        with pytest.raises(OffsetOutOfRangeError):
            await read(fetcher, Span(topics[1], 10, 20))


async def test_a_partition_that_nobody_leads_ends_the_reading_within_its_bound(
    topics: list[TopicPartition], settings: Settings
) -> None:
    async with fetching(settings, [topics[0].topic], 0.5) as fetcher:
        with pytest.raises(KafkaConnectionError, match="gives nothing"):
            await read(fetcher, Span(TopicPartition(topics[0].topic, 99), 0, 1))


class Spoilt(AIOKafkaClient):  # type: ignore[misc]  # the library has no types
    """Answers a fetch with one bit of the last record turned."""

    async def send(self, node: Any, request: Any, **how: Any) -> Any:
        response = await super().send(node, request, **how)
        if isinstance(request, FetchRequest):
            ((topic, ((*head, data),)),) = response.topics
            response.topics = [(topic, [(*head, data[:-1] + bytes([data[-1] ^ 1]))])]
        return response


async def test_a_batch_whose_checksum_is_wrong_is_not_taken(
    topics: list[TopicPartition], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.fetching.AIOKafkaClient", Spoilt)
    async with fetching(settings, [topics[1].topic], SECONDS) as fetcher:
        with pytest.raises(CorruptRecordException):
            await read(fetcher, Span(topics[1], 0, 3))
