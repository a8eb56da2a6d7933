"""Random ids of counsellors, so that no topic says who somebody logs in as.

Invariant: a login has one id for ever; the id is random and says nothing about the person.
"""

from __future__ import annotations

import contextlib

from chassis.ids import new_id
from chassis.mongo import Database, DuplicateKeyError


class Counsellors:
    """Which id a login has. Kept in followup's own database, beside the log and never in it."""

    def __init__(self, database: Database) -> None:
        self._ids = database["counsellors"]

    async def known(self, sub: str) -> str | None:
        """The id of a login; None for one that has taken no case yet."""
        found = await self._ids.find_one({"_id": sub})
        return None if found is None else str(found["counsellor_id"])

    async def id_of(self, sub: str) -> str:
        """The id of a login, given now if it has none."""
        if (known := await self.known(sub)) is not None:
            return known
        # Suppressed: another request of the same person was first.
        with contextlib.suppress(DuplicateKeyError):
            await self._ids.insert_one({"_id": sub, "counsellor_id": new_id()})
        found = await self.known(sub)
        assert found is not None, "inserted by somebody"
        return found
