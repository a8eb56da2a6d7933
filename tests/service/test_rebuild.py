"""Rebuilding beside what is served: equal to live, resumable, and never served before it is complete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from chassis import mongo
from chassis.clock import Clock
from chassis.commands import Commands
from chassis.eventlog import EventLog
from chassis.generations import Generations
from chassis.heads import topic_heads
from chassis.projection import Document, Projection, Record
from chassis.rebuild import Headway, Incomplete, Rebuild
from chassis.relay import Relay
from chassis.service import Service
from chassis.settings import Settings
from chassis.topics import ensure_topics
from chassis.verify import verify
from contracts import intake
from tests.service.platform_helpers import INTAKE_EVENTS, figures, published, reading_service, report, until
from tests.service.test_relay import raise_it
from tests.service.test_several_processes import said, worker


@pytest.fixture
async def eventlog(database: mongo.Database, settings: Settings) -> AsyncIterator[EventLog]:
    await ensure_topics(settings, [intake.TOPIC])
    log = EventLog(database, intake.SOURCE, intake.TOPIC, INTAKE_EVENTS, Clock())
    await log.prepare()
    log.start()
    relay = Relay(log, settings)
    relay.start(raise_it)
    yield log
    await relay.stop()
    await log.stop()


async def fill(eventlog: EventLog, events: int, first: int = 0) -> None:
    commands = Commands(eventlog)
    for n in range(first, first + events):
        await report(commands, str(n % 7), n)
    await published(eventlog, first + events)


def of(service: Service, settings: Settings, projection: Projection) -> Rebuild:
    return Rebuild(projection, service.database("small"), settings, "small")


def picky() -> Projection:
    """The figures, but it cannot fold a head count of 13."""

    def fold(key: str, document: Document | None, record: Record) -> Document | None:
        assert isinstance(record.event, intake.WorkforceReported)
        if record.event.head_count == 13:
            raise ValueError("cannot fold this")
        return figures().fold(key, document, record)

    return replace(figures(), fold=fold)


async def contents(database: mongo.Database, generation: str) -> list[Document]:
    """What a generation holds, byte for byte but for how often it was written."""
    return [{**each, "rev": 0} async for each in database[f"view_{generation}"].find({}, sort=[("_id", 1)])]


def silent(_: Headway) -> None:
    """Nobody looks on."""


async def test_the_heads_of_topics_are_the_last_positions_of_their_sources(
    eventlog: EventLog, settings: Settings
) -> None:
    assert await topic_heads(settings, [intake.TOPIC]) == {}
    await fill(eventlog, 9)
    assert await topic_heads(settings, [intake.TOPIC]) == {intake.SOURCE: 9}
    assert await topic_heads(settings, ["absent", intake.TOPIC]) == {intake.SOURCE: 9}
    assert await topic_heads(settings, ["absent"]) == {}


async def test_a_rebuild_equals_live_and_running_services_follow_the_pointer(
    eventlog: EventLog, settings: Settings
) -> None:
    await fill(eventlog, 60)
    service = reading_service(settings, figures())
    await service.start()
    try:
        view = service.view("figures")
        assert await view.wait_for(intake.SOURCE, 60, 20)
        steps: list[Headway] = []
        generation = await of(service, settings, figures()).run(steps.append)
        assert (generation.number, steps[-1].folded, steps[-1].total) == (2, 60, 60)
        database = service.database("small")
        assert await contents(database, "figures_2") == await contents(database, "figures_1")

        async def followed() -> bool:
            return await database["view_figures_2"].count_documents({"counts": 60}) == 1

        await fill(eventlog, 7, first=60)
        await until(followed, "the service folds the generation that is served")
        assert await view.wait_for(intake.SOURCE, 67, 20)
        assert sum(len(each["counts"]) for each in await view.find()) == 67
        # The one before is kept, for a rollback.
        assert len(await contents(database, "figures_1")) == 7
    finally:
        await service.stop()


async def test_a_rollback_serves_the_previous_generation_which_catches_up(
    eventlog: EventLog, settings: Settings
) -> None:
    await fill(eventlog, 14)
    service = reading_service(settings, figures())
    await service.start()
    try:
        view = service.view("figures")
        assert await view.wait_for(intake.SOURCE, 14, 20)
        rebuild = of(service, settings, figures())
        await rebuild.run(silent)
        rolled = await rebuild.roll_back()
        assert rolled is not None
        assert [each.number for each in rolled] == [2, 1]
        await fill(eventlog, 7, first=14)

        first = service.database("small")["view_figures_1"]

        async def goes_on() -> bool:
            # Looked for in its own documents, too: until the service follows, the view shows the second one, which may
            # have folded the rest as well.
            shown = sum(len(each["counts"]) for each in await view.find())
            return shown == 21 and await first.count_documents({"counts": 20}) == 1

        await until(goes_on, "the generation that was rolled back to goes on")
    finally:
        await service.stop()


async def test_with_something_parked_nothing_is_served_unless_forced(eventlog: EventLog, settings: Settings) -> None:
    await fill(eventlog, 21)
    service = reading_service(settings, figures())
    await service.start()
    try:
        assert await service.view("figures").wait_for(intake.SOURCE, 21, 20)

        flawed = of(service, settings, picky())
        with pytest.raises(Incomplete) as incomplete:
            await flawed.run(silent)
        assert incomplete.value.parked == 2
        serving = await flawed.generations.serving()
        assert serving is not None
        assert serving.number == 1
        forced = await flawed.run(silent, force=True)
        serving = await flawed.generations.serving()
        assert serving == forced
    finally:
        await service.stop()


async def test_a_generation_up_to_positions_holds_exactly_these_and_is_not_served(
    eventlog: EventLog, settings: Settings
) -> None:
    await fill(eventlog, 30)
    service = reading_service(settings, figures())
    await service.start()
    try:
        assert await service.view("figures").wait_for(intake.SOURCE, 30, 20)
        rebuild = of(service, settings, figures())
        generation = await rebuild.run(silent, until={intake.SOURCE: 17})
        held = await contents(service.database("small"), generation.name)
        assert sorted(n for each in held for n in each["counts"]) == list(range(17))
        serving = await rebuild.generations.serving()
        assert serving is not None
        assert serving.number == 1
    finally:
        await service.stop()


async def test_another_version_of_the_fold_is_built_beside_and_served_when_complete(
    eventlog: EventLog, settings: Settings
) -> None:
    await fill(eventlog, 20)
    old = reading_service(settings, figures())
    await old.start()
    assert await old.view("figures").wait_for(intake.SOURCE, 20, 20)

    def summed(key: str, document: Document | None, record: Record) -> Document | None:
        folded = figures().fold(key, document, record)
        return folded and {**folded, "sum": sum(folded["counts"])}

    new = reading_service(settings, replace(figures(), fold=summed, version=2))
    await new.start()
    try:

        async def served() -> bool:
            return await new.faults_ready() == []

        await until(served, "the new version is served")
        assert all(each["sum"] == sum(each["counts"]) for each in await new.view("figures").find())
        # The process of the old version goes on with its own generation.
        assert all("sum" not in each for each in await old.view("figures").find())
    finally:
        await new.stop()
        await old.stop()


async def test_a_rebuild_that_was_killed_goes_on_in_the_same_generation(eventlog: EventLog, settings: Settings) -> None:
    await fill(eventlog, 120)
    async with worker(settings, "rebuild", "40") as killed:
        assert await said(killed, "folded") > 0
        killed.kill()
        await killed.wait()
    service = reading_service(settings, figures())
    generations = Generations(service.database("small"), "figures", 1)
    assert [each.number for each in await generations.all()] == [1, 2]
    steps: list[Headway] = []
    generation = await of(service, settings, figures()).run(steps.append)
    assert generation.number == 2
    assert steps[-1].total < 120, "it began anew"
    assert sorted(n for each in await contents(service.database("small"), "figures_2") for n in each["counts"]) == list(
        range(120)
    )


async def test_verification_is_fine_with_what_is_served_and_finds_a_changed_document(
    eventlog: EventLog, settings: Settings
) -> None:
    await fill(eventlog, 40)
    service = reading_service(settings, figures())
    await service.start()
    try:
        assert await service.view("figures").wait_for(intake.SOURCE, 40, 20)
        database = service.database("small")
        generation = await Generations(database, "figures", 1).serving()
        assert generation is not None
        verdict = await verify(figures(), generation, database, settings)
        assert (verdict.fine, verdict.documents, verdict.events) == (True, 7, 40)
        await database["view_figures_1"].update_one({"_id": "3"}, {"$pop": {"counts": 1}})
        await database["view_figures_1"].delete_one({"_id": "4"})
        await database["view_figures_1"].insert_one({"_id": "new", "rev": 1, "at": {}, "counts": []})
        verdict = await verify(figures(), generation, database, settings)
        assert (verdict.differing, verdict.missing, verdict.strange) == (["3"], ["4"], ["new"])
        assert not verdict.fine
    finally:
        await service.stop()


async def test_verification_waits_for_documents_that_move_under_load(eventlog: EventLog, settings: Settings) -> None:
    await fill(eventlog, 20)
    service = reading_service(settings, figures())
    await service.start()
    try:
        database = service.database("small")
        assert await service.view("figures").wait_for(intake.SOURCE, 20, 20)
        generation = await Generations(database, "figures", 1).serving()
        assert generation is not None
        load = asyncio.create_task(fill(eventlog, 30, first=20))
        verdict = await verify(figures(), generation, database, settings)
        await load
        assert not verdict.differing
        assert not verdict.strange
    finally:
        await service.stop()
