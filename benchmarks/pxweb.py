"""A data request of 1,000 cells, against a static file of the same bytes through the same server.

Invariant: both are answered by one process over one kept connection, in turns; the static file passes the same layers
(ids, headers, log line), so the ratio is what computing and writing the cells costs.
"""

from __future__ import annotations

import asyncio
import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import uvicorn
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from benchmarks.harness import Result, in_turns, percentile
from chassis.logs import configure_logs
from deploy.local.engines import Engines
from deploy.local.processes import free_port
from services.reporting.pxweb.router import PUBLIC
from tests.tables import app_of, simulated
from tests.webapp import settings

REQUESTS, ROUNDS = 200, 5
TARGET = 3.0
STARTS_WITHIN_SECONDS = 20.0
_PATH = (
    f"{PUBLIC}/tables/ventetid/data?valueCodes[ContentsCode]=slots,due,within_promise_share,median"
    "&valueCodes[Region]=0,03,33,3312,55&valueCodes[Formidler]=*&valueCodes[Tid]=top(10)"
)
CELLS = 4 * 5 * 5 * 10


@contextmanager
def _serving(file: Path) -> Iterator[int]:
    static = APIRouter()

    @static.get("/static-file")
    async def same_bytes(_request: Request) -> Response:
        return FileResponse(file, media_type="application/json")

    app = app_of(simulated(), settings(tables_calls=1_000_000_000))
    app.include_router(static)
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, ws="none", http="httptools")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + STARTS_WITHIN_SECONDS
    while not server.started:
        if time.monotonic() > deadline:
            raise TimeoutError("the server did not start")
        time.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(10)


def _get(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise ValueError(f"{path} answered {answer.status}: {body[:200]!r}")
    return body


async def measure(_engines: Engines) -> list[Result]:
    """The median time of a request, in ms; the baseline is the static file."""
    configure_logs("benchmark")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "answer.json"
        with _serving(file) as port:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            file.write_bytes(_get(connection, _PATH))

            def taking(path: str) -> Callable[[], float]:
                def median_ms() -> float:
                    taken = []
                    for _ in range(REQUESTS):
                        begun = perf_counter()
                        _get(connection, path)
                        taken.append(perf_counter() - begun)
                    return percentile(taken, 0.5) * 1000

                return median_ms

            table, static = taking(_PATH), taking("/static-file")
            found = await in_turns(
                ROUNDS,
                {"table": lambda: asyncio.to_thread(table), "file": lambda: asyncio.to_thread(static)},
            )
            size = file.stat().st_size
    met = found["table"] <= TARGET * found["file"]
    return [
        Result(
            "pxweb",
            found["table"],
            "ms per request (p50)",
            found["file"],
            f"<= {TARGET} x the baseline",
            met,
            {"cells": CELLS, "bytes": size},
        )
    ]
