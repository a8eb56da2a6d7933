"""Runs a projection: decode, group by key, load, fold, one bulk write, progress, offsets.

Invariant: progress and offsets move only after the documents are written, and a document is written only over the
revision that was folded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING

from chassis import metrics, telemetry
from chassis.handled import Handled, Raw
from chassis.mongo import Collection, Database
from chassis.parking import Parking
from chassis.progress import Progress
from chassis.projection import Document, Projection, fold_one, visible
from chassis.reading import Arrival, Reader, Unhandled, about
from chassis.revisions import Write, revision, write_or_lose
from contracts.registry import SOURCES, topic_of

_VALUES_AT_ONCE = 10_000


class Projector:
    """Folds batches of one projection into its collection."""

    def __init__(self, projection: Projection, database: Database, name: str | None = None) -> None:
        """`name` is the generation's, the suffix of its collections; else the projection's own."""
        name = projection.name if name is None else name
        self.projection = projection
        self.progress = Progress(database, name)
        self._documents = database[f"view_{name}"]
        parking = Parking(database, name)
        self.reader = Reader(projection.name, projection.reads, self.apply, self.progress, parking)

    async def prepare(self) -> None:
        """Create the indexes that its queries need."""
        await self.reader.parking.prepare()
        for fields in self.projection.indexes:
            await self._documents.create_index([(name, ASCENDING) for name in fields])

    async def handle(self, raws: Sequence[Raw]) -> Handled:
        """One batch. Raises PyMongoError with nothing committed; the same batch may be handled again."""
        return await self.reader.handle(raws)

    async def apply(self, arrivals: Sequence[Arrival]) -> None:
        """Fold events into documents. Raises Unhandled for one on which the fold raises, with nothing of it written."""
        traces = ((each.record.traceparent, about(each.record)) for each in arrivals)
        with telemetry.spans(f"fold {self.projection.name}", traces, kind=telemetry.SpanKind.CONSUMER):
            await self._apply(arrivals)

    async def _apply(self, arrivals: Sequence[Arrival]) -> None:
        by_key: dict[str, list[Arrival]] = {}
        for arrival in arrivals:
            try:
                keys = self.projection.keys(arrival.record)
            except Exception as error:  # a key function is pure code: whatever it raises parks the event
                raise Unhandled(arrival, f"{type(error).__name__} in the fold") from error
            for key in keys:
                by_key.setdefault(key, []).append(arrival)
        folded = dropped = 0
        while by_key:
            stored = {each["_id"]: each async for each in self._documents.find({"_id": {"$in": list(by_key)}})}
            writes: list[Write] = []
            for key, of_key in by_key.items():
                before = stored.get(key)
                after, changes = self._fold(key, before, of_key)
                folded += changes
                dropped += len(of_key) - changes
                if changes:
                    writes.append(revision(key, 0 if before is None else before["rev"], after))
            # Written meanwhile by another reader (a rebalance): fold those again before any offset moves.
            by_key = {key: by_key[key] for key in await write_or_lose(self._documents, writes)}
        metrics.RECORDS.labels(self.projection.name, "folded").inc(folded)
        metrics.RECORDS.labels(self.projection.name, "dropped").inc(dropped)

    def _fold(self, key: str, before: Mapping[str, Any] | None, arrivals: Sequence[Arrival]) -> tuple[Document, int]:
        state: Document | None = None if before is None else dict(before)
        changes = 0
        for arrival in arrivals:
            try:
                after = fold_one(self.projection, key, state, arrival.record)
            except Exception as error:  # a fold is pure code: whatever it raises parks the event
                raise Unhandled(arrival, f"{type(error).__name__} in the fold") from error
            changes += state is None or after["at"] != state["at"]
            state = after
        return state or {}, changes


class View:
    """Queries on the documents of a projection. Tombstones are not there."""

    def __init__(self, projection: Projection, database: Database, generation: str | None = None) -> None:
        self.name = projection.name
        self.sources = frozenset(source for source in SOURCES if topic_of(source) in projection.topics)
        """The logs that it reads."""
        self._database = database
        self.show(f"{projection.name}_1" if generation is None else generation)

    def show(self, generation: str, progress: Progress | None = None) -> None:
        """Let queries see a generation, by its name. The progress of whoever folds it here wakes those that wait."""
        self.progress = Progress(self._database, generation) if progress is None else progress
        self._documents = self._database[f"view_{generation}"]

    async def get(self, key: str) -> Document | None:
        """One document with its `_id`, None where there is none or it is gone."""
        found = await self._documents.find_one({"_id": key, "gone": {"$exists": False}})
        return None if found is None else _shown(found)

    async def find(
        self,
        where: Mapping[str, Any] | None = None,
        *,
        sort: Sequence[tuple[str, int]] = (("_id", ASCENDING),),
        limit: int = 0,
    ) -> list[Document]:
        """Documents that match, in a fixed order (`_id` breaks ties); `limit` 0 means all."""
        order = list(sort)
        if all(name != "_id" for name, _ in order):
            order.append(("_id", ASCENDING))
        cursor = self._documents.find({"gone": {"$exists": False}, **(where or {})}, sort=order).limit(limit)
        return [_shown(each) async for each in cursor]

    async def estimated_count(self) -> int:
        """About how many documents there are, those that are gone among them: known without looking at each one."""
        return int(await self._documents.estimated_document_count())

    async def wait_for(self, source: str, position: int, seconds: float) -> bool:
        """Whether the view has handled a position within so many seconds."""
        return await self.progress.wait_for(source, position, seconds)

    async def continued(self, source: str) -> list[str]:
        """The sources that a log went on under after its database was restored, as far as anything of them is here."""
        return sorted(each for each in await self.progress.sources() if each.startswith(f"{source}~"))

    async def complete_to(self, source: str) -> int:
        """The last position of a source up to which nothing is missing here."""
        return await self.progress.complete_to(source)

    async def counted(self) -> Sequence[object]:
        """How much it is made of: equal to an earlier answer only if nothing has been folded since.

        What has been handled only grows, so its number tells; another generation has progress of its own.
        """
        progress = self.progress
        found: list[object] = [progress]
        for source in sorted(await progress.sources()):
            highest = await progress.highest(source)
            found.append((source, highest - await progress.missing(source, highest)))
        return found

    def stored(self) -> Stored:
        """The documents of what is served now, also when another generation is shown later."""
        return Stored(self._documents)


class Stored:
    """Documents for somebody who keeps what they make of them. Tombstones are not there."""

    def __init__(self, documents: Collection) -> None:
        self._documents = documents
        self.name: str = documents.name
        """Another one for each generation. Revisions compare within one alone."""

    async def values(self, field: str) -> dict[str, Any]:
        """One field of each document, by its id. `rev` is the revision, which moves with whatever is folded."""
        cursor = self._documents.find({"gone": {"$exists": False}}, {field: 1})
        found: dict[str, Any] = {}
        while some := await cursor.to_list(_VALUES_AT_ONCE):
            found.update((each["_id"], each[field]) for each in some)
        return found

    async def of(self, keys: Sequence[str]) -> list[tuple[int, Document]]:
        """Those that are there, each behind its revision."""
        cursor = self._documents.find({"_id": {"$in": list(keys)}, "gone": {"$exists": False}})
        return [(each["rev"], _shown(each)) async for each in cursor]


def _shown(stored: Mapping[str, Any]) -> Document:
    return {"_id": stored["_id"], **visible(stored)}
