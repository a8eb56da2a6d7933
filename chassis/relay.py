"""The relay: numbers the commits of one log in its ledger, and publishes them in that order.

Invariant: at least once, in the ledger's order, with ids that stay the same; nothing is skipped, nothing dead-lettered.
Not guaranteed: exactly once. Readers drop what they have folded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from chassis import metrics, telemetry
from chassis.errors import ended_with
from chassis.eventlog import EventLog
from chassis.kafka import client_options
from chassis.lease import Lease, LeaseLost
from chassis.ledger import PAGE_COMMITS, LedgerHole, Page
from chassis.mongo import PyMongoError, causally
from chassis.ordering import MissingPredecessor, in_order
from chassis.settings import Settings
from chassis.startcheck import RelayRefuses, check_clock, check_topic, records_lost
from contracts.envelope import KafkaRecord, Undecodable, encode_stored

LEASE_SECONDS = 5.0
POLL_SECONDS = 0.25
"""How soon a relay sees what another process appended; its own process wakes it."""
PAGES_AT_ONCE = 8
BACKOFF_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
STOP_SECONDS = 3.0
BATCH_BYTES = 256 * 1024
CLOCK_SECONDS = 1.0
"""How long a comparison with the database's clock holds."""

_partition_of = DefaultPartitioner()

log = structlog.get_logger()


class Relay:
    """One per log and process; one per log works at a time."""

    def __init__(self, eventlog: EventLog, settings: Settings, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._log = eventlog
        self._settings = settings
        self._lease_seconds = lease_seconds
        self._leases = eventlog.database["lease"]
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._cleaned = 0
        self._clock_compared: float | None = None
        self._offsets: dict[int, int] = {}
        """Per partition the last acknowledged offset since the topic was last looked at."""
        self.fault: str | None = None
        """Why the relay does not work, for `/readyz`; None while it does or another process does."""

    def start(self, fatal: Callable[[BaseException], None]) -> None:
        """Start the task; whatever it does not foresee ends the process."""

        def ended(task: asyncio.Task[None]) -> None:
            if (error := ended_with(task, f"the relay of {self._log.source}")) is not None:
                fatal(error)

        self._task = asyncio.create_task(self.run(), name=f"relay {self._log.source}")
        self._task.add_done_callback(ended)

    async def stop(self) -> None:
        """Finish the round, then hand the lease over. Bounded: the broker may be away for good."""
        self._stopping.set()
        self._log.appended.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=STOP_SECONDS)
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def run(self) -> None:
        """Take the lease when it is free, work while it lasts, until `stop`."""
        failures = 0
        prepared = False
        while not self._stopping.is_set():
            lease = Lease(self._leases, self._log.source, self._lease_seconds)
            try:
                if not prepared:
                    await lease.prepare()
                    prepared = True
                if not await lease.acquire():
                    # Another process does the work: what this one met before is its own past.
                    self.fault = None
                    await self._pause(self._lease_seconds / 4)
                    continue
                log.info("relay_started", source=self._log.source, token=lease.token, published=lease.published)
                async with self.producer() as producer:
                    await self._work(lease, producer)
            except LeaseLost:
                log.warning("relay_lease_lost", source=self._log.source, token=lease.token)
            except (LedgerHole, MissingPredecessor, RelayRefuses, Undecodable) as error:
                self._alarm(error)
                await self._release_and_pause(lease, BACKOFF_SECONDS[-1])
            except (PyMongoError, KafkaError, TimeoutError) as error:
                # A broker or database that is down: commands go on being accepted where they can; nothing is skipped.
                self.fault = f"relay of {self._log.source}: {type(error).__name__}"
                log.warning("relay_waits", source=self._log.source, error=type(error).__name__)
                await self._release_and_pause(lease, BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])
                failures += 1
            else:
                failures = 0
            finally:
                metrics.RELAY_ACTIVE.labels(self._log.source).set(0)

    @asynccontextmanager
    async def producer(self) -> AsyncIterator[AIOKafkaProducer]:
        """A producer that loses nothing: idempotent, every in-sync replica. What is unsent at the end stays unsent."""
        producer = AIOKafkaProducer(
            **client_options(self._settings),
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            client_id=f"dugnad-relay-{self._log.source.replace('/', '-')}",
        )
        try:
            await producer.start()
            yield producer
        finally:
            await _abandon(producer)

    async def _work(self, lease: Lease, producer: AIOKafkaProducer) -> None:
        metrics.RELAY_ACTIVE.labels(self._log.source).set(1)
        self._cleaned = 0
        await self._look()
        while not self._stopping.is_set():
            self._log.appended.clear()
            await lease.keep()
            numbered = await self.number()
            published = await self.publish(lease, producer)
            self.fault = None
            if not numbered and not published:
                await self._pause(POLL_SECONDS, woken=True)
        await lease.release()

    async def _look(self) -> None:
        """Before anything is numbered or published under a lease."""
        self._offsets.clear()
        await check_topic(self._log, self._settings)

    async def _compare_clocks(self) -> None:
        if self._settings.environment != "production":
            return
        if self._clock_compared is None or monotonic() - self._clock_compared > CLOCK_SECONDS:
            self._clock_compared = None
            await check_clock(self._log.database)
            self._clock_compared = monotonic()

    async def number(self) -> int:
        """One round: number what is pending. Returns the number of commits that got a position."""
        await self._compare_clocks()
        ledger, commits = self._log.ledger, self._log.commits
        head = await ledger.head()
        if head is not None and head.first != self._cleaned:
            # Before anything is read as pending: a numbered commit must not be numbered again.
            ids = [commit for commit, _ in head.commits]
            async with causally(commits) as session:
                await commits.update_many({"_id": {"$in": ids}}, {"$unset": {"pending": ""}}, session=session)
            self._cleaned = head.first
        if head is not None:
            metrics.LEDGER_POSITION.labels(self._log.source).set(head.next - 1)
        async with causally(commits) as session:
            found = commits.find({"pending": True}, {"claims": 1, "n": 1}, session=session)
            pending = await found.to_list(PAGE_COMMITS)
        metrics.COMMITS_PENDING.labels(self._log.source).set(len(pending))
        if not pending:
            return 0
        ordered = await in_order(pending, self._log)
        if not ordered:
            return 0
        first = 1 if head is None else head.next
        now = self._log.clock.now()
        latest = await ledger.latest() if head is None else head.at
        page = Page(
            first=first,
            next=first + sum(each["n"] for each in ordered),
            # Never back: the recorded time is an order in time too.
            at=now if latest is None else max(now, latest),
            commits=tuple((each["_id"], each["n"]) for each in ordered),
        )
        if not await ledger.insert(page):
            # Another relay was first: begin at the head, which the next round does.
            return len(ordered)
        metrics.LEDGER_POSITION.labels(self._log.source).set(page.next - 1)
        return len(ordered)

    async def publish(self, lease: Lease, producer: AIOKafkaProducer) -> int:
        """Send the pages that follow `published`, read from the ledger and never from memory. Returns events sent."""
        sent = 0
        for page in await self._log.ledger.after(lease.published, PAGES_AT_ONCE):
            await lease.keep()
            ends = await self._send(page, producer)
            await lease.publish_up_to(page.next - 1, ends)
            sent += page.next - page.first
        return sent

    async def _send(self, page: Page, producer: AIOKafkaProducer) -> dict[int, int]:
        """Returns the last position that went to each partition."""
        ids = [commit for commit, _ in page.commits]
        async with causally(self._log.commits) as session:
            found = self._log.commits.find({"_id": {"$in": ids}}, session=session)
            documents = {each["_id"]: each async for each in found}
        topic = self._settings.topic(self._log.topic)
        partitions = sorted(await producer.partitions_for(topic))
        position = page.first
        waiting: dict[int, list[KafkaRecord]] = {}
        ends: dict[int, int] = {}
        for commit in ids:
            document = documents.get(commit)
            if document is None:
                raise LedgerHole(f"commit {commit} is in the ledger of {self._log.source}, but not in the log")
            for event in document["events"]:
                record = self._record(document, event, position, page)
                partition = _partition_of(record.key, partitions, partitions)
                waiting.setdefault(partition, []).append(record)
                ends[partition] = position
                position += 1
        sending = [
            asyncio.create_task(self._send_in_order(producer, topic, partition, records))
            for partition, records in waiting.items()
        ]
        try:
            with telemetry.spans("publish", _traces(page, documents), kind=telemetry.SpanKind.PRODUCER):
                # Every acknowledgement, before `published` moves: a lost one would be a skipped event.
                await asyncio.gather(*sending)
        finally:
            for task in sending:
                task.cancel()
        metrics.EVENTS_PUBLISHED.labels(self._log.source).inc(position - page.first)
        return ends

    async def _send_in_order(
        self, producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[KafkaRecord]
    ) -> None:
        """Batch by batch, each acknowledged before the next one is given away.

        A batch that follows one that the broker refused would reach readers first, and they would then drop what comes
        late as a duplicate.
        """
        rest = list(reversed(records))
        while rest:
            batch = producer.create_batch()
            while rest and batch.append(
                key=rest[-1].key, value=rest[-1].value, timestamp=None, headers=rest[-1].headers
            ):
                rest.pop()
            async with asyncio.timeout(self._settings.engine_timeout_seconds):
                sent = await (await producer.send_batch(batch, topic, partition=partition))
            if sent.offset <= self._offsets.get(partition, -1):
                # A broker that came back empty while this lease lasted.
                raise records_lost(self._log.origin, f"partition {partition} begins again at {sent.offset}")
            self._offsets[partition] = sent.offset

    def _record(self, commit: dict[str, Any], event: dict[str, Any], position: int, page: Page) -> KafkaRecord:
        return encode_stored(
            type_name=event["type"],
            subject=event["subject"],
            partition_key=event["partitionkey"],
            occurred=event["time"],
            data=event["data"],
            source=self._log.source,
            position=position,
            recorded=page.at,
            correlation=commit["correlation"],
            causation=commit["causation"],
            traceparent=commit["traceparent"],
            schema_base_url=self._settings.schema_base_url,
        )

    def _alarm(self, error: Exception) -> None:
        self.fault = f"relay of {self._log.source}: {error}"
        metrics.LEDGER_ALARMS.labels(self._log.source).inc()
        log.critical("relay_alarm", source=self._log.source, error=str(error))

    async def _release_and_pause(self, lease: Lease, seconds: float) -> None:
        try:
            await lease.release()
        except PyMongoError:
            log.warning("relay_lease_not_released", source=self._log.source)
        await self._pause(seconds)

    async def _pause(self, seconds: float, *, woken: bool = False) -> None:
        waiting = self._log.appended if woken else self._stopping
        try:
            await asyncio.wait_for(waiting.wait(), seconds)
        except TimeoutError:
            return


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Close a producer without sending the rest, as its own stop would.

    Without a broker that would wait for ever, since an idempotent producer never gives up; with one, the rest would go
    out behind what failed.
    """
    sender = producer._sender.sender_task
    if sender is not None:
        sender.cancel()
        # Waited for, not awaited: its cancellation must not be taken for that of the relay, which would end unnoticed.
        await asyncio.wait({sender}, timeout=STOP_SECONDS)
    if sender is None or sender.done():
        await producer.stop()
    else:
        await producer.client.close()


def _traces(page: Page, commits: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str | None, telemetry.Attributes]]:
    """The trace that each commit of a page belongs to. Headers carry the commit's own, the same at every sending."""
    position = page.first
    for commit, events in page.commits:
        about: telemetry.Attributes = {"dugnad.commit": commit, "dugnad.position": position, "dugnad.events": events}
        yield commits[commit]["traceparent"], about
        position += events
