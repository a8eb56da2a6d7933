"""From the data of an old version of an event to that of the next one.

Invariant: pure, and total over everything that was ever published: what is in a log or on a topic can be read for ever.
Applied wherever events are read: loading a log, projections, rebuilds, replays of parked events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from contracts.event import TYPE_PATTERN

Data = Mapping[str, Any]


def _with_county(data: Data) -> Data:
    """v2 says the county, which v1 left to be looked up: the first two digits of a municipality number."""
    return {**data, "county": data["municipality"][:2]}


UPCASTERS: Mapping[tuple[str, int], Callable[[Data], Data]] = {("NeedRegistered", 1): _with_county}
"""By name and the version that it takes; it gives the next version."""


def upcast(type_name: str, data: Data) -> Data:
    """The data as the newest version has it. A version without an upcaster is read as it is: it only lacks defaults."""
    match = TYPE_PATTERN.match(type_name)
    if match is None:
        return data
    name, version = match["name"], int(match["version"])
    while (step := UPCASTERS.get((name, version))) is not None:
        data, version = step(data), version + 1
    return data
