"""Which engines are used here, and both of them as one thing to start and stop.

Invariant: the order of choice is the same everywhere: what a variable names, then Docker, then the embedded ones.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.documents import EmbeddedDocuments, find_program
from deploy.local.engine import Engine, Given
from deploy.local.hold import Hold
from deploy.local.kafka import QUICK_START, EmbeddedKafka
from deploy.local.places import ENGINES, session_folder
from deploy.local.processes import LocalFault, free_port, port_from


class Engines:
    """A broker and a document server. An asynchronous context manager.

    Make one with `kept`, `for_tests` or `for_benchmarks`. Addresses are known before the start.
    """

    def __init__(
        self, kafka: Engine, documents: Engine, *, hold: Hold | None = None, remove: Path | None = None
    ) -> None:
        self.kafka, self.documents = kafka, documents
        self._hold, self._remove = hold, remove

    @classmethod
    async def kept(cls, environ: Mapping[str, str] | None = None) -> Self:
        """For `make run`: data stay between starts. Docker only where ENGINES=docker. Raises LocalFault."""
        environ = os.environ if environ is None else environ
        docker = _mode(environ) == "docker"
        if docker and not docker_answers():
            raise LocalFault("ENGINES=docker is set, but `docker info` does not answer: start Docker, or unset ENGINES")
        # Both engines' data belong together: a log without its topics, or the reverse, fits nothing.
        pair = "given" if environ.get("MONGODB_URI") else "docker" if docker else find_program(environ).kind
        folder = ENGINES / "data" / pair
        hold = await Hold.take(folder)
        try:
            ports = port_from(environ, "DUGNAD_KAFKA_PORT"), port_from(environ, "DUGNAD_MONGODB_PORT")
            kafka, documents = _choose(
                environ, docker, folder, ENGINES / "logs", ports, keep=True, keep_open=(hold.fd,)
            )
        except LocalFault:
            hold.release()
            raise
        return cls(kafka, documents, hold=hold)

    @classmethod
    def for_tests(cls, environ: Mapping[str, str] | None = None) -> Self:
        """For one test session: empty, and gone at its end but for the logs. Raises LocalFault."""
        environ = os.environ if environ is None else environ
        docker = _mode(environ) == "docker" or (_mode(environ) == "" and docker_answers())
        return cls._passing(environ, docker, QUICK_START)

    @classmethod
    def for_benchmarks(cls, environ: Mapping[str, str] | None = None) -> Self:
        """As for tests, with the JVM's defaults; never containers unless ENGINES=docker. Raises LocalFault."""
        environ = os.environ if environ is None else environ
        return cls._passing(environ, _mode(environ) == "docker", ("-Xmx1g",))

    @classmethod
    def _passing(cls, environ: Mapping[str, str], docker: bool, jvm: Sequence[str]) -> Self:
        folder = session_folder(os.getpid())
        data = folder / f"data-{free_port()}"
        ports = free_port(), free_port()
        kafka, documents = _choose(environ, docker, data, folder / "logs", ports, keep=False, jvm=jvm)
        return cls(kafka, documents, remove=data)

    @property
    def kafka_bootstrap_servers(self) -> str:
        return self.kafka.address

    @property
    def mongodb_uri(self) -> str:
        return self.documents.address

    @property
    def description(self) -> str:
        """One line for people: what is used, with versions (known in full after the start)."""
        return f"{self.kafka.title} and {self.documents.title}"

    @property
    def documents_kind(self) -> str:
        """`secantusd-py`, `secantusd-rs`, or `mongodb` for whatever else speaks its protocol."""
        return self.documents.kind if isinstance(self.documents, EmbeddedDocuments) else "mongodb"

    @property
    def variables(self) -> dict[str, str]:
        """What a service needs in its environment to use these engines."""
        return {"KAFKA_BOOTSTRAP_SERVERS": self.kafka_bootstrap_servers, "MONGODB_URI": self.mongodb_uri}

    @property
    def can_kill(self) -> bool:
        """Both were started here."""
        return self.kafka.ours and self.documents.ours

    @property
    def fault(self) -> str | None:
        """The line to show when one of them has ended by itself."""
        return self.kafka.fault or self.documents.fault

    async def start(self) -> None:
        """Both side by side, until both are ready. Raises LocalFault, and leaves nothing running then."""
        try:
            results = await asyncio.gather(self.kafka.start(), self.documents.start(), return_exceptions=True)
            for failed in (result for result in results if result is not None):
                raise failed
        except BaseException:
            # Also where a Ctrl-C came in the middle of it.
            await self.stop()
            raise

    async def stop(self) -> None:
        """Both, and gives the data free."""
        await asyncio.gather(self.kafka.stop(), self.documents.stop())
        if self._hold is not None:
            self._hold.release()
            self._hold = None
        if self._remove is not None:
            shutil.rmtree(self._remove, ignore_errors=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def kill_kafka(self) -> None:
        """SIGKILL. Its data stay."""
        await self.kafka.kill()

    async def restart_kafka(self) -> None:
        """After a kill: on its data and its port, until it is ready."""
        await self.kafka.start()

    async def restart_kafka_empty(self) -> None:
        """After a kill: on its port, with nothing of what it had. Raises LocalFault for a broker that is not ours."""
        if not isinstance(self.kafka, EmbeddedKafka):
            raise LocalFault(f"{self.kafka.title} cannot be emptied here: use the embedded one")
        self.kafka.delete_data()
        await self.kafka.start()

    async def kill_documents(self) -> None:
        """SIGKILL. Its data stay."""
        await self.documents.kill()

    async def restart_documents(self) -> None:
        """After a kill: on its data and its port, until it is ready."""
        await self.documents.start()


def _mode(environ: Mapping[str, str]) -> str:
    mode = environ.get("ENGINES", "")
    if mode not in {"", "docker", "embedded"}:
        raise LocalFault(f"ENGINES is {mode!r}: set it to docker or embedded, or unset it")
    return mode


def docker_answers() -> bool:
    """Whether there is an engine behind the `docker` command, which may exist without one."""
    try:
        answer = subprocess.run(
            ["docker", "info", "--format", "{{.ServerVersion}}"],
            capture_output=True,
            text=True,
            timeout=15,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and bool(answer.stdout.strip())


def _choose(
    environ: Mapping[str, str],
    docker: bool,
    data: Path,
    logs: Path,
    ports: tuple[int, int],
    *,
    keep: bool,
    jvm: Sequence[str] = QUICK_START,
    keep_open: Sequence[int] = (),
) -> tuple[Engine, Engine]:
    kafka: Engine
    documents: Engine
    if servers := environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        kafka = Given("KAFKA_BOOTSTRAP_SERVERS", servers)
    elif docker:
        # Loaded where it is used: the library behind it takes long.
        from deploy.local.docker import DockerKafka

        kafka = DockerKafka(port=ports[0], keep=keep)
    else:
        kafka = EmbeddedKafka(data / "kafka", logs, port=ports[0], jvm=jvm, keep_open=keep_open)
    if uri := environ.get("MONGODB_URI"):
        documents = Given("MONGODB_URI", uri)
    elif docker:
        from deploy.local.docker import DockerDocuments

        documents = DockerDocuments(port=ports[1], keep=keep)
    else:
        documents = EmbeddedDocuments(
            find_program(environ), data / "documents", logs, port=ports[1], keep_open=keep_open
        )
    return kafka, documents
