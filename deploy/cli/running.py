"""From options to the function that does it.

Invariant: whatever is expected to go wrong outside ends as one line: no verb catches engines' errors by itself.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable

from aiokafka.errors import KafkaError

from chassis.errors import DependencyDown
from chassis.mongo import PyMongoError
from deploy.cli import (
    building,
    continuing,
    export,
    heads,
    parked,
    projections,
    release,
    republishing,
    rewinding,
    status,
)
from deploy.cli.context import Context
from deploy.cli.outcome import Wanting
from deploy.cli.output import Output
from deploy.cli.quiet import quietly

_VERBS: dict[tuple[str, str | None], Callable[[Context], Awaitable[int]]] = {
    ("status", None): status.status,
    ("verify", None): projections.verify_all,
    ("parked", "list"): parked.list_parked,
    ("parked", "show"): parked.show,
    ("parked", "replay"): parked.replay,
    ("parked", "discard"): parked.discard,
    ("rebuild", None): building.rebuild,
    ("rollback", None): building.roll_back,
    ("generations", None): projections.generations,
    ("republish", None): republishing.republish_service,
    ("continue", None): continuing.continue_service,
    ("rewind", None): rewinding.rewind_service,
    ("export", None): export.export,
    ("release", "plan"): release.plan,
    ("release", "seal"): release.seal,
    ("release", "publish"): release.publish,
    ("release", "list"): release.list_releases,
    ("release", "reproduce"): release.reproduce,
    ("log", "head"): heads.log_head,
    ("log", "lost"): heads.log_lost,
}


def run(options: argparse.Namespace) -> int:
    """The exit code. Raises what `deploy.cli.outcome` names."""
    quietly()
    verb = _VERBS[options.verb, getattr(options, "action", None)]
    return asyncio.run(_run(verb, options))


async def _run(verb: Callable[[Context], Awaitable[int]], options: argparse.Namespace) -> int:
    context = Context(options, Output(as_json=options.json))
    try:
        return await verb(context)
    except DependencyDown as down:
        raise Wanting(down.message) from down
    except PyMongoError as error:
        where, name = _host(context.settings.mongodb_uri), type(error).__name__
        raise Wanting(f"MongoDB at {where} fails ({name}): see that it runs, or set MONGODB_URI") from error
    except (KafkaError, ConnectionRefusedError) as error:
        where, name = context.settings.kafka_bootstrap_servers, type(error).__name__
        raise Wanting(f"Kafka at {where} fails ({name}): see that it runs, or set KAFKA_BOOTSTRAP_SERVERS") from error
    finally:
        context.close()


def _host(uri: str) -> str:
    """Where an address points, without user and password."""
    return uri.partition("://")[2].partition("/")[0].rpartition("@")[2]
