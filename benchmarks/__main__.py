"""`python -m benchmarks [NAME …]`: one JSON line per result."""

from __future__ import annotations

import asyncio
import sys

from benchmarks import append, command, live, plan, projection, pxweb, rank, rebuild, steady
from benchmarks.harness import run

BENCHMARKS = {
    "append": append.measure,
    "projection": projection.measure,
    "command": command.measure,
    "steady": steady.measure,
    "rank": rank.measure,
    "plan": plan.measure,
    "pxweb": pxweb.measure,
    "live": live.measure,
    "rebuild": rebuild.measure,
}

if __name__ == "__main__":
    sys.exit(asyncio.run(run(BENCHMARKS, sys.argv[1:])))
