"""`python -m chassis.republish SOURCE`: makes a log's topic anew and fills it from the first position.

Invariant: the topic is deleted and created, so that its readers' offsets go with it; nothing is ever sent behind newer
records, which readers would skip.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from copy import copy
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient

from chassis import mongo
from chassis.clock import Clock
from chassis.errors import DependencyDown
from chassis.eventlog import EventLog
from chassis.heads import topic_head
from chassis.kafka import client_options
from chassis.lease import Lease
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.topics import ensure_topics
from contracts.registry import SOURCES, topic_of

POLL_SECONDS = 0.05
PATIENCE_SECONDS = 60.0
DEMAND_SECONDS = 5.0

log = structlog.get_logger()


class OnlyOnTopic(Exception):
    """The topic has events that the database lost: made anew, it would lose them too."""


async def republish(eventlog: EventLog, settings: Settings) -> int:
    """Take over from the relay, make the topic anew, send everything. Returns the last position sent.

    The relay of a running service waits meanwhile, and goes on behind it. Raises TimeoutError when it does not let go,
    and OnlyOnTopic for a log that was continued after a restored backup, while its topic still has records.
    Offsets go with the topic: a group of reactions starts again only when an operator has named its position.
    """
    await eventlog.follow()
    logs = list(epochs(eventlog))
    leases = [await take_over(each) for each in logs]
    kept = await eventlog.database["epoch"].find_one({"_id": eventlog.origin})
    if kept is not None and await topic_head(settings, eventlog.topic):
        for lease in leases:
            await lease.release()
        raise OnlyOnTopic(f"{eventlog.origin} was continued: its topic has {kept['lost']}, the database has not")
    # Before the topic goes: ended between the two, the next relay sends everything again; the other way round, nothing.
    for lease in leases:
        await lease.publish_anew()
    await _delete(settings.topic(eventlog.topic), settings)
    await ensure_topics(settings, [eventlog.topic])
    for each, lease in zip(logs, leases, strict=True):
        relay = Relay(each, settings)
        async with relay.producer() as producer:
            while await relay.publish(lease, producer):
                log.info("republished", source=each.source, position=lease.published)
    for lease in leases:
        await lease.release()
    return leases[-1].published


def epochs(eventlog: EventLog) -> Iterator[EventLog]:
    """The log under each source that it ever had, the present one last."""
    for ledger in (*eventlog.ledger.earlier, eventlog.ledger):
        each = copy(eventlog)
        each.ledger = ledger
        each.source = eventlog.origin if ledger.epoch == 1 else f"{eventlog.origin}~{ledger.epoch}"
        yield each


async def take_over(eventlog: EventLog) -> Lease:
    """The lease on a log's relay, from whoever has it. Raises TimeoutError when he does not let go."""
    lease = Lease(eventlog.database["lease"], eventlog.source, PATIENCE_SECONDS * 2)
    await lease.prepare()

    async def taken() -> bool:
        # A relay at work renews for ever: it is told to stop, and no other one begins meanwhile.
        await lease.demand(DEMAND_SECONDS)
        return await lease.acquire()

    await _patiently(taken)
    await lease.demand(0)
    return lease


async def _patiently(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110 - the condition is in an engine
            await asyncio.sleep(POLL_SECONDS)


async def _delete(topic: str, settings: Settings) -> None:
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        if topic in await admin.list_topics():
            await admin.delete_topics([topic])

        async def gone() -> bool:
            return topic not in await admin.list_topics()

        await _patiently(gone)
    finally:
        await admin.close()


async def opened(source: str, settings: Settings) -> EventLog:
    """The log of a source, where these settings say that its database is. Raises DependencyDown."""
    name = source.rpartition("/")[2]
    client = mongo.connect(settings, settings.uri(name))
    await mongo.ping(client, settings)
    return EventLog(mongo.database(client, settings.database(name)), source, topic_of(source), (), Clock())


def command(module: str, main: Callable[[str], Coroutine[Any, Any, None]], fault: type[Exception]) -> None:
    """The command line of a module that works on one log: exits with 1 for a fault, 2 for usage, 3 for what is down."""
    if len(sys.argv) != 2 or sys.argv[1] not in SOURCES:
        print(f"usage: python -m {module} {{{'|'.join(sorted(SOURCES))}}}", file=sys.stderr)
        sys.exit(2)
    try:
        asyncio.run(main(sys.argv[1]))
    except fault as found:
        print(found, file=sys.stderr)
        sys.exit(1)
    except DependencyDown as down:
        print(down.message, file=sys.stderr)
        sys.exit(3)


async def _main(source: str) -> None:
    settings = Settings()
    position = await republish(await opened(source, settings), settings)
    print(f"{source}: sent again up to position {position}")


if __name__ == "__main__":
    command("chassis.republish", _main, OnlyOnTopic)
