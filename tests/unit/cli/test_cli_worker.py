"""One process of those that fold the bulk of a rebuild, as its operator hears of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from deploy.cli.worker import LEFT_UNDONE
from tests.unit.cli.test_cli_usage import NOWHERE, ROOT


def worker_with(work: str) -> tuple[int, str]:
    """Its exit code, and what it says on standard error."""
    command = [sys.executable, "-m", "deploy.cli.worker", "reporting/workforce", work]
    # Its standard input stays open, or it would think that its command has ended.
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **NOWHERE},
    ) as worker:
        assert worker.stderr is not None
        return worker.wait(60), worker.stderr.read()


def test_a_worker_of_a_rebuild_that_meets_something_says_it_in_one_line_without_data() -> None:
    code, said = worker_with('{"partitions": [0], "empty": true}')
    assert code == 1
    assert re.fullmatch(r"dugnad: a worker of the rebuild ended: KeyError at [^\n]*\n", said), said


def test_an_engine_that_is_away_is_for_the_command_to_say() -> None:
    assert worker_with('{"number": 1, "partitions": [0], "empty": true}') == (LEFT_UNDONE, "")
