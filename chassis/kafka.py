"""How this process reaches the broker: addresses, encryption, and who it is there.

Invariant: every client of the broker in this process is made from these options, so that none gets round its access
rules (`deploy/kafka/access.sh`): the broker, not politeness, keeps readers out of background facts.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterable, Mapping, Sequence
from time import monotonic
from typing import Any, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError

from chassis.errors import DependencyDown
from chassis.settings import Settings

STOP_SECONDS = 5.0
QUIET_SECONDS = 20.0
"""A broker that has more and gives nothing for so long is away."""
FETCH_MILLISECONDS = 200
MOST_RECORDS = 1000

log = structlog.get_logger()

T = TypeVar("T")


def client_options(settings: Settings) -> dict[str, Any]:
    """Arguments of each client of aiokafka: producer, consumer, admin."""
    options: dict[str, Any] = {"bootstrap_servers": settings.kafka_bootstrap_servers}
    user = settings.kafka_username
    if user is not None:
        assert settings.kafka_password is not None, "checked by the settings"
        options |= {
            "security_protocol": "SASL_SSL" if settings.kafka_tls else "SASL_PLAINTEXT",
            "sasl_mechanism": settings.kafka_mechanism,
            "sasl_plain_username": user,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    elif settings.kafka_tls:
        options["security_protocol"] = "SSL"
    if settings.kafka_tls:
        options["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ca_file)
    return options


def away(settings: Settings) -> DependencyDown:
    """What is said where the broker does not answer."""
    where = settings.kafka_bootstrap_servers
    return DependencyDown(f"Kafka at {where} does not answer: start it, or set KAFKA_BOOTSTRAP_SERVERS")


async def ends(
    settings: Settings, partitions: Iterable[TopicPartition], seconds: float
) -> dict[TopicPartition, int] | None:
    """Where these partitions end, as a client of its own is told within so many seconds; None: the broker is away.

    A reader does not know: it hears of an end only with records, and of none where it stands still.
    """
    if not (wanted := list(partitions)):
        return {}
    client = AIOKafkaConsumer(**client_options(settings), enable_auto_commit=False)
    try:
        async with asyncio.timeout(seconds):
            await client.start()
            # Asked for a topic that the client has not been told of, it would wait for news of it.
            client.assign(wanted)
            found: dict[TopicPartition, int] = await client.end_offsets(wanted)
    except (KafkaError, OSError, TimeoutError):
        return None
    finally:
        await leave("ends", client)
    return found


async def read_to(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> AsyncIterator[Sequence[Any]]:
    """The records of partitions that are assigned, up to these ends, some at a time and of one partition each.

    Raises KafkaConnectionError where no more come: a client whose broker is away says nothing, and tries for ever.
    """
    given = monotonic()
    while any([await answered(consumer.position(each), QUIET_SECONDS) < end for each, end in ends.items()]):
        fetched = await consumer.getmany(timeout_ms=FETCH_MILLISECONDS, max_records=MOST_RECORDS)
        for records in fetched.values():
            yield records
        if fetched:
            given = monotonic()
        elif monotonic() - given > QUIET_SECONDS:
            raise KafkaConnectionError("the broker gives nothing")


async def answered(asked: Awaitable[T], seconds: float) -> T:
    """What the broker says, within bounds: the library asks again without end. Raises KafkaConnectionError."""
    try:
        async with asyncio.timeout(seconds):
            return await asked
    except TimeoutError as error:
        raise KafkaConnectionError("the broker does not answer") from error


async def stop_client(name: str, stopping: Coroutine[Any, Any, None]) -> bool:
    """Stop a client of the broker, which may be away: then the library waits long, or raises what it has cancelled.

    False: it did not stop in order.
    """
    task = asyncio.create_task(stopping)
    # Waited for, not awaited: its cancellation would be taken for that of the caller, who has more to stop.
    await asyncio.wait({task}, timeout=STOP_SECONDS)
    if not task.done() or task.cancelled() or task.exception() is not None:
        task.cancel()
        log.warning("broker_left_without_notice", client=name)
        return False
    return True


async def leave(name: str, consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer that somebody asked something with, whether or not the broker is there. Raises nothing of it.

    Its own stop raises the cancellation of a fetch that was waiting for a broker that is away. Whoever awaited it would
    take that for a cancellation of its own, and end without a word.
    """
    if not await stop_client(name, consumer.stop()):
        await abandon(consumer)


async def abandon(consumer: AIOKafkaConsumer) -> None:
    """End what goes on of a client that did not stop: its heartbeats would keep partitions that nobody reads."""
    coordinator, names = consumer._coordinator, ("_coordination_task", "_heartbeat_task", "_commit_refresh_task")
    found = [*(getattr(coordinator, name, None) for name in names), getattr(consumer._fetcher, "_fetch_task", None)]
    # None of them where it was stopped before it had started.
    if tasks := [task for task in found if task is not None]:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=STOP_SECONDS)
    await consumer._client.close()
