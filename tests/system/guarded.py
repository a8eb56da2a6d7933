"""The system of `deploy/compose.yaml` without containers: its settings, users and access rules on embedded engines.

Invariant: nothing is set here but addresses; whatever else holds comes from the files that are deployed.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from chassis.kafka import client_options
from chassis.settings import Settings
from deploy.local.documents import EmbeddedDocuments, Program
from deploy.local.engine import READY_SECONDS
from deploy.local.kafka import ONE_NODE, EmbeddedKafka
from deploy.local.places import ROOT
from deploy.local.processes import Process, free_port, until
from deploy.local.services import NAMES
from tests.deployed import compose, compose_secrets, environment

OURS = {"KAFKA_LISTENERS", "KAFKA_ADVERTISED_LISTENERS", "KAFKA_CONTROLLER_QUORUM_VOTERS", "KAFKA_LOG_DIRS"}
"""Addresses and places: the only settings of the broker that are not the deployed ones."""


class GuardedKafka(EmbeddedKafka):
    """The broker of the compose file: it asks who one is, and refuses what is not allowed."""

    def __init__(self, folder: Path, deployed: Mapping[str, str], password: str) -> None:
        super().__init__(folder / "kafka", folder, port=free_port())
        self._deployed = deployed
        self.admin = Settings.model_validate(
            {
                "environment": "development",
                "kafka_bootstrap_servers": self.address,
                "kafka_mechanism": "PLAIN",
                "kafka_username": "admin",
                "kafka_password": password,
                "mongodb_uri": "",
            }
        )

    def _write_settings(self) -> Path:
        path = super()._write_settings()
        small = {key: value for key, value in ONE_NODE.items() if "." in key and key.startswith(("log.", "broker."))}
        deployed = {
            name.removeprefix("KAFKA_").lower().replace("_", "."): value
            for name, value in self._deployed.items()
            if name not in OURS
        }
        controller = f"127.0.0.1:{self._controller_port}"
        addresses = {
            "listeners": f"CLIENTS://{self.address},CONTROLLER://{controller}",
            "advertised.listeners": f"CLIENTS://{self.address}",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self._data),
        }
        lines = {**small, **deployed, **addresses}
        path.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        return path

    async def _ready(self) -> bool:
        if self.fault is not None:
            return True
        admin = AIOKafkaAdminClient(**client_options(self.admin), request_timeout_ms=5_000)
        try:
            await admin.start()
            return bool((await admin.describe_cluster())["brokers"])
        except KafkaError:
            return False
        finally:
            await admin.close()


@dataclass(frozen=True)
class Guarded:
    """The system, running."""

    kafka: GuardedKafka
    environments: Mapping[str, Mapping[str, str]]
    urls: Mapping[str, str]
    operator: Mapping[str, str]
    """Who creates topics and sends them again: user and password at the broker."""

    def settings(self, service: str) -> Settings:
        """What that service reaches the engines with."""
        own = {key.removeprefix("DUGNAD_").lower(): value for key, value in self.environments[service].items()}
        return Settings.model_validate(own)


@asynccontextmanager
async def guarded(program: Program, folder: Path) -> AsyncIterator[Guarded]:
    """Engines with users and rules, set up by the deployed jobs, and the four services."""
    secrets = compose_secrets()
    document = compose(secrets)
    ports = {name: free_port() for name in NAMES}
    async with AsyncExitStack() as stack:
        kafka = GuardedKafka(folder, environment(document, "kafka"), secrets["KAFKA_PASSWORD_ADMIN"])
        open_to_all, documents = _documents(program, folder)
        await asyncio.gather(kafka.start(), open_to_all.start())
        stack.push_async_callback(kafka.stop)
        stack.push_async_callback(open_to_all.stop)

        def here(service: str) -> dict[str, str]:
            variables = environment(document, service)
            replaced = {"kafka:9092": kafka.address, "mongodb:27017/?replicaSet=dugnad": _address(documents)}
            replaced |= {"mongodb:27017": _address(documents).partition("/")[0]}
            replaced |= {f"http://{name}:8080": f"http://127.0.0.1:{port}" for name, port in ports.items()}
            for old, new in replaced.items():
                variables = {key: value.replace(old, new) for key, value in variables.items()}
            return variables

        # The embedded server knows no replica sets, and makes its first users only while it is open to all.
        databases = here("databases")
        anonymous = {"MONGODB_URI": documents.address, "MONGODB_MEMBERS": ""}
        await _done([sys.executable, "-m", "deploy.databases"], databases | anonymous, folder)
        await open_to_all.stop()
        await documents.start()
        stack.push_async_callback(documents.stop)
        await _grant(here("access"), folder)
        await _done([sys.executable, "-m", "chassis.topics"], here("topics"), folder)

        environments = {name: here(name) for name in NAMES}
        for name, variables in environments.items():
            own = {"DUGNAD_HOST": "127.0.0.1", "DUGNAD_PORT": str(ports[name]), "DUGNAD_METRICS_PORT": "0"}
            process = Process(
                name,
                [sys.executable, "-m", f"services.{name}"],
                log=folder / f"{name}.log",
                folder=ROOT,
                environ={**os.environ, **variables, **own},
            )
            process.start()
            stack.push_async_callback(process.stop)
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        await asyncio.gather(*(_until_ready(name, url, folder) for name, url in urls.items()))
        who = ("DUGNAD_KAFKA_USERNAME", "DUGNAD_KAFKA_PASSWORD")
        yield Guarded(kafka, environments, urls, {name: here("topics")[name] for name in who})


def _documents(program: Program, folder: Path) -> tuple[EmbeddedDocuments, EmbeddedDocuments]:
    """The same server on the same data: open to all, and asking for users."""
    port = free_port()
    wrapper = folder / f"{program.kind}-auth"
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.quote(str(program.path))} "$@" --auth\n')
    wrapper.chmod(0o755)
    asking = Program(program.kind, wrapper, program.version)
    first, second = (EmbeddedDocuments(each, folder / "documents", folder, port=port) for each in (program, asking))
    return first, second


def _address(documents: EmbeddedDocuments) -> str:
    return documents.address.removeprefix("mongodb://")


async def _grant(variables: Mapping[str, str], folder: Path) -> None:
    """Run the deployed access rules, with the tool that the embedded broker lacks on the path."""
    tool = folder / "kafka-acls.sh"
    tool.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tests.system.kafka_acls "$@"\n')
    tool.chmod(0o755)
    properties = folder / "admin.properties"
    properties.write_text(variables["ADMIN"])
    own = {"KAFKA_ADMIN_PROPERTIES": str(properties), "PATH": f"{folder}:{os.environ['PATH']}"}
    await _done(["/bin/bash", str(ROOT / "deploy/kafka/access.sh")], {**variables, **own}, folder)


async def _done(command: list[str], variables: Mapping[str, str], folder: Path) -> None:
    log = folder / f"{Path(command[-1]).stem}.log"
    process = Process(command[-1], command, log=log, folder=ROOT, environ={**os.environ, **variables})
    process.start()
    assert await process.wait(READY_SECONDS) == 0, log.read_text()


async def _until_ready(name: str, url: str, folder: Path) -> None:
    async with httpx.AsyncClient(base_url=url) as client:

        async def ready() -> bool:
            try:
                return (await client.get("/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        assert await until(ready, READY_SECONDS), (folder / f"{name}.log").read_text()[-3000:]
