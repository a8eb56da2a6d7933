"""The whole system for a test: the four services as processes of their own on the engines of the session.

Invariant: databases, topics and groups carry the test's prefix, so nothing of another test is seen.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chassis.mongo import Client, database
from chassis.settings import Settings
from deploy.local.engines import Engines
from deploy.local.services import Services

_ULID = re.compile(r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b")


def system(engines: Engines, settings: Settings, folder: Path) -> Services:
    """The services, not started; logs and secrets lie in `folder`."""
    environ = {**os.environ, "DUGNAD_PREFIX": settings.prefix}
    return Services(engines.variables, folder=folder, environ=environ)


def metrics_urls(services: Services) -> dict[str, str]:
    """Where each process shows its counters."""
    return {each.service: each.metrics_url for each in services.replicas}


async def documents(client: Client, settings: Settings, service: str, collection: str) -> list[dict[str, Any]]:
    """What a service keeps in a collection."""
    found = database(client, settings.database(service))[collection]
    return [each async for each in found.find({}).sort("_id", 1)]


def named(value: Any, names: Mapping[str, str]) -> Any:
    """The value with ids written as the names that the scenarios give them; ids without a name are `<id>`."""
    if isinstance(value, dict):
        return {named(key, names): named(part, names) for key, part in value.items()}
    if isinstance(value, list):
        return [named(part, names) for part in value]
    if isinstance(value, str):
        return _ULID.sub(lambda found: names.get(found[0], "<id>"), value)
    return value


def without(value: Any, *fields: str) -> Any:
    """The value without these fields, wherever they stand."""
    if isinstance(value, dict):
        return {key: without(part, *fields) for key, part in value.items() if key not in fields}
    if isinstance(value, list):
        return [without(part, *fields) for part in value]
    return value
