"""The ledger: the order of a log, in pages that never change.

Invariant: every event has a position 1, 2, 3 … without holes, in one order for ever; inserting a page is a
compare-and-set on the head, since its id is the `next` of the page before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING

from chassis.mongo import Database, DuplicateKeyError, causally

PAGE_COMMITS = 1000


class LedgerHole(Exception):
    """A page does not begin where the one before it ended: something was lost. Nothing goes on before it is mended."""


@dataclass(frozen=True)
class Page:
    """Positions `first` to `next - 1`. `at` is the recorded time of all its events; it never goes back."""

    first: int
    next: int
    at: datetime
    commits: tuple[tuple[str, int], ...]
    """Commit id and number of events, in order."""


class Ledger:
    """The pages of one log. A log that was continued under a new source has a ledger for each of them."""

    def __init__(self, database: Database, epoch: int = 1) -> None:
        self.epoch = epoch
        self._pages = database["ledger" if epoch == 1 else f"ledger~{epoch}"]
        self.earlier: tuple[Ledger, ...] = tuple(Ledger(database, each) for each in range(1, epoch))
        """Finished ones: their positions stand under the earlier sources."""

    async def prepare(self) -> None:
        """Create the index that lets no commit be numbered twice, and finds a commit's position."""
        await self._pages.create_index([("commits.id", ASCENDING)], name="commits.id", unique=True)

    async def head(self) -> Page | None:
        """The last page, None while nothing has been numbered."""
        async with causally(self._pages) as session:
            document = await self._pages.find_one({}, sort=[("_id", DESCENDING)], session=session)
        return None if document is None else _page(document)

    async def head_at(self, at: datetime) -> Page | None:
        """The last page recorded by an instant; final once nothing is recorded before it any more."""
        async with causally(self._pages) as session:
            # `at` never goes back along the pages, so the last one that fits is the one before the first that does not.
            found = await self._pages.find_one({"at": {"$lte": at}}, sort=[("_id", DESCENDING)], session=session)
        return None if found is None else _page(found)

    async def latest(self) -> datetime | None:
        """The recorded time of the last page, also where that is in an earlier ledger."""
        for ledger in (self, *reversed(self.earlier)):
            head = await ledger.head()
            if head is not None:
                return head.at
        return None

    async def insert(self, page: Page) -> bool:
        """Make `page` the head. False: somebody else's page is there, or one of its commits is numbered already."""
        document = {
            "_id": page.first,
            "next": page.next,
            "at": page.at,
            "commits": [{"id": commit, "n": events} for commit, events in page.commits],
        }
        try:
            async with causally(self._pages) as session:
                await self._pages.insert_one(document, session=session)
        except DuplicateKeyError:
            return False
        return True

    async def after(self, position: int, limit: int) -> list[Page]:
        """The pages that follow a position, in order and without a hole. Raises LedgerHole."""
        async with causally(self._pages) as session:
            found = self._pages.find({"_id": {"$gt": position}}, sort=[("_id", ASCENDING)], session=session)
            documents = await found.to_list(limit)
        pages = [_page(document) for document in documents]
        expected = position + 1
        for page in pages:
            if page.first != expected:
                raise LedgerHole(f"position {expected} is missing; the next page begins at {page.first}")
            expected = page.next
        return pages

    async def numbered(self, commits: Sequence[str]) -> set[str]:
        """Which of these commits have a position."""
        found: set[str] = set()
        async with causally(self._pages) as session:
            pages = self._pages.find({"commits.id": {"$in": list(commits)}}, {"commits.id": 1}, session=session)
            async for document in pages:
                found.update(each["id"] for each in document["commits"])
        for ledger in self.earlier:
            found |= await ledger.numbered(commits)
        return found.intersection(commits)

    async def place(self, commit: str) -> tuple[int, int] | None:
        """Which ledger of the log has a commit, and the position of its last event there; None while none has it."""
        for ledger in (self, *reversed(self.earlier)):
            if (position := await ledger.last_position(commit)) is not None:
                return ledger.epoch, position
        return None

    async def last_position(self, commit: str) -> int | None:
        """The position of a commit's last event, None while it has none."""
        async with causally(self._pages) as session:
            document = await self._pages.find_one({"commits.id": commit}, session=session)
        if document is None:
            return None
        position = int(document["_id"]) - 1
        for each in document["commits"]:
            position += each["n"]
            if each["id"] == commit:
                break
        return position


def _page(document: Mapping[str, Any]) -> Page:
    commits = tuple((each["id"], each["n"]) for each in document["commits"])
    return Page(first=document["_id"], next=document["next"], at=document["at"], commits=commits)
