"""The tiny service and a client of it, in the same process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from chassis.logs import configure_logs
from tests.webapp import StillService, browser, settings, thing_app


@pytest.fixture(autouse=True)
def _logs(_own_logs: None) -> None:
    configure_logs("thing")


@pytest.fixture
def service() -> StillService:
    return StillService(settings())


@pytest.fixture
async def client(service: StillService) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(thing_app(service)) as client:
        yield client
