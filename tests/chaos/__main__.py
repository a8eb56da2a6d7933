"""`make chaos [SEED=…] [SECONDS=…]`: the long form, on engines of its own.

Invariant: ends with 0 only when nothing was lost, doubled or out of order; the seed is said first.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import secrets
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from deploy.local.engines import Engines
from deploy.local.processes import LocalFault
from deploy.local.services import Services
from tests.chaos.running import Outcome, Plan, run

EXIT_FOUND, EXIT_ENGINE = 1, 3
PREFIX = "chaos_"


async def chaos(plan: Plan, replicas: int, folder: Path) -> Outcome:
    """One run on embedded engines, which are empty before and gone afterwards. Raises LocalFault."""
    environ = {**os.environ, "ENGINES": "embedded"}
    for given in ("KAFKA_BOOTSTRAP_SERVERS", "MONGODB_URI"):
        if environ.pop(given, None):
            print(f"{given} is set and not used: engines that are not ours are not killed", flush=True)
    async with Engines.for_tests(environ) as engines:
        print(engines.description, flush=True)
        environ = {**os.environ, "DUGNAD_PREFIX": PREFIX}
        services = Services(engines.variables, folder=folder, environ=environ, replicas=replicas)
        return await run(engines, services, PREFIX, plan, lambda line: print(line, flush=True))


def main() -> int:
    """The exit code: 0 nothing is wrong, 1 something is, 3 an engine or a service does not start."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kills, pauses and restarts everything.")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--seconds", type=float, default=180.0, help="for how long harm is done")
    parser.add_argument("--replicas", type=int, default=2, help="processes of each service")
    parser.add_argument("--keep-broker", action="store_true", help="do not lose the data of the broker")
    options = parser.parse_args()
    # Here a broker that goes away is no news.
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    plan = Plan(options.seed, options.seconds, journeys=4, employers=3, empty_broker=not options.keep_broker)
    print(f"seed {plan.seed}: `make chaos SEED={plan.seed} SECONDS={plan.seconds:.0f}` does it again", flush=True)
    with TemporaryDirectory(prefix="dugnad-chaos-") as folder:
        try:
            outcome = asyncio.run(chaos(plan, options.replicas, Path(folder)))
        except LocalFault as fault:
            print(fault.message, file=sys.stderr)
            return EXIT_ENGINE
    for line in outcome.lines():
        print(line)
    for finding in outcome.findings[:50]:
        print(f"FOUND  {finding}")
    return EXIT_FOUND if outcome.findings else 0


if __name__ == "__main__":
    sys.exit(main())
