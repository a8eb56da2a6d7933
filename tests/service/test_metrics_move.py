"""Every metric that is declared is really set: each family moves when what it counts happens, on real engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from faststream.kafka import KafkaBroker
from prometheus_client.metrics import MetricWrapperBase
from pydantic import SecretStr

from chassis import metrics
from chassis.commands import Commands
from chassis.consumer import BatchConsumer
from chassis.eventlog import EventLog
from chassis.generations import Generations
from chassis.handled import Handled, Raw, Stopped
from chassis.kafka import client_options
from chassis.keyroutes import keyring_router
from chassis.measures import measure_log
from chassis.progress import Progress
from chassis.reading import Reader
from chassis.relay import Relay
from chassis.service import Service
from chassis.settings import Settings
from chassis.texts import Texts
from chassis.topics import ensure_topics
from chassis.web import create_app
from contracts import intake
from services.reporting.published import PublishedTables
from services.reporting.releases import ReleaseStore
from tests.service.platform_helpers import figures, published, report, small_service, until
from tests.service.test_platform_reactions import withdraw_at
from tests.service.test_timers import withdrawing
from tests.webapp import DEV_KEY, StillService, headers

DECLARED = {
    family.name: family
    for metric in vars(metrics).values()
    if isinstance(metric, MetricWrapperBase)
    for family in metric.describe()
}
Samples = dict[tuple[str, str, tuple[tuple[str, str], ...]], float]


def _samples() -> Samples:
    return {
        (family.name, sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in metrics.REGISTRY.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


class Moved:
    """The families of which a sample has changed since the test began, whether or not it has gone back since."""

    def __init__(self) -> None:
        self._before = _samples()
        self.families: set[str] = set()

    def look(self) -> set[str]:
        now = _samples()
        self.families |= {name[0] for name, value in now.items() if value != self._before.get(name, 0.0)}
        return self.families

    async def until(self, *families: str) -> None:
        async def moved() -> bool:
            return set(families) <= self.look()

        await until(moved, f"{families} moved")


async def _append_without_a_relay(eventlog: EventLog, settings: Settings, moved: Moved) -> None:
    """Appends, a repeated command, commands that meet, waiting commits, a ledger ahead of the topic."""
    await eventlog.prepare()
    eventlog.start()
    try:
        commands = Commands(eventlog)
        for _ in range(2):
            await report(commands, "1", 1, key="the same")
        while "dugnad_commit_conflicts" not in moved.look():
            # Each with locks of its own, as in several processes.
            await asyncio.gather(*(report(Commands(eventlog), "2", n) for n in range(3)))
    finally:
        await eventlog.stop()
    await measure_log(eventlog)
    moved.look()
    assert await Relay(eventlog, settings).number() > 0
    await measure_log(eventlog)
    await moved.until("dugnad_commits_pending", "dugnad_commits_pending_seconds", "dugnad_relay_lag_events")


async def _alarm(eventlog: EventLog, service: Service, moved: Moved) -> None:
    """A commit whose predecessor is lost; deleted too then, so that the relay goes on."""
    await report(service.commands(eventlog), "3", 1)
    await eventlog.commits.insert_one(
        {"_id": "orphan", "claims": ["workforce:4-2025@00000002"], "n": 1, "pending": True, "at": service.clock.now()}
    )
    await report(service.commands(eventlog), "3", 2)
    await moved.until("dugnad_ledger_alarms")
    await eventlog.commits.delete_one({"_id": "orphan"})


class Halting:
    """Handles nothing."""

    async def handle(self, raws: Sequence[Raw]) -> Handled:
        first = raws[0]
        return Handled({}, [Stopped(TopicPartition(first.topic, first.partition), first.offset, "planted")])

    async def release(self, partitions: Iterable[TopicPartition]) -> int:
        return 0


@asynccontextmanager
async def _halting(settings: Settings) -> AsyncIterator[BatchConsumer]:
    """A consumer that can handle nothing."""

    broker = KafkaBroker(settings.kafka_bootstrap_servers, apply_types=False, logger=None)
    topic, group = settings.topic(intake.TOPIC), settings.group("small", "halting")
    consumer = BatchConsumer(broker, "small.halting", [topic], group, Halting())
    await broker.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
        await broker.stop()


async def _ask(service: Service) -> None:
    """A refused token, a problem, a key."""
    still = StillService(service.settings)
    still.has_keys["c"] = b"k" * 32
    app = create_app(service, routers=[keyring_router(still)], texts=Texts(), title="Small")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://small.test") as client:
        sent: Mapping[str, str] = headers("matching")
        assert (await client.post("/keys/c", headers=sent)).status_code == 200
        assert (await client.post("/keys/c", headers={**sent, "Authorization": "Bearer x"})).status_code == 401


async def _half_a_table(service: Service) -> None:
    """A publication of a part that is not there."""
    database = service.database("small")
    entries = [["trakt/2025M01/preliminary", "0" * 64]]
    published = {"_id": 1, "release": "2025-04-15", "at": service.clock.now(), "entries": entries}
    await database["release_publications"].insert_one(published)
    assert [each.id for each in await PublishedTables(ReleaseStore(database)).tables()] == ["trakt"]


async def test_every_declared_metric_moves_when_what_it_counts_happens(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.measures.HOLE_SECONDS", 0.0)
    settings = settings.model_copy(update={"dev_issuer_key": SecretStr(DEV_KEY)})
    moved = Moved()
    await ensure_topics(settings, [intake.TOPIC])
    _, alone = small_service(settings)
    await _append_without_a_relay(alone, settings, moved)

    service, eventlog = small_service(settings, figures())
    service.add_reaction(eventlog, withdraw_at(13))
    service.add_timers(eventlog, withdrawing())
    folding, handle = asyncio.Event(), Reader.handle

    async def late(self: Reader, raws: Sequence[Raw]) -> Handled:
        await folding.wait()
        return await handle(self, raws)

    monkeypatch.setattr(Reader, "handle", late)
    await service.start()
    try:
        await _alarm(eventlog, service, moved)
        await report(service.commands(eventlog), "1", 13, year=2024)
        head = await eventlog.ledger.head()
        await published(eventlog, 1 if head is None else head.next - 1)

        async def behind() -> bool:
            await service.measure()
            return {"dugnad_consumer_lag_events", "dugnad_consumer_lag_seconds"} <= moved.look()

        await until(behind, "a projection that does not fold is behind")
        folding.set()
        await service._projections[0].projector.progress.record({(intake.SOURCE, 0): [1000]})

        async def missing() -> bool:
            await service.measure()
            return "dugnad_projection_holes" in moved.look()

        await until(missing, "a hole")
        unfinished = await Generations(service.database("small"), "figures", 1).create(until={intake.SOURCE: 2})
        await Progress(service.database("small"), unfinished.name).record({(intake.SOURCE, 0): [2]})
        await service.measure()
        assert metrics.REBUILD_PROGRESS.labels("figures")._value.get() == 0.5
        assert metrics.REBUILD_MISSING.labels("figures")._value.get() == 1
        await _ask(service)
        await _half_a_table(service)
        async with AIOKafkaProducer(**client_options(settings)) as producer:
            await producer.send_and_wait(settings.topic(intake.TOPIC), b"not an event", partition=0)
        await moved.until("dugnad_parked_events")
        await service.measure()
        await moved.until("dugnad_parked_subjects")
        await service._consumers[0].rejoin()
        await moved.until("dugnad_consumer_rejoins")
        async with _halting(settings):
            await moved.until("dugnad_stopped_partitions", "dugnad_reactions", "dugnad_projection_records")
            await moved.until("dugnad_timers")
    finally:
        await service.stop()
    assert set(DECLARED) - moved.look() == set()
