"""A rebuild that is cut off goes on where it was; one that failed, was rolled back from or dropped does no harm."""

from __future__ import annotations

import asyncio
import json

import pytest

from chassis.commands import Commands
from chassis.eventlog import EventLog
from chassis.parking import Parking, State
from chassis.reading import Reader
from chassis.rebuild import Broken, Headway, Incomplete
from chassis.settings import Settings
from contracts import intake
from tests.service.platform_helpers import figures, reading_service, report, until
from tests.service.test_rebuild import contents, eventlog, fill, of, picky, silent
from tests.service.test_several_processes import said, worker

__all__ = ["eventlog"]
EVENTS = 120


async def test_a_rebuild_up_to_positions_that_was_killed_goes_on_and_equals_live(
    eventlog: EventLog, settings: Settings
) -> None:
    await fill(eventlog, EVENTS)
    service = reading_service(settings, figures())
    await service.start()
    try:
        assert await service.view("figures").wait_for(intake.SOURCE, EVENTS, 20)
        end = {intake.SOURCE: EVENTS}
        async with worker(settings, "rebuild", "40", json.dumps(end)) as killed:
            before = await said(killed, "folded")
            killed.kill()
            await killed.wait()
        assert 0 < before < EVENTS
        # What comes later does not belong to it, whenever it is folded.
        await fill(eventlog, 30, first=EVENTS)
        rebuild, steps = of(service, settings, figures()), list[Headway]()
        generation = await rebuild.run(steps.append, until=end)
        assert generation.number == 2
        assert [each.number for each in await rebuild.generations.all()] == [1, 2]
        assert 0 < steps[-1].total < EVENTS, "it began anew"
        assert steps[-1].folded == steps[-1].total
        database = service.database("small")
        assert sum(len(each["counts"]) for each in await contents(database, "figures_2")) == EVENTS
        live = [
            {**each, "counts": [n for n in each["counts"] if n < EVENTS]}
            for each in await service.view("figures").find()
        ]
        assert live == [
            {"_id": each["_id"], "counts": each["counts"]} for each in await contents(database, "figures_2")
        ]
        # It has come to its end: the next one with the same end is a new one.
        assert (await rebuild.run(silent, until=end)).number == 3
        assert await contents(database, "figures_3") == await contents(database, "figures_2")
    finally:
        await service.stop()


async def test_after_a_rollback_a_rebuild_begins_anew(eventlog: EventLog, settings: Settings) -> None:
    await fill(eventlog, 14)
    service = reading_service(settings, figures())
    await service.start()
    try:
        assert await service.view("figures").wait_for(intake.SOURCE, 14, 20)
        rebuild = of(service, settings, figures())
        await rebuild.run(silent)
        await rebuild.roll_back()
        # Whoever rolls back does not trust it.
        await service.database("small")["view_figures_2"].delete_many({})
        assert (await rebuild.plan())[0] is None
        assert (await rebuild.run(silent)).number == 3
        assert len(await contents(service.database("small"), "figures_3")) == 7
    finally:
        await service.stop()


async def test_the_number_of_a_dropped_generation_is_never_given_again(eventlog: EventLog, settings: Settings) -> None:
    await fill(eventlog, 14)
    service = reading_service(settings, figures())
    await service.start()
    try:
        assert await service.view("figures").wait_for(intake.SOURCE, 14, 20)
        rebuild = of(service, settings, figures())
        dropped = await rebuild.run(silent, until={intake.SOURCE: 14})
        await rebuild.generations.drop(dropped)
        assert [each.number for each in await rebuild.generations.all()] == [1]
        assert await rebuild.generations.get(2) is None
        # The group of number 2 has committed: another one of that name would skip what it has read.
        built = await asyncio.wait_for(rebuild.run(silent), 20)
        assert built.number == 3
        assert len(await contents(service.database("small"), built.name)) == 7
    finally:
        await service.stop()


async def test_a_rebuild_that_fails_for_good_says_so_and_skips_nothing(
    eventlog: EventLog, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(eventlog, 60)
    service = reading_service(settings, figures())
    rebuild = of(service, settings, figures())
    handle, batches = Reader.handle, 0

    async def failing(self: Reader, raws: list[object]) -> object:
        nonlocal batches
        batches += 1
        if batches == 1:
            raise RuntimeError("planted in the handler")
        return await handle(self, raws)  # type: ignore[arg-type]

    monkeypatch.setattr(Reader, "handle", failing)
    with pytest.raises(Broken) as broken:
        await rebuild.run(silent)
    assert isinstance(broken.value.__cause__, RuntimeError)
    assert batches == 1
    generation = await rebuild.run(silent)
    assert generation == await rebuild.generations.serving()
    assert generation.number == broken.value.generation.number
    held = await contents(service.database("small"), generation.name)
    assert sorted(n for each in held for n in each["counts"]) == list(range(60))


async def test_what_is_served_answers_and_goes_on_until_the_pointer_moves(
    eventlog: EventLog, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(eventlog, 21)
    service = reading_service(settings, figures())
    await service.start()
    view, building = service.view("figures"), asyncio.Event()
    try:
        assert await view.wait_for(intake.SOURCE, 21, 20)
        handle, gate = Reader.handle, asyncio.Event()
        served = service._projections[0].projector.reader

        async def late(self: Reader, raws: list[object]) -> object:
            if self is not served:
                building.set()
                await gate.wait()
            return await handle(self, raws)  # type: ignore[arg-type]

        monkeypatch.setattr(Reader, "handle", late)
        rebuild = of(service, settings, figures())
        running = asyncio.create_task(rebuild.run(silent))
        await asyncio.wait_for(building.wait(), 20)
        assert sum(len(each["counts"]) for each in await view.find()) == 21
        await fill(eventlog, 7, first=21)

        async def complete() -> bool:
            return await view.complete_to(intake.SOURCE) == 28

        await until(complete, "what is served folds what comes")
        assert sum(len(each["counts"]) for each in await view.find()) == 28
        serving = await rebuild.generations.serving()
        assert serving is not None
        assert serving.number == 1
        gate.set()
        generation = await asyncio.wait_for(running, 20)
        assert await rebuild.generations.serving() == generation

        async def followed() -> bool:
            return service._projections[0].generation.number == 2

        await until(followed, "the service follows the pointer")
        assert sum(len(each["counts"]) for each in await view.find()) == 28
    finally:
        await service.stop()


async def test_a_rebuild_comes_to_its_end_under_a_load_that_never_rests(eventlog: EventLog, settings: Settings) -> None:
    await fill(eventlog, 21)
    service = reading_service(settings, figures())
    await service.start()
    ending = asyncio.Event()

    async def load() -> int:
        commands, n = Commands(eventlog), 21
        while not ending.is_set():
            await report(commands, str(n % 7), n)
            n += 1
        return n

    loading = asyncio.create_task(load())
    try:
        generation = await asyncio.wait_for(of(service, settings, figures()).run(silent), 40)
        assert generation.number == 2
        ending.set()
        events, database = await loading, service.database("small")

        async def caught_up() -> bool:
            return sum(len(each["counts"]) for each in await contents(database, "figures_2")) >= events

        await until(caught_up, "what is served now goes on")
        assert [each["counts"] for each in await contents(database, "figures_2")] == [
            list(range(n, events, 7)) for n in range(7)
        ]
    finally:
        ending.set()
        await loading
        await service.stop()


async def test_what_is_parked_in_a_new_generation_is_replayed_there_and_then_it_is_served(
    eventlog: EventLog, settings: Settings
) -> None:
    """`dugnad parked replay --generation N` marks; the same rebuild, mended, takes it up and goes on to the flip."""
    await fill(eventlog, 28)
    service = reading_service(settings, figures())
    await service.start()
    try:
        assert await service.view("figures").wait_for(intake.SOURCE, 28, 20)

        flawed = of(service, settings, picky())
        with pytest.raises(Incomplete):
            await flawed.run(silent)
        mended = of(service, settings, figures())
        generation = await mended.generations.unfinished()
        assert generation is not None
        parking = Parking(service.database("small"), generation.name)
        subject = (await parking.listed())[0]["subject"]
        assert await parking.mark(subject, State.REPLAY, "operator", "mended") == 3
        assert await asyncio.wait_for(mended.run(silent), 20) == await mended.generations.serving()
        database = service.database("small")
        assert await contents(database, generation.name) == await contents(database, "figures_1")
    finally:
        await service.stop()
