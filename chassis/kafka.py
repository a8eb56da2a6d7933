"""How this process reaches the broker: addresses, encryption, and who it is there.

Invariant: every client of the broker in this process is made from these options, so that none gets round its access
rules (`deploy/kafka/access.sh`): the broker, not politeness, keeps readers out of background facts.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram512

from chassis.settings import Settings


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
        await client.stop()
    return found


def security(settings: Settings) -> BaseSecurity | None:
    """The same for FastStream's broker."""
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
