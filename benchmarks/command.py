"""A command over HTTP (`POST /needs` of intake), against a bare route of the framework that does one `insert_one`.

Invariant: both are processes of their own on the same server (uvicorn, uvloop, httptools) and engine, equally durable,
asked in turns by one client over as many kept connections; every answer is 201, or there is no result.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from benchmarks.cases import variables
from benchmarks.harness import Result, Stopwatch, at_least, in_turns, own_settings, percentile
from deploy.local.engines import Engines
from deploy.local.places import ROOT
from deploy.local.processes import Process, free_port
from deploy.local.services import Services

CONNECTIONS = 64
SECONDS = 4.0
ROUNDS = 3
TARGET = 2.0
STARTS_WITHIN_SECONDS = 20.0
BODY = {"occupation": "5223", "municipality": "3312"}
EMPLOYER = "employer-lier"


class Refused(Exception):
    """An answer that is not 201."""


def requests(port: int, path: str, headers: Mapping[str, str]) -> Iterator[bytes]:
    """So many requests as one likes, each with a key of its own."""
    body = json.dumps(BODY).encode()
    told = {
        "Host": f"127.0.0.1:{port}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **headers,
    }
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in told.items())
    for number in count():
        yield head.encode() + b"Idempotency-Key: bench-%d\r\n\r\n" % number + body


async def asked(port: int, each: Iterator[bytes], seconds: float) -> tuple[float, list[float]]:
    """Answers per second, and the time of each, over 64 connections that ask one after the other.

    No client library: in the two cores that all share, it would cost more than the route that it asks. Raises Refused.
    """
    taken: list[float] = []
    watch = Stopwatch()

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while (begun := watch.seconds) < seconds:
                writer.write(next(each))
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                answer = await reader.readexactly(int(lengths[0].partition(b":")[2]))
                if not head.startswith(b"HTTP/1.1 201 "):
                    raise Refused(f"{head[:40]!r} {answer[:300]!r}")
                taken.append(watch.seconds - begun)
        finally:
            writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(ask())
    return len(taken) / watch.seconds, taken


async def _listening(port: int, process: Process) -> None:
    async with asyncio.timeout(STARTS_WITHIN_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                if process.exit_code is not None:
                    raise RuntimeError(f"the bare route ended: {process.log.read_text()[-2_000:]}") from None
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def _token(url: str) -> str:
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{url}/dev/token", json={"persona": EMPLOYER, "candidate_id": None})
    token: str = answer.raise_for_status().json()["access_token"]
    return token


async def measure(engines: Engines) -> list[Result]:
    """The row of `command`."""
    settings = own_settings(engines)
    environ = variables(settings)
    port = free_port()
    with TemporaryDirectory() as folder:
        bare = Process(
            "bare route", [sys.executable, "-m", "benchmarks.bareroute", str(port)],
            log=Path(folder) / "bare.log", folder=ROOT, environ={**os.environ, **environ},
        )  # fmt: skip
        bare.start()
        try:
            async with Services(environ, folder=Path(folder), names=("intake",)) as services:
                await _listening(port, bare)
                url = services.urls["intake"]
                own = int(url.rpartition(":")[2])
                needs = requests(own, "/needs", {"Authorization": f"Bearer {await _token(url)}"})
                documents = requests(port, "/documents", {})
                latencies: list[float] = []

                async def commands() -> float:
                    rate, taken = await asked(own, needs, SECONDS)
                    latencies.extend(taken)
                    return rate

                async def inserts() -> float:
                    return (await asked(port, documents, SECONDS))[0]

                await asked(own, needs, 1.0)
                await asked(port, documents, 1.0)
                rates = await in_turns(ROUNDS, {"command": commands, "bare": inserts})
        finally:
            await bare.stop()
    milliseconds: dict[str, float] = {
        f"p{share}_ms": round(percentile(latencies, share / 100) * 1000, 1) for share in (50, 99)
    }
    more = {"connections": CONNECTIONS, **milliseconds}
    return [at_least("command", rates["command"], "commands/s", rates["bare"], TARGET, **more)]
