"""Folds everything anew and compares with what is served, document by document.

Invariant: a difference is a fault; a document that has moved on meanwhile, or has not come so far, is compared again,
never passed over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis import kafka
from chassis.generations import Generation
from chassis.mongo import Database
from chassis.parking import Parking, event_of, subject_of
from chassis.progress import Progress
from chassis.projection import Document, Projection, fold_one
from chassis.reading import Arrival, read_batch
from chassis.settings import Settings

ROUNDS = 10
PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 0.1


@dataclass
class Verdict:
    """What was compared. `differing` are keys whose documents are not what the events say."""

    documents: int = 0
    events: int = 0
    differing: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Keys that the events lead to, and that are not served."""
    strange: list[str] = field(default_factory=list)
    """Keys that are served, and that no event leads to."""
    moving: int = 0
    """Documents that went on changing while they were compared."""
    behind: int = 0
    """Events that the projection had not handled in time, and that are not parked: what is missing may be late."""

    @property
    def fine(self) -> bool:
        """Whether everything served is what the events say."""
        return not (self.differing or self.missing or self.strange or self.moving or self.behind)


class _Refold:
    """The projection in memory, as far as the topics have been read."""

    def __init__(self, projection: Projection, discarded: Collection[str]) -> None:
        self._projection, self._discarded = projection, discarded
        self.states: dict[str, Document] = {}
        self._parked: set[str] = set()
        self.events = 0
        self.read: dict[str, int] = {}
        """Per source the last position that was read here."""

    def take(self, raws: Iterable[Any]) -> None:
        kept = [raw for raw in raws if event_of(raw) not in self._discarded]
        batch = read_batch(kept, self._projection.reads, self._parked)
        for raw, _ in batch.failures:
            self._parked.add(subject_of(raw))
        for _, _, source, position in batch.positions:
            self.read[source] = max(self.read.get(source, 0), position)
        for arrival in batch.arrivals:
            if arrival.subject not in self._parked:
                self._fold(arrival)

    def _fold(self, arrival: Arrival) -> None:
        self.events += 1
        try:
            keys = self._projection.keys(arrival.record)
            # All or none, as the service writes them.
            self.states.update(
                {key: fold_one(self._projection, key, self.states.get(key), arrival.record) for key in keys}
            )
        except Exception:  # a fold is pure code: what it raises on is parked, here as in the service
            self._parked.add(arrival.subject)


async def verify(
    projection: Projection,
    generation: Generation,
    database: Database,
    settings: Settings,
    tell: Callable[[int, int], None] = lambda *_: None,
) -> Verdict:
    """Compare the documents of a generation with a fold of everything on the topics but what was discarded there.

    `tell(read, total)` hears how many records have been read. Raises KafkaError, PyMongoError.
    """
    refold = _Refold(projection, await Parking(database, generation.name).discarded())
    verdict = Verdict()
    consumer = AIOKafkaConsumer(
        **kafka.client_options(settings), enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        names = [settings.topic(topic) for topic in projection.topics]
        partitions = [TopicPartition(name, number) for name in names for number in range(settings.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        for _ in range(ROUNDS):
            await _read_to_end(consumer, partitions, refold, tell)
            # Else a document that is a moment late would be taken for one that lost an event.
            behind = await _wait_for(refold, database, generation)
            verdict = await _compare(refold, database, generation)
            verdict.events, verdict.behind = refold.events, behind
            if behind or not verdict.moving:
                break
    finally:
        await kafka.leave("verify", consumer)
    return verdict


async def _read_to_end(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition], refold: _Refold, tell: Callable[[int, int], None]
) -> None:
    ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    total, read = sum(ends.values()), dict.fromkeys(partitions, 0)
    async for records in kafka.read_to(consumer, ends):
        refold.take(records)
        read[TopicPartition(records[-1].topic, records[-1].partition)] = records[-1].offset + 1
        tell(sum(read.values()), total)
    tell(total, total)


async def _wait_for(refold: _Refold, database: Database, generation: Generation) -> int:
    """Wait until the generation has handled what was read here; how many events it has not, after a while."""
    progress, parking = Progress(database, generation.name), Parking(database, generation.name)
    deadline = monotonic() + PATIENCE_SECONDS
    while True:
        missing = sum([await progress.missing(source, position) for source, position in refold.read.items()])
        missing -= min(missing, await parking.count())
        if not missing or monotonic() > deadline:
            return missing
        await asyncio.sleep(LOOK_SECONDS)


async def _compare(refold: _Refold, database: Database, generation: Generation) -> Verdict:
    verdict = Verdict()
    seen = set()
    async for stored in database[f"view_{generation.name}"].find({}):
        key = stored["_id"]
        seen.add(key)
        verdict.documents += 1
        expected = refold.states.get(key)
        if expected is None:
            verdict.strange.append(key)
        elif _ahead(stored["at"], expected["at"]):
            verdict.moving += 1
        elif _plain(stored) != _plain(expected):
            verdict.differing.append(key)
    verdict.missing = sorted(refold.states.keys() - seen)
    return verdict


def _ahead(stored: Mapping[str, int], folded: Mapping[str, int]) -> bool:
    return any(position > folded.get(subject, 0) for subject, position in stored.items())


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in ("_id", "rev")}
