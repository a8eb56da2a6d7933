"""What an engine is to the rest: something that starts, is ready, can be killed, and stops.

Invariant: when `start` returns the engine answers requests; what is wrong with it is said in one line (LocalFault).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from typing import Protocol

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from chassis.mongo import PyMongoError, connect
from chassis.settings import Settings
from deploy.local.processes import LocalFault, listening, until

READY_SECONDS = 60.0
OLDEST_MONGODB = (8, 0)
_API_VERSIONS, _CONSUMER_GROUP_HEARTBEAT = 18, 68


class Engine(Protocol):
    """A broker or a document server."""

    @property
    def title(self) -> str:
        """What it is, with its version."""

    @property
    def address(self) -> str:
        """Bootstrap servers, or a MongoDB URI. Known before the start, and the same after every start."""

    @property
    def ours(self) -> bool:
        """Started here, so that it may be killed here."""

    @property
    def fault(self) -> str | None:
        """The line to show when it has ended by itself; None while it runs."""

    async def start(self) -> None:
        """Also after `kill`: on the same data and the same port."""

    async def stop(self) -> None: ...

    async def kill(self) -> None: ...


class Given:
    """An engine that runs already, named by a variable. It is asked whether it answers and which version it is."""

    def __init__(self, variable: str, address: str) -> None:
        self.variable, self._address, self._title = variable, address, f"the one that {variable} names"

    @property
    def title(self) -> str:
        return self._title

    @property
    def address(self) -> str:
        return self._address

    @property
    def ours(self) -> bool:
        return False

    @property
    def fault(self) -> str | None:
        return None

    async def start(self) -> None:
        try:
            async with asyncio.timeout(READY_SECONDS / 4):
                await self._check()
        except TimeoutError as error:
            raise self._unreachable() from error

    async def _check(self) -> None:
        if self.variable == "MONGODB_URI":
            self._title = f"MongoDB {await _mongodb_version(self._address, self.variable)}"
        else:
            for server in self._address.split(","):
                host, _, port = server.strip().rpartition(":")
                if host and port.isdecimal() and await listening(host, int(port)):
                    await require_kafka_4(host, int(port), self.variable)
                    break
            else:
                raise self._unreachable()
            if not await answers_metadata(self._address):
                raise self._unreachable()
            self._title = "Apache Kafka 4"

    def _unreachable(self) -> LocalFault:
        return unreachable("MongoDB" if self.variable == "MONGODB_URI" else "Kafka", self._address, self.variable)

    async def stop(self) -> None:
        return None

    async def kill(self) -> None:
        raise LocalFault(f"{self.title} was not started here, so it is not killed here: unset {self.variable}")


def unreachable(kind: str, address: str, found_by: str) -> LocalFault:
    """The line for an engine that somebody else runs."""
    where = f"{without_secret(address)} ({found_by})"
    return LocalFault(
        f"{kind} does not answer at {where}: start it, correct {found_by}, or unset it to use the embedded one"
    )


def without_secret(address: str) -> str:
    """An address that may be shown: no user, no password."""
    scheme, separator, rest = address.rpartition("://")
    return f"{scheme}{separator}{rest.rsplit('@', 1)[-1]}"


async def answers_metadata(servers: str) -> bool:
    """Whether a metadata request is answered and names a broker; an open port does not mean that."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=5_000)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
        return bool(cluster["brokers"])
    except KafkaError:
        return False
    finally:
        await admin.close()


async def require_kafka_4(host: str, port: int, found_by: str) -> None:
    """Raises LocalFault for a broker older than 4.0, told by the requests that it serves."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(struct.pack(">ihhih", 10, _API_VERSIONS, 0, 1, -1))
        (size,) = struct.unpack(">i", await reader.readexactly(4))
        body = await reader.readexactly(size)
        _, _, count = struct.unpack_from(">ihi", body)
        newest = {key: high for key, _, high in struct.iter_unpack(">hhh", body[10 : 10 + 6 * count])}
    except (asyncio.IncompleteReadError, ConnectionError, ValueError, struct.error) as error:
        raise LocalFault(
            f"What listens at {host}:{port} ({found_by}) does not speak Kafka in plain text: correct {found_by}"
        ) from error
    finally:
        writer.close()
    if newest.get(_CONSUMER_GROUP_HEARTBEAT, 0) < 1:
        raise LocalFault(f"Kafka at {host}:{port} ({found_by}) is older than 4.0: use Apache Kafka 4.0 or newer")


async def _mongodb_version(uri: str, found_by: str) -> str:
    answer = await mongodb_command(uri, "buildInfo")
    if answer is None:
        raise unreachable("MongoDB", uri, found_by)
    version = str(answer["version"])
    major, minor = (int(part) for part in version.split(".")[:2])
    if (major, minor) < OLDEST_MONGODB:
        raise LocalFault(f"MongoDB at {without_secret(uri)} ({found_by}) is {version}: use 8.0 or newer")
    return version


async def mongodb_command(
    uri: str, command: str, value: object = 1, *, seconds: float = 5.0
) -> Mapping[str, object] | None:
    """The answer of one administrative command; None where there was none."""
    settings = Settings(
        environment="development", kafka_bootstrap_servers="", mongodb_uri=uri, engine_timeout_seconds=seconds
    )
    client = connect(settings)
    try:
        answer: Mapping[str, object] = await client.admin.command(command, value)
    except PyMongoError:
        return None
    finally:
        client.close()
    return answer


async def is_primary(uri: str) -> bool:
    """Whether the document server takes writes."""
    answer = await mongodb_command(uri, "hello")
    return answer is not None and answer.get("isWritablePrimary") is True


async def until_listening(host: str, port: int, engine: Engine) -> bool:
    """Until it accepts connections; False where it has ended before, or never does."""

    async def settled() -> bool:
        return engine.fault is not None or await listening(host, port)

    return await until(settled, READY_SECONDS) and engine.fault is None
