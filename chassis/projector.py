"""Runs a projection: decode, group by key, load, fold, one bulk write, progress, offsets.

Invariant: progress and offsets move only after the documents are written, and a document is written only over the
revision that was folded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import TopicPartition
from pymongo import ASCENDING

from chassis import metrics, telemetry
from chassis.consumer import Handled, Raw, Stopped
from chassis.mongo import Database
from chassis.progress import Progress
from chassis.projection import Document, Projection, Record, fold_one, visible
from chassis.revisions import Write, revision, write_or_lose
from contracts.envelope import Undecodable, UnknownType, decode
from contracts.event import TYPE_PATTERN, Event
from contracts.registry import SOURCES, topic_of

log = structlog.get_logger()


class Unfoldable(Exception):
    """A fold raised on an event: a fault in the code, or an event that it should have been written for."""

    def __init__(self, arrival: Arrival, error: Exception) -> None:
        super().__init__(f"{type(error).__name__} in the fold of {arrival.record.id}")
        self.arrival = arrival


@dataclass(frozen=True)
class Arrival:
    """A record that the projection reads, and where it came from."""

    partition: TopicPartition
    offset: int
    record: Record


@dataclass
class Batch:
    """A decoded batch. `positions` are of all records, also of those that nobody here reads."""

    arrivals: list[Arrival]
    positions: dict[TopicPartition, list[tuple[int, str, int]]]
    """Offset, source and position, per partition in order."""
    stopped: dict[TopicPartition, Stopped]


def read_batch(raws: Sequence[Raw], reads: Sequence[type[Event]]) -> Batch:
    """Decode; a record that cannot be decoded ends its partition's part of the batch."""
    names = {each.__name__ for each in reads}
    batch = Batch([], {}, {})
    for raw in raws:
        partition = TopicPartition(raw.topic, raw.partition)
        if partition in batch.stopped:
            continue
        try:
            envelope = decode(raw.key, raw.value, raw.headers)
            name = TYPE_PATTERN.match(envelope.type)
            if name is not None and name["name"] in names:
                record = Record(
                    event=envelope.event,
                    type=envelope.type,
                    source=envelope.source,
                    subject=envelope.subject,
                    partition_key=envelope.partition_key,
                    position=envelope.sequence,
                    id=envelope.id,
                    occurred=envelope.time,
                    recorded=envelope.recorded,
                    correlation=envelope.correlation,
                    traceparent=envelope.traceparent,
                )
                batch.arrivals.append(Arrival(partition, raw.offset, record))
        except (Undecodable, UnknownType) as error:
            batch.stopped[partition] = Stopped(partition, raw.offset, str(error))
            continue
        batch.positions.setdefault(partition, []).append((raw.offset, envelope.source, envelope.sequence))
    return batch


def without_rest(batch: Batch, arrival: Arrival, reason: str) -> Batch:
    """The batch without a record that cannot be handled, and without what follows it in its partition."""
    partition, offset = arrival.partition, arrival.offset
    return Batch(
        [each for each in batch.arrivals if each.partition != partition or each.offset < offset],
        {
            name: [each for each in positions if name != partition or each[0] < offset]
            for name, positions in batch.positions.items()
        },
        {**batch.stopped, partition: Stopped(partition, offset, reason)},
    )


def about(record: Record) -> telemetry.Attributes:
    """What a trace says of an event: which one it is, never what is in it."""
    return {"dugnad.event": record.id, "dugnad.type": record.type, "dugnad.position": record.position}


class Projector:
    """Folds batches of one projection into its collection."""

    def __init__(self, projection: Projection, database: Database) -> None:
        self.projection = projection
        self.progress = Progress(database, projection.name)
        self._documents = database[f"view_{projection.name}"]

    async def prepare(self) -> None:
        """Create the indexes that its queries need."""
        for fields in self.projection.indexes:
            await self._documents.create_index([(name, ASCENDING) for name in fields])

    async def handle(self, raws: Sequence[Raw]) -> Handled:
        """One batch. Raises PyMongoError with nothing committed; the same batch may be handled again."""
        batch = read_batch(raws, self.projection.reads)
        traces = ((each.record.traceparent, about(each.record)) for each in batch.arrivals)
        with telemetry.spans(f"fold {self.projection.name}", traces, kind=telemetry.SpanKind.CONSUMER):
            return await self._handle(batch)

    async def _handle(self, batch: Batch) -> Handled:
        while True:
            try:
                await self._write(batch)
                break
            except Unfoldable as error:
                batch = without_rest(batch, error.arrival, str(error))
        await self._record_progress(batch)
        offsets = {partition: each[-1][0] + 1 for partition, each in batch.positions.items() if each}
        return Handled(offsets, list(batch.stopped.values()))

    async def _write(self, batch: Batch) -> None:
        by_key: dict[str, list[Arrival]] = {}
        for arrival in batch.arrivals:
            try:
                keys = self.projection.keys(arrival.record)
            except Exception as error:  # a key function is pure code: whatever it raises stops the partition, loudly
                raise Unfoldable(arrival, error) from error
            for key in keys:
                by_key.setdefault(key, []).append(arrival)
        folded = dropped = 0
        while by_key:
            stored = {each["_id"]: each async for each in self._documents.find({"_id": {"$in": list(by_key)}})}
            writes: list[Write] = []
            for key, arrivals in by_key.items():
                before = stored.get(key)
                after, changes = self._fold(key, before, arrivals)
                folded += changes
                dropped += len(arrivals) - changes
                if changes:
                    writes.append(revision(key, 0 if before is None else before["rev"], after))
            # Written meanwhile by another reader (a rebalance): fold those again before any offset moves.
            by_key = {key: by_key[key] for key in await write_or_lose(self._documents, writes)}
        metrics.RECORDS.labels(self.projection.name, "folded").inc(folded)
        metrics.RECORDS.labels(self.projection.name, "dropped").inc(dropped)

    def _fold(self, key: str, before: Mapping[str, Any] | None, arrivals: Sequence[Arrival]) -> tuple[Document, int]:
        state: Document | None = None if before is None else dict(before)
        changes = 0
        for arrival in arrivals:
            try:
                after = fold_one(self.projection, key, state, arrival.record)
            except Exception as error:  # a fold is pure code: whatever it raises stops the partition, loudly
                raise Unfoldable(arrival, error) from error
            changes += state is None or after["at"] != state["at"]
            state = after
        return state or {}, changes

    async def _record_progress(self, batch: Batch) -> None:
        handled: dict[tuple[str, int], list[int]] = {}
        for partition, positions in batch.positions.items():
            for _, source, position in positions:
                handled.setdefault((source, partition.partition), []).append(position)
        ignored = sum(map(len, handled.values())) - len(batch.arrivals)
        metrics.RECORDS.labels(self.projection.name, "ignored").inc(max(0, ignored))
        await self.progress.record(handled)


class View:
    """Queries on the documents of a projection. Tombstones are not there."""

    def __init__(self, projection: Projection, database: Database, progress: Progress) -> None:
        self.name = projection.name
        self.sources = frozenset(source for source in SOURCES if topic_of(source) in projection.topics)
        """The logs that it reads."""
        self.progress = progress
        self._documents = database[f"view_{projection.name}"]

    async def get(self, key: str) -> Document | None:
        """One document with its `_id`, None where there is none or it is gone."""
        found = await self._documents.find_one({"_id": key, "gone": {"$exists": False}})
        return None if found is None else _shown(found)

    async def find(
        self,
        where: Mapping[str, Any] | None = None,
        *,
        sort: Sequence[tuple[str, int]] = (("_id", ASCENDING),),
        limit: int = 0,
    ) -> list[Document]:
        """Documents that match, in a fixed order (`_id` breaks ties); `limit` 0 means all."""
        order = list(sort)
        if all(name != "_id" for name, _ in order):
            order.append(("_id", ASCENDING))
        cursor = self._documents.find({"gone": {"$exists": False}, **(where or {})}, sort=order).limit(limit)
        return [_shown(each) async for each in cursor]

    async def wait_for(self, source: str, position: int, seconds: float) -> bool:
        """Whether the view has handled a position within so many seconds."""
        return await self.progress.wait_for(source, position, seconds)

    async def complete_to(self, source: str) -> int:
        """The last position of a source up to which nothing is missing here."""
        return await self.progress.complete_to(source)


def _shown(stored: Mapping[str, Any]) -> Document:
    return {"_id": stored["_id"], **visible(stored)}
