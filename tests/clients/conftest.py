"""A running service with the tables of simulated cases, for clients as they come from their registries.

Invariant: it serves over a real socket, on both base paths; its links name the address at which it stands.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from chassis.issuer import DevIssuer
from deploy.local.processes import free_port
from services.reporting.pxweb.router import LIVE, PUBLIC
from services.reporting.pxweb.source import Table
from tests.subscribers.node import installed
from tests.tables import app_of, simulated
from tests.webapp import settings

STARTS_WITHIN_SECONDS = 20.0


@dataclass(frozen=True)
class Served:
    """Where the tables are, and what their cells hold."""

    url: str
    tables: dict[str, Table]
    token: str
    """An analyst's, for the live path."""

    @property
    def public(self) -> str:
        return self.url + PUBLIC

    @property
    def live(self) -> str:
        return self.url + LIVE


@contextmanager
def serving() -> Iterator[Served]:
    """The service, until the block ends."""
    port = free_port(8190)
    url = f"http://127.0.0.1:{port}"
    chosen = settings(tables_url=url, tables_calls=10_000, tables_max_cells=2_000)
    found = simulated()
    config = uvicorn.Config(app_of(found, chosen), host="127.0.0.1", port=port, log_config=None, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + STARTS_WITHIN_SECONDS
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield Served(url, {each.id: each for each in found}, DevIssuer(chosen).token("analyst"))
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def node_folder() -> Path:
    """The script with jsonstat-toolkit beside it."""
    return installed("tests/clients")
