"""FastStream batch subscribers, made in one place.

Invariant: an offset is committed only after everything before it took effect. The library's own acknowledgement is
never used: it commits all that was fetched, also what a raised exception left undone.
"""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import Any, Protocol

import structlog
from aiokafka import TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.message import StreamMessage
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram512

from chassis import kafka, metrics
from chassis.errors import Contended, LogBusy, LogUnavailable
from chassis.handled import MAX_RECORDS, Handled, Raw, Stopped
from chassis.keyring import KeyringUnavailable
from chassis.mongo import PyMongoError
from chassis.settings import Settings
from chassis.standing import Standing

MAX_POLL_SECONDS = 300.0
IDLE_MILLISECONDS = 20
"""The library waits for records so long, and then sleeps as long again when there were none."""
RETRY_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
TRANSIENT = (PyMongoError, LogBusy, LogUnavailable, KeyringUnavailable, Contended)
EXIT_FAULT = 70
RELEASE_SECONDS = 0.5
JOIN_SECONDS = 30.0

log = structlog.get_logger()


def end_process(error: BaseException) -> None:
    """End at once, before the next poll could move past what failed. The supervisor starts a new process."""
    log.critical("process_ends", error=type(error).__name__, exc_info=error)
    os._exit(EXIT_FAULT)


def security(settings: Settings) -> BaseSecurity | None:
    """What `kafka.client_options` say of it, for the framework's broker."""
    context = ssl.create_default_context(cafile=settings.kafka_ca_file) if settings.kafka_tls else None
    if settings.kafka_username is None:
        return BaseSecurity(ssl_context=context, use_ssl=True) if settings.kafka_tls else None
    assert settings.kafka_password is not None, "checked by the settings"
    kind = SASLPlaintext if settings.kafka_mechanism == "PLAIN" else SASLScram512
    return kind(
        settings.kafka_username,
        settings.kafka_password.get_secret_value(),
        ssl_context=context,
        use_ssl=settings.kafka_tls,
    )


class Reading(Protocol):
    """What a consumer does about its records (`chassis.reading.Reader`)."""

    async def handle(self, raws: Sequence[Raw]) -> Handled:
        """One batch. Raises what is transient."""
        ...

    async def release(self, partitions: Iterable[TopicPartition]) -> int:
        """Take up again what was parked, of these partitions. Raises what is transient."""
        ...


class BatchConsumer:
    """One consumer group's member; its reader gets the records of a batch in arrival order."""

    def __init__(
        self,
        broker: KafkaBroker,
        name: str,
        topics: Sequence[str],
        group: str,
        reader: Reading,
        fatal: Callable[[BaseException], None] = end_process,
    ) -> None:
        self.name = name
        self._reader = reader
        self._one_at_a_time = asyncio.Lock()
        self._releasing: asyncio.Task[None] | None = None
        self._fatal = fatal
        self._stopping = False
        self._changing = asyncio.Lock()
        """Held while it leaves its group or joins it: one that was stopped must not come back."""
        self._clients = 0
        """How many clients it has had before this one."""
        self.stopped: dict[TopicPartition, Stopped] = {}
        self.handling_since: float | None = None
        self.joined = False
        """Whether the group has given this member its part (perhaps no partition)."""
        self.standing = Standing()
        self._outside = False
        """Whether it has left its group and could not join it again."""
        self._subscriber = broker.subscriber(
            *topics,
            batch=True,
            group_id=group,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            max_records=MAX_RECORDS,
            batch_timeout_ms=IDLE_MILLISECONDS,
            max_poll_interval_ms=int(MAX_POLL_SECONDS * 1000),
            listener=_Listener(self),
            parser=self._parse,
            decoder=_decode,
        )
        self._subscriber(self._on_batch)

    async def start(self) -> None:
        """Join the group, where the broker was started before."""
        await self._subscriber.start()
        self.start_releasing()

    def start_releasing(self) -> None:
        """Look from time to time for parked events that an operator has marked."""
        self._releasing = asyncio.create_task(self._release_forever(), name=f"release {self.name}")
        self._releasing.add_done_callback(self._release_ended)

    async def stop(self) -> None:
        """Leave the group."""
        self._stopping = True
        if self._releasing is not None:
            self._releasing.cancel()
        async with self._changing:
            await self._leave()

    async def _leave(self) -> None:
        consumer = self._subscriber.consumer
        if not await kafka.stop_client(self.name, self._subscriber.stop()) and consumer is not None:
            await kafka.abandon(consumer)

    async def rejoin(self) -> None:
        """Leave the group and join it anew, with a new client: what the library does not recover from by itself.

        Where the broker is away again, `stands_still` stays true, so that it is tried again.
        """
        async with self._changing:
            if self._stopping:
                return
            log.warning("consumer_rejoins", consumer=self.name)
            metrics.CONSUMER_REJOINS.labels(self.name).inc()
            # What is cancelled with the client is folded again by the next one, and no fault.
            self._clients += 1
            self._outside = True
            await self._leave()
            if self._stopping:
                return
            self.standing.forget()
            try:
                # The library waits for its partitions without end, and whoever looks after the others waits with it.
                async with asyncio.timeout(JOIN_SECONDS):
                    await self._subscriber.start()
            except (KafkaError, OSError) as error:
                log.warning("rejoin_waits", consumer=self.name, error=type(error).__name__)
            else:
                self._outside = False

    async def _release_forever(self) -> None:
        while True:
            await asyncio.sleep(RELEASE_SECONDS)
            consumer = self._subscriber.consumer
            if consumer is None:
                continue
            try:
                # Between batches: a later event of the subject must not overtake the one that is released.
                async with self._one_at_a_time:
                    await self._reader.release(consumer.assignment())
            except TRANSIENT as error:
                log.warning("release_waits", consumer=self.name, error=type(error).__name__)

    def _release_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fatal(error)

    async def _parse(self, records: tuple[Raw, ...]) -> StreamMessage[Any]:
        return StreamMessage(raw_message=records, body=b"")

    async def _on_batch(self, records: Any) -> None:
        client = self._clients
        try:
            await self._take(records)
        except (asyncio.CancelledError, GeneratorExit):
            # Of a client that is left, also the second: a batch that waits for a broker that is away is never resumed,
            # and the collector throws it away some day.
            if self._stopping or client != self._clients:
                raise
            self._fatal(RuntimeError(f"{self.name} was cancelled in the middle of a batch"))
        except BaseException as error:  # the edge of the process: past here the library would go on to the next batch
            self._fatal(error)

    async def _take(self, records: Sequence[Raw]) -> None:
        running = [each for each in records if TopicPartition(each.topic, each.partition) not in self.stopped]
        if not running:
            return
        for each in running:
            self.standing.lag.begin(TopicPartition(each.topic, each.partition), each.offset)
        self.handling_since = monotonic()
        # One for both: past the whole interval the group gives the partitions away in the middle of the batch.
        deadline = self.handling_since + MAX_POLL_SECONDS / 2
        try:
            async with self._one_at_a_time:
                await self._take_now(running, deadline)
        finally:
            # Also where it is cancelled with its client: the next one has not begun it.
            self.handling_since = None

    async def _take_now(self, running: Sequence[Raw], deadline: float) -> None:
        with metrics.BATCH_SECONDS.labels(self.name).time():
            handled = await self._until_done(lambda: self._reader.handle(running), deadline)
            for stopped in handled.stopped:
                self._stop_partition(stopped)
            await self._commit(handled.offsets, deadline)
            self.standing.lag.done(handled.offsets)

    async def _until_done(self, action: Callable[[], Awaitable[Handled]], deadline: float) -> Handled:
        """Transient errors are tried again in place, within half of the poll interval; then the process ends."""
        attempt = 0
        while True:
            try:
                return await action()
            except TRANSIENT as error:
                if monotonic() > deadline:
                    raise
                pause = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
                log.warning("consumer_retries", consumer=self.name, error=type(error).__name__, attempt=attempt)
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
                attempt += 1

    def _stop_partition(self, stopped: Stopped) -> None:
        self.stopped[stopped.partition] = stopped
        metrics.STOPPED_PARTITIONS.labels(self.name).set(len(self.stopped))
        log.critical(
            "partition_stopped",
            consumer=self.name,
            topic=stopped.partition.topic,
            partition=stopped.partition.partition,
            offset=stopped.offset,
            reason=stopped.reason,
        )
        consumer = self._subscriber.consumer
        if consumer is not None and stopped.partition in consumer.assignment():
            consumer.pause(stopped.partition)

    async def _commit(self, offsets: dict[TopicPartition, int], deadline: float) -> None:
        consumer = self._subscriber.consumer
        if consumer is None or not offsets:
            return
        mine = {partition: offset for partition, offset in offsets.items() if partition in consumer.assignment()}
        while mine:
            try:
                await consumer.commit(mine)
            except (CommitFailedError, IllegalStateError):
                # The partitions have gone to another member: it folds these records again and drops the duplicates.
                log.info("commit_after_rebalance", consumer=self.name)
                return
            except KafkaError:
                if monotonic() > deadline:
                    raise
                await asyncio.sleep(RETRY_SECONDS[-3])
            else:
                return

    def assignment(self) -> set[TopicPartition]:
        """The partitions that the group has given this member."""
        consumer = self._subscriber.consumer
        return set() if consumer is None else set(consumer.assignment())

    async def look(self, ends: Mapping[TopicPartition, int] | None) -> None:
        """Note which partitions get on, where the broker says that they end there; None: it is away."""
        consumer = self._subscriber.consumer
        if consumer is None:
            return
        if ends is None:
            self.standing.excuse()
        else:
            await self.standing.look(consumer, ends, self.stopped)
        metrics.CONSUMER_LAG.labels(self.name).set(self.standing.lag.events())
        metrics.CONSUMER_LAG_SECONDS.labels(self.name).set(self.standing.lag.seconds(monotonic()))

    def stuck(self, seconds: float) -> list[str]:
        """What has not got on for so long, one line each: a batch, or partitions that have more and give nothing."""
        lines = [
            f"{self.name} has not moved on {partition.topic}/{partition.partition} for {int(for_seconds)} s"
            for partition, for_seconds in self.standing.waited().items()
            if for_seconds > seconds
        ]
        # At one batch also means: its offsets wait for the broker.
        since = self.handling_since
        if since is not None and self.standing.for_seconds(since) > seconds:
            lines.append(f"{self.name} has been at one batch for {int(monotonic() - since)} s")
        return lines

    def stands_still(self, seconds: float) -> bool:
        """Whether for so long it was given nothing of partitions that have more, with nothing in its own hands."""
        given_nothing = max(self.standing.waited().values(), default=0.0) > seconds
        return self._outside or (self.handling_since is None and given_nothing)

    def faults(self) -> list[str]:
        """What keeps this member from going on, one line each."""
        outside = [f"{self.name} has left its group and cannot join it again"] if self._outside else []
        return outside + [
            f"{self.name} stopped at {name.topic}/{name.partition} offset {each.offset}: {each.reason}"
            for name, each in self.stopped.items()
        ]


async def _decode(message: StreamMessage[Any]) -> Any:
    return message.raw_message


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # the library has no types
    def __init__(self, consumer: BatchConsumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Nothing to hand over: documents are fenced by `rev`, offsets by the group's generation."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:  # noqa: ARG002 - its interface
        # A rebalance forgets pauses: what was stopped is fetched again from its committed offset, and stops again.
        self._consumer.joined = True
        self._consumer.stopped.clear()
        self._consumer.standing.lag.forget()
        metrics.STOPPED_PARTITIONS.labels(self._consumer.name).set(0)
