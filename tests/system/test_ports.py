"""Two systems that are started at once on one machine."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import httpx
import pytest

from chassis.settings import Settings
from deploy.local.engines import Engines
from deploy.local.processes import Process
from deploy.local.services import Replica
from tests.system.system_helpers import system


@pytest.mark.timeout(180)
async def test_a_port_that_another_system_takes_meanwhile_is_given_up_for_another_one(
    engines: Engines, settings: Settings, tmp_path: Path
) -> None:
    services = system(engines, settings, tmp_path)
    chosen = httpx.URL(services.urls["reporting"]).port
    with socket.create_server(("127.0.0.1", chosen or 0)):
        # Free when it was chosen, and answered by somebody else when it is bound.
        async with services:
            assert httpx.URL(services.urls["reporting"]).port != chosen
            async with httpx.AsyncClient() as client:
                answers = await asyncio.gather(*(client.get(f"{each.url}/readyz") for each in services.replicas))
            assert {answer.status_code for answer in answers} == {200}
            assert services.variables["DUGNAD_REPORTING_URL"] == services.urls["reporting"]
            intake = next(each for each in services.replicas if each.service == "intake")
            environ = intake.process._environ or {}
            assert environ["DUGNAD_REPORTING_URL"] == services.urls["reporting"], "they know each other's new addresses"


async def test_what_another_system_answers_is_not_taken_for_ready(tmp_path: Path) -> None:
    process = Process("intake", ["true"], log=tmp_path / "intake.log", folder=tmp_path)
    replica = Replica("intake", "http://127.0.0.1:1", "", process)
    assert not replica.listens
    process.log.write_text('{"event": "service_started"}\n')
    assert not replica.listens
    process.log.write_text('{"event": "listening"}\n')
    assert replica.listens
