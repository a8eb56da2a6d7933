"""Writing documents over the revision that was read.

Invariant: a document that somebody else wrote meanwhile is not overwritten, and its id is returned, whatever became of
the other documents of the same bulk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import InsertOne, ReplaceOne

from chassis.mongo import BulkWriteError, Collection, OperationFailure, Session

DUPLICATE_KEY = 11000
TRANSACTION_WORTH = 8
"""From so many documents on, one transaction is faster: some engines sync each document of a bulk by itself."""

Write = InsertOne[Any] | ReplaceOne[dict[str, Any]]


def revision(name: str, read: int, fields: Mapping[str, Any]) -> Write:
    """The write that makes `fields` the next revision of a document; `read` is 0 where there was none.

    A replacement whose `rev` has moved on becomes an insert of an `_id` that exists: the duplicate key is the news.
    """
    document = {**fields, "_id": name, "rev": read + 1}
    return InsertOne(document) if read == 0 else ReplaceOne({"_id": name, "rev": read}, document, upsert=True)


async def write_or_lose(collection: Collection, writes: Sequence[Write]) -> list[str]:
    """One bulk of revisions. Returns the ids that somebody else wrote meanwhile; raises PyMongoError for all else."""
    if not writes:
        return []

    async def write(session: Session) -> None:
        await collection.bulk_write(writes, ordered=False, session=session)

    if len(writes) >= TRANSACTION_WORTH and await _in_one(collection, write):
        return []
    try:
        await collection.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        details = error.details or {}
        failures = details.get("writeErrors", [])
        if details.get("writeConcernErrors") or any(each["code"] != DUPLICATE_KEY for each in failures):
            raise
        return [_id_of(each["op"]) for each in failures]
    return []


async def insert_or_lose(collection: Collection, documents: Sequence[RawBSONDocument]) -> list[str]:
    """The same for first revisions that are encoded: in a third of the client's time."""

    async def insert(session: Session) -> None:
        # Not the client's own insert, which looks at each document again.
        command = {"insert": collection.name, "documents": documents, "ordered": False}
        done = await collection.database.command(command, session=session)
        if done.get("writeErrors"):
            raise OperationFailure("not all could be inserted")

    if documents and await _in_one(collection, insert):
        return []
    return await write_or_lose(collection, [InsertOne(each) for each in documents])


async def _in_one(collection: Collection, change: Callable[[Session], Awaitable[object]]) -> bool:
    """A change in one transaction; False, with nothing written, after a conflict or where the engine has none."""
    try:
        async with (
            await collection.database.client.start_session() as session,
            # A transaction does not take the collection's: documents could be rolled back behind committed offsets.
            session.start_transaction(collection.read_concern, collection.write_concern),
        ):
            await change(session)
    except (BulkWriteError, OperationFailure):
        return False
    return True


def _id_of(operation: Mapping[str, Any]) -> str:
    # A replacement is reported as a query and an update; an insert as the document, whose fields may be named so too.
    name: str = operation["_id"] if "_id" in operation else operation["q"]["_id"]
    return name
