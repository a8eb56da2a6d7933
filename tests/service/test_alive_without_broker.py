"""Alive while the broker is away: a new process could not even start, and this one accepts commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import monotonic
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from faststream.kafka import KafkaBroker

from chassis import kafka
from chassis.consumer import BatchConsumer
from chassis.handled import Handled, Raw
from chassis.operations import Reacting
from chassis.projector import Projector
from chassis.settings import Settings
from chassis.topics import ensure_topics
from contracts import intake
from deploy.local.processes import free_port
from tests.service.platform_helpers import figures, reading_service

BEHIND = TopicPartition("t", 0)
STUCK = 0.1


class Nothing:
    """A reader that is never given anything."""

    async def handle(self, raws: Sequence[Raw]) -> Handled:
        return Handled()

    async def release(self, partitions: Iterable[TopicPartition]) -> int:
        return 0


@pytest.fixture
def member(monkeypatch: pytest.MonkeyPatch) -> BatchConsumer:
    """A member that is behind on its partition, and is given nothing."""

    async def position(_: TopicPartition) -> int:
        return 1

    consumer = BatchConsumer(KafkaBroker(), "c", ["t"], "g", Nothing())
    held = SimpleNamespace(assignment=lambda: {BEHIND}, position=position)
    monkeypatch.setattr(consumer, "_subscriber", SimpleNamespace(consumer=held))
    return consumer


async def test_time_without_a_broker_is_no_reason_to_restart_and_time_with_one_is(
    member: BatchConsumer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.service.STUCK_SECONDS", STUCK)
    monkeypatch.setattr("chassis.service.WATCH_SECONDS", STUCK)
    broker_is_there = False

    async def ends(_: Settings, partitions: Iterable[TopicPartition], __: float) -> dict[TopicPartition, int] | None:
        return dict.fromkeys(partitions, 5) if broker_is_there else None

    monkeypatch.setattr(kafka, "ends", ends)
    service = reading_service(settings)
    service._reacting.append(Reacting(member, Projector(figures(), service.database("small")).reader))
    begun = monotonic()
    while monotonic() - begun < 5 * STUCK:
        await service.measure()
        assert service.faults_live() == [], "it is behind, but could not get on"
    broker_is_there = True
    begun = monotonic()
    while not service.faults_live():
        await service.measure()
        assert monotonic() - begun < 20 * STUCK, "the broker is there, and it does not get on"
    assert monotonic() - begun >= STUCK / 2
    assert service.faults_live()[0].startswith("c has not moved on t/0 for ")


async def test_offsets_that_wait_for_the_broker_are_no_reason_to_restart(member: BatchConsumer) -> None:
    member.handling_since = monotonic() - 10
    assert [line.partition(" for ")[0] for line in member.stuck(1)] == ["c has been at one batch"]
    member.standing.excuse()
    assert member.stuck(1) == []


async def test_a_broker_is_asked_whether_it_is_there_and_where_its_partitions_end(settings: Settings) -> None:
    await ensure_topics(settings, [intake.TOPIC])
    empty, written = (TopicPartition(settings.topic(intake.TOPIC), number) for number in range(2))
    async with AIOKafkaProducer(**kafka.client_options(settings)) as producer:
        await producer.send_and_wait(written.topic, b"{}", partition=written.partition)
    assert await kafka.ends(settings, [empty, written], 10) == {empty: 0, written: 1}
    assert await kafka.ends(settings, [], 10) == {}
    away = settings.model_copy(update={"kafka_bootstrap_servers": f"127.0.0.1:{free_port()}"})
    begun = monotonic()
    assert await kafka.ends(away, [empty], 2) is None
    assert monotonic() - begun < 5
