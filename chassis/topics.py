"""The topics of the system on the broker; `python -m chassis.topics` creates them all, for a user who may.

Invariant: every topic has the number of partitions that the settings say, and keeps its records for ever; one that does
not is refused, never changed. Partition p of all topics must hold whole cases.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, NoError, TopicAlreadyExistsError, for_code

from chassis import kafka
from chassis.errors import DependencyDown
from chassis.settings import Settings
from contracts.registry import TOPICS

POLL_SECONDS = 0.02


class TopicUnfit(DependencyDown):
    """A topic that is there, but not as this system needs it, or that may not be created."""


async def ensure_topics(settings: Settings, names: Iterable[str]) -> None:
    """Create the topics of the contracts that are absent, and wait until each partition has a leader.

    Safe for several processes at once. Raises TopicUnfit, and DependencyDown where the broker does not answer in time.
    """
    wanted = [settings.topic(name) for name in names]
    milliseconds = int(settings.engine_timeout_seconds * 1000)
    admin = AIOKafkaAdminClient(**kafka.client_options(settings), request_timeout_ms=milliseconds)
    try:
        async with asyncio.timeout(settings.engine_timeout_seconds):
            await admin.start()
            present = await _partitions(admin)
            absent = [topic for topic in wanted if topic not in present]
            if absent:
                await _create(admin, settings, absent)
            while not all(_led(present.get(topic, ())) for topic in wanted):
                await asyncio.sleep(POLL_SECONDS)
                present = await _partitions(admin)
    except (KafkaError, TimeoutError) as error:
        raise kafka.away(settings) from error
    finally:
        await admin.close()
    for topic in wanted:
        count = len(present[topic])
        if count != settings.partitions:
            raise TopicUnfit(
                f"Topic {topic} has {count} partitions and DUGNAD_PARTITIONS is {settings.partitions}: "
                "set it to what the topics have; the number never changes"
            )


async def reachable(settings: Settings) -> None:
    """Ask the broker for nothing but an answer, as every user may. Raises DependencyDown."""
    admin = AIOKafkaAdminClient(**kafka.client_options(settings))
    try:
        async with asyncio.timeout(settings.engine_timeout_seconds):
            await admin.start()
            await admin.list_topics()
    except (KafkaError, TimeoutError) as error:
        raise kafka.away(settings) from error
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, settings: Settings, topics: list[str]) -> None:
    replicas = settings.replication_factor
    configs = {
        "retention.ms": "-1",
        "retention.bytes": "-1",
        # As the writer compressed it: the broker would else spend its time on doing it again.
        "compression.type": "producer",
        "min.insync.replicas": "2" if replicas > 2 else "1",
        "unclean.leader.election.enable": "false",
    }
    answer = await admin.create_topics(
        [NewTopic(topic, settings.partitions, replicas, topic_configs=configs) for topic in topics]
    )
    for topic, code, *_ in answer.topic_errors:
        # Another process may have been first.
        if for_code(code) not in (NoError, TopicAlreadyExistsError):
            raise TopicUnfit(f"Topic {topic} could not be created ({for_code(code).__name__}): create it, or allow it")


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, tuple[Mapping[str, Any], ...]]:
    # All topics: a broker that creates topics by itself would make one that is asked for by name.
    return {topic["topic"]: tuple(topic["partitions"]) for topic in await admin.describe_topics()}


def _led(partitions: tuple[Mapping[str, Any], ...]) -> bool:
    return bool(partitions) and all(partition["leader"] >= 0 for partition in partitions)


if __name__ == "__main__":
    try:
        asyncio.run(ensure_topics(Settings(environment="development", mongodb_uri=""), TOPICS))
    except DependencyDown as down:
        print(down.message, file=sys.stderr)
        sys.exit(3)
    print(f"topics: {', '.join(TOPICS)}")
