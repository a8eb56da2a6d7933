"""What a benchmark prints: results on standard output, everything else beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
CODE = """
import structlog
from benchmarks.harness import Result, logs_to_stderr

logs_to_stderr()
structlog.get_logger().info("relay_started", source="dugnad/intake")
print(Result("append", 2.0, "commits/s", 1.0, ">= 1", True).line("an engine"))
"""


def test_standard_output_holds_results_and_no_line_of_a_log() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, cwd=ROOT, check=True)
    assert [json.loads(line)["name"] for line in done.stdout.splitlines()] == ["append"]
    assert "relay_started" in done.stderr


def test_an_unknown_benchmark_is_wrong_usage() -> None:
    command = [sys.executable, "-m", "benchmarks", "nothing"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "No benchmark nothing: choose from append, projection" in done.stderr
