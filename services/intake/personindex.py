"""Which national id is registered as which candidate, without a plain national id.

Invariant: one national id leads to one candidate id, decided by one insert; a registration that broke off between the
insert and its append is completed by the next one, under the same candidate id. Nothing here says whether a candidate
is registered: the log does.

The protocol. `reserve` gives the candidate id of a national id, a new one for a new national id. Whoever registers
appends under that id, and the log's claim on the candidate's first version lets one of several win. So there is no
lock, no time-out and nothing to tidy up: a process that dies after `reserve` leaves an id that the next one uses.
"""

from __future__ import annotations

import hashlib
import hmac

from chassis.errors import DependencyDown
from chassis.mongo import Database, DuplicateKeyError, PyMongoError
from chassis.settings import Settings

_TRIES = 5
_DEVELOPMENT = b"dugnad development person index\0"


class PersonIndexKeyMissing(Exception):
    """Production without a key of its own. The message says what to set."""


def index_key(settings: Settings) -> bytes:
    """The key of the index. Raises PersonIndexKeyMissing in production where it is not set."""
    if settings.person_index_key is not None:
        return settings.person_index_key.get_secret_value().encode()
    if settings.environment == "production" or settings.dev_issuer_key is None:
        raise PersonIndexKeyMissing(
            "DUGNAD_PERSON_INDEX_KEY is missing: set it to a long random text, and never change it"
        )
    return hashlib.sha256(_DEVELOPMENT + settings.dev_issuer_key.get_secret_value().encode()).digest()


class PersonIndex:
    """`{_id: HMAC-SHA256 of the eleven digits, candidate_id}`, in the keyring's database."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._people = database["people"]
        self._key = key

    async def prepare(self) -> None:
        """Create the index by candidate, for erasure and merges. Raises PyMongoError."""
        await self._people.create_index([("candidate_id", 1)], name="candidate_id")

    async def reserve(self, national_id: str, candidate_id: str) -> str:
        """The candidate id of a national id; `candidate_id` where there was none. Raises DependencyDown."""
        mark = self._mark(national_id)
        try:
            for _ in range(_TRIES):
                try:
                    await self._people.insert_one({"_id": mark, "candidate_id": candidate_id})
                except DuplicateKeyError:
                    found = await self._people.find_one({"_id": mark})
                    if found is not None:
                        return str(found["candidate_id"])
                    # Erased between the two: the number is free again.
                else:
                    return candidate_id
        except PyMongoError as error:
            raise _away() from error
        raise DependencyDown("the index of persons changes faster than it can be read")

    async def find(self, national_id: str) -> str | None:
        """The candidate id of a national id, None where there is none. Raises DependencyDown."""
        try:
            found = await self._people.find_one({"_id": self._mark(national_id)})
        except PyMongoError as error:
            raise _away() from error
        return None if found is None else str(found["candidate_id"])

    async def release(self, candidate_id: str) -> None:
        """Forget the national ids of an erased candidate; doing it again changes nothing. Raises DependencyDown."""
        try:
            await self._people.delete_many({"candidate_id": candidate_id})
        except PyMongoError as error:
            raise _away() from error

    async def replace(self, national_id: str, gone: str, candidate_id: str) -> str:
        """The number of an erased candidate, for somebody who registers anew: the id that holds now.

        By compare-and-set, since several may register at once and the erasure's own `release` may be under way.
        """
        try:
            await self._people.update_one(
                {"_id": self._mark(national_id), "candidate_id": gone}, {"$set": {"candidate_id": candidate_id}}
            )
        except PyMongoError as error:
            raise _away() from error
        return await self.reserve(national_id, candidate_id)

    async def follow(self, ended: str, merged_into: str) -> None:
        """The national ids of a merged registration lead to the one that goes on. Raises DependencyDown."""
        try:
            await self._people.update_many({"candidate_id": ended}, {"$set": {"candidate_id": merged_into}})
        except PyMongoError as error:
            raise _away() from error

    def _mark(self, national_id: str) -> str:
        return hmac.digest(self._key, national_id.encode(), "sha256").hex()


def _away() -> DependencyDown:
    return DependencyDown("the index of persons cannot be reached: MongoDB does not answer")
