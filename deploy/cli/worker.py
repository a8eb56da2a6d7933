"""`python -m deploy.cli.worker SERVICE/PROJECTION WORK`: one process of those that fold the bulk of a rebuild.

Invariant: it ends when the command that started it does, however that ends: its standard input is then at its end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from time import monotonic

from aiokafka.errors import KafkaError

from chassis.bulk import LeftUndone, Work, fold_in_bulk
from chassis.mongo import PyMongoError
from deploy.cli.context import Context, projection_named
from deploy.cli.outcome import FAULT, INTERRUPTED, fault_of
from deploy.cli.output import Output
from deploy.cli.quiet import quietly

TELL_SECONDS = 0.2
LEFT_UNDONE = 4
"""The exit code of a worker that has left something, and did no harm."""


def main(argv: Sequence[str] | None = None) -> int:
    """One worker. Returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.cli.worker", description=__doc__)
    parser.add_argument("target", metavar="SERVICE/PROJECTION")
    parser.add_argument(
        "work", metavar="JSON", help="number of the generation, partitions, whether it is empty, events"
    )
    options = parser.parse_args(argv)
    Thread(target=_end_with_the_command, daemon=True).start()
    quietly()
    try:
        return asyncio.run(_work(options))
    except KeyboardInterrupt:
        return INTERRUPTED
    except (KafkaError, PyMongoError):
        # An engine is away: the command needs it too, and says so itself.
        return LEFT_UNDONE
    except Exception as unforeseen:  # the edge of the program: a traceback would quote data
        print(f"dugnad: a worker of the rebuild ended: {fault_of(unforeseen)}", file=sys.stderr)
        return FAULT


def peak_memory() -> int:
    """The most memory that this process has had, in bytes."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # Kilobytes, but for macOS.
        return found if sys.platform == "darwin" else found * 1024
    # Not what the system accounts for it: that begins with what the process had that started it.
    (peak,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peak.split()[1]) * 1024


def _end_with_the_command() -> None:
    # Not by `sys.stdin`: a thread that waits in it would be in the way of an orderly end.
    os.read(0, 1)
    os._exit(LEFT_UNDONE)


async def _work(options: argparse.Namespace) -> int:
    context = Context(options, Output(as_json=True))
    service, projection = projection_named(options.target)
    given = json.loads(options.work)
    count, told = 0, monotonic()

    def done(more: int) -> None:
        nonlocal count, told
        count += more
        if monotonic() - told > TELL_SECONDS:
            print(json.dumps({"done": count}), flush=True)
            count, told = 0, monotonic()

    try:
        generation = await context.generations(service, projection).get(given["number"])
        if generation is None:
            return LEFT_UNDONE
        work = Work(generation, given["partitions"], given["empty"], given["events"])
        await fold_in_bulk(projection, context.database(service), context.settings, service, work, done)
    except LeftUndone:
        return LEFT_UNDONE
    finally:
        print(json.dumps({"done": count, "peak": peak_memory()}), flush=True)
        context.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
