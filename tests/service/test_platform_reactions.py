"""Reactions: once per event, and never again to what is long past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pytest

from chassis.decisions import Loaded
from chassis.eventlog import EventLog
from chassis.keyring import KeyDestroyed
from chassis.projection import Record
from chassis.reactor import Occasion, OffsetsLost, Reaction
from chassis.republish import republish
from chassis.service import Service
from chassis.settings import Settings
from contracts import intake
from contracts.event import Event
from tests.service.platform_helpers import published, report, small_service, until


def withdraw_at(head_count: int, error: Exception | None = None) -> Reaction:
    """Withdraw a need of the employer when it reports so many heads; or fail."""

    def subjects(record: Record, _: Mapping[str, Loaded]) -> list[str]:
        assert isinstance(record.event, intake.WorkforceReported)
        return [f"need:{record.event.org_number}"]

    def react(record: Record, loaded: Mapping[str, Loaded], _: Occasion) -> Sequence[Event]:
        assert isinstance(record.event, intake.WorkforceReported)
        if record.event.head_count != head_count:
            return []
        if error is not None:
            raise error
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
    with pytest.raises(OffsetsLost, match="--reset-offsets"):
        await again.start()
    await again.stop()


@pytest.mark.parametrize("error", [KeyDestroyed("C1"), ValueError("planted")], ids=["an erased person", "a fault"])
async def test_a_reaction_that_cannot_be_done_parks_the_event_and_others_flow(
    settings: Settings, error: Exception
) -> None:
    service, eventlog = reacting(settings, withdraw_at(13, error))
    ended: list[BaseException] = []
    service._fatal = ended.append
    await service.start()
    try:
        await report(service.commands(eventlog), "1", 13)
        await report(service.commands(eventlog), "1", 14)
        await report(service.commands(eventlog), "2", 14)
        parked = service.database("small")["parked_reactions_intake"]

        async def both_parked() -> bool:
            return await parked.count_documents({"subject": f"{intake.SOURCE} workforce:1-2025"}) == 2

        await until(both_parked, "the event, and the one behind it, are parked")

        async def reacted() -> bool:
            return await service.database("small")["reactions"].count_documents({"outcome": "nothing"}) == 1

        await until(reacted, "the reaction to another subject")
        assert ended == []
        assert await service.faults_ready() == []
    finally:
        await service.stop()
