"""`dugnad status`: is everything there, and what is stuck?

Invariant: a service that does not answer is shown as such; it never counts as fine.
"""

from __future__ import annotations

import asyncio
from typing import Any

from deploy.cli.arguments import SERVICES
from deploy.cli.context import Context
from deploy.cli.http import ask
from deploy.cli.outcome import DOWN, FAULT, OK, Wanting, are_parked, counted
from deploy.cli.output import Output
from deploy.cli.short import said_short

HOLE_SECONDS = 60.0
"""Younger ones are partitions of which one is read a little later than another."""
_COLUMNS = ("projection", "generation", "documents", "positions", "missing", "lag", "parked", "state")


async def status(context: Context) -> int:
    """All projections of all services."""
    found = await asyncio.gather(*(_of(context, service) for service in SERVICES))
    rows = [row for each in found for row in _rows(each)]
    _with_faults(context.output, {"services": found}, rows, found)
    if any("down" in each for each in found):
        return DOWN
    return FAULT if any(map(all_faults, found)) else OK


async def _of(context: Context, service: str) -> dict[str, Any]:
    try:
        return await ask(context.settings, service, "/projections")
    except Wanting as wanting:
        return {"service": service, "down": wanting.message}


def all_faults(service: dict[str, Any]) -> list[str]:
    """What is wrong with a service that answers: its projections, its reactions, its relays and timers.

    A service of an earlier version, as in a rolling update, tells of projections only.
    """
    name = service["service"]
    of_projections = [
        f"{name}/{each['name']}: {fault}" for each in service["projections"] for fault in faults(name, each)
    ]
    of_reactions = [
        f"{name}/reactions: {fault}"
        for each in service.get("reactions", ())
        for fault in (*each["stopped"], *_parked(f"{name}/reactions", each))
    ]
    return [*of_projections, *of_reactions, *(f"{name}: {fault}" for fault in service.get("faults", ()))]


def faults(service: str, projection: dict[str, Any]) -> list[str]:
    """What is wrong with a projection of a service, one line each."""
    name = f"{service}/{projection['name']}"
    found = list(projection["stopped"])
    if not projection["serving"]:
        found.append("is being rebuilt, and answers no queries")
    found.extend(_parked(name, projection))
    found.extend(
        said_short(each["source"], each["topic_ends"], each["handled"]) for each in projection.get("short", ())
    )
    found.extend(
        f"positions of {each['source']} are missing for {each['missing_seconds']:.0f} s, from {each['missing'][0][0]}"
        for each in projection["sources"]
        if each["missing"] and each["missing_seconds"] > HOLE_SECONDS
    )
    return found


def _parked(name: str, consumer: dict[str, Any]) -> list[str]:
    if not consumer["parked"]["events"]:
        return []
    error = consumer["last_error"]
    why = "" if error is None else f", lastly: {error['error']}"
    return [f"{are_parked(consumer['parked']['events'])} (`dugnad parked list {name}`){why}"]


def _rows(service: dict[str, Any]) -> list[list[str]]:
    name = service["service"]
    if "down" in service:
        return [[name, *[""] * (len(_COLUMNS) - 2), "does not answer"]]
    return [_row(name, each) for each in service["projections"]]


def _row(service: str, projection: dict[str, Any]) -> list[str]:
    sources = projection["sources"]
    events = sum(each["lag_events"] for each in sources)
    seconds = max((each["lag_seconds"] for each in sources), default=0.0)
    parked = projection["parked"]
    return [
        f"{service}/{projection['name']}",
        str(projection["generation"]["number"]),
        str(projection["documents"]),
        ", ".join(f"{each['source'].rpartition('/')[2]} {each['complete_to']}" for each in sources),
        _intervals(sources),
        f"{counted(events)}, {seconds:.0f} s" if events else "none",
        f"{counted(parked['events'])} of {parked['subjects']}" if parked["events"] else "none",
        "fault" if faults(service, projection) else "ok",
    ]


def _intervals(sources: list[dict[str, Any]]) -> str:
    """The first of the positions that others have overtaken; most are a moment late, and none may stay."""
    found = [(each["source"].rpartition("/")[2], ends) for each in sources for ends in each["missing"]]
    shown = [f"{name} {first}" if first == last else f"{name} {first}-{last}" for name, (first, last) in found[:3]]
    return ", ".join([*shown, *["…"] * (len(found) > len(shown))]) or "none"


def _with_faults(output: Output, document: dict[str, Any], rows: list[list[str]], found: list[dict[str, Any]]) -> None:
    output.table(document, _COLUMNS, rows)
    if output.as_json:
        return
    for service in found:
        for line in [service["down"]] if "down" in service else all_faults(service):
            print(line)
