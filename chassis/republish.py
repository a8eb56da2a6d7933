"""Makes a log's topic anew and fills it from the first position (`dugnad republish`, and a local run by itself).

Invariant: the topic is deleted and created, so that its readers' offsets go with it; nothing is ever sent behind newer
records, which readers would skip. However it ends, the relay of the service goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from copy import copy

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import NoError, UnknownTopicOrPartitionError, for_code

from chassis.eventlog import EventLog
from chassis.heads import has_records
from chassis.kafka import away, client_options
from chassis.lease import Lease
from chassis.mongo import PyMongoError
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.topics import TopicUnfit, ensure_topics

POLL_SECONDS = 0.05
HELD_SECONDS = 60.0
"""So long it holds a lease that it does not renew, also where it was killed."""
PATIENCE_SECONDS = 90.0
"""Longer than that: what another one held that was killed is free by then."""
DEMAND_SECONDS = 5.0

log = structlog.get_logger()


class OnlyOnTopic(Exception):
    """The topic has events that the database lost: made anew, it would lose them too."""


class RelayHolds(Exception):
    """Whoever works on the log does not let go of it: a relay that hangs, or another one who republishes it."""


async def republish(eventlog: EventLog, settings: Settings, tell: Callable[[int], None] = lambda _: None) -> int:
    """Take over from the relay, make the topic anew, send everything. Returns the last position sent.

    `tell` hears how many events have been sent. The relay of a running service waits meanwhile, and goes on behind it,
    also where this is ended in the middle. Raises RelayHolds, LeaseLost when another one takes over, TopicUnfit for a
    user who may not delete the topic, DependencyDown, KafkaError, and OnlyOnTopic (see `refuse_loss`).
    Offsets go with the topic: a group of reactions starts again only when an operator has named its position.
    """
    await eventlog.follow()
    logs = list(epochs(eventlog))
    async with AsyncExitStack() as stack:
        leases = [await stack.enter_async_context(taken_over(each)) for each in logs]
        await refuse_loss(eventlog, settings)
        # Ended right after it, the next relay finds that records are lost, and says what to do.
        await _delete(settings.topic(eventlog.topic), settings, leases)
        for lease in leases:
            await lease.publish_anew()
        await ensure_topics(settings, [eventlog.topic])
        for each, lease in zip(logs, leases, strict=True):
            relay = Relay(each, settings)
            async with relay.producer() as producer:
                while await _published(relay, lease, producer, settings):
                    log.info("republished", source=each.source, position=lease.published)
                    tell(sum(each.published for each in leases))
                    await _keep(leases)
        return leases[-1].published


async def _published(relay: Relay, lease: Lease, producer: AIOKafkaProducer, settings: Settings) -> int:
    try:
        return await relay.publish(lease, producer)
    except TimeoutError as error:
        raise away(settings) from error


async def refuse_loss(eventlog: EventLog, settings: Settings) -> None:
    """Raises OnlyOnTopic for a log that was continued after a restored backup, while its topic still has records."""
    kept = await eventlog.database["epoch"].find_one({"_id": eventlog.origin})
    if kept is not None and await has_records(settings, eventlog.topic):
        raise OnlyOnTopic(f"{eventlog.origin} was continued: its topic has {kept['lost']}, the database has not")


def epochs(eventlog: EventLog) -> Iterator[EventLog]:
    """The log under each source that it ever had, the present one last."""
    for ledger in (*eventlog.ledger.earlier, eventlog.ledger):
        each = copy(eventlog)
        each.ledger = ledger
        each.source = eventlog.origin if ledger.epoch == 1 else f"{eventlog.origin}~{ledger.epoch}"
        yield each


@asynccontextmanager
async def taken_over(eventlog: EventLog) -> AsyncIterator[Lease]:
    """The lease on a log's relay while the block lasts, from whoever has it. Raises RelayHolds."""
    lease = Lease(eventlog.database["lease"], eventlog.source, HELD_SECONDS)
    await lease.prepare()

    async def taken() -> bool:
        # A relay at work renews for ever: it is told to stop, and no other one begins meanwhile.
        await lease.demand(DEMAND_SECONDS)
        return await lease.acquire()

    try:
        await _patiently(taken)
    except TimeoutError as error:
        raise RelayHolds(eventlog.source) from error
    try:
        await lease.demand(0)
        yield lease
    finally:
        # Else the relay of the service, and whoever does this again, would wait until it expires.
        try:
            await lease.release()
        except PyMongoError as error:
            log.warning("lease_not_released", source=eventlog.source, error=type(error).__name__)


async def _keep(leases: Sequence[Lease]) -> None:
    # Those of other sources of the log too: its relay would else begin behind the back of this.
    for lease in leases:
        await lease.keep()


async def _patiently(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110 - the condition is in an engine
            await asyncio.sleep(POLL_SECONDS)


async def _delete(topic: str, settings: Settings, leases: Sequence[Lease] = ()) -> None:
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        if topic in await admin.list_topics():
            answer = await admin.delete_topics([topic])
            for _, code in answer.topic_error_codes:
                if for_code(code) not in (NoError, UnknownTopicOrPartitionError):
                    raise TopicUnfit(
                        f"Topic {topic} may not be deleted ({for_code(code).__name__}), and was not: do it as the "
                        "broker's user `operator` (DUGNAD_KAFKA_USERNAME)"
                    )

        async def gone() -> bool:
            await _keep(leases)
            return topic not in await admin.list_topics()

        try:
            await _patiently(gone)
        except TimeoutError as error:
            raise TopicUnfit(f"Topic {topic} is still there: see that the broker works, then do it again") from error
    finally:
        await admin.close()
