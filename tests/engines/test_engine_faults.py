"""Engines that are missing, unfit, unreachable or held: what the person at the keyboard is told.

Invariant: one line that says which engine, where it was looked for, and what to do; and nothing is left running.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.local import kafka
from deploy.local.documents import find_program
from deploy.local.engine import Given, require_kafka_4, without_secret
from deploy.local.engines import Engines
from deploy.local.hold import Hold
from deploy.local.processes import LocalFault, Process, free_port, is_alive, port_from, until

NOBODY = "127.0.0.1:1"


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two jars that the lock lists, in place of what is fetched."""
    folder = tmp_path / "env" / "jars"
    folder.mkdir(parents=True)
    for name in ("a.jar", "b.jar"):
        (folder / name).write_bytes(name.encode())
    lock = tmp_path / "kafka.lock"
    lock.write_text(
        "".join(f"{hashlib.sha256(jar.name.encode()).hexdigest()}  {jar.name}\n" for jar in folder.iterdir())
    )
    monkeypatch.setattr(kafka, "LOCK", lock)
    monkeypatch.setattr(kafka, "_fetch", lambda cache, update: sorted(folder.glob("*.jar")))
    return folder


def test_the_locked_jars_are_the_class_path(jars: Path, tmp_path: Path) -> None:
    assert [jar.name for jar in kafka.verified_jars(tmp_path)] == ["a.jar", "b.jar"]


def test_a_jar_with_other_bytes_is_refused(jars: Path, tmp_path: Path) -> None:
    (jars / "b.jar").write_bytes(b"changed")
    with pytest.raises(LocalFault, match=r"b\.jar is not the file that .*kafka\.lock lists: remove"):
        kafka.verified_jars(tmp_path)


def test_a_jar_that_is_not_locked_is_refused(jars: Path, tmp_path: Path) -> None:
    (jars / "c.jar").write_bytes(b"")
    with pytest.raises(LocalFault, match=r"c\.jar is not in .*kafka\.lock: remove"):
        kafka.verified_jars(tmp_path)


def test_a_jar_that_is_missing_is_named(jars: Path, tmp_path: Path) -> None:
    (jars / "a.jar").unlink()
    with pytest.raises(LocalFault, match=r"a\.jar is missing in .*: remove"):
        kafka.verified_jars(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo 'secantusd-rs 0.4.9'", "is secantusd-rs 0.4.9: use 0.5.3 or newer"),
        ("echo 'something else 9.9.9'", "is no secantusd-rs: correct DUGNAD_MONGOD"),
    ],
)
def test_a_document_server_of_a_wrong_kind_or_version_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LocalFault, match=said):
        find_program({"DUGNAD_MONGOD": str(program(tmp_path / "mongod", text))})


def test_a_document_server_that_is_not_there_is_refused() -> None:
    with pytest.raises(LocalFault, match="DUGNAD_MONGOD names /no/such/thing"):
        find_program({"DUGNAD_MONGOD": "/no/such/thing"})


def test_a_document_server_on_the_path_is_found_and_else_the_one_of_the_requirements(tmp_path: Path) -> None:
    program(tmp_path / "secantusd-rs", "echo 'secantusd-rs 0.5.3-beta.196'")
    assert find_program({"PATH": str(tmp_path)}).kind == "secantusd-rs"
    assert find_program({"PATH": "/nowhere"}).kind == "secantusd-py"


async def test_a_broker_and_a_document_server_that_do_not_answer_are_named_with_their_variable() -> None:
    with pytest.raises(LocalFault, match=f"Kafka does not answer at {NOBODY} .KAFKA_BOOTSTRAP_SERVERS.: start it"):
        await Given("KAFKA_BOOTSTRAP_SERVERS", NOBODY).start()
    with pytest.raises(LocalFault, match=f"MongoDB does not answer at mongodb://{NOBODY}/") as told:
        await Given("MONGODB_URI", f"mongodb://user:secret@{NOBODY}/?serverSelectionTimeoutMS=100").start()
    assert "secret" not in told.value.message


def test_an_address_is_shown_without_its_secret() -> None:
    assert without_secret("mongodb://user:p%40ss@host:1/db") == "mongodb://host:1/db"
    assert without_secret("host:9092") == "host:9092"


@asynccontextmanager
async def answering(body: bytes) -> AsyncIterator[int]:
    """The port of something that answers every first request with these bytes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (struct.pack(">iihihhh", 16, 1, 0, 1, 18, 0, 3), "is older than 4.0"),
        (b"HTTP/1.1 400 Bad Request", "does not speak Kafka in plain text"),
        (b"", "does not speak Kafka in plain text"),
    ],
)
async def test_what_is_no_kafka_4_is_refused(body: bytes, said: str) -> None:
    async with answering(body) as port:
        with pytest.raises(LocalFault, match=said):
            await asyncio.wait_for(require_kafka_4("127.0.0.1", port, "KAFKA_BOOTSTRAP_SERVERS"), 10)


def test_a_wrong_choice_of_engines_or_port_is_refused() -> None:
    with pytest.raises(LocalFault, match="ENGINES is 'podman': set it to docker or embedded"):
        Engines.for_tests({"ENGINES": "podman"})
    with pytest.raises(LocalFault, match="DUGNAD_KAFKA_PORT is 'many'"):
        port_from({"DUGNAD_KAFKA_PORT": "many"}, "DUGNAD_KAFKA_PORT")


async def test_a_port_that_is_taken_is_refused() -> None:
    async with answering(b"") as port:
        with pytest.raises(LocalFault, match=f"asks for port {port}, which is in use"):
            port_from({"DUGNAD_KAFKA_PORT": str(port)}, "DUGNAD_KAFKA_PORT")


async def test_data_that_are_held_name_their_holder_until_they_are_released(tmp_path: Path) -> None:
    first = await Hold.take(tmp_path)
    with pytest.raises(LocalFault, match=f"Process {os.getpid()} holds the data in"):
        await Hold.take(tmp_path)
    first.release()
    (await Hold.take(tmp_path)).release()


def told(pid: str, about: str) -> bytes:
    """What the kernel says about a process."""
    return Path(f"/proc/{pid}/{about}").read_bytes()


async def test_a_child_does_not_outlive_a_starter_that_is_killed(tmp_path: Path) -> None:
    if sys.platform != "linux":
        return
    child = tmp_path / "child"
    code = (
        "import pathlib, sys, time; from deploy.local.processes import Process\n"
        f"here = pathlib.Path({str(tmp_path)!r})\n"
        "p = Process('sleep', ['/bin/sleep', '600'], log=here / 'log', folder=here)\n"
        f"p.start(); pathlib.Path({str(child)!r}).write_text(str(p.pid)); time.sleep(600)"
    )
    starter = Process("starter", [sys.executable, "-c", code], log=tmp_path / "log", folder=Path.cwd())
    starter.start()

    async def sleeps() -> bool:
        # The guard has become the command.
        pid = child.read_text() if child.exists() else ""
        return bool(pid) and b"sleep" in told(pid, "cmdline").split(b"\0")[0]

    assert await until(sleeps, 20)
    pid = int(child.read_text())
    await starter.kill()

    async def gone() -> bool:
        return not is_alive(pid) or told(str(pid), "stat").split()[2] == b"Z"

    assert await until(gone, 10)


async def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.local.processes.GRACE_SECONDS", 0.5)
    ready = tmp_path / "ready"
    code = (
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(600)"
    )
    process = Process("stubborn", [sys.executable, "-c", code], log=tmp_path / "log", folder=tmp_path)
    process.start()

    async def is_ready() -> bool:
        return ready.exists()

    assert await until(is_ready, 20)
    await process.stop()
    assert process.exit_code == -signal.SIGKILL


def test_free_ports_are_given_and_the_preferred_one_where_it_is_free() -> None:
    port = free_port()
    assert free_port(port) == port
