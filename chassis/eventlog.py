"""The commit log: one document per decided command.

Invariant: a commit claims the next version of every subject that its decision read, and one unique index over all
claims refuses the second of two decisions from the same state. A commit never changes but for `pending`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import bson
from pymongo import ASCENDING

from chassis import metrics, telemetry
from chassis.clock import Clock, machine_now, milliseconds
from chassis.decisions import Answer, Loaded
from chassis.errors import LogUnavailable, TooLarge, Unserialisable
from chassis.ids import new_id
from chassis.keyring import KeyDestroyed, Keyring, seal, unseal
from chassis.ledger import Ledger, LedgerHole
from chassis.mongo import Database, PyMongoError, causally
from chassis.writer import GroupWriter, Verdict
from contracts.envelope import encode_stored
from contracts.event import Event
from contracts.registry import class_of
from contracts.upcasters import upcast

MAX_EVENT_BYTES = 768 * 1024
"""A stored event must fit into a Kafka record (1 MiB by default) with its headers, or it would stop the relay."""
MAX_COMMIT_BYTES = 4 * 1024 * 1024
READ_AGAIN = 5


def claim_of(subject: str, version: int) -> str:
    """The claim on one version of a subject; eight digits, so that claims sort as numbers."""
    return f"{subject}@{version:08d}"


def split_claim(claim: str) -> tuple[str, int] | None:
    """Subject and version of a claim; None for commands and business keys, which claim themselves."""
    subject, found, version = claim.rpartition("@")
    return (subject, int(version)) if found else None


@dataclass(frozen=True)
class NewCommit:
    """What is to be appended. `reads` are the versions that the decision was taken from."""

    command: str
    command_hash: bytes
    reads: Mapping[str, int]
    events: Sequence[Event]
    answer: Answer
    actor: str
    correlation: str
    causation: str | None = None
    traceparent: str | None = None
    business_keys: Sequence[str] = ()
    hashed_for: str | None = None
    deadline: float | None = None
    """On the monotonic clock: it is not sent to the database after this."""


@dataclass(frozen=True)
class StoredCommit:
    """A commit as the log has it, as far as a repeated command needs it."""

    id: str
    command_hash: bytes
    hashed_for: str | None
    answer: Answer
    version: int


@dataclass(frozen=True)
class Stored:
    """The commit is in the log, majority and journal."""

    commit_id: str


@dataclass(frozen=True)
class Conflict:
    """Another commit holds one of the claims; which one is not known (MongoDB names only one of several)."""


@dataclass
class EventLog:
    """The log of one source, in a database of its own, published to one topic.

    `fatal` is called when the writer dies of something unforeseen: the process must end then, since commands would wait
    for ever.
    """

    database: Database
    source: str
    topic: str
    types: Sequence[type[Event]]
    clock: Clock
    keyring: Keyring | None = None
    fatal: Callable[[BaseException], None] | None = None
    timeout_seconds: float = 10.0
    appended: asyncio.Event = field(default_factory=asyncio.Event)
    """Wakes the relay of this process."""

    def __post_init__(self) -> None:
        self.origin = self.source
        """The source that the log began under; `source` is the one that it writes under now."""
        self.commits = self.database["commits"]
        self.ledger = Ledger(self.database)
        self._append_seconds = metrics.APPEND_SECONDS.labels(self.source)
        self._appended = metrics.COMMITS_APPENDED.labels(self.source)
        self._by_type = {known.type_name(): known for known in self.types}
        self._writer = GroupWriter(self.source, self.commits, self.timeout_seconds, self._fail)

    async def prepare(self) -> None:
        """Create the indexes; the unique one on `claims` is the whole concurrency control."""
        await self.commits.create_index([("claims", ASCENDING)], name="claims", unique=True)
        await self.commits.create_index(
            [("pending", ASCENDING)], name="pending", partialFilterExpression={"pending": True}
        )
        await self.follow()
        await self.ledger.prepare()

    async def follow(self) -> None:
        """Write under the source that the log's database names: `dugnad/intake~2` after a restored backup."""
        async with causally(self.commits) as session:
            found = await self.database["epoch"].find_one({"_id": self.origin}, session=session)
        epoch = 1 if found is None else int(found["number"])
        self.source = self.origin if epoch == 1 else f"{self.origin}~{epoch}"
        self.ledger = Ledger(self.database, epoch)

    def start(self) -> None:
        """Start the writer task."""
        self._writer.start()

    async def stop(self) -> None:
        """Store what waits, then stop."""
        await self._writer.stop()

    def _fail(self, error: BaseException) -> None:
        if self.fatal is None:
            raise error
        self.fatal(error)

    async def append(self, commit: NewCommit) -> Stored | Conflict:
        """Store a commit or learn that its state was stale.

        Raises LogBusy, TooLarge, Unserialisable (nothing stored), LogUnavailable (unknown: the command's claim tells).
        """
        about: telemetry.Attributes = {"dugnad.log": self.source, "dugnad.events": len(commit.events)}
        with telemetry.span("append", parent=commit.traceparent, attributes=about) as active:
            outcome = await self._append(replace(commit, traceparent=active.traceparent))
            if isinstance(outcome, Stored):
                active.note({"dugnad.commit": outcome.commit_id})
            active.note({"dugnad.outcome": type(outcome).__name__.lower()})
        return outcome

    async def _append(self, commit: NewCommit) -> Stored | Conflict:
        document = await self.document(commit)
        try:
            encoded = bson.encode(document)
        except (bson.errors.BSONError, OverflowError, UnicodeError) as error:
            raise Unserialisable(f"{document['_id']}: {error}") from error
        if len(encoded) > MAX_COMMIT_BYTES:
            raise TooLarge("the commit")
        with self._append_seconds.time():
            verdict = await self._writer.write(document["_id"], encoded, commit.deadline)
        if verdict is Verdict.CONFLICT:
            return Conflict()
        self._appended.inc()
        self.appended.set()
        return Stored(document["_id"])

    async def load(self, subjects: Iterable[str], *, unseal: bool = False) -> dict[str, Loaded]:
        """Per subject its version and the events of all commits that claim it, in version order.

        `unseal` opens the sealed parts (erased ones stay None); raises KeyringError where a key cannot be had.
        """
        names = list(dict.fromkeys(subjects))
        loaded = await asyncio.gather(*(self._load(name, unseal) for name in names))
        return dict(zip(names, loaded, strict=True))

    async def version(self, subject: str) -> int:
        """The version of one subject, 0 where the log does not have it."""
        return (await self._load(subject, False)).version

    async def find(self, claim: str) -> StoredCommit | None:
        """The commit that holds a claim."""
        try:
            async with causally(self.commits) as session:
                document = await self.commits.find_one({"claims": claim}, {"events": 0}, session=session)
        except PyMongoError as error:
            raise LogUnavailable(str(error)) from error
        if document is None:
            return None
        answer = document["answer"]
        return StoredCommit(
            id=document["_id"],
            command_hash=bytes(document["command_hash"]),
            hashed_for=document.get("hashed_for"),
            answer=Answer(answer["body"], answer["location"], answer["subject"], answer["status"]),
            version=answer["version"],
        )

    async def events_of(self, commits: Sequence[str]) -> list[Event]:
        """The events of these commits, in this order, sealed parts unopened. Raises LedgerHole where one is missing."""
        async with causally(self.commits) as session:
            found = self.commits.find({"_id": {"$in": list(commits)}}, {"events": 1}, session=session)
            documents = {each["_id"]: each["events"] async for each in found}
        if missing := [commit for commit in commits if commit not in documents]:
            raise LedgerHole(f"commit {missing[0]} is in the ledger of {self.source}, but not in the log")
        return [await self._event(stored, False) for commit in commits for stored in documents[commit]]

    async def _load(self, subject: str, unseal: bool) -> Loaded:
        # Both bounds in one $elemMatch: apart, each could be met by another element of the array.
        within = {"claims": {"$elemMatch": {"$gte": f"{subject}@", "$lt": f"{subject}A"}}}
        for _ in range(READ_AGAIN):
            try:
                async with causally(self.commits) as session:
                    found_now = self.commits.find(within, {"claims": 1, "events": 1}, session=session)
                    documents = await found_now.to_list(None)
            except PyMongoError as error:
                raise LogUnavailable(str(error)) from error
            found = sorted((_version_in(document["claims"], subject), document) for document in documents)
            if [version for version, _ in found] == list(range(1, len(found) + 1)):
                break
        else:
            raise LogUnavailable(f"versions of {subject} have a hole")
        events: list[Event] = []
        versions: list[int] = []
        for version, document in found:
            for stored in document["events"]:
                events.append(await self._event(stored, unseal))
                versions.append(version)
        return Loaded(subject, len(found), tuple(events), tuple(versions))

    async def _event(self, stored: Mapping[str, Any], unseal_it: bool) -> Event:
        known = class_of(stored["type"])
        assert known is not None, "what was appended here is in the contracts for ever"
        opened = None
        if unseal_it and "sealed" in stored and self.keyring is not None:
            try:
                key = await self.keyring.key(stored["person"])
            except KeyDestroyed:
                key = None
            if key is not None:
                opened = unseal(key, bytes(stored["sealed"]), f"{stored['type']} {stored['subject']}")
        return known.from_data(upcast(stored["type"], stored["data"]), occurred=stored["time"], sealed=opened)

    async def document(self, commit: NewCommit) -> dict[str, Any]:
        """What `append` stores: sealed, checked, with its claims. Raises TooLarge, Unserialisable, KeyringError."""
        if not commit.events:
            raise Unserialisable("a commit holds at least one event")
        if any("@" in key for key in (commit.command, *commit.business_keys)):
            # The relay would take it for a version of a subject, and wait for the one before it.
            raise Unserialisable("a command or business key holds an @")
        events = [await self._stored(event) for event in commit.events]
        for event in events:
            self._check_record(commit, event)
        document = {
            "_id": new_id(),
            "claims": [
                commit.command,
                *commit.business_keys,
                *(claim_of(subject, version + 1) for subject, version in commit.reads.items()),
            ],
            "command_hash": commit.command_hash,
            "actor": commit.actor,
            "correlation": commit.correlation,
            "causation": commit.causation,
            "traceparent": commit.traceparent,
            "at": machine_now(),
            "n": len(events),
            "events": events,
            "answer": {
                "body": commit.answer.body,
                "location": commit.answer.location,
                "subject": commit.answer.subject,
                "status": commit.answer.status,
                "version": commit.reads[commit.answer.subject] + 1,
            },
            "pending": True,
        }
        if commit.hashed_for is not None:
            document["hashed_for"] = commit.hashed_for
        return document

    async def _stored(self, event: Event) -> dict[str, Any]:
        if event.type_name() not in self._by_type:
            raise Unserialisable(f"{event.type_name()} does not belong to {self.source}")
        data = event.data()
        try:
            json.dumps(data, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise Unserialisable(f"{event.type_name()}: {error}") from error
        occurred: datetime = event.occurred or self.clock.now()
        stored = {
            "type": event.type_name(),
            "version": event.VERSION,
            "subject": event.subject,
            "partitionkey": event.partition_key,
            "time": milliseconds(occurred),
            "data": data,
        }
        if event.sealed:
            if self.keyring is None or event.person is None:
                raise Unserialisable(f"{event.type_name()} has a sealed part, but {self.source} has no keyring for it")
            key = await self.keyring.key(event.person)
            stored["person"] = event.person
            stored["sealed"] = seal(key, event.sealed, f"{stored['type']} {stored['subject']}")
        return stored

    def _check_record(self, commit: NewCommit, stored: Mapping[str, Any]) -> None:
        """Make the record as the relay will: what it could not send would stop it for ever."""
        try:
            record = encode_stored(
                type_name=stored["type"],
                subject=stored["subject"],
                partition_key=stored["partitionkey"],
                occurred=stored["time"],
                data=stored["data"],
                source=self.source,
                position=1,
                recorded=stored["time"],
                correlation=commit.correlation,
                causation=commit.causation,
                traceparent=commit.traceparent,
                schema_base_url="",
            )
        except (TypeError, ValueError, OverflowError) as error:
            raise Unserialisable(f"{stored['type']}: {error}") from error
        if len(record.value) + sum(len(value) for _, value in record.headers) > MAX_EVENT_BYTES:
            raise TooLarge(stored["type"])


def _version_in(claims: Iterable[str], subject: str) -> int:
    for claim in claims:
        if (split := split_claim(claim)) is not None and split[0] == subject:
            return split[1]
    raise LogUnavailable(f"a commit without a claim on {subject}")
