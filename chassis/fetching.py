"""Whole partitions as the broker keeps them: batches whose records are looked at where they lie.

Invariant: every record of a span is given once and in order; what the broker does not give raises, and is
never passed over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import chain, islice
from typing import Any, NamedTuple, Protocol, cast

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import CorruptRecordException, KafkaConnectionError, KafkaError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

from chassis import kafka
from chassis.settings import Settings

FETCH_BYTES = 1_000_000
"""Of one partition, at a time; two such pieces are in memory."""
WAIT_MILLISECONDS = 500
AGAIN_SECONDS = 0.1
_LENGTH = slice(8, 12)
"""Where a batch, of whatever form, says how many bytes follow."""
_PRESENT_FORM = 2
_UNCOMMITTED = 0
"""Everything that has been written, as the client's own consumer reads by default."""


class Fetched(Protocol):
    """A record that the client has not yet made anything of."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Span(NamedTuple):
    """A stretch of a partition: offsets, the last one not included."""

    partition: TopicPartition
    start: int
    end: int


class Batch(NamedTuple):
    """Some of a span's records, as the broker keeps them."""

    span: Span
    content: Any
    """The client's batch: its records, and what is said of it."""
    data: bytes
    start: int
    """Where it begins in `data`, with its header, and where it ends."""
    end: int

    def records(self) -> Iterable[Fetched]:
        """Those that are in the span."""
        span, content = self.span, self.content
        # Only one at an end of the span, or of a form that does not say where it begins, is looked through.
        if span.start <= getattr(content, "base_offset", -1) and content.next_offset <= span.end:
            return cast(Iterable[Fetched], content)
        return (each for each in content if span.start <= each.offset < span.end)

    @property
    def plain(self) -> bool:
        """Whether it is in the present form, and as it was written: not compressed."""
        return getattr(self.content, "magic", 0) == _PRESENT_FORM and not self.content.compression_type


class Fetcher:
    """Reads partitions from their leaders. In about half the time of the client's consumer, which makes each record an
    object and keeps an account of it; without groups, and without anything that is to come."""

    def __init__(self, client: AIOKafkaClient, seconds: float) -> None:
        """`seconds`: so long a broker may give nothing of what it has."""
        self._client, self._seconds = client, seconds

    async def read(self, spans: Sequence[Span], most: int) -> AsyncGenerator[tuple[TopicPartition, list[Fetched]]]:
        """The records of one span after the other, at most so many at a time. Raises as `batches`."""
        async with aclosing(self._pieces(spans)) as pieces:
            async for piece in pieces:
                records = chain.from_iterable(each.records() for each in _checked(piece))
                while some := list(islice(records, most)):
                    yield piece[0].span.partition, some

    async def batches(self, spans: Sequence[Span]) -> AsyncGenerator[Batch]:
        """The batches of one span after the other; more are on their way meanwhile.

        Raises KafkaError, KafkaConnectionError where the broker gives nothing for too long.
        """
        async with aclosing(self._pieces(spans)) as pieces:
            async for piece in pieces:
                for batch in _checked(piece):
                    yield batch

    async def _pieces(self, spans: Sequence[Span]) -> AsyncGenerator[list[Batch]]:
        waiting = deque(each for each in spans if each.start < each.end)
        coming: asyncio.Task[list[Batch]] | None = None
        try:
            while waiting:
                span = waiting.popleft()
                coming = coming or self._asked(span)
                piece = await coming
                if (reached := piece[-1].content.next_offset) < span.end:
                    waiting.appendleft(span._replace(start=reached))
                coming = self._asked(waiting[0]) if waiting else None
                # So that it is asked for before what is here keeps this process busy.
                await asyncio.sleep(0)
                yield piece
        finally:
            if coming is not None:
                coming.cancel()
                # Whatever became of it, nobody waits for it any more.
                await asyncio.gather(coming, return_exceptions=True)

    def _asked(self, span: Span) -> asyncio.Task[list[Batch]]:
        return asyncio.create_task(self._given(span))

    async def _given(self, span: Span) -> list[Batch]:
        """One piece of a span: at least one batch, the first of which may begin before it."""
        try:
            async with asyncio.timeout(self._seconds):
                while True:
                    if batches := await self._piece(span):
                        return batches
                    await asyncio.sleep(AGAIN_SECONDS)
        except TimeoutError:
            raise KafkaConnectionError("the broker gives nothing") from None

    async def _piece(self, span: Span) -> list[Batch]:
        """Nothing where it must be asked once more."""
        partition, offset = span.partition, span.start
        leader = self._client.cluster.leader_for_partition(partition)
        if leader is None or leader < 0:
            await self._client.force_metadata_update()
            return []
        asked = [(partition.topic, [(partition.partition, offset, FETCH_BYTES)])]
        request = FetchRequest(WAIT_MILLISECONDS, 1, FETCH_BYTES, _UNCOMMITTED, asked)
        try:
            response = await self._client.send(leader, request)
            ((_, ((_, code, *_, data),)),) = response.topics
            if code:
                raise for_code(code)(f"{partition} from offset {offset}")
        except KafkaError as error:
            if not error.retriable:
                raise
            # Another leader, or none for a moment.
            await self._client.force_metadata_update()
            return []
        return list(_batches(span, data))


def _batches(span: Span, data: bytes) -> Iterator[Batch]:
    records, start = MemoryRecords(data), 0
    while records.has_next():
        behind = start + _LENGTH.stop
        end = behind + int.from_bytes(data[start + _LENGTH.start : behind], "big")
        yield Batch(span, records.next_batch(), data, start, end)
        start = end


def _checked(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Those that hold records. Raises CorruptRecordException."""
    for batch in batches:
        if not batch.content.validate_crc():
            raise CorruptRecordException(f"{batch.span.partition} has a batch whose checksum is wrong")
        if not batch.content.is_control_batch:
            yield batch


@asynccontextmanager
async def fetching(settings: Settings, topics: Sequence[str], seconds: float) -> AsyncIterator[Fetcher]:
    """A fetcher of these topics, by their full names. Raises KafkaError where there is no broker."""
    client = AIOKafkaClient(**kafka.client_options(settings))
    try:
        await client.bootstrap()
        await kafka.answered(client.set_topics(topics), seconds)
        yield Fetcher(client, seconds)
    finally:
        await kafka.stop_client("fetching", client.close())
