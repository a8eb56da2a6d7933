"""`python -m benchmarks [NAME …]`: one JSON line per result."""

from __future__ import annotations

import asyncio
import sys

from benchmarks import append, projection, pxweb
from benchmarks.harness import run

BENCHMARKS = {"append": append.measure, "projection": projection.measure, "pxweb": pxweb.measure}

if __name__ == "__main__":
    sys.exit(asyncio.run(run(BENCHMARKS, sys.argv[1:])))
