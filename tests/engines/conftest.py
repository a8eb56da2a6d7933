"""What only the contract suite needs.

Invariant: a rule that an engine breaks is reported together with the name of that engine.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from chassis.mongo import Collection, Database
from deploy.local.engines import Engines
from tests.engines.outcomes import OUTCOMES


@pytest.fixture
def collection(database: Database) -> Collection:
    """An empty collection."""
    return database["things"]


@pytest.fixture
def killable(engines: Engines) -> Engines:
    """Engines that were started here."""
    if not engines.can_kill:
        pytest.skip("an engine that somebody else runs is not killed")
    return engines


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    outcomes = item.session.stash.setdefault(OUTCOMES, {})
    if report.when == "call" or report.outcome == "skipped":
        outcomes[item.nodeid] = report.outcome
    arguments: dict[str, Any] = getattr(item, "funcargs", {})
    if report.failed and isinstance(engines := arguments.get("engines"), Engines):
        report.sections.append(("The rule is broken by", engines.description))
    return report
