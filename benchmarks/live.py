"""A look at the live tables after a few slots have changed, against a first look, which reads and counts everything.

Invariant: both look at the same documents on the same engine, in turns; without the same numbers there is no result.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, islice

from benchmarks.harness import Result, Stopwatch, in_turns, own_settings
from chassis import mongo
from chassis.clock import Clock
from chassis.projection import fold_all
from chassis.projector import View
from contracts import intake
from deploy.local.engines import Engines
from services.reporting import views
from services.reporting.reading import Asked, Overview, Reading
from tests.unit.reporting.simulation import simulate

CASES, CHANGED, ROUNDS = 20_000, 20, 5
TARGET = 0.1
_AT_ONCE = 1_000


class _NoKeys:
    """Nobody has declared anything here."""

    async def keys(self, persons: Sequence[str]) -> dict[str, bytes]:
        return dict.fromkeys(persons[:0], b"")

    async def destroyed(self, persons: Sequence[str]) -> set[str]:
        return set(persons[:0])


class _World:
    """Documents as the projections write them, and the views of them."""

    def __init__(self, database: mongo.Database) -> None:
        self.clock = Clock()
        self._database = database
        self._views = {each.name: View(each, database) for each in views.PROJECTIONS}
        self._positions = count(1)
        self.slots: list[str] = []

    def view(self, name: str) -> View:
        return self._views[name]

    async def fill(self, cases: int) -> None:
        records = list(simulate(1, cases).records())
        for projection in (views.placement, views.needs):
            stored = ({"_id": key, "rev": 1, **document} for key, document in fold_all(projection, records).items())
            while some := list(islice(stored, _AT_ONCE)):
                await self._database[f"view_{projection.name}_1"].insert_many(some)
                if projection is views.placement:
                    self.slots += [each["_id"] for each in some]
        await self._move()

    async def change(self, number: int) -> None:
        """As many slots as that are withdrawn, others each time."""
        documents = self._database["view_placement_1"]
        begin = next(self._positions) * number % (len(self.slots) - number)
        for slot_id in self.slots[begin : begin + number]:
            await documents.update_one(
                {"_id": slot_id},
                {"$set": {"withdrawn": {"withdrawn_on": "2025-01-01", "reason": "other"}}, "$inc": {"rev": 1}},
            )
        await self._move()

    async def _move(self) -> None:
        await self.view("placement").progress.record({(intake.SOURCE, 0): [next(self._positions)]})


def _numbers(overview: Overview) -> list[object]:
    told = (overview.waiting, overview.weeks, overview.funnel, overview.outcomes, overview.follow_up)
    return [(each.table.rows, each.table.figures) for each in (*told, *(overview.diversity or ()))]


async def measure(engines: Engines) -> list[Result]:
    """How long everything that the page shows takes, in ms; the baseline is a first look."""
    settings = own_settings(engines)
    client = mongo.connect(settings)
    try:
        world = _World(mongo.database(client, f"{settings.prefix}live"))
        await world.fill(CASES)
        kept = Reading(world, _NoKeys())
        await kept.overview(Asked())
        shown: dict[str, Overview] = {}

        async def look(name: str, reading: Reading) -> float:
            watch = Stopwatch()
            shown[name] = await reading.overview(Asked())
            return watch.seconds * 1000

        async def again() -> float:
            await world.change(CHANGED)
            return await look("again", kept)

        async def first() -> float:
            taken = await look("first", Reading(world, _NoKeys()))
            if _numbers(shown["first"]) != _numbers(shown["again"]):
                raise ValueError("what was counted on is not what counting from the start gives")
            return taken

        taken = await in_turns(ROUNDS, {"again": again, "first": first})
    finally:
        client.close()
    value, baseline = taken["again"], taken["first"]
    more = {"slots": len(world.slots), "changed": CHANGED}
    return [
        Result(
            "the live page after a change",
            value,
            "ms",
            baseline,
            f"<= {TARGET} x the baseline",
            value <= TARGET * baseline,
            more,
        )
    ]
