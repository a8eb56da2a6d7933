"""Reactions: what a service does about what it hears.

Invariant: an event leads to a reaction once, however often it comes; a rebuild reacts to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from aiokafka import TopicPartition

from chassis import metrics
from chassis.clock import Clock
from chassis.commands import Commands
from chassis.consumer import Handled, Raw, Stopped
from chassis.decisions import Answer, CommandContext, Decision, Loaded
from chassis.ids import new_id
from chassis.mongo import Database, DuplicateKeyError
from chassis.progress import Progress
from chassis.projection import Record
from chassis.projector import read_batch
from contracts.event import Event
from contracts.refused import Refused

log = structlog.get_logger()


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


class _Nothing(Exception):
    """The reaction decided that there is nothing to do."""


class Reactor:
    """Runs the reactions of one log in one consumer group."""

    def __init__(self, reactions: Sequence[Reaction], commands: Commands, clock: Clock, database: Database) -> None:
        self.topics = tuple(dict.fromkeys(topic for each in reactions for topic in each.topics))
        self.progress = Progress(database, "reactions")
        self._reactions = reactions
        self._commands = commands
        self._clock = clock
        self._done = database["reactions"]

    async def handle(self, raws: Sequence[Raw]) -> Handled:
        """One batch, event by event. What is transient raises, and the same batch is handled again."""
        reads = tuple({event for each in self._reactions for event in each.on})
        batch = read_batch(raws, reads)
        for arrival in batch.arrivals:
            partition, offset = arrival.partition, arrival.offset
            if partition in batch.stopped and offset >= batch.stopped[partition].offset:
                continue
            for reaction in self._reactions:
                if isinstance(arrival.record.event, reaction.on):
                    reason = await self._react(reaction, arrival.record)
                    if reason is not None:
                        batch.stopped[partition] = Stopped(partition, offset, reason)
                        break
        handled: dict[tuple[str, int], list[int]] = {}
        offsets: dict[TopicPartition, int] = {}
        for partition, positions in batch.positions.items():
            stopped = batch.stopped.get(partition)
            for offset, source, position in positions:
                if stopped is None or offset < stopped.offset:
                    handled.setdefault((source, partition.partition), []).append(position)
                    offsets[partition] = offset + 1
        await self.progress.record(handled)
        return Handled(offsets, list(batch.stopped.values()))

    async def _react(self, reaction: Reaction, record: Record) -> str | None:
        """Returns why it cannot be done, None where it is done (also: nothing to do, refused)."""
        name = f"{record.id}/{reaction.name}"
        if await self._done.find_one({"_id": name}) is not None:
            return None
        try:
            outcome = await self._command(reaction, record, name)
        except (AttributeError, KeyError, LookupError, TypeError, ValueError) as error:
            log.exception("reaction_failed", reaction=reaction.name, event_id=record.id)
            return f"{type(error).__name__} in reaction {reaction.name} to {record.id}"
        metrics.REACTIONS.labels(reaction.name, outcome).inc()
        log.info("reacted", reaction=reaction.name, event_id=record.id, outcome=outcome, correlation=record.correlation)
        try:
            await self._done.insert_one({"_id": name, "outcome": outcome})
        except DuplicateKeyError:
            log.info("reacted_twice", reaction=reaction.name, event_id=record.id)
        return None

    async def _command(self, reaction: Reaction, record: Record, name: str) -> str:
        context = CommandContext(
            claim=f"command:{name}",
            body=b"",
            actor=f"reaction:{reaction.name}",
            correlation=record.correlation or record.id,
            causation=record.id,
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
