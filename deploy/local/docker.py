"""The engines in containers, where Docker answers: the images of production.

Invariant: the same settings and fixed host ports at every start, so that a killed container comes back where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from docker.errors import DockerException  # type: ignore[import-untyped]
from testcontainers.core.container import DockerContainer

from deploy.local import kafka
from deploy.local.engine import READY_SECONDS, answers_metadata, is_primary, mongodb_command
from deploy.local.processes import LocalFault, until

KAFKA_IMAGE = f"apache/kafka:{kafka.VERSION}"
MONGODB_IMAGE = "mongo:8.0"
KAFKA_VOLUME, MONGODB_VOLUME = "dugnad-kafka", "dugnad-mongodb"


class ContainerEngine:
    """One container; what differs between the engines comes as arguments."""

    def __init__(self, image: str, address: str, make: Callable[[], DockerContainer], *, keep: bool) -> None:
        self._image, self._address, self._make, self._keep = image, address, make, keep
        self._container: DockerContainer | None = None

    @property
    def title(self) -> str:
        return f"{self._image} (Docker)"

    @property
    def address(self) -> str:
        return self._address

    @property
    def ours(self) -> bool:
        return True

    @property
    def fault(self) -> str | None:
        return None

    async def start(self) -> None:
        try:
            await asyncio.to_thread(self._start)
        except DockerException as error:
            reason = str(error).splitlines()[0][:160]
            raise LocalFault(
                f"Docker could not start {self._image} ({reason}): mend it, or set ENGINES=embedded"
            ) from error
        if not await until(self._ready, READY_SECONDS):
            raise LocalFault(f"{self._image} at {self._address} does not become ready: read `docker logs {self._name}`")

    def _start(self) -> None:
        if self._container is None:
            self._container = self._make().start()
        else:
            self._container.get_wrapped_container().start()

    @property
    def _name(self) -> str:
        return "" if self._container is None else str(self._container.get_wrapped_container().short_id)

    async def _ready(self) -> bool:
        raise NotImplementedError

    async def stop(self) -> None:
        if self._container is not None:
            container, self._container = self._container, None
            await asyncio.to_thread(container.get_wrapped_container().stop, timeout=10)
            await asyncio.to_thread(container.stop, delete_volume=not self._keep)

    async def kill(self) -> None:
        if self._container is not None:
            await asyncio.to_thread(self._container.get_wrapped_container().kill)


class DockerKafka(ContainerEngine):
    """Apache Kafka, one combined node."""

    def __init__(self, *, port: int, keep: bool) -> None:
        settings = {
            **kafka.ONE_NODE,
            "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093,BROKER://:9094",
            # The broker cannot reach itself at the host's port.
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},BROKER://localhost:9094",
            "inter.broker.listener.name": "BROKER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,BROKER:PLAINTEXT",
            "controller.quorum.voters": "1@localhost:9093",
            "log.dirs": "/var/lib/kafka/data",
        }

        def make() -> DockerContainer:
            container = DockerContainer(KAFKA_IMAGE).with_bind_ports(9092, port)
            for key, value in settings.items():
                container = container.with_env("KAFKA_" + key.upper().replace(".", "_"), value)
            return container.with_volume_mapping(KAFKA_VOLUME, "/var/lib/kafka/data", "rw") if keep else container

        super().__init__(KAFKA_IMAGE, f"127.0.0.1:{port}", make, keep=keep)

    async def _ready(self) -> bool:
        return await answers_metadata(self.address)


class DockerDocuments(ContainerEngine):
    """MongoDB as a replica set of one: majority reads and sessions are those of production."""

    def __init__(self, *, port: int, keep: bool) -> None:
        def make() -> DockerContainer:
            container = DockerContainer(MONGODB_IMAGE).with_bind_ports(27017, port)
            container = container.with_command("--replSet dugnad --bind_ip_all --wiredTigerCacheSizeGB 0.5")
            return container.with_volume_mapping(MONGODB_VOLUME, "/data/db", "rw") if keep else container

        address = f"mongodb://127.0.0.1:{port}/?directConnection=true&heartbeatFrequencyMS=500&timeoutMS=10000"
        super().__init__(MONGODB_IMAGE, address, make, keep=keep)

    async def _ready(self) -> bool:
        if await is_primary(self.address):
            return True
        # Refused where it has been done before, as it should be.
        members = {"_id": "dugnad", "members": [{"_id": 0, "host": "127.0.0.1:27017"}]}
        await mongodb_command(self.address, "replSetInitiate", members)
        return await is_primary(self.address)
