"""The contract suite ran.

Invariant: a suite that skipped, or of which a file was left out, does not count as passed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local.engines import Engines
from tests.engines.outcomes import OUTCOMES


@pytest.mark.last
async def test_the_suite_ran_in_full_and_skipped_nothing(engines: Engines, request: pytest.FixtureRequest) -> None:
    folder = Path(__file__).parent
    rules = [item for item in request.session.items if item.path.parent == folder and item is not request.node]
    outcomes = request.session.stash[OUTCOMES]
    assert {rule.path.name for rule in rules} | {Path(__file__).name} == {
        path.name for path in folder.glob("test_*.py")
    }
    assert [rule.nodeid for rule in rules if rule.nodeid not in outcomes] == []
    skipped = [nodeid for nodeid, outcome in outcomes.items() if outcome == "skipped"]
    # Engines of somebody else are not killed; everything else is asked of them too.
    assert [nodeid for nodeid in skipped if engines.can_kill or "kill" not in nodeid] == []
