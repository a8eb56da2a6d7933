"""Reactions: what a service does about what it hears.

Invariant: an event leads to a reaction once, however often it comes; a rebuild reacts to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.commands import Loaded
from chassis.projection import Record
from contracts.event import Event


@dataclass(frozen=True)
class Occasion:
    """Time and ids for a pure reaction."""

    now: datetime
    new_id: Callable[[], str]


@dataclass(frozen=True)
class Reaction:
    """`subjects` is asked again with what is loaded until it names nothing new; `react` is pure; no events: nothing."""

    name: str
    topics: tuple[str, ...]
    on: tuple[type[Event], ...]
    subjects: Callable[[Record, Mapping[str, Loaded]], Iterable[str]]
    react: Callable[[Record, Mapping[str, Loaded], Occasion], Sequence[Event]]
