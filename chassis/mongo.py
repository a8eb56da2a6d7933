"""The document database: the only module that knows which driver is in use (Motor; see docs/decisions).

Invariant: what must not be lost is read with majority from the primary and written with majority and journal.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast
from weakref import WeakKeyDictionary

from bson.codec_options import CodecOptions
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
)
from pymongo import ReadPreference
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
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
    "ConfigurationError",
    "ConnectionFailure",
    "Database",
    "DuplicateKeyError",
    "OperationFailure",
    "PyMongoError",
    "WTimeoutError",
    "causally",
    "connect",
    "database",
    "ping",
]

_Raw = dict[str, Any]
Client = AsyncIOMotorClient[_Raw]
Database = AsyncIOMotorDatabase[_Raw]
Collection = AsyncIOMotorCollection[_Raw]

_seen: WeakKeyDictionary[Client, tuple[Any, Any]] = WeakKeyDictionary()
"""Per client the latest operation time that a session of it has seen, and the cluster time that goes with it."""


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


@asynccontextmanager
async def causally(collection: Collection) -> AsyncIterator[AsyncIOMotorClientSession]:
    """A session for one operation on a log, which sees whatever any earlier one of this client wrote or read.

    Else, after a failover, a majority read may be older than an acknowledged write. Sessions are not shared: the driver
    allows one operation at a time on each.
    """
    client = cast(Client, collection.database.client)
    # Begun and ended here, which asks the server nothing: through Motor each would wait for a thread as operations do.
    own = client.delegate.start_session(causal_consistency=True)
    try:
        session = AsyncIOMotorClientSession(own, client)
        latest = _seen.get(client)
        if latest is not None:
            operation_time, cluster_time = latest
            session.advance_cluster_time(cluster_time)
            session.advance_operation_time(operation_time)
        yield session
    finally:
        latest, mine = _seen.get(client), own.operation_time
        if mine is not None and (latest is None or mine > latest[0]):
            _seen[client] = mine, own.cluster_time
        own.end_session()


async def ping(client: Client, settings: Settings) -> None:
    """Raises DependencyDown, with where it looked and what to do, unless the database answers."""
    try:
        await client.admin.command("ping")
    except PyMongoError as error:
        where = settings.mongodb_uri.rsplit("@", 1)[-1]
        raise DependencyDown(f"MongoDB at {where} does not answer: start it, or set MONGODB_URI") from error
