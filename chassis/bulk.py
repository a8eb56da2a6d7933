"""The bulk of a rebuild: partition after partition, folded in memory, written some hundred documents at a time.

Invariant: progress and offsets move only after the documents are written, and a document is written only over the
revision that was read. What is not plain (a record in another form, one whose fold fails, a subject that is parked)
goes through the reader, as live; whatever is left undone, the generation's consumer does afterwards.
"""

from __future__ import annotations

import asyncio
import gc
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis import kafka, metrics
from chassis.compiled import Compiled, can_fold
from chassis.fetching import Fetched, Fetcher, Span, fetching
from chassis.generations import Generation, belongs, group_of
from chassis.handled import MAX_RECORDS
from chassis.held import Held
from chassis.mongo import Collection, Database
from chassis.parking import RawRecord
from chassis.projection import Folding, Projection, Record, at_key
from chassis.projector import Projector
from chassis.settings import Settings
from contracts.arrivals import arrived
from contracts.parsing import parser_of, slim_parser_of

HELD_BYTES = 64_000_000
"""Of events folded into documents that are not yet written; in memory the documents take about three times as much."""
MEMORY_PER_HELD_BYTE = 2
"""Of documents of the compiled fold, which knows how much memory they take."""
FEW = 64
"""Records that are read and then folded: what is made of 500 no longer fits a core's cache, and takes half as long
again (measured). Where documents are looked for, one question for many is worth more."""
ANSWER_SECONDS = 20.0
"""So long the broker may take; what is done with an answer does not count."""
SELDOM = 50_000
"""Allocations between two looks of the garbage collector: there are no cycles in what is folded."""

log = structlog.get_logger()


class Lost(Exception):
    """Somebody else writes the same documents. What is not yet written is left to the generation's consumer."""


class TooMuchParked(Exception):
    """A partition must stop. What is not yet folded is left to the generation's consumer, which stops there too."""


@dataclass(frozen=True)
class Work:
    """Which partitions of a generation are to be folded in bulk."""

    generation: Generation
    partitions: Sequence[int]
    empty: bool
    """Whether nothing has been written to the generation yet."""
    events: int
    """How many there are for the generation to come, in all partitions."""


Hands = Callable[[Work, Callable[[int], None]], Awaitable[None]]
"""Folds in bulk, in as many processes as it likes; says how many more records are done. Raises `LeftUndone`."""


class LeftUndone(Exception):
    """Not all of the bulk was folded. No harm: what is left is folded as live events are."""


_Taken = tuple[Record, Sequence[str], int]
"""A record that is read here, the documents that it belongs to, and its size."""


class Bulk:
    """Folds whole partitions of a generation, in one process.

    `empty` says that nothing had been written to the generation when the rebuild began.
    """

    def __init__(
        self,
        projection: Projection,
        database: Database,
        settings: Settings,
        *,
        generation: str,
        group: str,
        until: Mapping[str, int] | None,
        empty: bool,
        held_bytes: int = HELD_BYTES,
    ) -> None:
        self._projection = projection
        self._projector = Projector(projection, database, generation)
        self._documents: Collection = database[f"view_{generation}"]
        self._settings, self._group, self._until = settings, group, until
        self._empty, self._held_bytes = empty, held_bytes
        parser = slim_parser_of if projection.slim else parser_of
        self._readers = {each: parser(each) for each in projection.reads}
        self._held = Held()
        self._knows_all = False
        """Whether no document of this partition is stored but what is held: then none has to be looked for."""
        self._parked: set[str] = set()
        self._writing: asyncio.Task[None] | None = None

    async def run(self, partitions: Sequence[int], tell: Callable[[int], None]) -> None:
        """Fold these partitions of all topics, one after the other, to their present ends.

        `tell` hears how many records are done. Raises Lost, TooMuchParked, PyMongoError, KafkaError; the same call
        goes on with what had not been written.
        """
        topics = [self._settings.topic(topic) for topic in self._projection.topics]
        async with (
            self._committing(partitions) as consumer,
            fetching(self._settings, topics, ANSWER_SECONDS) as fetcher,
        ):
            try:
                for partition in partitions:
                    await self._partition_of(consumer, fetcher, partition, tell)
                await self._written()
            finally:
                if self._writing is not None:
                    self._writing.cancel()
                    # Whatever became of it, what ended this is what is told.
                    await asyncio.gather(self._writing, return_exceptions=True)

    @asynccontextmanager
    async def _committing(self, partitions: Sequence[int]) -> AsyncIterator[AIOKafkaConsumer]:
        """A client that may commit for the group, which has no members meanwhile; it fetches nothing."""
        options = kafka.client_options(self._settings)
        consumer = AIOKafkaConsumer(**options, group_id=self._group, enable_auto_commit=False)
        await consumer.start()
        try:
            every = [each for partition in partitions for each in self._topics(partition)]
            consumer.assign(every)
            consumer.pause(*every)
            yield consumer
        finally:
            await kafka.leave(f"bulk of {self._group}", consumer)

    def _topics(self, partition: int) -> list[TopicPartition]:
        return [TopicPartition(self._settings.topic(topic), partition) for topic in self._projection.topics]

    async def _partition_of(
        self, consumer: AIOKafkaConsumer, fetcher: Fetcher, partition: int, tell: Callable[[int], None]
    ) -> None:
        topics = self._topics(partition)
        self._held = Held(partition)
        self._knows_all = self._empty and self._projection.by_case
        self._parked = await self._projector.reader.parking.parked_subjects()
        begins = await kafka.answered(consumer.beginning_offsets(topics), ANSWER_SECONDS)
        ends = await kafka.answered(consumer.end_offsets(topics), ANSWER_SECONDS)
        spans = []
        for each in topics:
            committed = await kafka.answered(consumer.committed(each), ANSWER_SECONDS)
            spans.append(Span(each, max(begins[each], committed or 0), ends[each]))
        if self._knows_all and not self._parked and can_fold(self._projection):
            spans = await self._fold_compiled(spans, fetcher, consumer, tell)
        async with aclosing(fetcher.read(spans, FEW if self._knows_all else MAX_RECORDS)) as reading:
            async for topic, records in reading:
                await self._fold(topic, records, consumer)
                tell(len(records))
                if self._writing is not None:
                    # So that it goes on.
                    await asyncio.sleep(0)
        # The next partition has documents of its own, where all events of a document have one partition key.
        await self._put_down(consumer, meanwhile=self._projection.by_case)

    async def _fold_compiled(
        self, spans: Sequence[Span], fetcher: Fetcher, consumer: AIOKafkaConsumer, tell: Callable[[int], None]
    ) -> list[Span]:
        """Fold whole batches of these spans. What is left of them: from the first record on that is not plain."""
        held, compiled = self._held, Compiled(self._projection, self._until)
        held.compiled = compiled
        waiting = list(spans)
        async with aclosing(fetcher.batches(spans)) as batches:
            async for batch in batches:
                topic, before = batch.span.partition, max(batch.span.start, batch.content.base_offset)
                while waiting[0].partition != topic:
                    waiting.pop(0)
                refused = compiled.fold(batch)
                reached = min(batch.content.next_offset, batch.span.end) if refused is None else refused
                held.offsets[topic], waiting[0] = reached, waiting[0]._replace(start=reached)
                tell(reached - before)
                if refused is not None or compiled.size > MEMORY_PER_HELD_BYTE * self._held_bytes:
                    await self._put_down(consumer)
                    return waiting
                # So that what is being written goes on.
                await asyncio.sleep(0)
        return []

    async def _fold(self, topic: TopicPartition, records: Sequence[Fetched], consumer: AIOKafkaConsumer) -> None:
        """Fold what is plain; the rest of these records, from the first that is not, goes the way of live ones."""
        mine = records if self._until is None else [each for each in records if belongs(each.headers, self._until)]
        if not mine:
            return
        taken, positions, done = self._read(mine)
        if not self._knows_all:
            await self._look_up(taken)
        folded = self._fold_taken(taken)
        if folded == len(taken) and done == len(mine):
            # Only now: of what is handed on, the reader says what has been handled.
            for source, found in positions.items():
                self._held.positions[source].extend(found)
            self._held.ignored += len(mine) - len(taken)
            self._held.offsets[topic] = mine[-1].offset + 1
            if self._held.bytes > self._held_bytes:
                await self._put_down(consumer)
            return
        await self._put_down(consumer)
        raws = [
            RawRecord(topic.topic, topic.partition, each.offset, each.key, each.value, each.headers) for each in mine
        ]
        handled = await self._projector.reader.handle(raws)
        self._parked = await self._projector.reader.parking.parked_subjects()
        if handled.stopped:
            raise TooMuchParked(handled.stopped[0].reason)
        await kafka.answered(consumer.commit(handled.offsets), ANSWER_SECONDS)

    def _read(self, records: Sequence[Fetched]) -> tuple[list[_Taken], dict[str, list[int]], int]:
        """What is read here, up to the first record that is not plain; all positions by source; how many records."""
        taken: list[_Taken] = []
        positions: dict[str, list[int]] = defaultdict(list)
        readers, parked, keys_of = self._readers, self._parked, self._projection.keys
        for number, raw in enumerate(records):
            value = raw.value
            try:
                record = arrived(raw.key, value, raw.headers, readers)
                if record is None or (parked and at_key(record) in parked):
                    return taken, positions, number
                if record.event is not None:
                    assert value is not None, "else there were no event"
                    taken.append((record, keys_of(record), len(value)))
            except Exception:  # an upcaster or the key function raises: the reader parks the event
                return taken, positions, number
            positions[record.source].append(record.position)
        return taken, positions, len(records)

    def _fold_taken(self, taken: Sequence[_Taken]) -> int:
        """Fold them into what is held, up to the first that fails, nothing of which is; and how many that is."""
        held, projection = self._held, self._projection
        documents = held.documents
        for number, (record, keys, size) in enumerate(taken):
            subject = at_key(record)
            steps = []
            try:
                for key in keys:
                    folding = documents.get(key)
                    if folding is None:
                        folding = documents[key] = Folding(None, {})
                    if folding.knows(record, subject):
                        held.dropped += 1
                    else:
                        steps.append((folding, folding.after(projection, key, record)))
            except Exception:  # a fold is pure code: whatever it raises parks the event
                return number
            for folding, after in steps:
                folding.take(after, record, subject)
            held.folded += len(steps)
            held.bytes += size
        return len(taken)

    async def _look_up(self, taken: Sequence[_Taken]) -> None:
        documents = self._held.documents
        wanted = {key for _, keys, _ in taken for key in keys if key not in documents}
        if wanted:
            async for found in self._documents.find({"_id": {"$in": list(wanted)}}):
                documents[found["_id"]] = Folding.of(found)

    async def _put_down(self, consumer: AIOKafkaConsumer, *, meanwhile: bool = False) -> None:
        """Write all that is held; from here on, documents of this partition are looked for. `meanwhile`: on its own."""
        held, self._held, self._knows_all = self._held, Held(self._held.partition), False
        # One after the other: two partitions in memory are enough.
        await self._written()
        self._writing = asyncio.create_task(self._write(held, consumer))
        if not meanwhile:
            await self._written()

    async def _written(self) -> None:
        """Wait until what was put down is written. Raises what that raised."""
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing

    async def _write(self, held: Held, consumer: AIOKafkaConsumer) -> None:
        if await held.write_or_lose(self._documents):
            raise Lost("another process writes the same documents")
        await self._projector.progress.record({(source, held.partition): of for source, of in held.handled().items()})
        if held.offsets:
            await kafka.answered(consumer.commit(held.offsets), ANSWER_SECONDS)
        for what, count in zip(("folded", "dropped", "ignored"), held.counts(), strict=True):
            metrics.RECORDS.labels(self._projection.name, what).inc(count)


@contextmanager
def few_collections() -> Iterator[None]:
    """Let the garbage collector look seldom: it costs a third of the speed of a reader of very many."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(SELDOM, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


async def fold_in_bulk(
    projection: Projection,
    database: Database,
    settings: Settings,
    service: str,
    work: Work,
    done: Callable[[int], None],
) -> None:
    """Fold partitions of a generation in this process. Raises LeftUndone, PyMongoError, KafkaError."""
    bulk = Bulk(
        projection,
        database,
        settings,
        generation=work.generation.name,
        group=group_of(settings, service, work.generation),
        until=work.generation.until,
        empty=work.empty,
    )
    with few_collections():
        try:
            await bulk.run(work.partitions, done)
        except (Lost, TooMuchParked) as error:
            raise LeftUndone(str(error)) from error
