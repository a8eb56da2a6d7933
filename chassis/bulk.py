"""The bulk of a rebuild: partition after partition, folded in memory, written by the thousand.

Invariant: progress and offsets move only after the documents are written, and a document is written only over the
revision that was read. What is not plain (a record in another form, one whose fold fails, a subject that is parked)
goes through the reader, as live; whatever is left undone, the generation's consumer does afterwards.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from time import monotonic

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError

from chassis import kafka, metrics
from chassis.consumer import MAX_RECORDS, Raw
from chassis.mongo import Collection, Database
from chassis.parking import subject_of
from chassis.projection import Folding, Projection, Record, at_key
from chassis.projector import Projector
from chassis.revisions import revision, write_or_lose
from chassis.settings import Settings
from contracts import envelope
from contracts.arrivals import arrived
from contracts.envelope import Undecodable, read_event

HELD_BYTES = 64_000_000
"""Of events folded into documents that are not yet written; in memory the documents take about three times as much."""
DOCUMENTS_PER_WRITE = 1_000
POLL_MILLISECONDS = 200
ANSWER_SECONDS = 20.0
"""So long the broker may take; a handled fetch does not count."""
SELDOM = 50_000
"""Allocations between two looks of the garbage collector: there are no cycles in what is folded."""

log = structlog.get_logger()


class Lost(Exception):
    """Somebody else writes the same documents. What is not yet written is left to the generation's consumer."""


class TooMuchParked(Exception):
    """A partition must stop. What is not yet folded is left to the generation's consumer, which stops there too."""


def belongs(raw: Raw, until: Mapping[str, int] | None) -> bool:
    """Whether a record belongs to a generation that ends there. What is no event does: whoever reads it parks it."""
    if until is None:
        return True
    try:
        source = envelope.header(raw.headers, envelope.SOURCE)
        return source is None or envelope.position(raw.headers) <= until.get(source, 0)
    except Undecodable:
        return True


@dataclass
class _Held:
    """What has been folded and is not yet written."""

    documents: dict[str, Folding] = field(default_factory=dict)
    positions: dict[str, list[int]] = field(default_factory=dict)
    """By source."""
    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    bytes: int = 0
    folded: int = 0
    dropped: int = 0
    ignored: int = 0


_Taken = tuple[Record, str, Sequence[str], int]
"""A record that is read here, where documents note it (`at_key`), those that it belongs to, and its size."""


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
        self._reads = frozenset(projection.reads)
        self._held = _Held()
        self._knows_all = False
        """Whether no document of this partition is stored but what is held: then none has to be looked for."""
        self._parked: set[str] = set()
        self._partition = 0

    async def run(self, partitions: Sequence[int], tell: Callable[[int], None]) -> None:
        """Fold these partitions of all topics, one after the other, to their present ends.

        `tell` hears how many records are done. Raises Lost, TooMuchParked, PyMongoError, KafkaError; the same call
        goes on with what had not been written.
        """
        async with self._consuming(partitions) as consumer:
            for partition in partitions:
                await self._partition_of(consumer, partition, tell)

    @asynccontextmanager
    async def _consuming(self, partitions: Sequence[int]) -> AsyncIterator[AIOKafkaConsumer]:
        """A client that may commit for the group, which has no members meanwhile; nothing is fetched yet."""
        consumer = AIOKafkaConsumer(
            **kafka.client_options(self._settings),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=MAX_RECORDS,
        )
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

    async def _partition_of(self, consumer: AIOKafkaConsumer, partition: int, tell: Callable[[int], None]) -> None:
        topics = self._topics(partition)
        self._partition = partition
        self._knows_all = self._empty and self._projection.by_case
        self._parked = await self._projector.reader.parking.parked_subjects()
        begins = await kafka.answered(consumer.beginning_offsets(topics), ANSWER_SECONDS)
        ends = await kafka.answered(consumer.end_offsets(topics), ANSWER_SECONDS)
        for each in topics:
            consumer.seek(each, max(begins[each], await kafka.answered(consumer.committed(each), ANSWER_SECONDS) or 0))
        waiting = {each for each in topics if await consumer.position(each) < ends[each]}
        consumer.resume(*waiting)
        given = monotonic()
        while waiting:
            fetched = await consumer.getmany(*waiting, timeout_ms=POLL_MILLISECONDS, max_records=MAX_RECORDS)
            for topic, records in fetched.items():
                await self._fold(topic, records, consumer)
                tell(len(records))
                given = monotonic()
            if monotonic() - given > ANSWER_SECONDS:
                # A client whose broker is away says nothing and goes on trying, for ever.
                raise KafkaConnectionError("the broker gives nothing")
            for each in [each for each in waiting if await consumer.position(each) >= ends[each]]:
                consumer.pause(each)
                waiting.discard(each)
        await self._put_down(consumer)

    async def _fold(self, topic: TopicPartition, records: Sequence[Raw], consumer: AIOKafkaConsumer) -> None:
        """Fold what is plain; the rest of a fetch, from the first that is not, goes the way of live ones."""
        mine = records if self._until is None else [each for each in records if belongs(each, self._until)]
        if not mine:
            return
        taken, positions, done = self._read(mine)
        if not self._knows_all:
            await self._look_up(taken)
        folded = self._fold_taken(taken)
        if folded == len(taken) and done == len(mine):
            # Only now: of a fetch that is handed on, the reader says what has been handled.
            for source, found in positions.items():
                self._held.positions.setdefault(source, []).extend(found)
            self._held.ignored += len(mine) - len(taken)
            self._held.offsets[topic] = mine[-1].offset + 1
            if self._held.bytes > self._held_bytes:
                await self._put_down(consumer)
            return
        await self._put_down(consumer)
        handled = await self._projector.reader.handle(mine)
        self._parked = await self._projector.reader.parking.parked_subjects()
        if handled.stopped:
            raise TooMuchParked(handled.stopped[0].reason)
        await kafka.answered(consumer.commit(handled.offsets), ANSWER_SECONDS)

    def _read(self, records: Sequence[Raw]) -> tuple[list[_Taken], dict[str, list[int]], int]:
        """What is read here, up to the first record that is not plain; the positions by source; how many records."""
        taken: list[_Taken] = []
        positions: dict[str, list[int]] = {}
        reads, parked, keys_of = self._reads, self._parked, self._projection.keys
        for number, raw in enumerate(records):
            found = arrived(raw.key, raw.value, raw.headers)
            if found is None or (parked and subject_of(raw) in parked):
                return taken, positions, number
            if found.known in reads:
                assert raw.value is not None, "else it had not been found plain"
                event = None if found.parser is None else found.parser(raw.value, found.occurred)
                try:
                    if event is None:
                        event = read_event(found.known, raw.value, occurred=found.occurred, type_name=found.type)
                    record = Record(event, *found[2:])
                    keys = keys_of(record)
                except Exception:  # not decodable, or the key function raises: the reader parks the event
                    return taken, positions, number
                taken.append((record, at_key(record), keys, len(raw.value)))
            positions.setdefault(found.source, []).append(found.position)
        return taken, positions, len(records)

    def _fold_taken(self, taken: Sequence[_Taken]) -> int:
        """Fold them into what is held, up to the first that fails, nothing of which is; and how many that is."""
        held, projection = self._held, self._projection
        documents = held.documents
        for number, (record, subject, keys, size) in enumerate(taken):
            steps = []
            try:
                for key in keys:
                    folding = documents.get(key)
                    if folding is None:
                        folding = documents[key] = Folding.of(None)
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
        wanted = {key for _, _, keys, _ in taken for key in keys if key not in documents}
        if wanted:
            async for found in self._documents.find({"_id": {"$in": list(wanted)}}):
                documents[found["_id"]] = Folding.of(found)

    async def _put_down(self, consumer: AIOKafkaConsumer) -> None:
        """Write all that is held; from here on, documents of this partition are looked for.

        Folding waits meanwhile: with as many workers as cores, doing both at once costs more than it gains (measured).
        """
        held, self._held, self._knows_all = self._held, _Held(), False
        for documents in _slices(held.documents):
            writes = [revision(key, each.rev, each.stored()) for key, each in documents if each.changed]
            if await write_or_lose(self._documents, writes):
                raise Lost("another process writes the same documents")
        handled = {(source, self._partition): found for source, found in held.positions.items()}
        await self._projector.progress.record(handled)
        if held.offsets:
            await kafka.answered(consumer.commit(held.offsets), ANSWER_SECONDS)
        for what, count in (("folded", held.folded), ("dropped", held.dropped), ("ignored", held.ignored)):
            metrics.RECORDS.labels(self._projection.name, what).inc(count)


def _slices(documents: dict[str, Folding]) -> Iterator[list[tuple[str, Folding]]]:
    """All of them, some at a time, the last first; what has been given is no longer kept."""
    while documents:
        yield [documents.popitem() for _ in range(min(DOCUMENTS_PER_WRITE, len(documents)))]


@contextmanager
def few_collections() -> Iterator[None]:
    """Let the garbage collector look seldom: it costs a third of the speed of a reader of very many."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(SELDOM, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
