"""Timers: once each, in the order of their due times, over restarts and beside other replicas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from chassis import metrics
from chassis.clock import Clock
from chassis.commands import Commands
from chassis.decisions import Loaded
from chassis.eventlog import EventLog
from chassis.reactor import Occasion
from chassis.service import Service
from chassis.settings import Settings
from chassis.timers import Timed, Timer, Timers
from contracts import intake
from contracts.event import Event
from tests.service.platform_helpers import published, report, small_service, until

MONDAY = datetime(2025, 1, 13, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def _schedule(event: Event) -> Iterator[Timer]:
    """A figure of n heads calls for a look after each of n days; the figure that follows calls for none."""
    assert isinstance(event, intake.WorkforceReported)
    for days in range(1, event.head_count + 1):
        due = MONDAY + days * DAY
        yield Timer("withdraw", event.org_number, due, {"need": event.org_number, "days": str(days)})


def _subjects(timer: Timer, _: Mapping[str, Loaded]) -> list[str]:
    return [f"need:{timer.data['need']}"]


def withdrawing(fault: list[Exception] | None = None) -> Timed:
    """Says of each day that it has come; even days are passed over in silence."""

    def fire(timer: Timer, loaded: Mapping[str, Loaded], occasion: Occasion) -> Sequence[Event]:
        assert occasion.now >= timer.due
        if fault:
            raise fault.pop()
        days = int(timer.data["days"])
        if days % 2 == 0:
            return []
        need = timer.data["need"]
        slots = (f"day {days}",)
        day = date(2025, 1, 13) + days * DAY
        return [intake.NeedWithdrawn(need_id=need, org_number=need, slot_ids=slots, reason="other", withdrawn_on=day)]

    return Timed("withdraw", (intake.WorkforceReported,), _schedule, _subjects, fire)


def timing(settings: Settings, fault: list[Exception] | None = None) -> tuple[Service, EventLog, Timers]:
    service, eventlog = small_service(settings)
    service.add_timers(eventlog, withdrawing(fault))
    service.clock.set(MONDAY)
    return service, eventlog, service._timers[0]


async def said(eventlog: EventLog, org_number: str = "1") -> list[str]:
    """What timers have said of a need, in the order of the log."""
    loaded = (await eventlog.load([f"need:{org_number}"]))[f"need:{org_number}"]
    return [event.slot_ids[0] for event in loaded.events if isinstance(event, intake.NeedWithdrawn)]


async def test_a_timer_fires_when_the_business_clock_has_come_to_it_and_not_before(settings: Settings) -> None:
    service, eventlog, timers = timing(settings)
    await service.start()
    try:
        await report(service.commands(eventlog), "1", 3)
        assert await timers.settle(20)
        assert await said(eventlog) == []
        await service.turn_clock(MONDAY + DAY - timedelta(milliseconds=1))
        assert await said(eventlog) == []
        await service.turn_clock(MONDAY + DAY)
        assert await said(eventlog) == ["day 1"]
        await service.turn_clock(MONDAY + 2 * DAY)
        await service.turn_clock(MONDAY + 9 * DAY)
        assert await said(eventlog) == ["day 1", "day 3"]
        assert await timers._waiting.count_documents({"waiting": True}) == 0
        assert await timers._waiting.count_documents({"outcome": "nothing"}) == 1
    finally:
        await service.stop()


async def test_a_timer_fires_by_itself_while_the_service_runs(settings: Settings) -> None:
    service, eventlog, _ = timing(settings)
    await service.start()
    try:
        service.clock.set(MONDAY + DAY)
        await report(service.commands(eventlog), "1", 1)

        async def fired() -> bool:
            return await said(eventlog) == ["day 1"]

        await until(fired, "the timer")
    finally:
        await service.stop()


async def test_what_came_due_while_nothing_ran_fires_once_each_after_the_start_in_its_order(
    settings: Settings,
) -> None:
    service, eventlog, timers = timing(settings)
    await service.start()
    await report(service.commands(eventlog), "1", 5)
    assert await timers.settle(20)
    await service.stop()
    for _ in range(2):
        service, eventlog, timers = timing(settings)
        service.clock.set(MONDAY + 30 * DAY)
        await service.start()
        try:
            assert await timers.settle(20)
            assert await said(eventlog) == ["day 1", "day 3", "day 5"]
        finally:
            await service.stop()


async def test_a_process_that_ends_between_the_command_and_its_mark_says_nothing_twice(settings: Settings) -> None:
    service, eventlog, timers = timing(settings)
    await service.start()
    try:
        await report(service.commands(eventlog), "1", 1)
        await service.turn_clock(MONDAY + DAY)
        assert await said(eventlog) == ["day 1"]
        # As it stands when the mark was never written, and when the whole ledger is read again.
        await timers._waiting.update_many({}, {"$set": {"waiting": True}, "$unset": {"outcome": ""}})
        assert await timers.settle(20)
        await timers._read.delete_many({})
        await timers._waiting.delete_many({})
        assert await timers.settle(20)
        assert await timers._waiting.count_documents({"outcome": "appended"}) == 1
        assert await said(eventlog) == ["day 1"]
    finally:
        await service.stop()


async def test_a_timer_that_a_log_called_for_before_it_was_continued_fires_all_the_same(settings: Settings) -> None:
    without, eventlog = small_service(settings)
    without.clock.set(MONDAY)
    await without.start()
    await report(without.commands(eventlog), "1", 1)
    await published(eventlog, 1)
    await without.stop()
    again, eventlog = small_service(settings)
    # As after a restored backup: positions go on under another source, and nobody had read the old ones for timers.
    await again._logs[0].database["epoch"].insert_one({"_id": intake.SOURCE, "number": 2})
    again.add_timers(eventlog, withdrawing())
    again.clock.set(MONDAY + DAY)
    await again.start()
    try:
        assert await again._timers[0].settle(20)
        assert eventlog.source == f"{intake.SOURCE}~2"
        assert await said(eventlog) == ["day 1"]
    finally:
        await again.stop()


async def test_of_two_replicas_one_works_and_the_other_takes_over(settings: Settings) -> None:
    first, eventlog, one = timing(settings)
    second, _, two = timing(settings)
    await first.start()
    await second.start()
    try:
        assert await one.settle(20)
        assert (one.working, two.working) == (True, False)
        await report(first.commands(eventlog), "1", 5)
        for service in (first, second):
            service.clock.set(MONDAY + DAY)
        assert await one.settle(20)
        assert await said(eventlog) == ["day 1"]
        await first.stop()
        second.clock.set(MONDAY + 9 * DAY)
        assert await two.settle(20)
        assert await said(second._logs[0]) == ["day 1", "day 3", "day 5"]
    finally:
        await second.stop()


async def test_two_that_both_believe_to_hold_the_lease_say_each_thing_once(settings: Settings) -> None:
    service, eventlog, timers = timing(settings)
    await service.start()
    try:
        await report(service.commands(eventlog), "1", 9)
        assert await timers.settle(20)
        service.clock.set(MONDAY + 30 * DAY)
        # A holder that slept past its lease and has not noticed: its fence is down, the claims are not.
        other = Timers(
            [withdrawing()], eventlog, Commands(eventlog), Clock(MONDAY + 30 * DAY), service.database("small")
        )
        assert timers._lease is not None
        await timers._fire_due(timers._lease)
        await timers._waiting.update_many({}, {"$set": {"waiting": True}, "$unset": {"outcome": ""}})
        await other._fire_due(timers._lease)
        assert await said(eventlog) == ["day 1", "day 3", "day 5", "day 7", "day 9"]
    finally:
        await service.stop()


@pytest.mark.parametrize("fault", [ValueError("planted"), LookupError("planted")], ids=["a value", "a lookup"])
async def test_a_timer_that_fails_is_told_and_tried_again_while_the_others_go_on(
    settings: Settings, fault: Exception
) -> None:
    service, eventlog, timers = timing(settings, [fault])
    await service.start()
    try:
        await report(service.commands(eventlog), "1", 3)
        await published(eventlog, 1)
        await service.turn_clock(MONDAY + 9 * DAY)
        assert await said(eventlog) == ["day 3"]
        assert any("timer withdraw/1/2025-01-14" in fault for fault in await service.faults_ready())
        assert metrics.TIMERS.labels("withdraw", "failed")._value.get() >= 1
        timers._later = dict.fromkeys(timers._later, 0.0)
        assert await timers.settle(20)
        assert await said(eventlog) == ["day 3", "day 1"]
        assert not [fault for fault in await service.faults_ready() if "timer" in fault]
    finally:
        await service.stop()
