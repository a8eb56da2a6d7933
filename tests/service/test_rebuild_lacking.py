"""Topics that lost records: what would be built from them never takes the place of what is served by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from chassis.eventlog import EventLog
from chassis.rebuild import Lacking, Rebuild
from chassis.republish import republish
from chassis.service import Service
from chassis.settings import Settings
from contracts import intake
from tests.service.platform_helpers import figures, reading_service, until
from tests.service.test_rebuild import contents, eventlog, fill, of, silent

__all__ = ["eventlog"]
EVENTS = 20


async def lose_records(settings: Settings) -> None:
    """The topic is there, and empty."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        partitions = [TopicPartition(settings.topic(intake.TOPIC), number) for number in range(settings.partitions)]
        await admin.delete_records(dict.fromkeys(partitions, RecordsToDelete(-1)))
    finally:
        await admin.close()


async def held(service: Service, generation: int) -> int:
    return sum(len(each["counts"]) for each in await contents(service.database("small"), f"figures_{generation}"))


async def test_a_rebuild_from_topics_that_lost_records_is_refused_unless_forced(
    eventlog: EventLog, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(eventlog, EVENTS)
    service = reading_service(settings, figures())
    await service.start()
    try:
        assert await service.view("figures").wait_for(intake.SOURCE, EVENTS, 20)
        rebuild, fold = of(service, settings, figures()), Rebuild._fold

        async def lost_meanwhile(*given: object) -> None:
            await fold(*given)  # type: ignore[arg-type]
            await lose_records(settings)

        monkeypatch.setattr(Rebuild, "_fold", lost_meanwhile)
        with pytest.raises(Lacking) as lacking:
            await rebuild.run(silent)
        assert lacking.value.short == {intake.SOURCE: (0, EVENTS)}
        assert await held(service, 2) == EVENTS, "it was complete, but for what came of the topic"
        monkeypatch.setattr(Rebuild, "_fold", fold)
        with pytest.raises(Lacking):
            await rebuild.run(silent)
        serving = await rebuild.generations.serving()
        assert serving is not None
        assert serving.number == 1
        assert (await rebuild.run(silent, force=True)).number == 2
    finally:
        await service.stop()


@pytest.mark.timeout(180)
async def test_a_new_version_of_the_fold_waits_for_topics_to_be_filled_again(
    eventlog: EventLog, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.service.METADATA_SECONDS", 2.0)
    await fill(eventlog, EVENTS)
    old = reading_service(settings, figures())
    await old.start()
    assert await old.view("figures").wait_for(intake.SOURCE, EVENTS, 20)
    await old.stop()
    await lose_records(settings)
    new = reading_service(settings, replace(figures(), version=2))
    await new.start()
    try:
        (serving,) = new._projections

        async def seen() -> bool:
            return serving.lacking == [intake.SOURCE]

        await until(seen, "it knows what the topic lacks")
        assert "figures is being rebuilt" in await new.faults_ready()
        assert not serving.shown
        assert await republish(eventlog, settings) == EVENTS

        async def served() -> bool:
            return await new.faults_ready() == []

        await until(served, "the new version is served", 60)
        assert serving.lacking == []
        assert await held(new, 2) == EVENTS
    finally:
        await new.stop()
