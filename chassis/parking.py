"""Parked events: what a consumer could not handle, with everything needed to handle it later.

Invariant: the later events of a subject wait behind its first parked one, in order, while everything else flows;
nothing leaves the parking but by being handled, or by a discard that names who and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from aiokafka import TopicPartition
from pymongo import ASCENDING, UpdateOne

from chassis.clock import machine_now
from chassis.mongo import Database
from contracts import envelope
from contracts.envelope import Undecodable

MAX_SUBJECTS = 100
"""With more parked subjects than this the fault is not in the events: the consumer stops instead."""
BEHIND = "waits behind an earlier event of its subject"


class State(StrEnum):
    """What is to become of a parked event."""

    WAITING = "waiting"
    REPLAY = "replay"
    DISCARD = "discard"


@dataclass
class RawRecord:
    """A record as the client library gives it, kept and given back."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Parked:
    """One parked event."""

    id: str
    subject: str
    state: State
    error: str
    attempts: int
    raw: RawRecord

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """As it is stored."""
        raw = RawRecord(
            document["topic"],
            document["partition"],
            document["offset"],
            document["key"],
            document["value"],
            [(name, value) for name, value in document["headers"]],
        )
        state = State(document["state"])
        return cls(document["_id"], document["subject"], state, document["error"], document["attempts"], raw)


def subject_of(raw: Any) -> str:
    """Source and subject, from the headers alone; a record without them is a subject of its own."""
    try:
        source, subject = envelope.header(raw.headers, envelope.SOURCE), envelope.header(raw.headers, envelope.SUBJECT)
    except Undecodable:
        source = subject = None
    if source is None or subject is None:
        return f"record {raw.topic}/{raw.partition}/{raw.offset}"
    return f"{source} {subject}"


def event_of(raw: Any) -> str:
    """Which event a record is, however often and wherever it is sent: source and position, else where it lies."""
    try:
        source, position = envelope.header(raw.headers, envelope.SOURCE), envelope.position(raw.headers)
    except Undecodable:
        source = None
    return f"record {raw.topic}/{raw.partition}/{raw.offset}" if source is None else f"{source}#{position}"


class Parking:
    """The parked events of one consumer (of one generation of a projection, or of the reactions of a log)."""

    def __init__(self, database: Database, name: str) -> None:
        self.name = name
        self._parked = database[f"parked_{name}"]
        self._audit = database["parking_audit"]

    async def prepare(self) -> None:
        """Create the index that every batch asks."""
        await self._parked.create_index([("subject", ASCENDING), ("offset", ASCENDING)])

    async def blocked(self, raws: Iterable[Any]) -> set[str]:
        """Which subjects of these records have parked events."""
        subjects = sorted({subject_of(raw) for raw in raws})
        found: list[str] = await self._parked.distinct("subject", {"subject": {"$in": subjects}})
        return set(found)

    async def park(self, failures: Sequence[tuple[Any, str]]) -> None:
        """Keep records with what was wrong. The same record again is one more attempt, not one more entry."""
        now = machine_now()
        writes = [
            UpdateOne(
                {"_id": f"{raw.topic}/{raw.partition}/{raw.offset:020d}"},
                {
                    "$set": {"error": error, "last": now, "state": State.WAITING.value},
                    "$inc": {"attempts": 1},
                    "$setOnInsert": {
                        "subject": subject_of(raw),
                        "topic": raw.topic,
                        "partition": raw.partition,
                        "offset": raw.offset,
                        "key": raw.key,
                        "value": raw.value,
                        "headers": [list(pair) for pair in raw.headers],
                        "first": now,
                    },
                },
                upsert=True,
            )
            for raw, error in failures
        ]
        if writes:
            await self._parked.bulk_write(writes, ordered=True)

    async def subjects(self) -> int:
        """How many subjects have parked events."""
        return len(await self.parked_subjects())

    async def parked_subjects(self) -> set[str]:
        """Those that have parked events."""
        return set(await self._parked.distinct("subject", {}))

    async def count(self) -> int:
        """How many events are parked."""
        return int(await self._parked.count_documents({}))

    async def listed(self, limit: int = 100) -> list[dict[str, Any]]:
        """The oldest parked events, without their contents."""
        shown = {"key": 0, "value": 0, "headers": 0}
        return await self._parked.find({}, shown, sort=[("first", ASCENDING), ("_id", ASCENDING)]).to_list(limit)

    async def of(self, what: str) -> list[dict[str, Any]]:
        """What is parked of a subject, or one event by its id: in order, with contents."""
        found = self._parked.find({"$or": [{"subject": what}, {"_id": what}]}, sort=[("offset", ASCENDING)])
        return await found.to_list(None)

    async def mark(self, what: str, state: State, who: str, reason: str) -> int:
        """Ask the consumer to replay or discard what is parked of a subject, or one event by its id.

        What is marked as to be discarded stays so when the rest of its subject is replayed. Recorded with who and why.
        """
        chosen: dict[str, Any] = {"$or": [{"subject": what}, {"_id": what}]}
        if state is State.REPLAY:
            chosen["state"] = {"$ne": State.DISCARD.value}
        result = await self._parked.update_many(chosen, {"$set": {"state": state.value}})
        if result.matched_count:
            await self._audit.insert_one(
                {
                    "consumer": self.name,
                    "subject": what,
                    "asked": state.value,
                    "events": result.matched_count,
                    "who": who,
                    "reason": reason,
                    "at": machine_now(),
                }
            )
        return int(result.matched_count)

    async def discarded(self) -> set[str]:
        """The events (`event_of`) that were discarded here."""
        found = self._audit.find({"consumer": self.name, "discarded": {"$exists": True}}, {"discarded": 1})
        return {each["discarded"] async for each in found}

    async def marked(self, partitions: Iterable[TopicPartition]) -> list[list[Parked]]:
        """What is marked and belongs to these partitions: per subject its events, the oldest first."""
        mine = {(each.topic, each.partition) for each in partitions}
        return [queue for queue in await self._queues() if (queue[0].raw.topic, queue[0].raw.partition) in mine]

    async def due(self) -> bool:
        """Whether the oldest event of any subject is marked: its consumer has something to take up."""
        return any(queue[0].state is not State.WAITING for queue in await self._queues())

    async def _queues(self) -> list[list[Parked]]:
        """All events of each subject of which any is marked, the oldest first."""
        queues = []
        for subject in sorted(await self._parked.distinct("subject", {"state": {"$ne": State.WAITING.value}})):
            found = await self._parked.find({"subject": subject}, sort=[("offset", ASCENDING)]).to_list(None)
            if found:
                queues.append([Parked.from_document(each) for each in found])
        return queues

    async def release(self, parked: Parked) -> None:
        """It has been handled or discarded; its subject is free when the last one is gone."""
        if parked.state is State.DISCARD:
            # Before it goes: whoever verifies must know that it is left out on purpose.
            gone = {"consumer": self.name, "subject": parked.subject, "discarded": event_of(parked.raw)}
            await self._audit.insert_one({**gone, "at": machine_now()})
        await self._parked.delete_one({"_id": parked.id})
