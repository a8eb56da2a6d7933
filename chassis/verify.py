"""Folds everything anew and compares with what is served, document by document.

Invariant: a difference is a fault; a document that has moved on meanwhile is compared again, never passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis.generations import Generation
from chassis.kafka import client_options
from chassis.mongo import Database
from chassis.parking import subject_of
from chassis.projection import Document, Projection, fold_one
from chassis.reading import Arrival, read_batch
from chassis.settings import Settings

ROUNDS = 10


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

    @property
    def fine(self) -> bool:
        """Whether everything served is what the events say."""
        return not (self.differing or self.missing or self.strange or self.moving)


class _Refold:
    """The projection in memory, as far as the topics have been read."""

    def __init__(self, projection: Projection) -> None:
        self._projection = projection
        self.states: dict[str, Document] = {}
        self._parked: set[str] = set()
        self.events = 0

    def take(self, raws: Iterable[Any]) -> None:
        batch = read_batch(list(raws), self._projection.reads, self._parked)
        for raw, _ in batch.failures:
            self._parked.add(subject_of(raw))
        for arrival in batch.arrivals:
            if arrival.subject not in self._parked:
                self._fold(arrival)

    def _fold(self, arrival: Arrival) -> None:
        self.events += 1
        try:
            for key in self._projection.keys(arrival.record):
                self.states[key] = fold_one(self._projection, key, self.states.get(key), arrival.record)
        except Exception:  # a fold is pure code: what it raises on is parked, here as in the service
            self._parked.add(arrival.subject)


async def verify(
    projection: Projection,
    generation: Generation,
    database: Database,
    settings: Settings,
    tell: Callable[[int, int], None] = lambda *_: None,
) -> Verdict:
    """Compare the documents of a generation with a fold of everything on the topics. `tell(read, total)` records."""
    refold = _Refold(projection)
    verdict = Verdict()
    consumer = AIOKafkaConsumer(**client_options(settings), enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        names = [settings.topic(topic) for topic in projection.topics]
        partitions = [TopicPartition(name, number) for name in names for number in range(settings.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        for _ in range(ROUNDS):
            await _read_to_end(consumer, partitions, refold, tell)
            verdict = await _compare(refold, database, generation)
            verdict.events = refold.events
            if not verdict.moving and not verdict.missing:
                break
    finally:
        await consumer.stop()
    return verdict


async def _read_to_end(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition], refold: _Refold, tell: Callable[[int, int], None]
) -> None:
    ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    while True:
        positions = [await consumer.position(each) for each in partitions]
        tell(sum(positions), sum(ends.values()))
        if all(position >= ends[each] for position, each in zip(positions, partitions, strict=True)):
            return
        for records in (await consumer.getmany(timeout_ms=200, max_records=1000)).values():
            refold.take(records)


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
