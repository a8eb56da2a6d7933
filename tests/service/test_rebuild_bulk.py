"""Rebuilt in bulk, partition after partition, a projection is what grew live; what comes between does no harm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest

from chassis.bulk import Bulk, LeftUndone, TooMuchParked, Work
from chassis.generations import group_of
from chassis.mongo import Database
from chassis.projection import Document, Projection, Record, at_key
from chassis.rebuild import Headway, Rebuild
from chassis.settings import Settings
from chassis.verify import verify
from contracts import followup, intake
from tests.service.platform_helpers import reading_service, until
from tests.service.test_rebuild import contents, silent
from tests.service.test_rebuild_equals_live import (
    EACH,
    EMPLOYERS,
    TOPICS,
    UNFOLDABLE,
    Logs,
    _folded,
    flawed,
    logs,
    mongo_client,
    sums,
)

__all__ = ["logs", "mongo_client"]
NEVER = 10**9


def by_case(projection: Projection) -> Projection:
    return replace(projection, by_case=True)


def all_in_one() -> Projection:
    """One document of everything, whose events come through all partitions."""

    def fold(_: str, document: Document | None, record: Record) -> Document:
        assert isinstance(record.event, intake.WorkforceReported)
        said = {} if document is None else document["said"]
        return {"said": {**said, at_key(record): [*said.get(at_key(record), ()), record.event.head_count]}}

    return Projection("sums", TOPICS, (intake.WorkforceReported,), lambda _: ["all"], fold)


class Watched(Rebuild):
    """Notes what was left undone of the bulk, and how much of it was folded."""

    def __init__(self, projection: Projection, database: Database, settings: Settings, **others: Any) -> None:
        super().__init__(projection, database, settings, "small", **others)
        self._given = projection, database, settings
        self.left: list[Exception] = []
        self.done = 0

    def hands(self, held_bytes: int, most: float = float("inf")) -> Callable[..., Any]:
        """Folds in bulk with so little memory; stops as if killed behind so many records."""

        async def fold(work: Work, done: Callable[[int], None]) -> None:
            projection, database, settings = self._given

            def counted(more: int) -> None:
                self.done += more
                done(more)
                if self.done > most:
                    raise LeftUndone("killed")

            bulk = Bulk(
                projection, database, settings, generation=work.generation.name,
                group=group_of(settings, "small", work.generation), until=work.generation.until, empty=work.empty,
                held_bytes=held_bytes,
            )  # fmt: skip
            try:
                await bulk.run(work.partitions, counted)
            except Exception as error:
                self.left.append(error)
                raise LeftUndone(str(error)) from error

        return fold


@pytest.mark.parametrize("held_bytes", [1, 2_000, 10**9])
@pytest.mark.parametrize("projection", [by_case(sums()), sums(), all_in_one()], ids=["by case", "not", "all in one"])
async def test_in_bulk_a_rebuild_equals_live_under_duplicates_and_another_order_between_topics(
    projection: Projection, held_bytes: int, logs: Logs, settings: Settings
) -> None:
    service = reading_service(settings, projection)
    await service.start()
    try:
        await logs.report(0, EACH)
        assert [await logs.again(topic) for topic in TOPICS] == [EACH, EACH]
        await logs.report(EACH, 10)
        await _folded(service, EACH + 10)
        database = service.database("small")
        rebuild = Watched(projection, database, settings, bulk_from=1)
        steps: list[Headway] = []
        generation = await rebuild.run(steps.append, hands=rebuild.hands(held_bytes))
        assert rebuild.left == []
        assert rebuild.done == 2 * (2 * EACH + 10)
        assert {step.total for step in steps} == {2 * (EACH + 10)}
        assert max(step.folded for step in steps) == 2 * (EACH + 10)
        assert await contents(database, generation.name) == await contents(database, "sums_1")
        assert generation == await rebuild.generations.serving()
        verdict = await verify(projection, generation, database, settings)
        assert verdict.fine, verdict
    finally:
        await service.stop()


async def test_in_bulk_the_same_events_are_parked_as_live_and_everything_else_flows(
    logs: Logs, settings: Settings
) -> None:
    await logs.report(0, EACH)
    projection = by_case(flawed())
    service = reading_service(settings, projection)
    await service.start()
    database = service.database("small")
    behind = 2 * len(range(UNFOLDABLE, EACH, EMPLOYERS))
    try:

        async def parked() -> bool:
            return await database["parked_sums_1"].count_documents({}) == behind

        await until(parked, "what cannot be folded is parked")

        async def others() -> bool:
            live = await contents(database, "sums_1")
            return sum(len(said) for each in live for said in each["said"].values()) == 2 * EACH - behind

        await until(others, "everything else flows")
        rebuild = Watched(projection, database, settings, bulk_from=1)
        forced = await rebuild.run(silent, force=True, hands=rebuild.hands(2_000))
        assert rebuild.left == []
        assert await contents(database, forced.name) == await contents(database, "sums_1")

        async def kept(generation: str) -> list[tuple[str, bytes, str]]:
            found = database[f"parked_{generation}"].find({}, sort=[("_id", 1)])
            return [(each["_id"], bytes(each["value"]), each["error"]) async for each in found]

        assert await kept(forced.name) == await kept("sums_1")
    finally:
        await service.stop()


async def test_up_to_positions_the_bulk_holds_exactly_these(logs: Logs, settings: Settings) -> None:
    await logs.report(0, EACH)
    service = reading_service(settings, sums())
    await service.start()
    try:
        await _folded(service, EACH)
        end = {intake.SOURCE: 23, followup.SOURCE: 41}
        database = service.database("small")
        rebuild = Watched(by_case(sums()), database, settings, bulk_from=1)
        generation = await rebuild.run(silent, until=end, hands=rebuild.hands(2_000))
        held = await contents(database, generation.name)
        assert {
            source: sorted(
                n for each in held for at, said in each["said"].items() if at.startswith(source) for n in said
            )
            for source in end
        } == {source: list(range(position)) for source, position in end.items()}
        assert (await rebuild.generations.serving()) != generation
    finally:
        await service.stop()


@pytest.mark.parametrize("most", [0, 30, 70, 110])
async def test_a_bulk_that_is_cut_off_goes_on_in_bulk_with_what_it_had_not_written(
    most: int, logs: Logs, settings: Settings
) -> None:
    await logs.report(0, EACH)
    service = reading_service(settings, sums())
    await service.start()
    try:
        await _folded(service, EACH)
        database = service.database("small")
        projection = by_case(sums())
        cut = Watched(projection, database, settings, bulk_from=1)
        generation = await cut.generations.create()
        with pytest.raises(LeftUndone):
            await cut.hands(10**9, most)(
                Work(generation, range(settings.partitions), empty=True, events=0), lambda _: None
            )
        again = Watched(projection, database, settings, bulk_from=1)
        steps: list[Headway] = []
        assert (await again.run(steps.append, hands=again.hands(10**9))).number == generation.number
        assert again.left == []
        assert steps[-1].folded == steps[-1].total
        assert await contents(database, generation.name) == await contents(database, "sums_1")
    finally:
        await service.stop()


async def test_where_somebody_else_writes_the_same_documents_the_rest_is_folded_as_live(
    logs: Logs, settings: Settings
) -> None:
    await logs.report(0, EACH)
    service = reading_service(settings, sums())
    await service.start()
    try:
        await _folded(service, EACH)
        database = service.database("small")
        rebuild = Watched(by_case(sums()), database, settings, bulk_from=1)
        fold = rebuild.hands(10**9)

        async def raced(work: Work, done: Callable[[int], None]) -> None:
            # It was empty when that was looked for, and no longer is.
            async for each in database["view_sums_1"].find({}):
                written = {**each, "rev": 1, "at": {}, "said": {}}
                await database[f"view_{work.generation.name}"].insert_one(written)
            await fold(work, done)

        generation = await rebuild.run(silent, hands=raced)
        assert [str(each) for each in rebuild.left] == ["another process writes the same documents"]
        held = await contents(database, generation.name)
        assert [each["said"] for each in held] == [each["said"] for each in await contents(database, "sums_1")]
    finally:
        await service.stop()


async def test_too_much_parked_ends_the_bulk_where_the_consumer_would_stop(
    logs: Logs, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.reading.MAX_SUBJECTS", 0)
    await logs.report(0, EACH)
    service = reading_service(settings, sums())
    database = service.database("small")
    rebuild = Watched(by_case(flawed()), database, settings, bulk_from=1)
    await rebuild.generations.first()
    generation = await rebuild.generations.create()
    with pytest.raises(LeftUndone):
        await rebuild.hands(10**9)(Work(generation, range(settings.partitions), empty=True, events=0), lambda _: None)
    assert [type(each) for each in rebuild.left] == [TooMuchParked]
    assert await database[f"parked_{generation.name}"].count_documents({}) == 0


async def test_with_few_events_nothing_is_folded_in_bulk(logs: Logs, settings: Settings) -> None:
    await logs.report(0, EACH)
    service = reading_service(settings, sums())
    rebuild = Watched(by_case(sums()), service.database("small"), settings, bulk_from=NEVER)
    await rebuild.run(silent, hands=rebuild.hands(10**9))
    assert rebuild.done == 0


@pytest.mark.parametrize("silent_in", ["fetches", "committed"])
async def test_a_bulk_whose_broker_says_nothing_any_more_ends_and_leaves_the_rest(
    silent_in: str, logs: Logs, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await logs.report(0, EACH)
    asked = 0

    class Silent(AIOKafkaConsumer):  # type: ignore[misc]  # the library has no types
        async def committed(self, partition: Any) -> Any:
            nonlocal asked
            asked += 1
            await asyncio.Event().wait()

    class SilentClient(AIOKafkaClient):  # type: ignore[misc]  # the library has no types
        async def send(self, node: Any, request: Any, **how: Any) -> Any:
            nonlocal asked
            if isinstance(request, FetchRequest):
                asked += 1
                await asyncio.Event().wait()
            return await super().send(node, request, **how)

    if silent_in == "committed":
        monkeypatch.setattr("chassis.bulk.AIOKafkaConsumer", Silent)
    else:
        monkeypatch.setattr("chassis.fetching.AIOKafkaClient", SilentClient)
    monkeypatch.setattr("chassis.bulk.ANSWER_SECONDS", 0.3)
    service = reading_service(settings, sums())
    database = service.database("small")
    built = [
        await Rebuild(by_case(sums()), database, settings, "small", bulk_from=bulk_from).run(silent)
        for bulk_from in (1, NEVER)
    ]
    in_bulk, by_the_consumer = [await contents(database, each.name) for each in built]
    assert len(in_bulk) > 1
    assert in_bulk == by_the_consumer
    assert asked == 1
