"""`python -m benchmarks [NAME …]`: one JSON line per result."""

from __future__ import annotations

import asyncio
import sys

from benchmarks import append, plan, projection, pxweb, rank, rebuild
from benchmarks.harness import run

BENCHMARKS = {
    "append": append.measure,
    "projection": projection.measure,
    "rank": rank.measure,
    "plan": plan.measure,
    "pxweb": pxweb.measure,
    "rebuild": rebuild.measure,
}

if __name__ == "__main__":
    sys.exit(asyncio.run(run(BENCHMARKS, sys.argv[1:])))
