"""One service's process: its logs, relays, projections and reactions, started and stopped together.

Invariant: `ready` is said only when the engines answer and the indexes are there; `live` only while every consumer and
relay gets on.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from time import monotonic

import structlog
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from chassis import consumer, kafka, metrics, mongo
from chassis.clock import Clock
from chassis.commands import Commands
from chassis.consumer import BatchConsumer, Handled, Raw
from chassis.errors import ClockWentBack, DependencyDown
from chassis.eventlog import EventLog
from chassis.keyring import Keyring
from chassis.mongo import Database, PyMongoError
from chassis.projection import Projection
from chassis.projector import Projector, View
from chassis.reactor import Reaction, Reactor
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.topics import ensure_topics
from contracts.event import Event

STUCK_SECONDS = 180.0
"""A batch that takes longer than this is no longer a slow one."""
PING_SECONDS = 2.0
WATCH_SECONDS = 10.0
HOLE_SECONDS = 60.0
"""A position that others have overtaken for so long does not come late: it is missing."""
METADATA_SECONDS = 15.0
GC_THRESHOLD = 50_000

log = structlog.get_logger()

Handler = Callable[[Sequence[Raw]], Awaitable[Handled]]


class Service:
    """What `app.py` puts together. Nothing connects before `start`."""

    def __init__(
        self, name: str, settings: Settings, *, fatal: Callable[[BaseException], None] = consumer.end_process
    ) -> None:
        self.name = name
        self.settings = settings
        self.clock = Clock()
        self._fatal = fatal
        self._clients = {settings.mongodb_uri: mongo.connect(settings)}
        self._logs: list[EventLog] = []
        self._relays: list[Relay] = []
        self._projectors: list[Projector] = []
        self._reactions: list[tuple[EventLog, Reaction]] = []
        self._views: dict[str, View] = {}
        self._commands: dict[str, Commands] = {}
        self._consumers: list[BatchConsumer] = []
        self._broker: KafkaBroker | None = None
        self._started = False
        self._watching: asyncio.Task[None] | None = None

    def database(self, name: str) -> Database:
        """A database of this service, by the name after the prefix, as the user that it is kept under."""
        uri = self.settings.uri(name)
        if uri not in self._clients:
            self._clients[uri] = mongo.connect(self.settings, uri)
        return mongo.database(self._clients[uri], self.settings.database(name))

    def log(self, source: str, topic: str, events: Sequence[type[Event]], keyring: Keyring | None = None) -> EventLog:
        """The log of a source, in the database that its source names, with its relay."""
        eventlog = EventLog(
            self.database(source.rpartition("/")[2]),
            source,
            topic,
            events,
            self.clock,
            keyring,
            self._fatal,
            self.settings.engine_timeout_seconds,
        )
        self._logs.append(eventlog)
        self._relays.append(Relay(eventlog, self.settings))
        return eventlog

    def commands(self, eventlog: EventLog) -> Commands:
        """The command runner of a log: one per process, since it holds the locks of the subjects."""
        return self._commands.setdefault(eventlog.origin, Commands(eventlog))

    def add_projection(self, projection: Projection) -> View:
        """Fold a projection in this process, into this service's own database."""
        database = self.database(self.name)
        projector = Projector(projection, database)
        self._projectors.append(projector)
        view = self._views[projection.name] = View(projection, database, projector.progress)
        return view

    def add_reaction(self, eventlog: EventLog, reaction: Reaction) -> None:
        """React to events with commands on `eventlog`. All reactions of a service share one consumer group."""
        self._reactions.append((eventlog, reaction))

    def view(self, name: str) -> View:
        """Queries on a projection of this service."""
        return self._views[name]

    async def turn_clock(self, at: datetime | None) -> None:
        """Set the business clock of this process, None: follow the machine clock. For development.

        Raises ClockWentBack for an instant before the last page of a ledger of this service, or before an earlier one.
        """
        if at is None:
            self.clock.follow_machine()
            return
        for eventlog in self._logs:
            latest = await eventlog.ledger.latest()
            if latest is not None and at < latest:
                raise ClockWentBack(f"{at.isoformat()} is before the last entry of {eventlog.source}")
        self.clock.set(at)

    async def start(self) -> None:
        """Connect, create topics and indexes, start relays and consumers. Raises DependencyDown."""
        for client in self._clients.values():
            await mongo.ping(client, self.settings)
        topics = {each.topic for each in self._logs}
        topics.update(topic for each in self._projectors for topic in each.projection.topics)
        topics.update(topic for _, reaction in self._reactions for topic in reaction.topics)
        await ensure_topics(self.settings, sorted(topics))
        try:
            for eventlog in self._logs:
                await eventlog.prepare()
            for projector in self._projectors:
                await projector.prepare()
        except PyMongoError as error:
            raise DependencyDown(f"MongoDB refuses the indexes of {self.name}: {error}") from error
        for eventlog, relay in zip(self._logs, self._relays, strict=True):
            eventlog.start()
            relay.start(self._fatal)
        await self._start_consumers()
        # What is alive now stays: scanning it again and again costs a consumer up to a fifth of its time.
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        self._watching = asyncio.create_task(self._watch(), name=f"watch {self.name}")
        self._watching.add_done_callback(self._watch_ended)
        self._started = True
        log.info("service_started", service=self.name, logs=[each.source for each in self._logs])

    async def _start_consumers(self) -> None:
        settings = self.settings
        self._broker = broker = KafkaBroker(
            settings.kafka_bootstrap_servers,
            security=kafka.security(settings),
            # A topic made anew (`republish`) is only noticed so: by default its readers would rest for five minutes.
            metadata_max_age_ms=int(METADATA_SECONDS * 1000),
            apply_types=False,
            logger=None,
        )
        for projector in self._projectors:
            projection = projector.projection
            self._consume(broker, projection.name, projection.topics, projector.handle)
        for eventlog in {id(each): each for each, _ in self._reactions}.values():
            reactions = [reaction for each, reaction in self._reactions if each is eventlog]
            reactor = Reactor(reactions, self.commands(eventlog), self.clock, self.database(self.name))
            name = f"reactions-{eventlog.origin.rpartition('/')[2]}"
            await reactor.prepare(settings, settings.group(self.name, name))
            self._consume(broker, name, reactor.topics, reactor.handle)
        try:
            await broker.start()
        except (KafkaError, OSError) as error:
            where = settings.kafka_bootstrap_servers
            message = f"Kafka at {where} does not answer: start it, or set KAFKA_BOOTSTRAP_SERVERS"
            raise DependencyDown(message) from error

    def _consume(self, broker: KafkaBroker, name: str, topics: Sequence[str], handle: Handler) -> None:
        names = [self.settings.topic(topic) for topic in topics]
        group = self.settings.group(self.name, name)
        self._consumers.append(BatchConsumer(broker, f"{self.name}.{name}", names, group, handle, self._fatal))

    async def stop(self) -> None:
        """Finish what is begun, in the order that loses least work: readers, writers, relays."""
        self._started = False
        if self._watching is not None:
            self._watching.cancel()
        for each in self._consumers:
            await each.stop()
        if self._broker is not None:
            await self._broker.stop()
        for eventlog in self._logs:
            await eventlog.stop()
        for relay in self._relays:
            await relay.stop()
        for client in self._clients.values():
            client.close()

    def faults_live(self) -> list[str]:
        """What a restart might mend: a consumer that does not get on with its batch."""
        return [fault for each in self._consumers for fault in each.stuck(STUCK_SECONDS)]

    async def _watch(self) -> None:
        """Look, as long as the service runs, for what stands still without an error."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for each in self._consumers:
                await each.look()
            try:
                await self._look_for_holes()
            except PyMongoError as error:
                log.warning("watch_waits", service=self.name, error=type(error).__name__)

    def _watch_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fatal(error)

    async def _look_for_holes(self) -> None:
        for projector in self._projectors:
            name = projector.projection.name
            old = [hole for hole in await projector.progress.holes() if monotonic() - hole.since > HOLE_SECONDS]
            metrics.PROJECTION_HOLES.labels(name).set(len(old))
            for hole in old:
                log.critical("projection_hole", projection=name, source=hole.source, position=hole.position)

    async def faults_ready(self) -> list[str]:
        """What keeps this process from doing its work: engines, relays, stopped partitions."""
        faults = [] if self._started else [f"{self.name} is starting or stopping"]
        try:
            pings = (client.admin.command("ping") for client in self._clients.values())
            await asyncio.wait_for(asyncio.gather(*pings), PING_SECONDS)
        except (PyMongoError, TimeoutError):
            faults.append("MongoDB does not answer")
        faults.extend(relay.fault for relay in self._relays if relay.fault is not None)
        faults.extend(fault for each in self._consumers for fault in each.faults())
        faults.extend(f"{each.name} has no partitions yet" for each in self._consumers if not each.joined)
        return faults
