"""`python -m deploy.local run | demo | engines | fetch`: the whole system on one bare machine.

Invariant: whatever happens, nothing that was started here is left running, and a failure is one line on standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

try:
    from deploy.environment import kept
    from deploy.local.demo import play, render
    from deploy.local.documents import find_program
    from deploy.local.engines import Engines
    from deploy.local.kafka import VERSION, verified_jars
    from deploy.local.places import CACHE, ENGINES, shown
    from deploy.local.player_scenario import EXPECTED, expected
    from deploy.local.processes import LocalFault
    from deploy.local.refill import refill, told
    from deploy.local.services import ServiceFault, Services
except ModuleNotFoundError as missing:
    # Another Python than the one that `make install` installs into, or packages older than the lock.
    sys.exit(
        f"{missing.name} is missing in {sys.executable}: install what is locked (`make -B install`), then `make run`"
    )

EXIT_FAILED, EXIT_ENGINE, EXIT_INTERRUPTED = 1, 3, 130
SUPERVISION_SECONDS = 0.2
TABLES = CACHE / "demo" / "tables.json"

Result = TypeVar("Result")


async def run() -> int:
    """Engines, services, both cases, tables and addresses; then serve until Ctrl-C."""
    async with _system() as (engines, services):
        await _supervised(engines, services, _play(services))
        _say("")
        _say(f"Tables    {services.urls['reporting']}/")
        for name, url in services.urls.items():
            _say(f"{name:<9} {url}/login  {url}/docs")
        _say("Ctrl-C ends it; the data stay.")
        await _supervised(engines, services, asyncio.Event().wait())
    return 0


async def demo() -> int:
    """As `run`, but ends when the tables are printed; they must be the expected ones."""
    async with _system() as (engines, services):
        tables = await _supervised(engines, services, _play(services))
    if tables != expected():
        raise ServiceFault(
            f"{shown(TABLES)} differs from {shown(EXPECTED)}: compare the two (needs that you registered yourself in "
            f"{shown(ENGINES / 'data')} count as well)"
        )
    return 0


async def engines() -> int:
    """Only the engines, and the variables that point a service at them; until Ctrl-C."""
    async with await _engines() as started:
        for variable, value in started.variables.items():
            _say(f"export {variable}='{value}'")
        with kept({**started.variables, "DUGNAD_ENVIRONMENT": "development"}):
            await _supervised(started, None, asyncio.Event().wait())
    return 0


async def fetch() -> int:
    """Have everything on this machine that a start needs."""
    program = find_program(os.environ)
    if not os.environ.get("KAFKA_BOOTSTRAP_SERVERS") and os.environ.get("ENGINES") != "docker":
        jars = await asyncio.to_thread(verified_jars, ENGINES / "kafka")
        _say(f"Apache Kafka {VERSION}: {len(jars)} jars, as locked. {program.kind} {program.version}.")
    return 0


@asynccontextmanager
async def _system() -> AsyncIterator[tuple[Engines, Services]]:
    began = time.monotonic()
    async with await _engines() as engines:
        _say(f"Engines are ready after {time.monotonic() - began:.1f} s: {engines.description}.")
        if sent := await refill(engines.variables):
            _say(told(sent))
        began = time.monotonic()
        async with Services(engines.variables) as services:
            _say(f"Services are ready after {time.monotonic() - began:.1f} s.")
            with kept({**engines.variables, **services.variables}):
                yield engines, services


async def _engines() -> Engines:
    """Not started: entering it does."""
    if not (ENGINES / "kafka").exists():
        _say(f"Fetching Apache Kafka {VERSION} (43 MB, once) …")
    return await Engines.kept()


async def _play(services: Services) -> dict[str, Any]:
    tables = await play(services.urls)
    TABLES.parent.mkdir(parents=True, exist_ok=True)
    TABLES.write_text(json.dumps(tables, ensure_ascii=False, indent=2) + "\n")
    _say(render(tables))
    _say(f"\nThe same as JSON: {shown(TABLES)}")
    return tables


async def _supervised(engines: Engines, services: Services | None, work: Coroutine[Any, Any, Result]) -> Result:
    """The work, ended by LocalFault as soon as an engine or a service has ended by itself."""
    task = asyncio.create_task(work)
    try:
        while not task.done():
            await asyncio.wait([task], timeout=SUPERVISION_SECONDS)
            if fault := engines.fault:
                raise LocalFault(fault)
            if services is not None and (fault := services.fault):
                raise ServiceFault(fault)
        return await task
    finally:
        task.cancel()


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    """The exit code: 0 done or ended by Ctrl-C, 1 a service or scenario failed, 3 an engine is missing or unfit."""
    commands = {"run": run, "demo": demo, "engines": engines, "fetch": fetch}
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("command", choices=commands)
    command: str = parser.parse_args().command
    try:
        return asyncio.run(_interruptible(commands[command](), serves=command in {"run", "engines"}))
    except ServiceFault as fault:
        print(fault.message, file=sys.stderr)
        return EXIT_FAILED
    except LocalFault as fault:
        print(fault.message, file=sys.stderr)
        return EXIT_ENGINE


async def _interruptible(work: Coroutine[Any, Any, int], *, serves: bool) -> int:
    """Ctrl-C and SIGTERM end the work, once: a second Ctrl-C must not interrupt the cleaning up."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _cancel_once, task)
    try:
        return await task
    except asyncio.CancelledError:
        return 0 if serves else EXIT_INTERRUPTED


def _cancel_once(task: asyncio.Task[int]) -> None:
    if not task.cancelling():
        task.cancel()


if __name__ == "__main__":
    sys.exit(main())
