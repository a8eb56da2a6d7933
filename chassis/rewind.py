"""How far back the reactions of a service begin again: its restored database has forgotten what they did.

Invariant: offsets go back, never forward, and only of a group that nobody is in: nothing is skipped, and what was done
already is recognised by its claim and its mark.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError, KafkaError

from chassis import kafka
from chassis.mongo import Database
from chassis.settings import Settings

__all__ = ["GroupAtWork", "rewind", "steps", "topics_of"]

Steps = dict[TopicPartition, tuple[int | None, int]]
"""Per partition the offset that the group goes on from now, and the one it is to go on from."""
_MARK = "offsets of {} on "
EMPTY = ("Empty", "Dead")


class GroupAtWork(Exception):
    """Somebody is in the group: his offsets would be written over these."""


async def topics_of(settings: Settings, group: str, database: Database) -> list[str]:
    """The topics, by their names on the broker, that a group of reactions reads, as the service and the broker know.

    Raises DependencyDown.
    """
    mark = _MARK.format(group)
    marks = database["reactions"].find({"_id": {"$gte": mark, "$lt": f"{mark}\uffff"}}, {"_id": 1})
    known = {each["_id"].removeprefix(mark) async for each in marks}
    admin = AIOKafkaAdminClient(**kafka.client_options(settings))
    try:
        async with asyncio.timeout(settings.engine_timeout_seconds):
            await admin.start()
            return sorted(known | {each.topic for each in await admin.list_consumer_group_offsets(group)})
    except (KafkaError, TimeoutError) as error:
        raise kafka.away(settings) from error
    finally:
        await admin.close()


async def steps(settings: Settings, group: str, topics: Iterable[str], since: datetime) -> Steps:
    """What a rewind to the first records sent at or after an instant would do; only what would change.

    Raises DependencyDown.
    """
    found: Steps = {}
    consumer = AIOKafkaConsumer(**kafka.client_options(settings), group_id=group, enable_auto_commit=False)
    try:
        async with asyncio.timeout(settings.engine_timeout_seconds):
            await consumer.start()
            partitions = [TopicPartition(topic, number) for topic in topics for number in range(settings.partitions)]
            consumer.assign(partitions)
            instant = int(since.timestamp() * 1000)
            sent = await consumer.offsets_for_times(dict.fromkeys(partitions, instant))
            ends = await consumer.end_offsets(partitions)
            for partition in partitions:
                now = await consumer.committed(partition)
                later = sent.get(partition)
                target = ends[partition] if later is None else later.offset
                if now is None or target < now:
                    found[partition] = (now, target)
    except (KafkaError, TimeoutError) as error:
        raise kafka.away(settings) from error
    finally:
        await kafka.leave("rewind", consumer)
    return found


async def rewind(settings: Settings, group: str, planned: Mapping[TopicPartition, tuple[int | None, int]]) -> None:
    """Do it. Raises GroupAtWork where a process of the service runs, with nothing done; DependencyDown."""
    if not planned:
        return
    if not await _nobody(settings, group):
        raise GroupAtWork(group)
    consumer = AIOKafkaConsumer(**kafka.client_options(settings), group_id=group, enable_auto_commit=False)
    try:
        async with asyncio.timeout(settings.engine_timeout_seconds):
            await consumer.start()
            consumer.assign(list(planned))
            # Asked again: somebody else may have gone further back since this was planned.
            now = {partition: await consumer.committed(partition) for partition in planned}
            back = {
                partition: target
                for partition, (_, target) in planned.items()
                if (at := now[partition]) is None or target < at
            }
            if back:
                await consumer.commit(back)
    except CommitFailedError as error:
        raise GroupAtWork(group) from error
    except (KafkaError, TimeoutError) as error:
        raise kafka.away(settings) from error
    finally:
        await kafka.leave("rewind", consumer)


async def _nobody(settings: Settings, group: str) -> bool:
    admin = AIOKafkaAdminClient(**kafka.client_options(settings))
    try:
        async with asyncio.timeout(settings.engine_timeout_seconds):
            await admin.start()
            (described,) = await admin.describe_consumer_groups([group])
    except (KafkaError, TimeoutError) as error:
        raise kafka.away(settings) from error
    finally:
        await admin.close()
    ((_, _, state, *_),) = described.groups
    return state in EMPTY
