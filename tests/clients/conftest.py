"""A running service with the tables of simulated cases, for clients as they come from their registries.

Invariant: it serves over a real socket, on both base paths; its links name the address at which it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from chassis.issuer import DevIssuer
from deploy.local.processes import free_port
from services.reporting.pxweb.router import LIVE, PUBLIC
from services.reporting.pxweb.source import Table
from tests.served import serving_app
from tests.subscribers.node import installed
from tests.tables import app_of, simulated
from tests.webapp import settings


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
    with serving_app(app_of(found, chosen), port):
        yield Served(url, {each.id: each for each in found}, DevIssuer(chosen).token("analyst"))


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def node_folder() -> Path:
    """The script with jsonstat-toolkit beside it."""
    return installed("tests/clients")
