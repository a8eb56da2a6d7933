"""Writing documents over the revision that was read.

Invariant: a document that somebody else wrote meanwhile is not overwritten, and its id is returned, whatever became of
the other documents of the same bulk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import InsertOne, ReplaceOne

from chassis.mongo import BulkWriteError, Collection, OperationFailure

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
    if len(writes) >= TRANSACTION_WORTH and await _at_once(collection, writes):
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
    """The same for first revisions that are encoded, in a third of the client's time. Raises PyMongoError."""
    if not documents:
        return []
    # Not the client's own insert, which looks at each document again.
    command = {"insert": collection.name, "documents": documents, "ordered": False}
    done = await collection.database.command({**command, "writeConcern": collection.write_concern.document})
    errors = done.get("writeErrors", [])
    if done.get("writeConcernError") or any(each["code"] != DUPLICATE_KEY for each in errors):
        raise OperationFailure("not all could be inserted")
    return [documents[each["index"]]["_id"] for each in errors]


async def _at_once(collection: Collection, writes: Sequence[Write]) -> bool:
    """All in one transaction; False, with nothing written, after a conflict or where the engine has none."""
    try:
        async with (
            await collection.database.client.start_session() as session,
            # A transaction does not take the collection's: documents could be rolled back behind committed offsets.
            session.start_transaction(collection.read_concern, collection.write_concern),
        ):
            await collection.bulk_write(writes, ordered=False, session=session)
    except (BulkWriteError, OperationFailure):
        return False
    return True


def _id_of(operation: Mapping[str, Any]) -> str:
    # A replacement is reported as a query and an update; an insert as the document, whose fields may be named so too.
    name: str = operation["_id"] if "_id" in operation else operation["q"]["_id"]
    return name
