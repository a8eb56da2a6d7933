"""One process of those that fold the bulk of a rebuild, as its operator hears of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from tests.unit.cli.test_cli_usage import NOWHERE, ROOT


def test_a_worker_of_a_rebuild_that_meets_something_says_it_in_one_line_without_data() -> None:
    work = '{"number": 1, "partitions": [0], "empty": true}'
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
        said = worker.stderr.read()
        assert worker.wait(60) == 1
    assert re.fullmatch(r"dugnad: a worker of the rebuild ended: \w+ [^\n]*\n", said), said
