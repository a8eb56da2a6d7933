"""The relay when the broker refuses a part of a page, or is away for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from chassis import mongo
from chassis.clock import Clock
from chassis.commands import Answer, Commands
from chassis.eventlog import EventLog, NewCommit, Stored
from chassis.lease import Lease, LeaseLost
from chassis.relay import Relay
from chassis.republish import republish
from chassis.settings import Settings
from chassis.topics import ensure_topics
from contracts import intake
from deploy.local.engines import Engines
from tests.service.platform_helpers import INTAKE_EVENTS, context, figures, published, report, small_service, until
from tests.service.test_relay import assert_complete_and_in_order, on_topic, raise_it


@pytest.fixture
async def eventlog(database: mongo.Database, settings: Settings) -> AsyncIterator[EventLog]:
    await ensure_topics(settings, [intake.TOPIC])
    log = EventLog(database, intake.SOURCE, intake.TOPIC, INTAKE_EVENTS, Clock())
    await log.prepare()
    log.start()
    yield log
    await log.stop()


def withdrawal(version: int, slots: int) -> NewCommit:
    """A commit on one need whose event is as large as its number of slots."""
    event = intake.NeedWithdrawn(
        need_id="N",
        org_number="1",
        slot_ids=tuple(f"{n:026d}" for n in range(slots)),
        reason="other",
        withdrawn_on=date(2025, 1, 13),
    )
    made = NewCommit(context().claim, b"", {}, [event], Answer({}, "/", event.subject), "test", "test")
    return replace(made, reads={event.subject: version})


async def _largest_record(settings: Settings, size: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        topic = ConfigResource(
            ConfigResourceType.TOPIC, settings.topic(intake.TOPIC), configs={"max.message.bytes": str(size)}
        )
        await admin.alter_configs([topic])
    finally:
        await admin.close()


async def test_nothing_of_a_key_goes_out_behind_a_record_that_the_broker_refuses(
    eventlog: EventLog, settings: Settings
) -> None:
    """A later event of the same subject, folded first, would make readers drop the refused one as a duplicate."""
    for version, slots in enumerate([4_000, 1, 1_000, 1, 1]):
        assert isinstance(await eventlog.append(withdrawal(version, slots)), Stored)
    await _largest_record(settings, 60_000)
    relay = Relay(eventlog, settings, lease_seconds=0.5)
    relay.start(raise_it)

    async def refused() -> bool:
        return relay.fault is not None

    await until(refused, "the broker refuses the first event")
    assert await on_topic(settings) == []
    await _largest_record(settings, 1_000_000)
    await published(eventlog, 5)
    await relay.stop()
    envelopes = await on_topic(settings)
    assert_complete_and_in_order(envelopes, 5)
    first_seen = list(dict.fromkeys(each.sequence for each in envelopes))
    assert first_seen == [1, 2, 3, 4, 5]


async def test_an_event_larger_than_a_batch_goes_out_alone(eventlog: EventLog, settings: Settings) -> None:
    for version, slots in enumerate([1, 20_000, 1]):
        assert isinstance(await eventlog.append(withdrawal(version, slots)), Stored)
    relay = Relay(eventlog, settings, lease_seconds=0.5)
    relay.start(raise_it)
    await published(eventlog, 3)
    await relay.stop()
    assert [each.sequence for each in await on_topic(settings)] == [1, 2, 3]


async def test_a_broker_that_is_away_hinders_no_stop_and_loses_nothing(engines: Engines, settings: Settings) -> None:
    if not engines.can_kill:
        pytest.skip("these engines are not ours to kill; tests/engines asserts that the embedded ones are")
    service, log = small_service(settings, figures())
    await service.start()
    commands = service.commands(log)
    await report(commands, "1", 0)
    await published(log, 1)
    await engines.kill_kafka()
    try:
        await report(commands, "1", 1, wait=5.0)

        async def said() -> bool:
            return any("relay" in fault for fault in await service.faults_ready())

        await until(said, "the relay says that the broker is away", 40)
        async with asyncio.timeout(25):
            await service.stop()
    finally:
        await engines.restart_kafka()
    again, log = small_service(settings, figures())
    await again.start()
    try:
        view = again.view("figures")
        assert await view.wait_for(intake.SOURCE, 2, 30)
        assert await view.get("1") == {"_id": "1", "counts": [0, 1]}
    finally:
        await again.stop()


async def test_a_cancellation_out_of_a_clients_inside_does_not_end_the_relay_without_a_word(
    eventlog: EventLog, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def leaking() -> None:
        raise asyncio.CancelledError

    ended: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    relay = Relay(eventlog, settings)
    monkeypatch.setattr(relay, "number", leaking)
    relay.start(ended.set_result)
    async with asyncio.timeout(10):
        assert "cancelled" in str(await ended)
    await relay.stop()


async def test_a_relay_that_stands_by_has_no_fault_of_its_own(eventlog: EventLog, settings: Settings) -> None:
    holder = Lease(eventlog.database["lease"], eventlog.source, 60)
    await holder.prepare()
    assert await holder.acquire()
    standing_by = Relay(eventlog, settings, lease_seconds=0.2)
    standing_by.fault = "Kafka was away for a moment"
    standing_by.start(raise_it)

    async def clear() -> bool:
        return standing_by.fault is None

    await until(clear, "the fault is forgotten", 3)
    await standing_by.stop()


async def test_republish_stops_the_relay_of_a_running_service_and_hands_over_to_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.service.METADATA_SECONDS", 2.0)
    service, log = small_service(settings, figures())
    await service.start()
    try:
        commands, view = service.commands(log), service.view("figures")
        for n in range(10):
            await report(commands, str(n % 3), n)
        assert await view.wait_for(intake.SOURCE, 10, 20)
        async with asyncio.timeout(40):
            assert await republish(log, settings) == 10
        for n in range(10, 20):
            await report(commands, str(n % 3), n)
        assert await view.wait_for(intake.SOURCE, 20, 30)
        counts = {each["_id"]: each["counts"] for each in await view.find()}
        assert counts == {str(k): [n for n in range(20) if n % 3 == k] for k in range(3)}
        assert_complete_and_in_order(await on_topic(settings), 20)
    finally:
        await service.stop()


async def test_a_demand_that_is_given_up_lets_the_holder_go_on(eventlog: EventLog) -> None:
    collection = eventlog.database["lease"]
    holder, other = Lease(collection, "relay", 0.0), Lease(collection, "relay", 60)
    await holder.prepare()
    assert await holder.acquire()
    # Long enough for one look at a busy machine.
    await other.demand(3)
    with pytest.raises(LeaseLost):
        await holder.keep()

    async def renewed() -> bool:
        try:
            await holder.keep()
        except LeaseLost:
            return False
        return True

    await until(renewed, "the demand is forgotten", 15)


async def test_the_gauges_tell_what_is_pending_and_where_the_ledger_is(eventlog: EventLog, settings: Settings) -> None:
    from chassis.metrics import COMMITS_PENDING, LEDGER_POSITION

    commands = Commands(eventlog)
    for n in range(3):
        await report(commands, "1", n)
    await eventlog.commits.update_one({"claims": "workforce:1-2025@00000001"}, {"$set": {"claims": []}})
    with pytest.raises(Exception, match="nobody holds"):
        await Relay(eventlog, settings).number()
    assert COMMITS_PENDING.labels(eventlog.source)._value.get() == 3
    await eventlog.commits.delete_many({})
    await report(commands, "2", 1)
    after = Relay(eventlog, settings)
    assert await after.number() == 1
    assert await after.number() == 0
    assert COMMITS_PENDING.labels(eventlog.source)._value.get() == 0
    assert LEDGER_POSITION.labels(eventlog.source)._value.get() == 1
