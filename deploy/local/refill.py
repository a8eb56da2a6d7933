"""Kafka's data deleted, in whole or in part: fills the topics again from the commit logs, before any service starts.

Invariant: only a topic that lacks something of what its log has published is made anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka.errors import KafkaError

from chassis import mongo
from chassis.clock import Clock
from chassis.errors import DependencyDown
from chassis.eventlog import EventLog
from chassis.lease import LeaseLost
from chassis.mongo import Client, PyMongoError
from chassis.republish import OnlyOnTopic, RelayHolds, republish
from chassis.settings import Settings
from chassis.startcheck import lost_records
from contracts.registry import SOURCES, topic_of
from deploy.local.processes import LocalFault

SERVICES = ("intake", "matching", "followup", "reporting")


async def refill(variables: Mapping[str, str], *, prefix: str | None = None) -> dict[str, int]:
    """The events sent again, per source; empty where every topic has what was published.

    `prefix`: another one than the environment's. Raises LocalFault.
    """
    settings = Settings(
        environment="development",
        kafka_bootstrap_servers=variables["KAFKA_BOOTSTRAP_SERVERS"],
        mongodb_uri=variables["MONGODB_URI"],
    )
    if prefix is not None:
        settings = settings.model_copy(update={"prefix": prefix})
    client = mongo.connect(settings)
    try:
        logs = [
            EventLog(mongo.database(client, settings.database(_name(source))), source, topic_of(source), (), Clock())
            for source in SOURCES
        ]
        short = [log for log in logs if await _is_short(log, settings)]
        for log in short:
            await _begin_reactions_anew(client, settings, log)
        return dict(zip((log.origin for log in short), await _republished(short, settings), strict=True))
    except (KafkaError, PyMongoError, TimeoutError, DependencyDown, LeaseLost, RelayHolds, OnlyOnTopic) as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ").splitlines()[0]
        raise LocalFault(f"Kafka's topics could not be filled again ({reason}): run it again") from error
    finally:
        client.close()


async def _republished(logs: list[EventLog], settings: Settings) -> list[int]:
    return list(await asyncio.gather(*(republish(log, settings) for log in logs)))


async def _is_short(log: EventLog, settings: Settings) -> bool:
    await log.follow()
    return await lost_records(log, settings) is not None


async def _begin_reactions_anew(client: Client, settings: Settings, log: EventLog) -> None:
    """Their offsets went with Kafka. What they have handled stands in `reactions`, by event, and is not done again."""
    topic = settings.topic(log.topic)
    for name in SERVICES:
        done = mongo.database(client, settings.database(name))["reactions"]
        marks = [each["_id"] async for each in done.find({"outcome": "begun"}, {"_id": 1})]
        await done.delete_many({"_id": {"$in": [mark for mark in marks if mark.endswith(f" on {topic}")]}})


def told(sent: Mapping[str, int]) -> str:
    """One line for people."""
    logs = ", ".join(f"{source} ({events} events)" for source, events in sorted(sent.items()))
    return f"Kafka's data were not all there: topics are filled again from the commit logs, {logs}."


def _name(source: str) -> str:
    return source.rpartition("/")[2]
