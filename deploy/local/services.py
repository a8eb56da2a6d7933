"""The four services as processes of their own, as in production but for the development issuer.

Invariant: ready means that `/readyz` of each one says so; a service that ends is noticed and named with its log.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
ATTEMPTS = 3
_TAKEN = os.strerror(errno.EADDRINUSE)


class ServiceFault(LocalFault):
    """A service that ended or does not become ready."""


class PortTaken(ServiceFault):
    """Somebody else was faster: a port that was free when it was chosen is not when the service binds it."""


@dataclass(frozen=True)
class Replica:
    """One process of a service."""

    service: str
    url: str
    metrics_url: str
    process: Process

    @property
    def fault(self) -> ServiceFault | None:
        """What to say when it has ended by itself."""
        code = self.process.exit_code
        if code is None:
            return None
        kind = PortTaken if _TAKEN in self._said() else ServiceFault
        return kind(f"{self.process.name} ended with code {code}: read the end of {shown(self.process.log)}")

    @property
    def listens(self) -> bool:
        """Whether this process has said so: at its address another system's may answer."""
        return '"listening"' in self._said()

    def _said(self) -> str:
        return self.process.log.read_text(errors="replace") if self.process.log.exists() else ""


class Services:
    """All four, with one issuer key and one session secret. An asynchronous context manager.

    `names`: only these; `replicas`: so many processes of each. Whoever asks a service asks its first replica, since
    there is no balancer here.
    """

    def __init__(
        self,
        engines: Mapping[str, str],
        *,
        folder: Path = RUN,
        environ: Mapping[str, str] | None = None,
        replicas: int = 1,
        names: Sequence[str] = NAMES,
    ) -> None:
        self._environ = {**(os.environ if environ is None else environ), **engines, **_secrets(folder)}
        self._folder, self._count, self._names = folder, replicas, tuple(names)
        self.replicas: tuple[Replica, ...] = self._made()

    @property
    def urls(self) -> dict[str, str]:
        """The first replica of each service. Final once they are started."""
        return {each.service: each.url for each in reversed(self.replicas)}

    @property
    def variables(self) -> dict[str, str]:
        """What a command needs in its environment to ask the services; no secret is among it."""
        return _variables(self.urls)

    @property
    def fault(self) -> str | None:
        """The line to show when one of them has ended by itself."""
        return next((fault.message for each in self.replicas if (fault := each.fault) is not None), None)

    async def start(self) -> None:
        """All side by side, until all are ready. Raises ServiceFault, and leaves nothing running then."""
        for _ in range(ATTEMPTS - 1):
            try:
                await self._start()
            except PortTaken:
                self.replicas = self._made()
            else:
                return
        await self._start()

    async def _start(self) -> None:
        for each in self.replicas:
            each.process.log.unlink(missing_ok=True)
            each.process.start()
        try:
            async with httpx.AsyncClient(timeout=2.0) as client:
                waiting = (self._until_ready(client, each) for each in self.replicas)
                faults = [each for each in await asyncio.gather(*waiting, return_exceptions=True) if each is not None]
            # A taken port is the cause, where others were not ready because of it.
            for fault in sorted(faults, key=lambda each: not isinstance(each, PortTaken)):
                raise fault
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        await asyncio.gather(*(each.process.stop() for each in self.replicas))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _made(self) -> tuple[Replica, ...]:
        ports = {
            name: port_from(self._environ, f"DUGNAD_{name.upper()}_PORT", FIRST_PORT + number)
            for number, name in enumerate(NAMES)
        }
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        shared = {**self._environ, **_variables(urls), "DUGNAD_HOST": "127.0.0.1", "PYTHONUNBUFFERED": "1"}
        return tuple(
            self._replica(name, 1, ports[name], free_port(FIRST_METRICS_PORT + number), shared)
            for number, name in enumerate(NAMES)
            if name in self._names
        ) + tuple(
            self._replica(name, number, free_port(), free_port(), shared)
            for number in range(2, self._count + 1)
            for name in self._names
        )

    def _replica(self, service: str, number: int, port: int, metrics_port: int, shared: Mapping[str, str]) -> Replica:
        name = service if number == 1 else f"{service}-{number}"
        process = Process(
            name,
            [sys.executable, "-m", f"services.{service}"],
            log=self._folder / f"{name}.log",
            folder=ROOT,
            environ={**shared, "DUGNAD_PORT": str(port), "DUGNAD_METRICS_PORT": str(metrics_port)},
        )
        return Replica(service, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}/metrics", process)

    async def _until_ready(self, client: httpx.AsyncClient, replica: Replica) -> None:
        deadline = time.monotonic() + READY_SECONDS
        said = "nothing"
        while time.monotonic() < deadline:
            for each in self.replicas:
                if (fault := each.fault) is not None:
                    raise fault
            try:
                answer = await client.get(f"{replica.url}/readyz")
            except httpx.TransportError:
                pass
            else:
                if answer.status_code == httpx.codes.OK and replica.listens:
                    return
                said = " ".join(answer.text.split())[:200]
            await asyncio.sleep(POLL_SECONDS)
        raise ServiceFault(
            f"{replica.process.name} is not ready after {READY_SECONDS:.0f} s, /readyz says {said}: read the end of "
            f"{shown(replica.process.log)}"
        )


def _variables(urls: Mapping[str, str]) -> dict[str, str]:
    addresses = {f"DUGNAD_{name.upper()}_URL": url for name, url in urls.items()}
    return {**addresses, "DUGNAD_ENVIRONMENT": "development", "DUGNAD_SYNTHETIC_ORG_NUMBERS": "true"}


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
