"""A consumer whose library stands still, with no error and no records, leaves its group and joins it anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka.errors import KafkaConnectionError

from chassis import consumer
from chassis.commands import Commands
from chassis.metrics import CONSUMER_REJOINS
from chassis.service import Service
from chassis.settings import Settings
from contracts import intake
from tests.service.platform_helpers import figures, report, small_service, until

STILL_SECONDS = 0.2


@pytest.fixture
async def running(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Service, Commands]]:
    """A service that has folded ten figures, and looks only when the test asks it to."""
    monkeypatch.setattr("chassis.service.WATCH_SECONDS", 3600.0)
    monkeypatch.setattr("chassis.service.REJOIN_SECONDS", STILL_SECONDS)
    service, log = small_service(settings, figures())
    await service.start()
    commands = service.commands(log)
    for n in range(10):
        await report(commands, "1", n)
    assert await service.view("figures").wait_for(intake.SOURCE, 10, 20)
    try:
        yield service, commands
    finally:
        await service.stop()


def paralysed(service: Service) -> consumer.BatchConsumer:
    """The member, whose client has lost the task that fetches. It goes on being a member, and says nothing."""
    (member,) = service._consumers
    client = member._subscriber.consumer
    assert client is not None
    client._fetcher._fetch_task.cancel()
    return member


async def test_a_member_that_is_given_nothing_though_there_is_more_is_made_anew(
    running: tuple[Service, Commands],
) -> None:
    service, commands = running
    member = paralysed(service)
    before = CONSUMER_REJOINS.labels(member.name)._value.get()
    for n in range(10, 20):
        await report(commands, "1", n)
    view = service.view("figures")
    assert not await view.wait_for(intake.SOURCE, 20, 1)

    async def made_anew() -> bool:
        await service.measure()
        return bool(CONSUMER_REJOINS.labels(member.name)._value.get() == before + 1)

    await until(made_anew, "the rejoin")
    assert await view.wait_for(intake.SOURCE, 20, 20)
    assert await view.find() == [{"_id": "1", "counts": list(range(20))}]
    assert member.faults() == []


async def test_a_member_that_cannot_come_back_says_so_and_tries_again(
    running: tuple[Service, Commands], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, commands = running
    member = paralysed(service)
    started = member._subscriber.start

    async def away() -> None:
        raise KafkaConnectionError("away")

    monkeypatch.setattr(member._subscriber, "start", away)
    await member.rejoin()
    assert member.faults() == ["small.figures has left its group and cannot join it again"]
    assert member.stands_still(3600)
    monkeypatch.setattr(member._subscriber, "start", started)
    await service.measure()
    assert member.faults() == []
    await report(commands, "1", 10)
    assert await service.view("figures").wait_for(intake.SOURCE, 11, 20)


async def test_a_member_whose_group_never_settles_does_not_keep_its_service_from_looking_after_the_others(
    running: tuple[Service, Commands], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, _ = running
    (member,) = service._consumers

    async def never() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("chassis.consumer.JOIN_SECONDS", 0.1)
    monkeypatch.setattr(member._subscriber, "start", never)
    await asyncio.wait_for(member.rejoin(), 10)
    assert member.faults() == ["small.figures has left its group and cannot join it again"]


async def test_a_member_that_was_stopped_does_not_come_back(
    running: tuple[Service, Commands], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, _ = running
    (member,) = service._consumers
    leaving, left, joined = asyncio.Event(), asyncio.Event(), 0
    leave = member._leave

    async def slowly() -> None:
        leaving.set()
        await left.wait()
        await leave()

    async def start() -> None:
        nonlocal joined
        joined += 1

    monkeypatch.setattr(member, "_leave", slowly)
    monkeypatch.setattr(member._subscriber, "start", start)
    rejoining = asyncio.create_task(member.rejoin())
    await leaving.wait()
    stopping = asyncio.create_task(member.stop())
    await asyncio.sleep(0)
    left.set()
    await asyncio.wait_for(asyncio.gather(rejoining, stopping), 20)
    await member.rejoin()
    assert joined == 0
