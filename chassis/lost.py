"""Events that only their topic has: the database that had decided them was restored from an older backup.

Invariant: what is lost is what was written down when the log was continued, never what somebody guesses; reading it
changes nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from chassis import kafka
from chassis.mongo import Database
from chassis.settings import Settings
from contracts.envelope import Envelope, Undecodable, decode

Lost = Mapping[str, tuple[int, int]]
"""Per source the first and the last position that are lost."""
_LOST = re.compile(r"(?P<source>.+)#(?P<first>[0-9]+)-(?P<last>[0-9]+)")


async def lost_positions(database: Database, origin: str) -> dict[str, tuple[int, int]]:
    """What the log of a source lost, per source; empty for a log that was never continued."""
    kept = await database["epoch"].find_one({"_id": origin})
    found = (_LOST.fullmatch(each) for each in (kept or {}).get("lost", ()))
    return {each["source"]: (int(each["first"]), int(each["last"])) for each in found if each is not None}


async def lost_events(settings: Settings, topic: str, lost: Lost) -> list[Envelope]:
    """The lost events, by source and position, from a topic of the contracts. Raises DependencyDown."""
    found: dict[tuple[str, int], Envelope] = {}
    async for envelope in _everything(settings, topic):
        first, last = lost.get(envelope.source, (1, 0))
        if first <= envelope.sequence <= last:
            found[envelope.source, envelope.sequence] = envelope
    return [found[place] for place in sorted(found)]


async def topic_ends(settings: Settings, topic: str) -> dict[str, int]:
    """The last position of every source that a topic has. Raises DependencyDown.

    The topic is read whole: the last records of its partitions tell nothing of a source that was continued.
    """
    ends: dict[str, int] = {}
    async for envelope in _everything(settings, topic):
        ends[envelope.source] = max(ends.get(envelope.source, 0), envelope.sequence)
    return ends


async def _everything(settings: Settings, topic: str) -> AsyncIterator[Envelope]:
    """Every event of a topic as far as it goes now, partition by partition in order."""
    consumer = AIOKafkaConsumer(
        **kafka.client_options(settings), enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        async with asyncio.timeout(settings.engine_timeout_seconds):
            await consumer.start()
        if settings.topic(topic) not in await consumer.topics():
            return
        partitions = [TopicPartition(settings.topic(topic), number) for number in range(settings.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        async for records in kafka.read_to(consumer, ends):
            for record in records:
                # What is no event has no position either, and is parked by whoever reads it.
                with suppress(Undecodable):
                    yield decode(record.key, record.value, record.headers)
    except (KafkaError, TimeoutError) as error:
        raise kafka.away(settings) from error
    finally:
        await kafka.leave("lost", consumer)
