"""The short form of `make chaos`: every kind of fault once, under load, and everything is there, once and in order."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from chassis.settings import Settings
from deploy.local.documents import EmbeddedDocuments
from deploy.local.engines import Engines
from deploy.local.kafka import EmbeddedKafka
from deploy.local.services import Services
from tests.chaos.running import Plan, run

REPLICAS = 2


@pytest.mark.timeout(300)
async def test_whatever_is_killed_paused_or_restarted_nothing_is_lost_doubled_or_out_of_order(
    engines: Engines, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not engines.can_kill:
        pytest.skip("these engines are not ours to kill; tests/engines asserts that the embedded ones are")
    environ = {**os.environ, "DUGNAD_PREFIX": settings.prefix}
    services = Services(engines.variables, folder=tmp_path, environ=environ, replicas=REPLICAS)
    plan = Plan(seed=secrets.randbelow(1_000_000), seconds=0, journeys=3, employers=3)
    said: list[str] = []
    outcome = await run(engines, services, settings.prefix, plan, said.append)
    with capsys.disabled():
        print("\n" + "\n".join(outcome.lines()))
    told = "\n".join([*said, *outcome.lines(), *outcome.findings[:50]])
    assert outcome.findings == [], told
    assert all(count > 0 for count in (outcome.journeys, *outcome.done.values())), told
    embedded = isinstance(engines.kafka, EmbeddedKafka) and isinstance(engines.documents, EmbeddedDocuments)
    assert len(outcome.done) == (7 if embedded else 5), told
