"""Reactions: what a service does about what it hears.

Invariant: an event leads to a reaction once, however often it comes; a rebuild reacts to nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from chassis import kafka, metrics, telemetry
from chassis.clock import Clock
from chassis.commands import Commands
from chassis.decisions import Answer, CommandContext, Decision, Loaded
from chassis.errors import DependencyDown, TooLarge, Unserialisable
from chassis.ids import new_id
from chassis.keyring import KeyDestroyed, KeyUnknown
from chassis.mongo import Database, DuplicateKeyError
from chassis.parking import Parking
from chassis.progress import Progress
from chassis.projection import Record
from chassis.reading import Arrival, Reader, Unhandled, about
from chassis.settings import Settings
from contracts.event import Event
from contracts.refused import Refused

FAULTS = (AttributeError, LookupError, TypeError, ValueError, KeyDestroyed, KeyUnknown, TooLarge, Unserialisable)
"""What trying again does not mend: the event is parked. A process that ended would meet it again at once."""
POLL_SECONDS = 0.1

log = structlog.get_logger()


class OffsetsLost(DependencyDown):
    """The broker has forgotten how far a reaction group came: only an operator can say."""


@dataclass(frozen=True)
class Occasion:
    """Time and ids for a pure reaction."""

    now: datetime
    new_id: Callable[[], str]


@dataclass(frozen=True)
class Reaction:
    """`subjects` is asked again with what is loaded until it names nothing new; `react` is pure; no events: nothing."""

    name: str
    topics: tuple[str, ...]
    on: tuple[type[Event], ...]
    subjects: Callable[[Record, Mapping[str, Loaded]], Iterable[str]]
    react: Callable[[Record, Mapping[str, Loaded], Occasion], Sequence[Event]]


@dataclass(frozen=True)
class CallOut:
    """What an event calls for outside the logs: `call` is repeated until it returns, so doing it again changes nothing.

    It writes no event. What it raises is as with a reaction: a fault parks the event, all else is tried again.
    """

    name: str
    topics: tuple[str, ...]
    on: tuple[type[Event], ...]
    call: Callable[[Record], Awaitable[None]]


class _Nothing(Exception):
    """The reaction decided that there is nothing to do."""


class Reactor:
    """Runs the reactions of one log in one consumer group."""

    def __init__(
        self, reactions: Sequence[Reaction | CallOut], commands: Commands, clock: Clock, database: Database
    ) -> None:
        self.topics = tuple(dict.fromkeys(topic for each in reactions for topic in each.topics))
        self._reactions = reactions
        reads = tuple({event for each in reactions for event in each.on})
        name = f"reactions_{commands.source.rpartition('/')[2]}"
        self.reader = Reader(name, reads, self.apply, Progress(database, name), Parking(database, name))
        self._commands = commands
        self._clock = clock
        self._done = database["reactions"]

    async def prepare(self, settings: Settings, group: str) -> None:
        """Give the group its first offsets, once. Raises OffsetsLost where it had them and has them no more.

        Else it would begin anew, and react today to what happened years ago.
        """
        await self.reader.parking.prepare()
        consumer = AIOKafkaConsumer(**kafka.client_options(settings), group_id=group, enable_auto_commit=False)
        try:
            await consumer.start()
            async with asyncio.timeout(settings.engine_timeout_seconds):
                for topic in self.topics:
                    while not await self._begun(consumer, group, settings.topic(topic), settings.partitions):  # noqa: ASYNC110
                        await asyncio.sleep(POLL_SECONDS)
        except (KafkaError, TimeoutError) as error:
            raise kafka.away(settings) from error
        finally:
            await kafka.leave("offsets", consumer)

    async def _begun(self, consumer: AIOKafkaConsumer, group: str, topic: str, partition_count: int) -> bool:
        """Whether every partition has an offset to go on from; False: another process is about to give them theirs."""
        mark = f"offsets of {group} on {topic}"
        begun = await self._done.find_one({"_id": mark}) is not None
        partitions = [TopicPartition(topic, number) for number in range(partition_count)]
        consumer.assign(partitions)
        missing = [each for each in partitions if await consumer.committed(each) is None]
        if begun and missing:
            raise OffsetsLost(
                f"Group {group} has lost its offsets on {topic}: say since when it is to react, with "
                "`dugnad rewind SERVICE --since T`; what it has done already is not done again"
            )
        if missing:
            try:
                await consumer.commit(await consumer.beginning_offsets(missing))
            except KafkaError:
                # A member of the group is at work already: whoever started it has set, or is setting, the mark.
                return False
        if not begun:
            with contextlib.suppress(DuplicateKeyError):
                await self._done.insert_one({"_id": mark, "outcome": "begun"})
        return True

    async def apply(self, arrivals: Sequence[Arrival]) -> None:
        """React, event by event. Raises Unhandled for one that a reaction failed on; else what is transient."""
        for arrival in arrivals:
            for reaction in self._reactions:
                if isinstance(arrival.record.event, reaction.on):
                    reason = await self._react(reaction, arrival.record)
                    if reason is not None:
                        raise Unhandled(arrival, reason)

    async def _react(self, reaction: Reaction | CallOut, record: Record) -> str | None:
        """Returns why it cannot be done, None where it is done (also: nothing to do, refused)."""
        name = f"{record.id}/{reaction.name}"
        if await self._done.find_one({"_id": name}) is not None:
            return None
        try:
            with telemetry.span(
                f"react {reaction.name}",
                parent=record.traceparent,
                attributes=about(record),
                kind=telemetry.SpanKind.CONSUMER,
            ) as active:
                outcome = await self._outcome(reaction, record, name)
                active.note({"dugnad.outcome": outcome})
        except FAULTS as error:
            log.exception("reaction_failed", reaction=reaction.name, event_id=record.id)
            return f"{type(error).__name__} in reaction {reaction.name} to {record.id}"
        metrics.REACTIONS.labels(reaction.name, outcome).inc()
        log.info("reacted", reaction=reaction.name, event_id=record.id, outcome=outcome, correlation=record.correlation)
        try:
            await self._done.insert_one({"_id": name, "outcome": outcome})
        except DuplicateKeyError:
            log.info("reacted_twice", reaction=reaction.name, event_id=record.id)
        return None

    async def _outcome(self, reaction: Reaction | CallOut, record: Record, name: str) -> str:
        if isinstance(reaction, Reaction):
            return await self._command(reaction, record, name)
        await reaction.call(record)
        return "done"

    async def _command(self, reaction: Reaction, record: Record, name: str) -> str:
        context = CommandContext(
            claim=f"command:{name}",
            body=b"",
            actor=f"reaction:{reaction.name}",
            correlation=record.correlation or record.id,
            causation=record.id,
            traceparent=telemetry.current(),
        )

        def decide(loaded: Mapping[str, Loaded]) -> Decision:
            events = reaction.react(record, loaded, Occasion(self._clock.now(), new_id))
            if not events:
                raise _Nothing
            return Decision(events, Answer({}, "", next(iter(loaded))))

        try:
            await self._commands.run(context, lambda loaded: reaction.subjects(record, loaded), decide)
        except _Nothing:
            return "nothing"
        except Refused as refusal:
            log.info("reaction_refused", reaction=reaction.name, event_id=record.id, code=refusal.code)
            return "refused"
        return "appended"
