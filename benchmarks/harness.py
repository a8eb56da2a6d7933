"""What every benchmark stands on: engines, result lines, measuring in turns.

Invariant: a figure and its baseline come from the same run, taken in turns, so that a slow minute hits both.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import statistics
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any
from uuid import uuid4

import structlog

from chassis.settings import Settings
from deploy.local.engines import Engines


@dataclass(frozen=True)
class Result:
    """One line of `make bench`. `ratio` is value / baseline; without a baseline it is None; `met` is always said."""

    name: str
    value: float
    unit: str
    baseline: float | None
    target: str
    met: bool
    more: dict[str, Any] = field(default_factory=dict)

    def line(self, engine: str) -> str:
        """As JSON."""
        ratio = None if self.baseline is None else round(self.value / self.baseline, 3)
        shown = {
            "name": self.name,
            "value": round(self.value, 3),
            "unit": self.unit,
            "baseline": None if self.baseline is None else round(self.baseline, 3),
            "ratio": ratio,
            "target": self.target,
            "met": self.met,
            "engine": engine,
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            **self.more,
        }
        return json.dumps(shown)


def at_least(name: str, value: float, unit: str, baseline: float, ratio: float, **more: Any) -> Result:
    """A result that is met when value / baseline is at least `ratio`."""
    return Result(name, value, unit, baseline, f">= {ratio} x the baseline", value / baseline >= ratio, more)


async def in_turns(rounds: int, contestants: dict[str, Callable[[], Awaitable[float]]]) -> dict[str, float]:
    """The median of each over so many rounds, one after the other in each round."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, measure in contestants.items():
            taken[name].append(await measure())
    return {name: statistics.median(values) for name, values in taken.items()}


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which so large a share lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = perf_counter()

    @property
    def seconds(self) -> float:
        return perf_counter() - self._start


def own_settings(engines: Engines) -> Settings:
    """Settings with databases and topics of their own."""
    return Settings(
        environment="development",
        kafka_bootstrap_servers=engines.kafka_bootstrap_servers,
        mongodb_uri=engines.mongodb_uri,
        prefix=f"b{uuid4().hex[:10]}_",
        synthetic_org_numbers=True,
    )


def logs_to_stderr() -> None:
    """Standard output is for results, one JSON line each: what the platform logs meanwhile goes beside it."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # At INFO it says a line of every batch, which services leave out, too.
    logging.getLogger("faststream").setLevel(logging.WARNING)


async def run(benchmarks: Mapping[str, Callable[[Engines], Awaitable[list[Result]]]], names: Sequence[str]) -> int:
    """Run benchmarks and print their lines; 0 where all were measured, whether met or not."""
    chosen = names or list(benchmarks)
    if unknown := [name for name in chosen if name not in benchmarks]:
        print(f"No benchmark {unknown[0]}: choose from {', '.join(benchmarks)}", file=sys.stderr)
        return 2
    logs_to_stderr()
    async with Engines.for_benchmarks() as engines:
        print(f"Engines: {engines.description}", file=sys.stderr)
        for name in chosen:
            for result in await benchmarks[name](engines):
                note = {}
                if engines.documents_kind == "secantusd-py":
                    note = {"note": "on the Python document server only counts are judged, not times"}
                print(replace(result, more={**result.more, **note}).line(engines.description), flush=True)
    return 0
