"""The document server on a bare machine: a process of its own that speaks MongoDB's protocol.

Invariant: it always runs with synced commits; without them a killed server loses writes that it acknowledged.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deploy.local.engine import READY_SECONDS, is_primary, until_listening
from deploy.local.places import shown
from deploy.local.processes import LocalFault, Process, until

PYTHON_VERSION = "0.7.0b3"
OLDEST_RUST_VERSION = (0, 5, 3)
_RUST_VERSION = re.compile(r"^secantusd-rs (?P<whole>(\d+)\.(\d+)\.(\d+)\S*)", re.MULTILINE)

Kind = Literal["secantusd-py", "secantusd-rs"]


@dataclass(frozen=True)
class Program:
    """A document server that was found on this machine."""

    kind: Kind
    path: Path
    version: str


def find_program(environ: Mapping[str, str]) -> Program:
    """The one that DUGNAD_MONGOD names, else `secantusd-rs` on the PATH, else the one of the requirements."""
    named = environ.get("DUGNAD_MONGOD")
    if named:
        return _rust(Path(named), "DUGNAD_MONGOD")
    found = shutil.which("secantusd-rs", path=environ.get("PATH"))
    return _rust(Path(found), "PATH") if found else _python()


def _rust(path: Path, found_by: str) -> Program:
    if not os.access(path, os.X_OK) or not path.is_file():
        raise LocalFault(
            f"The document server is missing: {found_by} names {path}, which is no program; correct or unset it"
        )
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LocalFault(
            f"The document server {path} ({found_by}) does not run here ({error}): correct or unset it"
        ) from error
    match = _RUST_VERSION.search(answer)
    if match is None:
        raise LocalFault(
            f"{path} ({found_by}) is no secantusd-rs: correct {found_by}, or unset it to use the embedded one"
        )
    if tuple(int(match[group]) for group in (2, 3, 4)) < OLDEST_RUST_VERSION:
        oldest = ".".join(map(str, OLDEST_RUST_VERSION))
        raise LocalFault(f"{path} ({found_by}) is secantusd-rs {match['whole']}: use {oldest} or newer")
    return Program("secantusd-rs", path.resolve(), match["whole"])


def _python() -> Program:
    path = Path(sys.executable).with_name("secantusd-py")
    try:
        version = importlib.metadata.version("SecantusDB")
    except importlib.metadata.PackageNotFoundError as error:
        raise LocalFault("The document server is missing: SecantusDB is not installed; run `make install`") from error
    if not path.is_file():
        raise LocalFault(f"The document server is missing: looked for {path}; remove .venv and run `make install`")
    if version != PYTHON_VERSION:
        raise LocalFault(f"{path} is {version}, this system needs {PYTHON_VERSION}: run `make install`")
    return Program("secantusd-py", path, version)


class EmbeddedDocuments:
    """One document server on the loopback interface."""

    def __init__(self, program: Program, data: Path, logs: Path, *, port: int, keep_open: Sequence[int] = ()) -> None:
        self._program, self._port, self._data = program, port, data
        data.mkdir(parents=True, exist_ok=True)
        # An empty file of its own: else it picks up whatever settings lie in the working or home folder.
        settings = data.with_name(f"{data.name}.toml")
        settings.touch()
        self._process = Process(
            program.kind,
            [
                program.path,
                *("--config", settings),
                *("--host", "127.0.0.1", "--port", str(port)),
                *("--storage-path", data, "--cache-size", "256M"),
                *("--log-level", "WARNING", "--sync-on-commit"),
            ],
            log=logs / "documents.log",
            folder=data,
            keep_open=keep_open,
        )
        self._meant_to_run = False

    @property
    def title(self) -> str:
        return f"{self._program.kind} {self._program.version}"

    @property
    def kind(self) -> Kind:
        return self._program.kind

    @property
    def address(self) -> str:
        return f"mongodb://127.0.0.1:{self._port}/?directConnection=true&heartbeatFrequencyMS=500&timeoutMS=10000"

    @property
    def ours(self) -> bool:
        return True

    @property
    def fault(self) -> str | None:
        if not self._meant_to_run or self._process.alive:
            return None
        log = shown(self._process.log)
        return f"{self.title} ended with code {self._process.exit_code}: read the end of {log}"

    @property
    def pid(self) -> int | None:
        """Of its process, once it has been started."""
        return self._process.pid

    async def start(self) -> None:
        self._process.start()
        self._meant_to_run = True
        if not await until_listening("127.0.0.1", self._port, self) or not await until(self._ready, READY_SECONDS):
            await self._process.kill()
            log = shown(self._process.log)
            raise LocalFault(
                self.fault or f"{self.title} at port {self._port} does not become ready: read the end of {log}"
            )

    async def stop(self) -> None:
        self._meant_to_run = False
        await self._process.stop()

    async def kill(self) -> None:
        self._meant_to_run = False
        await self._process.kill()

    async def _ready(self) -> bool:
        return self.fault is not None or await is_primary(self.address)
