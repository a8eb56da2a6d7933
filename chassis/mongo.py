"""The document database: the only module that knows which driver is in use (Motor; see docs/decisions).

Invariant: what must not be lost is read with majority from the primary and written with majority and journal.
"""

from __future__ import annotations

from typing import Any

from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import ReadPreference
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from chassis.errors import DependencyDown
from chassis.settings import Settings

__all__ = [
    "BulkWriteError",
    "Client",
    "Collection",
    "ConnectionFailure",
    "Database",
    "DuplicateKeyError",
    "OperationFailure",
    "PyMongoError",
    "WTimeoutError",
    "connect",
    "database",
    "ping",
]

_Raw = dict[str, Any]
Client = AsyncIOMotorClient[_Raw]
Database = AsyncIOMotorDatabase[_Raw]
Collection = AsyncIOMotorCollection[_Raw]


def connect(settings: Settings, uri: str | None = None) -> Client:
    """A client, of another user than the process's own where `uri` is given; it connects when it is first used.

    Every call is bounded by `engine_timeout_seconds`.
    """
    milliseconds = int(settings.engine_timeout_seconds * 1000)
    return AsyncIOMotorClient(
        uri or settings.mongodb_uri, timeoutMS=milliseconds, serverSelectionTimeoutMS=milliseconds, appname="dugnad"
    )


def database(client: Client, name: str) -> Database:
    """A database whose reads are majority from the primary and whose writes are majority and journaled."""
    return client.get_database(
        name,
        codec_options=CodecOptions(tz_aware=True),
        read_preference=ReadPreference.PRIMARY,
        read_concern=ReadConcern("majority"),
        write_concern=WriteConcern(w="majority", j=True),
    )


async def ping(client: Client, settings: Settings) -> None:
    """Raises DependencyDown, with where it looked and what to do, unless the database answers."""
    try:
        await client.admin.command("ping")
    except PyMongoError as error:
        where = settings.mongodb_uri.rsplit("@", 1)[-1]
        raise DependencyDown(f"MongoDB at {where} does not answer: start it, or set MONGODB_URI") from error
