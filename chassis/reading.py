"""From raw records to what is done about them: decode, hand on, park what cannot be handled, say what may be committed.

Invariant: of every record it is known whether it took effect, is parked, or stopped its partition; an offset is
committed only past the first two.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

import structlog
from aiokafka import TopicPartition

from chassis import metrics, telemetry
from chassis.handled import Handled, Raw, Stopped
from chassis.parking import BEHIND, MAX_SUBJECTS, Parked, Parking, State, subject_of
from chassis.progress import Progress
from chassis.projection import Record
from contracts.envelope import Envelope, Undecodable, decode
from contracts.event import TYPE_PATTERN, Event
from contracts.registry import class_of

log = structlog.get_logger()


@dataclass(frozen=True)
class Arrival:
    """An event that is read here, and the record it came in."""

    partition: TopicPartition
    offset: int
    record: Record
    raw: Raw

    @property
    def subject(self) -> str:
        """Source and subject: what is parked together."""
        return f"{self.record.source} {self.record.subject}"


class Unhandled(Exception):
    """An event that its fold or reaction failed on: a fault in the code, or an event it was not written for."""

    def __init__(self, arrival: Arrival, reason: str) -> None:
        super().__init__(reason)
        self.arrival, self.reason = arrival, reason


@dataclass
class Batch:
    """A decoded batch."""

    arrivals: list[Arrival] = field(default_factory=list)
    positions: list[tuple[TopicPartition, int, str, int]] = field(default_factory=list)
    """Partition, offset, source and position of each record that is read or ignored."""
    failures: list[tuple[Raw, str]] = field(default_factory=list)
    """What is to be parked, in order, each with what was wrong."""

    def without(self, failed: Arrival, reason: str) -> Batch:
        """The batch with an event parked, and behind it the later ones of its subject."""
        behind = [
            each
            for each in self.arrivals
            if each.subject == failed.subject and each.partition == failed.partition and each.offset > failed.offset
        ]
        gone = {(each.partition, each.offset) for each in (failed, *behind)}
        return Batch(
            [each for each in self.arrivals if (each.partition, each.offset) not in gone],
            [each for each in self.positions if each[:2] not in gone],
            [*self.failures, (failed.raw, reason), *((each.raw, BEHIND) for each in behind)],
        )


def read_batch(raws: Sequence[Raw], reads: Sequence[type[Event]], blocked: Iterable[str] = ()) -> Batch:
    """Decode what is read here; `blocked` are subjects that have parked events already."""
    names = {each.__name__ for each in reads}
    waiting = set(blocked)
    batch = Batch()
    for raw in raws:
        partition = TopicPartition(raw.topic, raw.partition)
        try:
            envelope = decode(raw.key, raw.value, raw.headers)
            known = class_of(envelope.type)
            # A type that nobody knows may be one that this projection would have to read.
            if known is None or known.__name__ in names:
                if f"{envelope.source} {envelope.subject}" in waiting:
                    batch.failures.append((raw, BEHIND))
                    continue
                _must_be_known(envelope, known)
                batch.arrivals.append(Arrival(partition, raw.offset, _record(envelope), raw))
        except Undecodable as error:
            batch.failures.append((raw, error.reason))
            waiting.add(subject_of(raw))
            continue
        batch.positions.append((partition, raw.offset, envelope.source, envelope.sequence))
    return batch


def _must_be_known(envelope: Envelope, known: type[Event] | None) -> None:
    match = TYPE_PATTERN.match(envelope.type)
    if known is not None and match is not None and int(match["version"]) > known.VERSION:
        # It may mean more than this class can say: ignoring the rest would be wrong without anybody knowing.
        raise Undecodable(f"{envelope.type} is newer than this version of the contracts")


def about(record: Record) -> telemetry.Attributes:
    """What a trace says of an event: which one it is, never what is in it."""
    return {"dugnad.event": record.id, "dugnad.type": record.type, "dugnad.position": record.position}


def _record(envelope: Envelope) -> Record:
    event = envelope.event
    return Record(
        event=event,
        kind=type(event),
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


class Reader:
    """Handles the batches of one consumer group's member.

    `apply` does what is to be done about events, in order; it raises Unhandled for one that it cannot handle, and
    may be called again with the same events. What it raises else is transient, and the batch is tried again.
    """

    def __init__(
        self,
        name: str,
        reads: Sequence[type[Event]],
        apply: Callable[[Sequence[Arrival]], Awaitable[None]],
        progress: Progress,
        parking: Parking,
    ) -> None:
        self.name = name
        self.progress = progress
        self.parking = parking
        self._reads = tuple(reads)
        self._apply = apply

    async def handle(self, raws: Sequence[Raw]) -> Handled:
        """One batch. Raises what is transient, with nothing committed."""
        batch = read_batch(raws, self._reads, await self.parking.blocked(raws))
        while True:
            try:
                await self._apply(batch.arrivals)
                break
            except Unhandled as failed:
                batch = batch.without(failed.arrival, failed.reason)
        stopped = await self._park(batch)
        kept = [each for each in batch.positions if each[0] not in stopped or each[1] < stopped[each[0]].offset]
        await self._record(kept)
        metrics.RECORDS.labels(self.name, "ignored").inc(max(0, len(kept) - len(batch.arrivals)))
        offsets: dict[TopicPartition, int] = {}
        for raw in raws:
            partition = TopicPartition(raw.topic, raw.partition)
            if partition not in stopped or raw.offset < stopped[partition].offset:
                offsets[partition] = max(offsets.get(partition, 0), raw.offset + 1)
        return Handled(offsets, list(stopped.values()))

    async def _park(self, batch: Batch) -> dict[TopicPartition, Stopped]:
        """Keep the failures. With too many parked subjects the partitions stop instead, at their first failure."""
        if not batch.failures:
            return {}
        new = {subject_of(raw) for raw, _ in batch.failures} - await self.parking.blocked(
            [raw for raw, _ in batch.failures]
        )
        if new and await self.parking.subjects() + len(new) > MAX_SUBJECTS:
            stopped: dict[TopicPartition, Stopped] = {}
            for raw, reason in batch.failures:
                partition = TopicPartition(raw.topic, raw.partition)
                at = Stopped(partition, raw.offset, f"more than {MAX_SUBJECTS} parked subjects; the last: {reason}")
                if partition not in stopped or raw.offset < stopped[partition].offset:
                    stopped[partition] = at
            return stopped
        await self.parking.park(batch.failures)
        for raw, reason in batch.failures:
            log.error("event_parked", consumer=self.name, subject=subject_of(raw), offset=raw.offset, reason=reason)
        metrics.PARKED.labels(self.name).set(await self.parking.count())
        return {}

    async def release(self, partitions: Iterable[TopicPartition]) -> int:
        """Replay or discard what an operator has marked, per subject the oldest first. Returns how many left."""
        left = 0
        for queue in await self.parking.marked(partitions):
            for parked in queue:
                # What came behind after the operator had asked goes with those before it: nobody would ask again.
                unasked = parked.state is State.WAITING and (parked is queue[0] or parked.error != BEHIND)
                if unasked or not await self._leaves(parked):
                    break
                await self.parking.release(parked)
                left += 1
        if left:
            metrics.PARKED.labels(self.name).set(await self.parking.count())
        return left

    async def _leaves(self, parked: Parked) -> bool:
        batch = read_batch([parked.raw], self._reads)
        if parked.state is not State.DISCARD:
            try:
                await self._apply(batch.arrivals)
            except Unhandled as failed:
                batch = batch.without(failed.arrival, failed.reason)
            if batch.failures:
                await self.parking.park(batch.failures)
                return False
        await self._record(batch.positions)
        return True

    async def _record(self, positions: Sequence[tuple[TopicPartition, int, str, int]]) -> None:
        handled: dict[tuple[str, int], list[int]] = {}
        for partition, _, source, position in positions:
            handled.setdefault((source, partition.partition), []).append(position)
        await self.progress.record(handled)
