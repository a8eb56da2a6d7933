"""What there is after a run, read past the product: databases with a plain client, topics with a plain consumer.

Invariant: nothing here decodes, folds or counts with code of the product; names of collections and headers are its
documented ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from motor.motor_asyncio import AsyncIOMotorClient

LOGS = {
    "dugnad/intake": ("dugnad_intake", "dugnad.intake.v1"),
    "dugnad/background": ("dugnad_background", "dugnad.background.v1"),
    "dugnad/matching": ("dugnad_matching", "dugnad.matching.v1"),
    "dugnad/followup": ("dugnad_followup", "dugnad.followup.v1"),
}
"""Source: its database and its topic."""
WRITES: Mapping[str, tuple[str, ...]] = {
    "intake": ("dugnad/intake", "dugnad/background"),
    "matching": ("dugnad/matching",),
    "followup": ("dugnad/followup",),
    "reporting": (),
}
"""Service: the logs that it writes."""

VIEWS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "intake": {
        "needs": ("intake",),
        "places": ("matching", "followup"),
        "candidates": ("intake",),
        "erased": ("intake",),
    },
    "matching": {
        "needs": ("intake", "matching"),
        "pool": ("intake", "matching", "followup"),
        "matches": ("matching", "followup"),
    },
    "followup": {
        "cases": ("matching", "followup"),
        "plans": ("intake", "matching", "followup"),
        "assignments": ("matching",),
    },
    "reporting": {
        "placement": ("intake", "matching", "followup"),
        "needs": ("matching",),
        "workforce": ("intake",),
        "persons": ("intake", "background", "matching", "followup"),
        "journey": ("intake", "background", "matching", "followup"),
    },
}
"""Service: its views, and the sources that each of them reads."""


@dataclass(frozen=True)
class Record:
    """A record as it lies on a topic."""

    partition: int
    offset: int
    key: str
    headers: Mapping[str, str]
    data: Any

    @property
    def source(self) -> str:
        return self.headers["ce_source"]

    @property
    def position(self) -> int:
        return int(self.headers["ce_sequence"])


@dataclass
class View:
    """A projection as it is served."""

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    handled: dict[str, set[int]] = field(default_factory=dict)
    """Positions per source that it says it has handled."""
    parked: int = 0


@dataclass
class Evidence:
    """Everything that the check looks at."""

    commits: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Per source, in no particular order."""
    pages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Per source, in the order of their ids."""
    records: dict[str, list[Record]] = field(default_factory=dict)
    """Per topic: partition after partition, in the order of offsets."""
    views: dict[str, View] = field(default_factory=dict)
    """By `service/view`."""
    parked_reactions: int = 0


def logs_of(services: Iterable[str]) -> list[str]:
    """The sources that these services write."""
    return [source for service in services for source in WRITES[service]]


async def collect(kafka: str, mongodb: str, prefix: str, services: Sequence[str] = tuple(VIEWS)) -> Evidence:
    """Read everything there is of one system, or of the part of it that runs."""
    found = Evidence()
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(mongodb)
    try:
        for source in logs_of(services):
            database, topic = LOGS[source]
            log = client[prefix + database]
            found.commits[source] = await log["commits"].find({}).to_list(None)
            found.pages[source] = await log["ledger"].find({}).sort("_id", 1).to_list(None)
            found.records[topic] = await records_of(kafka, prefix + topic)
        for service in services:
            own = client[f"{prefix}dugnad_{service}"]
            for name in VIEWS[service]:
                found.views[f"{service}/{name}"] = await _view(own, name)
            for collection in await own.list_collection_names():
                if collection.startswith("parked_reactions"):
                    found.parked_reactions += await own[collection].count_documents({})
    finally:
        client.close()
    return found


async def records_of(servers: str, topic: str) -> list[Record]:
    """Everything on a topic (its name on the broker), partition after partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest")
    partitions = [TopicPartition(topic, number) for number in await _partitions(servers, topic)]
    async with consumer:
        consumer.assign(partitions)
        begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        records: dict[TopicPartition, list[Record]] = {partition: [] for partition in partitions}
        left = {partition for partition in partitions if ends[partition] > begins[partition]}
        while left:
            for partition, fetched in (await consumer.getmany(timeout_ms=300)).items():
                records[partition].extend(_record(each) for each in fetched)
                if fetched and fetched[-1].offset >= ends[partition] - 1:
                    left.discard(partition)
    return [each for partition in partitions for each in records[partition]]


async def _partitions(servers: str, topic: str) -> list[int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        (described,) = await admin.describe_topics([topic])
    finally:
        await admin.close()
    return sorted(each["partition"] for each in described["partitions"])


def _record(raw: Any) -> Record:
    headers = {name: value.decode() for name, value in raw.headers}
    return Record(raw.partition, raw.offset, raw.key.decode(), headers, json.loads(raw.value))


async def _view(database: Any, name: str) -> View:
    pointer = await database["pointers"].find_one({"_id": name})
    if pointer is None:
        return View()
    generation = f"{name}_{pointer['serving']}"
    view = View()
    async for document in database[f"view_{generation}"].find({}):
        view.documents[document["_id"]] = document
    async for block in database[f"progress_{generation}"].find({"bits": {"$exists": True}}):
        handled = view.handled.setdefault(block["source"], set())
        for place, byte in enumerate(bytes(block["bits"])):
            for bit in range(8):
                if byte >> bit & 1:
                    handled.add(block["block"] * 65_536 + place * 8 + bit + 1)
    view.parked = await database[f"parked_{generation}"].count_documents({})
    return view
