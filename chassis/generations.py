"""Generations of a projection: blue/green.

Invariant: readers see one complete generation; a pointer says which, and moves by compare-and-set. A generation belongs
to one version of the fold, and has its own documents, progress, parked events and consumer group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING

from chassis.clock import machine_now, milliseconds
from chassis.mongo import Database, DuplicateKeyError
from chassis.settings import Settings
from contracts import envelope
from contracts.envelope import Headers, Undecodable


@dataclass(frozen=True)
class Generation:
    """One build of a projection."""

    projection: str
    number: int
    fold_version: int
    as_of: datetime | None = None
    """What had been recorded by then; None: everything, and what comes."""
    until: Mapping[str, int] | None = None
    """The last position of each source that belongs to it; None: everything."""
    created: datetime | None = None
    completed: datetime | None = None
    """When it had come to the heads noted, or to its end; None: it is still being built, or was given up."""

    @property
    def name(self) -> str:
        """Suffix of its collections and of its consumer group."""
        return f"{self.projection}_{self.number}"

    @property
    def live(self) -> bool:
        """Whether it goes on with what comes."""
        return self.until is None


def group_of(settings: Settings, service: str, generation: Generation) -> str:
    """The consumer group of a generation."""
    return settings.group(service, generation.name)


def belongs(headers: Headers, until: Mapping[str, int] | None) -> bool:
    """Whether a record belongs to a generation that ends there. What is no event does: whoever reads it parks it."""
    if until is None:
        return True
    try:
        source = envelope.header(headers, envelope.SOURCE)
        return source is None or envelope.position(headers) <= until.get(source, 0)
    except Undecodable:
        return True


class Generations:
    """The generations of one projection."""

    def __init__(self, database: Database, projection: str, fold_version: int) -> None:
        self.projection = projection
        self.fold_version = fold_version
        self.database = database
        self._generations = database["generations"]
        self._pointers = database["pointers"]

    async def serving(self) -> Generation | None:
        """The generation that readers see, None before the first one is ready."""
        pointer = await self._pointers.find_one({"_id": self.projection})
        return None if pointer is None else await self.get(pointer["serving"])

    async def previous(self) -> Generation | None:
        """The generation that was served before, for a rollback."""
        pointer = await self._pointers.find_one({"_id": self.projection})
        return None if pointer is None or pointer["previous"] is None else await self.get(pointer["previous"])

    async def get(self, number: int) -> Generation | None:
        """One generation."""
        found = await self._generations.find_one({"_id": f"{self.projection}/{number}", "dropped": None})
        return None if found is None else _generation(found)

    async def all(self) -> list[Generation]:
        """Every generation that is kept, the oldest first."""
        found = self._generations.find({"projection": self.projection, "dropped": None}, sort=[("number", ASCENDING)])
        return [_generation(each) async for each in found]

    async def building(self) -> list[Generation]:
        """What is being built or was cut off, of any version and end, the oldest first.

        One that was served before is finished, also where nobody noted it. A live one that is older than what is served
        is given up: it would take the place of something newer.
        """
        pointer = await self._pointers.find_one({"_id": self.projection}) or {"serving": 0, "previous": None}
        return [
            each
            for each in await self.all()
            if each.completed is None
            and each.number not in (pointer["serving"], pointer["previous"])
            and (not each.live or each.number > pointer["serving"])
        ]

    async def unfinished(
        self, *, as_of: datetime | None = None, until: Mapping[str, int] | None = None
    ) -> Generation | None:
        """The newest generation of this version with this end whose build was cut off."""
        found = [each for each in await self.building() if each.fold_version == self.fold_version]
        return next((each for each in reversed(found) if _ends_at(each, as_of, until)), None)

    async def complete(self, generation: Generation) -> Generation:
        """Note that it has been built to its end."""
        now = machine_now()
        await self._generations.update_one(
            {"_id": f"{self.projection}/{generation.number}"}, {"$set": {"completed": now}}
        )
        return replace(generation, completed=now)

    async def create(self, *, as_of: datetime | None = None, until: Mapping[str, int] | None = None) -> Generation:
        """A new, empty generation of this version of the fold."""
        while True:
            # Also of those that were dropped: a number given twice would find the offsets of the first, and skip.
            last = await self._generations.find_one({"projection": self.projection}, sort=[("number", DESCENDING)])
            number = 1 if last is None else last["number"] + 1
            document = {
                "_id": f"{self.projection}/{number}",
                "projection": self.projection,
                "number": number,
                "fold_version": self.fold_version,
                "as_of": as_of,
                "until": None if until is None else [[source, position] for source, position in until.items()],
                "created": machine_now(),
                "completed": None,
            }
            try:
                await self._generations.insert_one(document)
            except DuplicateKeyError:
                # Another process was first with this number.
                continue
            return _generation(document)

    async def first(self) -> Generation:
        """The serving generation; where there is none yet, an empty first one, which is complete for an empty log."""
        serving = await self.serving()
        if serving is not None:
            return serving
        live = [each for each in await self.all() if each.live and each.fold_version == self.fold_version]
        first = await self.complete(live[0] if live else await self.create())
        try:
            await self._pointers.insert_one({"_id": self.projection, "serving": first.number, "previous": None})
        except DuplicateKeyError:
            serving = await self.serving()
            assert serving is not None, "a pointer is never removed"
            return serving
        return first

    async def to_build(self) -> Generation:
        """The live generation of this fold version that is not served yet; made where there is none."""
        serving = await self.serving()
        newest = [
            each
            for each in await self.all()
            if each.live
            and each.fold_version == self.fold_version
            and (serving is None or each.number > serving.number)
        ]
        return newest[-1] if newest else await self.create()

    async def flip(self, new: Generation, *, over: Generation) -> bool:
        """Serve `new` where `over` is served; False where somebody has moved the pointer meanwhile."""
        result = await self._pointers.update_one(
            {"_id": self.projection, "serving": over.number},
            {"$set": {"serving": new.number, "previous": over.number, "flipped": machine_now()}},
        )
        return bool(result.modified_count)

    async def drop(self, generation: Generation) -> None:
        """Remove a generation and what it holds. Never the serving one."""
        serving = await self.serving()
        assert serving is None or serving.number != generation.number, "the serving generation is never dropped"
        # First out of sight: what is half removed must be neither compared, nor gone on with.
        await self._generations.update_one(
            {"_id": f"{self.projection}/{generation.number}"}, {"$set": {"dropped": machine_now()}}
        )
        for kind in ("view", "progress", "parked"):
            await self.database.drop_collection(f"{kind}_{generation.name}")


def _generation(found: Mapping[str, Any]) -> Generation:
    until = found["until"]
    return Generation(
        projection=found["projection"],
        number=found["number"],
        fold_version=found["fold_version"],
        as_of=found["as_of"],
        until=None if until is None else dict(until),
        created=found["created"],
        completed=found.get("completed"),
    )


def _ends_at(generation: Generation, as_of: datetime | None, until: Mapping[str, int] | None) -> bool:
    if generation.until is None or until is None:
        return generation.until is None and until is None
    same = None if as_of is None else milliseconds(as_of)
    # Nothing of a source is the same end, whether or not the source is named.
    return generation.as_of == same and _positive(generation.until) == _positive(until)


def _positive(positions: Mapping[str, int]) -> dict[str, int]:
    return {source: position for source, position in positions.items() if position}
