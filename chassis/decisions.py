"""What goes into a command and what comes out of it.

Invariant: an answer is stored with its commit, so it holds ids, versions and dates, and nothing personal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.event import Event


@dataclass(frozen=True)
class CommandContext:
    """Who asks, and under which claim. `body` is the request as canonical JSON; `wait` is in seconds."""

    claim: str
    body: bytes
    actor: str
    correlation: str
    traceparent: str | None = None
    causation: str | None = None
    if_match: int | None = None
    wait: float = 0.0


@dataclass(frozen=True)
class Answer:
    """The answer of a command. It is stored with the commit, so `body` holds ids, versions and dates, nothing personal.

    The version of `subject` after the commit becomes the ETag; the same subject is what If-Match speaks of.
    """

    body: dict[str, Any]
    location: str
    subject: str
    status: int = 201


@dataclass(frozen=True)
class Decision:
    """What was decided. `claims` are business keys (`org:999999999`) beside the versions of all subjects read."""

    events: Sequence[Event]
    answer: Answer
    claims: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Loaded:
    """A subject as the log has it: version 0 means that nothing has claimed it yet.

    `events` are all events of every commit that claims the subject, in version order; a fold picks what concerns it.
    """

    subject: str
    version: int
    events: tuple[Event, ...]
    event_versions: tuple[int, ...] = ()
    """The version of the subject that each event belongs to, parallel to `events`."""


@dataclass(frozen=True)
class Done:
    """A command that took effect. `position` is its last event's, where it was asked to wait for it."""

    answer: Answer
    version: int
    commit_id: str
    position: int | None
    repeated: bool
    source: str = ""
    """Where the position counts, as `min_position` names it: `intake`, or `intake~2` of a log that was continued."""

    @property
    def seen(self) -> str | None:
        """What a query must have folded to show this (`min_position`), None where nobody waited for the position."""
        return None if self.position is None else f"{self.source}:{self.position}"
