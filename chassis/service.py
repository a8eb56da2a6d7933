"""One service's process: its logs, relays, projections and reactions, started and stopped together.

Invariant: `ready` is said only when the engines answer and the indexes are there; `live` only while every consumer and
relay gets on.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from chassis import consumer, kafka, mongo, operations
from chassis.clock import Clock
from chassis.commands import Commands, Facts
from chassis.consumer import BatchConsumer, security
from chassis.errors import ClockWentBack, DependencyDown, ended_with
from chassis.eventlog import EventLog
from chassis.keyring import Keyring
from chassis.measures import measure_holes, measure_log, measure_parking, measure_rebuild
from chassis.mongo import Database, PyMongoError
from chassis.operations import Reacting
from chassis.projection import Projection
from chassis.projector import View
from chassis.reactor import CallOut, Reaction, Reactor
from chassis.reading import Reader
from chassis.relay import Relay
from chassis.serving import Serving
from chassis.settings import Settings
from chassis.timers import Timed, Timers
from chassis.topics import ensure_topics
from contracts.event import Event

STUCK_SECONDS = 180.0
"""A batch that takes longer than this is no longer a slow one."""
REJOIN_SECONDS = 40.0
"""Longer than a group takes to settle after a member was killed in it."""
PING_SECONDS = 2.0
WATCH_SECONDS = 10.0
FOLLOW_SECONDS = 0.5
METADATA_SECONDS = 15.0
SETTLE_SECONDS = 15.0
"""How long the setting of the business clock waits for the timers that it makes due."""
GC_THRESHOLD = 50_000

log = structlog.get_logger()


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
        self._projections: list[Serving] = []
        self._overview = operations.Overview(settings)
        self._reactions: list[tuple[EventLog, Reaction | CallOut]] = []
        self._commands: dict[str, Commands] = {}
        self._facts: dict[str, Facts | None] = {}
        self._timers: list[Timers] = []
        self._reacting: list[Reacting] = []
        self._broker: KafkaBroker | None = None
        self._started = False
        self._watching: list[asyncio.Task[None]] = []
        self._prepares: list[Callable[[], Awaitable[None]]] = []
        self._beside: list[Callable[[], Awaitable[None]]] = []
        self.also_faulty: list[Callable[[], Sequence[str]]] = []
        """What else an operator is told of. It keeps the process from no other work, so this one stays ready."""

    def database(self, name: str) -> Database:
        """A database of this service, by the name after the prefix, as the user that it is kept under."""
        uri = self.settings.uri(name)
        if uri not in self._clients:
            self._clients[uri] = mongo.connect(self.settings, uri)
        return mongo.database(self._clients[uri], self.settings.database(name))

    def log(
        self,
        source: str,
        topic: str,
        events: Sequence[type[Event]],
        keyring: Keyring | None = None,
        facts: Facts | None = None,
    ) -> EventLog:
        """The log of a source, in the database that its source names, with its relay.

        `facts`: what every decision on it knows beside the log, also one of a reaction.
        """
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
        self._facts[eventlog.origin] = facts
        self._relays.append(Relay(eventlog, self.settings))
        return eventlog

    def commands(self, eventlog: EventLog) -> Commands:
        """The command runner of a log: one per process, since it holds the locks of the subjects."""
        if eventlog.origin not in self._commands:
            self._commands[eventlog.origin] = Commands(eventlog, self._facts.get(eventlog.origin))
        return self._commands[eventlog.origin]

    def add_projection(self, projection: Projection) -> View:
        """Fold a projection in this process, into this service's own database."""
        serving = Serving(projection, self.database(self.name), self.settings, self.name, self._fatal)
        self._projections.append(serving)
        return serving.view

    def add_reaction(self, eventlog: EventLog, reaction: Reaction | CallOut) -> None:
        """React to events with commands on `eventlog`, or by calling out. A service's reactions share one group."""
        self._reactions.append((eventlog, reaction))

    def prepare_with(self, step: Callable[[], Awaitable[None]]) -> None:
        """Before anything is served also do this: make the indexes of a collection of the service's own."""
        self._prepares.append(step)

    def run_beside(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run this as long as the service runs; it is cancelled at the end, and its death ends the process."""
        self._beside.append(task)

    def add_timers(self, eventlog: EventLog, *timed: Timed) -> None:
        """Let events of a log call for commands on it, when the business clock has come to a time."""
        commands = self.commands(eventlog)
        self._timers.append(Timers(timed, eventlog, commands, self.clock, self.database(self.name)))

    def view(self, name: str) -> View:
        """Queries on a projection of this service."""
        return next(each.view for each in self._projections if each.projection.name == name)

    async def overview(self) -> dict[str, Any]:
        """Where projections and reactions stand, and why relays and timers do not work. Raises DependencyDown."""
        return {
            "projections": await self._overview.of(self._projections),
            "reactions": await operations.of_reactions(self._reacting),
            "faults": [*self._faults_of_work(), *(fault for each in self.also_faulty for fault in each())],
        }

    async def log_heads(self, at: datetime | None) -> list[dict[str, Any]]:
        """Per log its last position, or the last one recorded by an instant. Raises TooYoung."""
        return await operations.log_heads(self._logs, self.clock, at)

    async def turn_clock(self, at: datetime | None) -> None:
        """Set the business clock of this process, None: follow the machine clock. For development.

        Raises ClockWentBack for an instant before the last page of a ledger of this service, or before an earlier one.
        """
        if at is None:
            self.clock.follow_machine()
        else:
            await self._set_clock(at)
        for timers in self._timers:
            # What is done next meets what the time has brought, the same at each play.
            await timers.settle(SETTLE_SECONDS)

    async def _set_clock(self, at: datetime) -> None:
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
        topics.update(topic for each in self._projections for topic in each.projection.topics)
        topics.update(topic for _, reaction in self._reactions for topic in reaction.topics)
        await ensure_topics(self.settings, sorted(topics))
        try:
            for eventlog in self._logs:
                await eventlog.prepare()
            for serving in self._projections:
                await serving.prepare()
            for step in self._prepares:
                await step()
            for timers in self._timers:
                await timers.prepare()
        except PyMongoError as error:
            raise DependencyDown(f"MongoDB refuses the indexes of {self.name}: {error}") from error
        for eventlog, relay in zip(self._logs, self._relays, strict=True):
            eventlog.start()
            relay.start(self._fatal)
        for timers in self._timers:
            timers.start(self._fatal)
        await self._start_consumers()
        # What is alive now stays: scanning it again and again costs a consumer up to a fifth of its time.
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        for watching in (self._watch, self._follow, *self._beside):
            task = asyncio.create_task(_run(watching))
            task.add_done_callback(self._watch_ended)
            self._watching.append(task)
        self._started = True
        log.info("service_started", service=self.name, logs=[each.source for each in self._logs])

    async def _start_consumers(self) -> None:
        settings = self.settings
        self._broker = broker = KafkaBroker(
            settings.kafka_bootstrap_servers,
            security=security(settings),
            # A topic made anew (`republish`) is only noticed so: by default its readers would rest for five minutes.
            metadata_max_age_ms=int(METADATA_SECONDS * 1000),
            apply_types=False,
            # They are there, with their partitions and for ever (`chassis.topics`); one made by the way would not be.
            allow_auto_create_topics=False,
            # It goes on after an error of the client, again and again; without this nobody hears of any.
            logger=logging.getLogger("faststream"),
        )
        for serving in self._projections:
            serving.join(broker)
        for eventlog in {id(each): each for each, _ in self._reactions}.values():
            reactions = [reaction for each, reaction in self._reactions if each is eventlog]
            reactor = Reactor(reactions, self.commands(eventlog), self.clock, self.database(self.name))
            name = f"reactions-{eventlog.origin.rpartition('/')[2]}"
            await reactor.prepare(settings, settings.group(self.name, name))
            self._consume(broker, name, reactor.topics, reactor.reader)
        try:
            await broker.start()
        except (KafkaError, OSError) as error:
            raise kafka.away(settings) from error
        for each in self._consumers:
            each.start_releasing()

    @property
    def _consumers(self) -> list[BatchConsumer]:
        folding = (member for serving in self._projections for member in serving.members)
        return [*folding, *(each.member for each in self._reacting)]

    def _consume(self, broker: KafkaBroker, name: str, topics: Sequence[str], reader: Reader) -> None:
        names = [self.settings.topic(topic) for topic in topics]
        group = self.settings.group(self.name, name)
        member = BatchConsumer(broker, f"{self.name}.{name}", names, group, reader, self._fatal)
        self._reacting.append(Reacting(member, reader))

    async def stop(self) -> None:
        """Finish what is begun, in the order that loses least work: readers, writers, relays."""
        self._started = False
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*(each.stop() for each in self._consumers))
        if self._broker is not None:
            await kafka.stop_client(self.name, self._broker.stop())
        for timers in self._timers:
            await timers.stop()
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
            try:
                await self.measure()
            except PyMongoError as error:
                log.warning("watch_waits", service=self.name, error=type(error).__name__)

    async def _follow(self) -> None:
        """Follow the pointers: another process may have rebuilt what is served here."""
        assert self._broker is not None
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            for serving in self._projections:
                try:
                    await serving.look(self._broker)
                except (PyMongoError, DependencyDown) as error:
                    log.warning("follow_waits", service=self.name, error=type(error).__name__)

    async def measure(self) -> None:
        """Set the gauges that only looking tells: lag, age of what waits, rebuilds, parked events, holes.

        Raises PyMongoError.
        """
        await self._look_at_consumers()
        for eventlog in self._logs:
            await measure_log(eventlog)
        for serving in self._projections:
            await measure_rebuild(serving.generations)
        reacting = (each.reader for each in self._reacting)
        for reader in (*(each.projector.reader for each in self._projections), *reacting):
            await measure_parking(reader.name, reader.parking)
        for serving in self._projections:
            await measure_holes(serving.projection.name, serving.projector.progress)

    async def _look_at_consumers(self) -> None:
        partitions = {partition for each in self._consumers for partition in each.assignment()}
        ends = await kafka.ends(self.settings, partitions, PING_SECONDS)
        members = self._consumers
        for each in members:
            await each.look(ends)
        if ends is not None:
            # Seen after the broker had been away: no error, no records. A new process would be the next cure.
            await asyncio.gather(*(each.rejoin() for each in members if each.stands_still(REJOIN_SECONDS)))

    def _watch_ended(self, task: asyncio.Task[None]) -> None:
        if (error := ended_with(task, f"a task of {self.name}")) is not None:
            self._fatal(error)

    async def faults_ready(self) -> list[str]:
        """What keeps this process from doing its work: engines, relays, stopped partitions."""
        faults = [] if self._started else [f"{self.name} is starting or stopping"]
        try:
            pings = (client.admin.command("ping") for client in self._clients.values())
            await asyncio.wait_for(asyncio.gather(*pings), PING_SECONDS)
        except (PyMongoError, TimeoutError):
            faults.append("MongoDB does not answer")
        faults.extend(self._faults_of_work())
        faults.extend(fault for each in self._consumers for fault in each.faults())
        faults.extend(f"{each.projection.name} is being rebuilt" for each in self._projections if not each.shown)
        faults.extend(f"{each.name} has no partitions yet" for each in self._consumers if not each.joined)
        return faults

    def _faults_of_work(self) -> list[str]:
        relays = [relay.fault for relay in self._relays if relay.fault is not None]
        return relays + [fault for each in self._timers for fault in each.faults]


async def _run(task: Callable[[], Awaitable[None]]) -> None:
    await task()
