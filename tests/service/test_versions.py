"""One real evolution, end to end: what was stored and published as version 1 is read as version 2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from chassis import mongo
from chassis.commands import Answer, Commands, Decision, Loaded
from chassis.parking import Parking, State
from chassis.projection import Document, Projection, Record
from chassis.projector import View
from chassis.rebuild import Rebuild
from chassis.settings import Settings
from contracts import intake
from tests.service.platform_helpers import context, small_service, until
from tests.unit.contracts.examples import EXAMPLES

NEED = EXAMPLES["dugnad.NeedRegistered.v2"]


def counties() -> Projection:
    """The county of each need."""

    def fold(_: str, document: Document | None, record: Record) -> Document:
        assert isinstance(record.event, intake.NeedRegistered)
        return {**(document or {}), "county": record.event.county, "type": record.type}

    return Projection("counties", (intake.TOPIC,), (intake.NeedRegistered,), lambda each: [each.subject], fold)


def register(_: Mapping[str, Loaded]) -> Decision:
    return Decision([NEED], Answer({}, "/", NEED.subject))


async def as_version_one(commits: mongo.Collection) -> None:
    """Turn what was appended into what an older process would have appended."""
    event = "events.0"
    await commits.update_one(
        {},
        {
            "$set": {f"{event}.type": "dugnad.NeedRegistered.v1", f"{event}.version": 1},
            "$unset": {f"{event}.data.county": ""},
        },
    )


async def test_an_event_of_version_1_is_brought_up_to_date_in_the_log_on_the_topic_and_in_views(
    settings: Settings,
) -> None:
    service, eventlog = small_service(settings, counties())
    await eventlog.prepare()
    eventlog.start()
    await Commands(eventlog).run(context(), [NEED.subject], register)
    await eventlog.stop()
    await as_version_one(eventlog.commits)

    service, eventlog = small_service(settings, counties())
    await service.start()
    try:
        loaded = (await eventlog.load([NEED.subject]))[NEED.subject].events[0]
        assert isinstance(loaded, intake.NeedRegistered)
        assert loaded.county == "33"
        view = service.view("counties")
        assert await view.wait_for(intake.SOURCE, 1, 20)
        # The record on the topic says what it is; what is folded is the newest version.
        assert await view.find() == [{"_id": NEED.subject, "county": "33", "type": "dugnad.NeedRegistered.v1"}]
    finally:
        await service.stop()


async def test_a_parked_event_of_version_1_is_brought_up_to_date_when_it_is_replayed_and_in_a_rebuild(
    settings: Settings,
) -> None:
    broken = True
    folded = counties()

    def fold(key: str, document: Document | None, record: Record) -> Document | None:
        if broken:
            raise ValueError("cannot fold this yet")
        return folded.fold(key, document, record)

    service, eventlog = small_service(settings, replace(folded, fold=fold))
    await eventlog.prepare()
    eventlog.start()
    await Commands(eventlog).run(context(), [NEED.subject], register)
    await eventlog.stop()
    await as_version_one(eventlog.commits)

    service, eventlog = small_service(settings, replace(folded, fold=fold))
    await service.start()
    try:
        database = service.database("small")
        parking = Parking(database, "counties_1")

        async def parked() -> bool:
            return await parking.count() == 1

        await until(parked, "it is parked")
        (kept,) = await parking.listed()
        (stored,) = await parking.of(kept["_id"])
        # As it came: the older version, to be brought up to date by whoever reads it then.
        assert b"county" not in bytes(stored["value"])
        broken = False
        await parking.mark(kept["subject"], State.REPLAY, "operator", "mended")
        view = service.view("counties")
        assert await view.wait_for(intake.SOURCE, 1, 20)
        expected = [{"_id": NEED.subject, "county": "33", "type": "dugnad.NeedRegistered.v1"}]
        assert await view.find() == expected
        built = await Rebuild(folded, database, settings, "small").run(lambda _: None)
        assert await View(folded, database, built.name).find() == expected
    finally:
        await service.stop()
