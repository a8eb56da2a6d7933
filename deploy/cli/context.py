"""What the verbs share: settings, databases, and which projections there are.

Invariant: settings come from the environment, or as a whole from a local run; the two are never mixed by accident.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path

from pydantic import ValidationError

from chassis import mongo
from chassis.generations import Generation, Generations
from chassis.mongo import ConfigurationError, Database
from chassis.projection import Projection
from chassis.settings import Settings
from contracts.registry import SOURCES, topic_of
from deploy.cli.arguments import SERVICES
from deploy.cli.outcome import Fault, Usage
from deploy.cli.output import Output
from deploy.environment import PATH

BROKER = "KAFKA_BOOTSTRAP_SERVERS"
_OWNERS = {"background": "intake"}
"""Of logs that are not called as the service that writes them."""


class Context:
    """One run of the command."""

    def __init__(self, options: argparse.Namespace, output: Output) -> None:
        self.options, self.output = options, output
        self._clients: list[mongo.Client] = []

    @cached_property
    def settings(self) -> Settings:
        """From the environment, or from what a local run keeps. Raises Usage with what is wrong."""
        if BROKER not in os.environ and not PATH.exists():
            raise Usage(f"{BROKER} is unset and nothing runs here: start `make run`, or set the variables of a service")
        try:
            return Settings(_env_file=self.env_file)
        except ValidationError as wrong:
            first = wrong.errors()[0]
            where = ".".join(str(each) for each in first["loc"]) or "settings"
            raise Usage(f"{where}: {first['msg']} (`./dugnad --help` says which variables are read)") from wrong

    @property
    def env_file(self) -> Path | None:
        """What a local run keeps, where the environment does not say where the broker is."""
        return None if BROKER in os.environ else PATH

    def database(self, name: str) -> Database:
        """The database of a service or of one of its logs. Raises Usage for an address that is none."""
        try:
            client = mongo.connect(self.settings, self.settings.uri(name))
        except (ConfigurationError, ValueError) as wrong:
            # Not what the library says of it: it may quote the password.
            raise Usage(f"MONGODB_URI is no address of a document server ({type(wrong).__name__})") from wrong
        self._clients.append(client)
        return mongo.database(client, self.settings.database(name))

    def close(self) -> None:
        """Leave the engines."""
        for client in self._clients:
            client.close()

    def generations(self, service: str, projection: Projection) -> Generations:
        """The generations of a projection."""
        return Generations(self.database(service), projection.name, projection.version)


def service_named(name: str) -> str:
    """Raises Usage for one that does not exist."""
    if name not in SERVICES:
        raise Usage(f"there is no service {name}: name one of {', '.join(SERVICES)}")
    return name


def projections_of(service: str) -> Sequence[Projection]:
    """What a service folds."""
    found: Sequence[Projection] = import_module(f"services.{service_named(service)}.views").PROJECTIONS
    return found


def projection_named(target: str) -> tuple[str, Projection]:
    """Of SERVICE/PROJECTION. Raises Usage with what there is."""
    service, _, name = target.partition("/")
    known = {each.name: each for each in projections_of(service)}
    if name not in known:
        raise Usage(f"name a projection: {', '.join(f'{service}/{each}' for each in known)}")
    return service, known[name]


def owner_of(source: str) -> str:
    """The service that writes the log of a source."""
    name = source.rpartition("/")[2].partition("~")[0]
    return _OWNERS.get(name, name)


def logs_of(service: str) -> list[str]:
    """The logs that a service writes, by the sources that they began under."""
    return [source for source in SOURCES if owner_of(source) == service_named(service)]


def sources_of(projection: Projection) -> list[str]:
    """The logs that a projection reads."""
    return [source for source in SOURCES if topic_of(source) in projection.topics]


async def served(generations: Generations) -> Generation:
    """The generation that queries see. Raises Fault where there is none."""
    found = await generations.serving()
    if found is None:
        raise Fault(f"nothing of {generations.projection} is served yet: start its service first")
    return found


def unconfirmed() -> Usage:
    """What a plan that was not confirmed ends with."""
    return Usage("nothing was done: add --yes to do it")
