"""Rebuilding a projection beside the one that is served.

Invariant: what is served stays as it is until the new generation has come to the heads noted, with nothing parked; a
rebuild that was killed goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from time import monotonic

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from chassis import kafka
from chassis.bulk import Hands, LeftUndone, Work, fold_in_bulk
from chassis.consumer import BatchConsumer, security
from chassis.generations import Generation, Generations, belongs, group_of
from chassis.handled import Handled, Raw
from chassis.heads import topic_heads
from chassis.mongo import Database, PyMongoError
from chassis.progress import Progress
from chassis.projection import Projection
from chassis.projector import Projector
from chassis.reading import Reader
from chassis.serving import behind
from chassis.settings import Settings
from chassis.shortfall import Short, shortfall

log = structlog.get_logger()

LOOK_SECONDS = 0.2
HEADS_SECONDS = 1.0
BULK_FROM = 20_000
"""Missing events from which on whole partitions are folded in memory first. With fewer there is nothing to gain."""
STEADY_SECONDS = 5.0
"""Under a load that never rests there is always one event more: then heads a moment old will do."""


class Incomplete(Exception):
    """It cannot take the place of what is served: something is parked. `parked` says how many events."""

    def __init__(self, generation: Generation, parked: int) -> None:
        super().__init__(f"{parked} events are parked in generation {generation.number}")
        self.generation, self.parked = generation, parked


class Lacking(Exception):
    """It would have less than what is served: its topics lack records. `short` says which."""

    def __init__(self, short: Short) -> None:
        super().__init__(", ".join(short))
        self.short = short


@dataclass(frozen=True)
class Headway:
    """How far a rebuild is."""

    generation: int
    folded: int
    total: int
    seconds: float

    @property
    def rate(self) -> float:
        """Events per second since this process began."""
        return self.folded / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class _Start:
    """Where a rebuild stood when this process began: when that was (monotonic), what was folded and what was not."""

    at: float
    folded: int
    missing: int


class Broken(Exception):
    """Its consumer met something unforeseen, the cause. What had been folded before is kept."""

    def __init__(self, generation: Generation) -> None:
        super().__init__(f"generation {generation.number} could not be folded to its end")
        self.generation = generation


class Gate:
    """Hands on what belongs to the generation, and nothing any more once a batch has failed for good.

    A service ends its process then; here somebody waits for an answer. The library would go on to the next batch.
    """

    def __init__(self, reader: Reader, until: Mapping[str, int] | None) -> None:
        self._reader, self._until = reader, until
        self._failure: BaseException | None = None

    def shut(self, error: BaseException) -> None:
        """A batch has failed for good."""
        self._failure = self._failure or error

    def check(self, generation: Generation) -> None:
        """Raises what the database or the broker failed with, and Broken for all else."""
        if isinstance(self._failure, (PyMongoError, KafkaError)):
            raise self._failure
        if self._failure is not None:
            raise Broken(generation) from self._failure

    async def handle(self, raws: Sequence[Raw]) -> Handled:
        """One batch, without what came after the generation's end."""
        if self._failure is not None:
            await asyncio.Event().wait()
        return await self._reader.handle([raw for raw in raws if belongs(raw.headers, self._until)])

    async def release(self, partitions: Iterable[TopicPartition]) -> int:
        """As the reader does."""
        return 0 if self._failure is not None else await self._reader.release(partitions)


class Rebuild:
    """One rebuild of one projection of a service."""

    def __init__(
        self,
        projection: Projection,
        database: Database,
        settings: Settings,
        service: str,
        *,
        bulk_from: int = BULK_FROM,
    ) -> None:
        self.projection = projection
        self._bulk_from = bulk_from
        self.generations = Generations(database, projection.name, projection.version)
        self._database, self._settings, self._service = database, settings, service

    async def plan(
        self, *, as_of: datetime | None = None, until: Mapping[str, int] | None = None
    ) -> tuple[Generation | None, dict[str, int]]:
        """What would be done: the unfinished generation to go on with, if any, and the positions to come to."""
        await self.generations.first()
        unfinished = await self.generations.unfinished(as_of=as_of, until=until)
        if until is not None:
            return unfinished, dict(until)
        return unfinished, await topic_heads(self._settings, self.projection.topics)

    async def refuse_less(self) -> None:
        """Raises Lacking where the topics have less than what is served; also DependencyDown, PyMongoError."""
        serving = await self.generations.first()
        if found := await shortfall(self.projection, Progress(self._database, serving.name), self._settings):
            raise Lacking(found)

    async def run(
        self,
        tell: Callable[[Headway], None],
        *,
        as_of: datetime | None = None,
        until: Mapping[str, int] | None = None,
        force: bool = False,
        hands: Hands | None = None,
    ) -> Generation:
        """Build a generation and, unless it ends at given positions, serve it. One that was cut off is gone on with.

        `force`: although something is parked, or the topics have less than what is served. `hands` fold the bulk, where
        there is much; without, this process does. Raises Incomplete, Lacking, Broken, DependencyDown, PyMongoError,
        KafkaError; the same call then goes on where it was.
        """
        await self.generations.first()
        if not force:
            await self.refuse_less()
        generation = await self.generations.unfinished(as_of=as_of, until=until)
        if generation is None:
            generation = await self.generations.create(as_of=as_of, until=until)
        projector = Projector(self.projection, self._database, generation.name)
        await projector.prepare()
        heads = await self._heads(generation)
        missing = sum((await behind(projector, heads)).values())
        # Before anything is read: what is folded meanwhile is this process's work.
        start = _Start(monotonic(), sum(heads.values()) - missing, missing)
        if missing >= self._bulk_from:
            await self._in_bulk(generation, start, tell, hands or self.fold_in_bulk)
        await self._fold(projector, generation, start, tell)
        parked = await projector.reader.parking.count()
        if parked and not force:
            raise Incomplete(generation, parked)
        if until is None and not force:
            # Again: somebody may have made a topic anew meanwhile, and is still filling it.
            await self.refuse_less()
        generation = await self.generations.complete(generation)
        if until is None:
            await self._serve(generation)
        return generation

    async def _serve(self, generation: Generation) -> None:
        """Move the pointer forward, whoever moves it meanwhile; never back behind a newer generation."""
        while True:
            serving = await self.generations.serving()
            assert serving is not None, "a pointer is never removed"
            if serving.number >= generation.number or await self.generations.flip(generation, over=serving):
                return

    async def _in_bulk(
        self, generation: Generation, start: _Start, tell: Callable[[Headway], None], hands: Hands
    ) -> None:
        documents = self.generations.database[f"view_{generation.name}"]
        empty = await documents.find_one({}, {"_id": 1}) is None
        work = Work(generation, range(self._settings.partitions), empty, start.missing)
        done = 0

        def told(more: int) -> None:
            nonlocal done
            done += more
            # What came twice is done twice, and is one event.
            shown = min(done, start.missing)
            tell(Headway(generation.number, shown, start.missing, monotonic() - start.at))

        try:
            await hands(work, told)
        except LeftUndone as left:
            log.error("bulk_left_undone", generation=generation.name, reason=str(left))
        except (PyMongoError, KafkaError) as error:
            # Not its text, which may quote data. Where the engine stays away, the consumer says so.
            log.warning("bulk_left_undone", generation=generation.name, reason=type(error).__name__)
        except Exception as error:  # unforeseen: as where the consumer meets it
            raise Broken(generation) from error

    async def fold_in_bulk(self, work: Work, done: Callable[[int], None]) -> None:
        """Fold partitions of a generation in this process. Raises LeftUndone, PyMongoError, KafkaError."""
        await fold_in_bulk(self.projection, self._database, self._settings, self._service, work, done)

    async def _fold(
        self, projector: Projector, generation: Generation, start: _Start, tell: Callable[[Headway], None]
    ) -> None:
        heads, asked = await self._heads(generation), monotonic()
        if await self._has_come_to(heads, projector, generation, start, tell):
            return
        settings = self._settings
        broker = KafkaBroker(
            settings.kafka_bootstrap_servers, security=security(settings), apply_types=False, logger=None
        )
        topics = [settings.topic(topic) for topic in self.projection.topics]
        gate = Gate(projector.reader, generation.until)
        name = f"rebuild.{generation.name}"
        member = BatchConsumer(broker, name, topics, group_of(settings, self._service, generation), gate, gate.shut)
        await broker.start()
        # What an operator has marked in this generation has no other consumer that would take it up.
        member.start_releasing()
        try:
            fresh, caught_up = True, inf
            while True:
                gate.check(generation)
                done = await self._has_come_to(heads, projector, generation, start, tell)
                caught_up = min(caught_up, monotonic()) if done else caught_up
                if done and (fresh or monotonic() - caught_up > STEADY_SECONDS):
                    return
                if not done:
                    await asyncio.sleep(LOOK_SECONDS)
                if fresh := done or monotonic() - asked > HEADS_SECONDS:
                    heads, asked = await self._heads(generation), monotonic()
        finally:
            await member.stop()
            await kafka.stop_client(name, broker.stop())

    async def _has_come_to(
        self,
        heads: Mapping[str, int],
        projector: Projector,
        generation: Generation,
        start: _Start,
        tell: Callable[[Headway], None],
    ) -> bool:
        """Whether everything up to these heads is folded or parked, and nothing parked is to be taken up."""
        missing, total = sum((await behind(projector, heads)).values()), sum(heads.values())
        folded, seconds = total - missing, monotonic() - start.at
        tell(Headway(generation.number, folded - start.folded, total - start.folded, seconds))
        parking = projector.reader.parking
        return missing <= await parking.count() and not await parking.due()

    async def _heads(self, generation: Generation) -> dict[str, int]:
        """The positions to come to. Asked of the broker also where they are given: it may be away."""
        heads = await topic_heads(self._settings, self.projection.topics)
        return heads if generation.until is None else dict(generation.until)

    async def roll_back(self) -> tuple[Generation, Generation] | None:
        """Serve the previous generation again; None where there is none. What came since it folds when it is served."""
        serving, previous = await self.generations.serving(), await self.generations.previous()
        if serving is None or previous is None or not await self.generations.flip(previous, over=serving):
            return None
        return serving, previous
