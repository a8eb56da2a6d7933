"""A lease on a role that one process at a time may have.

Invariant: the database's clock alone judges expiry; the token grows at each takeover, and whatever a holder writes is
conditional on it. A refused renewal is final.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from pymongo import ReturnDocument

from chassis.ids import new_id
from chassis.mongo import Collection, DuplicateKeyError, causally

# Dates are compared through $toLong: one engine compares them wrongly, silently, and would give the lease to everybody.
_EXPIRED: dict[str, Any] = {"$lte": [{"$toLong": "$until"}, {"$toLong": "$$NOW"}]}
_UNWANTED: dict[str, Any] = {"$lte": [{"$toLong": {"$ifNull": ["$wanted_until", 0]}}, {"$toLong": "$$NOW"}]}


class LeaseLost(Exception):
    """Somebody else has the lease: stop, do not try again under the old token."""


@dataclass
class Lease:
    """One try of one process to hold a role; a new object for each takeover."""

    collection: Collection
    role: str
    seconds: float
    owner: str = field(default_factory=new_id)
    token: int = 0
    published: int = 0
    """The last position known to be published, as it stood when the lease was taken or last moved."""
    _renewed: float = 0.0

    async def prepare(self) -> None:
        """Make the document that racers compete for."""
        with contextlib.suppress(DuplicateKeyError):
            await self.collection.insert_one(
                {"_id": self.role, "token": 0, "published": 0, "until": datetime.fromtimestamp(0, UTC)}
            )

    async def acquire(self) -> bool:
        """Take the lease if it is free. Among any number of racers one gets it."""
        asked = monotonic()
        # Causally: what the last holder wrote before its last renewal must be seen by the next one.
        async with causally(self.collection) as session:
            found = await self.collection.find_one_and_update(
                {
                    "_id": self.role,
                    "$expr": {"$and": [_EXPIRED, {"$or": [_UNWANTED, {"$eq": ["$wanted_by", self.owner]}]}]},
                },
                [{"$set": {"owner": self.owner, "token": {"$add": ["$token", 1]}, "until": self._until(self.seconds)}}],
                return_document=ReturnDocument.AFTER,
                session=session,
            )
        if found is None:
            return False
        self.token, self.published, self._renewed = found["token"], found["published"], asked
        return True

    async def keep(self) -> None:
        """Renew when half of it has passed. To be called before anything is numbered or published.

        Raises LeaseLost, also when somebody demands the role: the holder stops where it has sent nothing by halves.
        """
        if monotonic() - self._renewed < self.seconds / 2:
            return
        asked = monotonic()
        await self._write([{"$set": {"until": self._until(self.seconds)}}], {"$expr": _UNWANTED})
        self._renewed = asked

    async def demand(self, seconds: float) -> None:
        """For so long let nobody renew or take it but this one. Forgotten by itself, should this process end."""
        await self.collection.update_one(
            {"_id": self.role}, [{"$set": {"wanted_by": self.owner, "wanted_until": self._until(seconds)}}]
        )

    async def publish_up_to(self, position: int, ends: Mapping[int, int] | None = None) -> None:
        """Everything up to `position` is acknowledged by the broker. Raises LeaseLost.

        `ends`: the last position per partition among what was sent since the last call. So a partition that is lost
        while others are whole is noticed.
        """
        moved = {f"ends.{partition}": last for partition, last in (ends or {}).items()}
        await self._write({"$set": {"published": position, **moved}})
        self.published = position

    async def publish_anew(self) -> None:
        """Nothing is published: the topic is about to be made anew. Raises LeaseLost."""
        await self._write({"$set": {"published": 0, "ends": {}}})
        self.published = 0

    async def release(self) -> None:
        """Let the next one take it at once."""
        await self.collection.update_one(
            {"_id": self.role, "owner": self.owner, "token": self.token}, [{"$set": {"until": "$$NOW"}}]
        )

    def _until(self, seconds: float) -> dict[str, Any]:
        return {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": int(seconds * 1000)}}

    async def _write(
        self, update: dict[str, Any] | list[dict[str, Any]], condition: Mapping[str, Any] | None = None
    ) -> None:
        mine = {"_id": self.role, "owner": self.owner, "token": self.token, **(condition or {})}
        result = await self.collection.update_one(mine, update)
        if result.matched_count == 0:
            raise LeaseLost(self.role)
