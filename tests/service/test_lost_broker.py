"""A broker that is killed under load and comes back, with its data or without: every command in the view, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chassis.commands import Commands
from chassis.service import Service
from chassis.settings import Settings
from contracts import intake
from deploy.local.engines import Engines
from deploy.local.kafka import EmbeddedKafka
from deploy.local.refill import refill, told
from tests.service.platform_helpers import figures, published, report, small_service, until
from tests.service.test_relay import assert_complete_and_in_order, on_topic

WRITERS = 4


@asynccontextmanager
async def loaded(commands: Commands, done: dict[str, list[int]], prefix: str = "employer") -> AsyncIterator[None]:
    """Writers at work while the block runs. `done` is what was acknowledged, per employer in order."""
    over = asyncio.Event()

    async def writer(number: int) -> None:
        employer = f"{prefix} {number}"
        while not over.is_set():
            count = len(done.setdefault(employer, []))
            await report(commands, employer, count)
            done[employer].append(count)
            await asyncio.sleep(0.005)

    writers = [asyncio.create_task(writer(number)) for number in range(WRITERS)]
    try:
        yield
    finally:
        over.set()
        await asyncio.gather(*writers)


async def more(done: dict[str, list[int]], events: int) -> None:
    """Wait until so many more commands are acknowledged."""
    wanted = sum(map(len, done.values())) + events

    async def there() -> bool:
        return sum(map(len, done.values())) >= wanted

    await until(there, f"{events} more commands")


async def views(service: Service) -> dict[str, list[int]]:
    return {each["_id"]: each["counts"] for each in await service.view("figures").find()}


async def test_a_broker_killed_under_load_comes_back_on_its_data_and_every_command_is_in_the_view_once(
    engines: Engines, settings: Settings
) -> None:
    if not engines.can_kill:
        pytest.skip("these engines are not ours to kill; tests/engines asserts that the embedded ones are")
    service, log = small_service(settings, figures())
    await service.start()
    done: dict[str, list[int]] = {}
    try:
        async with loaded(service.commands(log), done):
            await more(done, 100)
            await engines.kill_kafka()
            await more(done, 50)
            await engines.restart_kafka()
            await more(done, 50)
        total = sum(map(len, done.values()))
        await published(log, total, 60)

        async def complete() -> bool:
            return await service.view("figures").complete_to(intake.SOURCE) == total

        await until(complete, f"all {total} folded", 60)
        assert await views(service) == done
        assert_complete_and_in_order(await on_topic(settings), total)
    finally:
        await service.stop()


async def test_a_broker_killed_under_load_comes_back_empty_and_republish_loses_nothing(
    engines: Engines, settings: Settings
) -> None:
    if not isinstance(engines.kafka, EmbeddedKafka) or not engines.can_kill:
        pytest.skip(
            "only the embedded broker can be emptied; tests/engines asserts that it is used where none is given"
        )
    service, log = small_service(settings, figures())
    await service.start()
    done: dict[str, list[int]] = {}
    async with loaded(service.commands(log), done):
        await more(done, 100)
        assert await service.view("figures").wait_for(intake.SOURCE, 100, 20)
        await engines.kill_kafka()
        try:
            await more(done, 50)
        finally:
            await engines.restart_kafka_empty()
        await more(done, 10)
    marked = await log.database["lease"].find_one({"_id": intake.SOURCE})
    await service.stop()
    assert marked is not None
    assert marked["published"] >= 100
    total = sum(map(len, done.values()))
    sent = await refill(engines.variables, prefix=settings.prefix)
    assert sent.keys() == {intake.SOURCE}
    assert f"{intake.SOURCE} ({sent[intake.SOURCE]} events)" in told(sent)
    assert await refill(engines.variables, prefix=settings.prefix) == {}
    again, log = small_service(settings, figures())
    await again.start()
    try:
        await published(log, total, 60)

        async def complete() -> bool:
            return await again.view("figures").complete_to(intake.SOURCE) == total

        await until(complete, f"all {total} folded", 60)
        assert await views(again) == done
        envelopes = await on_topic(settings)
        assert_complete_and_in_order(envelopes, total)
    finally:
        await again.stop()


LEFT_BEHIND = ("_coordination_routine", "_heartbeat_routine", "_fetch_requests_routine")


def clients_at_work() -> int:
    """How many routines of consumers of the broker run in this process."""
    coroutines = (task.get_coro() for task in asyncio.all_tasks())
    return sum(getattr(each, "__name__", "") in LEFT_BEHIND for each in coroutines)


async def test_a_member_that_cannot_leave_its_group_in_order_leaves_nothing_behind_that_would_keep_partitions(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.kafka.STOP_SECONDS", 1.0)
    before = clients_at_work()
    service, log = small_service(settings, figures())
    await service.start()
    for n in range(20):
        await report(service.commands(log), str(n), n)
    assert await service.view("figures").wait_for(intake.SOURCE, 20, 20)
    assert clients_at_work() > before
    for member in service._consumers:
        client = member._subscriber.consumer
        assert client is not None
        # As with a broker that is away, or that came back without the topic: it waits for an answer that never comes.
        monkeypatch.setattr(client._coordinator, "close", asyncio.Event().wait)
    await service.stop()
    assert clients_at_work() == before
    again, log = small_service(settings, figures())
    await again.start()
    try:
        for n in range(20, 40):
            await report(again.commands(log), str(n), n)

        async def complete() -> bool:
            return await again.view("figures").complete_to(intake.SOURCE) == 40

        await until(complete, "all 40 folded, in every partition", 60)
    finally:
        await again.stop()


async def test_a_rolling_restart_of_two_replicas_under_load_loses_nothing(settings: Settings) -> None:
    first, log = small_service(settings, figures())
    second, second_log = small_service(settings, figures())
    await first.start()
    await second.start()
    done: dict[str, list[int]] = {}
    third, third_log = small_service(settings, figures())
    try:
        async with loaded(second.commands(second_log), done):
            ahead: dict[str, list[int]] = {}
            await more(done, 50)
            commands = first.commands(log)
            for n in range(20):
                await report(commands, "first", n)
            ahead["first"] = list(range(20))
            await first.stop()
            await third.start()
            await more(done, 50)
        commands = third.commands(third_log)
        later: dict[str, list[int]] = {}
        async with loaded(commands, later, "later"):
            await second.stop()
            await more(later, 50)
        expected = {**done, **ahead, **later}
        total = sum(map(len, expected.values()))
        await published(third_log, total, 30)

        async def complete() -> bool:
            return await third.view("figures").complete_to(intake.SOURCE) == total

        await until(complete, f"all {total} folded", 30)
        assert await views(third) == expected
        assert_complete_and_in_order(await on_topic(settings), total)
    finally:
        await third.stop()
