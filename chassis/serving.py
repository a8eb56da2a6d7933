"""One projection in a running service: which generation it folds, and which one its queries see.

Invariant: queries see one complete generation of this fold version; a new one takes its place only when it has come to
the heads of its topics with nothing parked, and these have all that the old one has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog
from faststream.kafka import KafkaBroker

from chassis.consumer import BatchConsumer
from chassis.generations import Generation, Generations, group_of
from chassis.heads import topic_heads
from chassis.mongo import Database
from chassis.progress import Progress
from chassis.projection import Projection
from chassis.projector import Projector, View
from chassis.settings import Settings
from chassis.shortfall import handled, short

log = structlog.get_logger()


async def behind(projector: Projector, heads: Mapping[str, int]) -> dict[str, int]:
    """How many positions are missing per source up to these heads; empty when it has come to them."""
    found = {source: await projector.progress.missing(source, head) for source, head in heads.items()}
    return {source: missing for source, missing in found.items() if missing > 0}


class Serving:
    """Folds and shows one projection of a service."""

    def __init__(
        self,
        projection: Projection,
        database: Database,
        settings: Settings,
        service: str,
        fatal: Callable[[BaseException], None],
    ) -> None:
        self.projection = projection
        self.generations = Generations(database, projection.name, projection.version)
        self.view = View(projection, database)
        self._database, self._settings, self._service, self._fatal = database, settings, service, fatal
        self._consumer: BatchConsumer | None = None
        self._projector: Projector | None = None
        self._generation: Generation | None = None
        self.lacking: list[str] = []
        """Sources whose topics have less than what is served: nothing takes its place meanwhile."""
        self.shown = False
        """Whether queries see a generation of this version of the fold."""

    @property
    def members(self) -> list[BatchConsumer]:
        """The member that folds, once it has been made."""
        return [] if self._consumer is None else [self._consumer]

    @property
    def projector(self) -> Projector:
        """What folds. Only after `prepare`."""
        assert self._projector is not None
        return self._projector

    @property
    def generation(self) -> Generation:
        """What is folded here. Only after `prepare`."""
        assert self._generation is not None
        return self._generation

    async def prepare(self) -> None:
        """Choose the generation: the one that is served, or a new one where the fold has another version."""
        serving = await self.generations.first()
        if serving.fold_version == self.projection.version:
            await self._fold(serving)
            self._show()
        else:
            await self._fold(await self.generations.to_build())

    def join(self, broker: KafkaBroker) -> BatchConsumer:
        """Make the member of the generation's group; the broker starts it."""
        self._consumer = BatchConsumer(
            broker,
            f"{self._service}.{self.projection.name}",
            [self._settings.topic(topic) for topic in self.projection.topics],
            group_of(self._settings, self._service, self.generation),
            self.projector.reader,
            self._fatal,
        )
        return self._consumer

    async def look(self, broker: KafkaBroker) -> bool:
        """Follow the pointer, or move it when what is built here is complete. True: another member folds now."""
        serving = await self.generations.serving()
        assert serving is not None, "a pointer is never removed"
        if serving.number != self.generation.number and serving.fold_version == self.projection.version:
            await self._switch(serving, broker)
            return True
        if not self.shown and serving.number != self.generation.number and await self._is_complete(serving):
            await self.generations.complete(self.generation)
            await self.generations.flip(self.generation, over=serving)
            log.info("generation_served", projection=self.projection.name, generation=self.generation.number)
            self._show()
        return False

    async def _is_complete(self, serving: Generation) -> bool:
        # First, and compared with the topics: where they lost records, their heads are come to at once.
        done = await handled(Progress(self._database, serving.name))
        heads = await topic_heads(self._settings, self.projection.topics)
        lacking = sorted(short(done, heads))
        if lacking != self.lacking:
            log.warning("topics_lack_what_is_served", projection=self.projection.name, sources=lacking)
        self.lacking = lacking
        return (
            not lacking and not await behind(self.projector, heads) and await self.projector.reader.parking.count() == 0
        )

    async def _switch(self, new: Generation, broker: KafkaBroker) -> None:
        log.info("generation_followed", projection=self.projection.name, generation=new.number)
        for member in self.members:
            await member.stop()
        await self._fold(new)
        self._show()
        await self.join(broker).start()

    async def _fold(self, generation: Generation) -> None:
        self._generation = generation
        self._projector = Projector(self.projection, self._database, generation.name)
        await self._projector.prepare()

    def _show(self) -> None:
        self.view.show(self.generation.name, self.projector.progress)
        self.shown = True
