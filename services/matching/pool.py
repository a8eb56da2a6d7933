"""The pool as columns of numbers, kept in this process beside the view that they are made of.

Invariant: after `refresh` the columns hold everything that the view held when it was called; only what has changed
since the last time is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from chassis.projection import Document
from chassis.projector import View
from chassis.startcheck import epoch_of
from services.matching.domain.columns import Columns
from services.matching.snapshots import absorbed_in, candidate_facts, is_known
from services.matching.views import EPOCH_BITS, place_in

BATCH = 2_000
"""Documents that are read at once: memory stays bounded, and other requests get their turn in between."""


class Pool:
    """Everybody, one row each. Rebuilt where the view shows another generation."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._lock = asyncio.Lock()
        self._columns = Columns()
        self._generation: object = None
        self._seen: dict[str, int] = {}
        self._sources: dict[str, str] = {}
        self._into: dict[str, str] = {}

    async def refresh(self) -> Columns:
        """The columns, up to date with the view. They may be changed by the next refresh: copy what is kept."""
        async with self._lock:
            if self._generation is not self._view.progress:
                self._generation, self._columns = self._view.progress, Columns()
                self._seen, self._into = {}, {}
                self._sources = {source: source for source in self._view.sources}
            # Read first: whatever is written from here on lies above, and is found the next time.
            places = [place_in(each, await self._view.complete_to(each)) for each in sorted(self._sources.values())]
            await self._read(
                {} if not self._seen else {"$or": [{f"last.{k}": {"$gt": v}} for k, v in self._seen.items()]}
            )
            self._seen = dict(places)
            return self._columns

    async def _read(self, where: dict[str, object]) -> None:
        after, again = "", set()
        while documents := await self._view.find({**where, "_id": {"$gt": after}}, limit=BATCH):
            for document in documents:
                again |= await self._enter(document)
            after = documents[-1]["_id"]
            await asyncio.sleep(0)
        # Whoever was merged into another registration holds that one too.
        for document in await self._view.find({"_id": {"$in": sorted(again)}}) if again else ():
            await self._enter(document)

    async def _enter(self, document: Document) -> set[str]:
        """Put one person; the registrations that this says something about as well."""
        name = document["_id"]
        for source in self._view.sources:
            # A log that was continued after a restored backup counts its positions from 1 again.
            epoch = document["last"].get(place_in(source, 0)[0], 0) >> EPOCH_BITS
            if epoch > epoch_of(self._sources[source]):
                self._sources[source] = f"{source}~{epoch}"
        if (into := document.get("merged_into")) is not None:
            self._into[name] = into
        if is_known(document):
            absorbed = await absorbed_in(self._view, document) if document.get("absorbed") else {}
            self._columns.put(candidate_facts(name, document, absorbed))
        else:
            self._columns.drop(name)
        return set(self._onwards(name))

    def _onwards(self, name: str) -> Iterable[str]:
        while name := self._into.get(name, ""):
            yield name
