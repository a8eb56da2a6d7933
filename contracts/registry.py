"""Which events there are, on which topic and from which source.

Invariant: a log publishes to exactly one topic, and an event type belongs to exactly one log.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

from contracts import followup, intake, matching
from contracts.event import TYPE_PATTERN, Event

SOURCES: Mapping[str, tuple[type[Event], ...]] = MappingProxyType(
    {
        intake.SOURCE: get_args(intake.IntakeEvent),
        intake.BACKGROUND_SOURCE: get_args(intake.BackgroundEvent),
        matching.SOURCE: get_args(matching.MatchingEvent),
        followup.SOURCE: get_args(followup.FollowupEvent),
    }
)
"""The events that each source writes."""

_TOPIC_OF_SOURCE: Mapping[str, str] = MappingProxyType(
    {
        intake.SOURCE: intake.TOPIC,
        intake.BACKGROUND_SOURCE: intake.BACKGROUND_TOPIC,
        matching.SOURCE: matching.TOPIC,
        followup.SOURCE: followup.TOPIC,
    }
)

TOPICS: tuple[str, ...] = tuple(_TOPIC_OF_SOURCE.values())
"""The topics, by their names in the contracts (a deployment may put a prefix before them)."""

BY_TYPE: Mapping[str, type[Event]] = MappingProxyType(
    {event.type_name(): event for events in SOURCES.values() for event in events}
)
"""CloudEvents `type` to class, the current version of each."""

_BY_NAME: Mapping[str, type[Event]] = MappingProxyType({event.__name__: event for event in BY_TYPE.values()})


def class_of(type_name: str) -> type[Event] | None:
    """The class that reads events of a type; None for one that is not known here.

    A new version on the same topic only adds fields with defaults (`contracts.compatibility` holds that), so every
    version of a name is read by its one class: older data through the defaults, newer data by ignoring what is new.
    """
    known = BY_TYPE.get(type_name)
    if known is not None:
        return known
    match = TYPE_PATTERN.match(type_name)
    return None if match is None else _BY_NAME.get(match["name"])


def topic_of(source: str) -> str:
    """The topic that a source publishes to. A continued log (`dugnad/intake~2`) stays on its topic. Raises KeyError."""
    return _TOPIC_OF_SOURCE[source.partition("~")[0]]


def source_of(event: type[Event]) -> str:
    """The source that writes an event. Raises KeyError for a class that no log publishes."""
    for source, events in SOURCES.items():
        if event in events:
            return source
    raise KeyError(event.__name__)
