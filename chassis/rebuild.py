"""Rebuilding a projection beside the one that is served.

Invariant: what is served stays as it is until the new generation has come to the heads noted, with nothing parked; a
rebuild that was killed goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from aiokafka import TopicPartition
from faststream.kafka import KafkaBroker

from chassis import consumer, kafka
from chassis.consumer import BatchConsumer, Handled, Raw
from chassis.generations import Generation, Generations
from chassis.heads import topic_heads
from chassis.mongo import Database
from chassis.projection import Projection
from chassis.projector import Projector
from chassis.reading import Reader
from chassis.serving import behind, group_of
from chassis.settings import Settings
from contracts import envelope
from contracts.envelope import Undecodable

LOOK_SECONDS = 0.2


class Incomplete(Exception):
    """It cannot take the place of what is served: something is parked. `parked` says how many events."""

    def __init__(self, generation: Generation, parked: int) -> None:
        super().__init__(f"{parked} events are parked in generation {generation.number}")
        self.generation, self.parked = generation, parked


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


class Until:
    """Hands on only what belongs to a generation that ends at given positions."""

    def __init__(self, reader: Reader, until: Mapping[str, int]) -> None:
        self._reader, self._until = reader, until

    async def handle(self, raws: Sequence[Raw]) -> Handled:
        """One batch, without what came later."""
        return await self._reader.handle([raw for raw in raws if self._belongs(raw)])

    async def release(self, partitions: Iterable[TopicPartition]) -> int:
        """As the reader does."""
        return await self._reader.release(partitions)

    def _belongs(self, raw: Raw) -> bool:
        try:
            source = envelope.header(raw.headers, envelope.SOURCE)
            return source is None or envelope.position(raw.headers) <= self._until.get(source, 0)
        except Undecodable:
            return True


class Rebuild:
    """One rebuild of one projection of a service."""

    def __init__(self, projection: Projection, database: Database, settings: Settings, service: str) -> None:
        self.projection = projection
        self.generations = Generations(database, projection.name, projection.version)
        self._database, self._settings, self._service = database, settings, service

    async def plan(
        self, *, as_of: datetime | None = None, until: Mapping[str, int] | None = None
    ) -> tuple[Generation | None, dict[str, int]]:
        """What would be done: the unfinished generation to go on with, if any, and the heads to come to."""
        heads = await topic_heads(self._settings, self.projection.topics)
        if until is not None:
            return None, {source: min(position, heads.get(source, 0)) for source, position in until.items()}
        serving = await self.generations.first()
        newest = [each for each in await self.generations.all() if each.live and each.number > serving.number]
        mine = [each for each in newest if each.fold_version == self.projection.version and as_of is None]
        return (mine[-1] if mine else None), heads

    async def run(
        self,
        tell: Callable[[Headway], None],
        *,
        as_of: datetime | None = None,
        until: Mapping[str, int] | None = None,
        force: bool = False,
    ) -> Generation:
        """Build a generation and, unless it ends at given positions, serve it. Raises Incomplete, DependencyDown."""
        await self.generations.first()
        if until is None:
            generation = await self.generations.to_build()
        else:
            generation = await self.generations.create(as_of=as_of, until=until)
        projector = Projector(self.projection, self._database, generation.name)
        await projector.prepare()
        await self._fold(projector, generation, tell)
        parked = await projector.reader.parking.count()
        if parked and not force:
            raise Incomplete(generation, parked)
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

    async def _fold(self, projector: Projector, generation: Generation, tell: Callable[[Headway], None]) -> None:
        settings = self._settings
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def fail(error: BaseException) -> None:
            if not failed.done():
                failed.set_exception(error)
            consumer.end_process(error)

        broker = KafkaBroker(
            settings.kafka_bootstrap_servers, security=kafka.security(settings), apply_types=False, logger=None
        )
        topics = [settings.topic(topic) for topic in self.projection.topics]
        reading = projector.reader if generation.until is None else Until(projector.reader, generation.until)
        name = f"rebuild.{generation.name}"
        member = BatchConsumer(broker, name, topics, group_of(settings, self._service, generation), reading, fail)
        # Before anything is read: what is folded meanwhile is this process's work.
        begun, first = monotonic(), await self._folded(projector)
        await broker.start()
        try:
            while True:
                heads = dict(generation.until or await topic_heads(settings, self.projection.topics))
                missing = await behind(projector, heads)
                folded = sum(heads.values()) - sum(missing.values())
                tell(Headway(generation.number, folded - first, sum(heads.values()) - first, monotonic() - begun))
                parked = await projector.reader.parking.count()
                if not missing or (parked and sum(missing.values()) <= parked):
                    return
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await member.stop()
            await consumer.stop_client(name, broker.stop())

    async def _folded(self, projector: Projector) -> int:
        heads = await topic_heads(self._settings, self.projection.topics)
        return sum(heads.values()) - sum((await behind(projector, heads)).values())

    async def roll_back(self) -> tuple[Generation, Generation] | None:
        """Serve the previous generation again; None where there is none. What came since it folds when it is served."""
        serving, previous = await self.generations.serving(), await self.generations.previous()
        if serving is None or previous is None or not await self.generations.flip(previous, over=serving):
            return None
        return serving, previous
