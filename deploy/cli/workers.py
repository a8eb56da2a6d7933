"""The bulk of a rebuild in several processes: this one, and others beside it (`deploy.cli.worker`).

Invariant: no two of them are given the same partition, and none outlives the command that started it. One that ends
early does no harm: what it left is folded by that command, as live events are.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from chassis.bulk import Hands, LeftUndone, Work

EVENTS_WORTH_A_WORKER = 250_000
"""With fewer for each, one process is done sooner: a worker takes a second of a core before its first event."""
_WORKER = "deploy.cli.worker"
_ROOT = Path(__file__).parents[2]


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worth(events: int) -> int:
    """How many processes it is worth to fold so many events in: at most one per core."""
    return max(1, min(cores(), events // EVENTS_WORTH_A_WORKER))


def shares(partitions: Sequence[int], workers: int) -> list[list[int]]:
    """The partitions, dealt out to at most so many workers."""
    return [share for first in range(workers) if (share := list(partitions[first::workers]))]


class Workers:
    """Folds in bulk in several processes (`chassis.rebuild.Hands`)."""

    def __init__(self, target: str, workers: int | None, own: Hands) -> None:
        """So many workers, or as many as it is worth; `own` folds this process's part."""
        self._target, self._workers, self._own = target, workers, own
        self.peaks: list[int] = []
        """The most memory that each of the others had, in bytes."""

    async def __call__(self, work: Work, done: Callable[[int], None]) -> None:
        """Start the others, fold, and wait for all. Raises LeftUndone where one did not come to its end."""
        mine, *others = shares(work.partitions, self._workers or worth(work.events))
        ended = await asyncio.gather(
            self._own(replace(work, partitions=mine), done),
            *(self._one(work, each, done) for each in others),
            return_exceptions=True,
        )
        for each in ended:
            if isinstance(each, BaseException):
                raise each
        if failed := [code for code in ended if code]:
            raise LeftUndone(f"workers ended with {', '.join(map(str, failed))}")

    async def _one(self, work: Work, partitions: Sequence[int], done: Callable[[int], None]) -> int:
        said = json.dumps(
            {
                "number": work.generation.number,
                "partitions": partitions,
                "empty": work.empty,
                "events": work.events,
            }
        )
        command = (sys.executable, "-m", _WORKER, self._target, said)
        # Its standard input stays open as long as this process lives: that is how it knows.
        try:
            process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=_ROOT)
        except OSError as error:
            raise LeftUndone(f"a worker cannot be started: {error.strerror}") from error
        try:
            return await self._listen(process, done)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _listen(self, process: Process, done: Callable[[int], None]) -> int:
        assert process.stdout is not None, "asked for above"
        async for line in process.stdout:
            said = json.loads(line)
            done(said["done"])
            if "peak" in said:
                self.peaks.append(said["peak"])
        return await process.wait()
