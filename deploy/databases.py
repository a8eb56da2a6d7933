"""`python -m deploy.databases`: initiate the replica set where it is not, and give each database its own user.

Invariant: a user may read and write the databases that are its own and no other: the keyring and the log of background
facts are out of reach of every user but theirs, also of intake's. Safe to run again; it then sets the passwords anew.

    MONGODB_URI              as an administrator, with directConnection=true
    MONGODB_MEMBERS          host:port of the members of the set, with commas; unset: it is initiated by somebody else
    MONGODB_PASSWORD_<USER>  one per user of USERS
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Any

from chassis.errors import DependencyDown
from chassis.mongo import Client, OperationFailure, PyMongoError, connect, ping
from chassis.settings import Settings

USERS = ("intake", "keyring", "background", "matching", "followup", "reporting")
"""Each one's database has its name."""
REPLICA_SET = "dugnad"
PRIMARY_SECONDS, POLL_SECONDS = 60.0, 0.2
_ALREADY_INITIALIZED, _USER_EXISTS = 23, 51003


async def initiate(client: Client, members: list[str]) -> None:
    """Make the members a replica set and wait for its primary. Raises DependencyDown."""
    config = {"_id": REPLICA_SET, "members": [{"_id": place, "host": host} for place, host in enumerate(members)]}
    try:
        await client.admin.command("replSetInitiate", config)
    except OperationFailure as error:
        if error.code != _ALREADY_INITIALIZED:
            raise
    try:
        async with asyncio.timeout(PRIMARY_SECONDS):
            while not (await client.admin.command("hello")).get("isWritablePrimary"):  # noqa: ASYNC110 - on the server
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        raise DependencyDown(f"{REPLICA_SET} has no primary on {members[0]}: see the log of the server") from error


async def create_users(client: Client, settings: Settings, passwords: Mapping[str, str]) -> None:
    """A user per database; one that is there gets the password and the rights that it should have."""
    for user in USERS:
        wanted: dict[str, Any] = {
            "pwd": passwords[user],
            "roles": [{"role": "readWrite", "db": settings.database(user)}],
            "mechanisms": ["SCRAM-SHA-256"],
        }
        try:
            await client.admin.command({"createUser": user, **wanted})
        except OperationFailure as error:
            if error.code != _USER_EXISTS:
                raise
            await client.admin.command({"updateUser": user, **wanted})


def passwords(environ: Mapping[str, str]) -> dict[str, str]:
    """By user. Raises DependencyDown that names what is missing."""
    found = {user: environ.get(f"MONGODB_PASSWORD_{user.upper()}", "") for user in USERS}
    missing = [f"MONGODB_PASSWORD_{user.upper()}" for user, password in found.items() if not password]
    if missing:
        raise DependencyDown(f"set {', '.join(missing)}")
    return found


async def _main() -> None:
    # It serves nobody and asks no issuer, so neither is configured.
    settings = Settings(environment="development", kafka_bootstrap_servers="")
    given = passwords(os.environ)
    client = connect(settings)
    try:
        await ping(client, settings)
        members = [host for host in os.environ.get("MONGODB_MEMBERS", "").split(",") if host]
        if members:
            await initiate(client, members)
        await create_users(client, settings, given)
    except PyMongoError as error:
        raise DependencyDown(f"MongoDB refuses: {error}") from error
    finally:
        client.close()
    print(f"databases: users {', '.join(USERS)}")


if __name__ == "__main__":
    try:
        asyncio.run(_main())
    except DependencyDown as down:
        print(down.message, file=sys.stderr)
        sys.exit(3)
