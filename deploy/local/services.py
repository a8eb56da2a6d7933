"""The four services as processes of their own, as in production but for the development issuer.

Invariant: ready means that `/readyz` of each one says so; a service that ends is noticed and named with its log.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from deploy.local.places import ROOT, RUN, shown
from deploy.local.processes import POLL_SECONDS, LocalFault, Process, free_port, port_from

NAMES = ("intake", "matching", "followup", "reporting")
FIRST_PORT, FIRST_METRICS_PORT = 8101, 9101
"""Taken where they are free, so that addresses stay the same from day to day."""
READY_SECONDS = 60.0


class ServiceFault(LocalFault):
    """A service that ended or does not become ready."""


class Services:
    """All four, with one issuer key and one session secret. An asynchronous context manager."""

    def __init__(
        self, engines: Mapping[str, str], *, folder: Path = RUN, environ: Mapping[str, str] | None = None
    ) -> None:
        environ = os.environ if environ is None else environ
        ports = {
            name: port_from(environ, f"DUGNAD_{name.upper()}_PORT", FIRST_PORT + number)
            for number, name in enumerate(NAMES)
        }
        self.urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        shared = {
            **environ,
            **engines,
            **_secrets(folder),
            **self.variables,
            "DUGNAD_HOST": "127.0.0.1",
            "PYTHONUNBUFFERED": "1",
        }
        self._processes = {
            name: Process(
                name,
                [sys.executable, "-m", f"services.{name}"],
                log=folder / f"{name}.log",
                folder=ROOT,
                environ={
                    **shared,
                    "DUGNAD_PORT": str(ports[name]),
                    "DUGNAD_METRICS_PORT": str(free_port(FIRST_METRICS_PORT + number)),
                },
            )
            for number, name in enumerate(NAMES)
        }

    @property
    def variables(self) -> dict[str, str]:
        """What a command needs in its environment to ask the services; no secret is among it."""
        urls = {f"DUGNAD_{name.upper()}_URL": url for name, url in self.urls.items()}
        return {**urls, "DUGNAD_ENVIRONMENT": "development", "DUGNAD_SYNTHETIC_ORG_NUMBERS": "true"}

    @property
    def fault(self) -> str | None:
        """The line to show when one of them has ended by itself."""
        for name, process in self._processes.items():
            if process.exit_code is not None:
                return f"{name} ended with code {process.exit_code}: read the end of {shown(process.log)}"
        return None

    async def start(self) -> None:
        """All side by side, until all are ready. Raises ServiceFault, and leaves nothing running then."""
        for process in self._processes.values():
            process.log.unlink(missing_ok=True)
            process.start()
        try:
            async with httpx.AsyncClient(timeout=2.0) as client:
                await asyncio.gather(*(self._until_ready(client, name) for name in NAMES))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        await asyncio.gather(*(process.stop() for process in self._processes.values()))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _until_ready(self, client: httpx.AsyncClient, name: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        said = "nothing"
        while time.monotonic() < deadline:
            if self.fault is not None:
                raise ServiceFault(self.fault)
            try:
                answer = await client.get(f"{self.urls[name]}/readyz")
            except httpx.TransportError:
                pass
            else:
                if answer.status_code == httpx.codes.OK:
                    return
                said = " ".join(answer.text.split())[:200]
            await asyncio.sleep(POLL_SECONDS)
        log = shown(self._processes[name].log)
        raise ServiceFault(
            f"{name} is not ready after {READY_SECONDS:.0f} s, /readyz says {said}: read the end of {log}"
        )


def _secrets(folder: Path) -> dict[str, str]:
    """Random, and the same at the next start: sessions and tokens outlive a restart. For this machine only."""
    path = folder / "secrets.json"
    try:
        kept: dict[str, str] = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        kept = {name: secrets.token_hex(32) for name in ("DUGNAD_DEV_ISSUER_KEY", "DUGNAD_SESSION_SECRET")}
        folder.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(kept))
    return kept
