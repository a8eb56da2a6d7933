"""Reactions: once per event, and never again to what is long past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pytest

from chassis.decisions import Loaded
from chassis.eventlog import EventLog
from chassis.keyring import KeyDestroyed
from chassis.parking import Parking, State
from chassis.projection import Record
from chassis.reactor import Occasion, OffsetsLost, Reaction
from chassis.republish import republish
from chassis.service import Service
from chassis.settings import Settings
from contracts import intake
from contracts.event import Event
from tests.service.platform_helpers import published, report, small_service, until


def withdraw_at(head_count: int, faults: list[Exception] | None = None) -> Reaction:
    """Withdraw a need of the employer when it reports so many heads; but raise each of `faults` once, first of all."""

    def subjects(record: Record, _: Mapping[str, Loaded]) -> list[str]:
        assert isinstance(record.event, intake.WorkforceReported)
        return [f"need:{record.event.org_number}"]

    def react(record: Record, loaded: Mapping[str, Loaded], _: Occasion) -> Sequence[Event]:
        assert isinstance(record.event, intake.WorkforceReported)
        if record.event.head_count != head_count:
            return []
        if faults:
            raise faults.pop()
        need, day = record.event.org_number, date(2025, 1, 13)
        return [intake.NeedWithdrawn(need_id=need, org_number=need, slot_ids=(), reason="other", withdrawn_on=day)]

    return Reaction("withdraw", (intake.TOPIC,), (intake.WorkforceReported,), subjects, react)


def reacting(settings: Settings, reaction: Reaction) -> tuple[Service, EventLog]:
    service, eventlog = small_service(settings)
    service.add_reaction(eventlog, reaction)
    return service, eventlog


async def _withdrawals(eventlog: EventLog, org_number: str) -> int:
    return await eventlog.version(f"need:{org_number}")


async def test_a_reaction_that_starts_again_goes_on_where_it_was(settings: Settings) -> None:
    for org_number in ("1", "2"):
        service, eventlog = reacting(settings, withdraw_at(13))
        await service.start()
        try:
            await report(service.commands(eventlog), org_number, 13)

            async def withdrawn(org: str = org_number, log: EventLog = eventlog) -> bool:
                return await _withdrawals(log, org) == 1

            await until(withdrawn, "the reaction")
        finally:
            await service.stop()
    service, eventlog = reacting(settings, withdraw_at(13))
    assert [await _withdrawals(eventlog, org) for org in ("1", "2")] == [1, 1]
    assert await eventlog.database["reactions"].count_documents({}) == 0
    assert await service.database("small")["reactions"].count_documents({"outcome": "appended"}) == 2


async def test_two_processes_that_start_a_reaction_group_at_once_both_come_up(settings: Settings) -> None:
    first, eventlog = reacting(settings, withdraw_at(13))
    second, _ = reacting(settings, withdraw_at(13))
    try:
        await first.start()
        await second.start()
        await report(first.commands(eventlog), "1", 13)

        async def withdrawn() -> bool:
            return await _withdrawals(eventlog, "1") == 1

        await until(withdrawn, "the reaction")
    finally:
        await second.stop()
        await first.stop()


async def test_a_reaction_group_that_has_lost_its_offsets_does_not_start_by_itself(settings: Settings) -> None:
    service, eventlog = reacting(settings, withdraw_at(13))
    await service.start()
    await report(service.commands(eventlog), "1", 13)
    await published(eventlog, 2)
    await service.stop()
    eventlog = small_service(settings)[1]
    await republish(eventlog, settings)  # deleting a topic removes the offsets of all groups on it
    again, _ = reacting(settings, withdraw_at(13))
    with pytest.raises(OffsetsLost, match="dugnad rewind SERVICE --since"):
        await again.start()
    await again.stop()


@pytest.mark.parametrize("error", [KeyDestroyed("C1"), ValueError("planted")], ids=["an erased person", "a fault"])
async def test_an_event_whose_reaction_cannot_be_done_is_parked_and_done_when_it_is_replayed(
    settings: Settings, error: Exception
) -> None:
    faults = [error]
    service, eventlog = reacting(settings, withdraw_at(13, faults))
    ended: list[BaseException] = []
    service._fatal = ended.append
    await service.start()
    try:
        parking = Parking(service.database(service.name), "reactions_intake")
        await report(service.commands(eventlog), "1", 13)
        await report(service.commands(eventlog), "2", 13)

        async def withdrawn(org_number: str) -> bool:
            return await _withdrawals(eventlog, org_number) == 1

        await until(lambda: withdrawn("2"), "the other subject's reaction")
        await until(lambda: _parked_are(parking, 1), "the event is parked")
        [parked] = await parking.listed()
        assert (parked["state"], await _withdrawals(eventlog, "1")) == ("waiting", 0)
        (seen,) = (await service.overview())["reactions"]
        assert (seen["log"], seen["parked"], seen["last_error"]["error"]) == (
            "intake",
            {"events": 1, "subjects": 1},
            parked["error"],
        )
        assert await parking.mark(parked["subject"], State.REPLAY, "an operator", "mended") == 1
        await until(lambda: withdrawn("1"), "the reaction that was parked")
        await until(lambda: _parked_are(parking, 0), "nothing is parked any more")
        assert ended == []
    finally:
        await service.stop()


async def _parked_are(parking: Parking, number: int) -> bool:
    return await parking.count() == number
