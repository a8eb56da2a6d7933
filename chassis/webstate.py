"""What the parts of a web app share, found through the request.

Invariant: there is one per app, made by `create_app`; a route reaches nothing else of the app's inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from starlette.requests import Request

from chassis.clock import Clock
from chassis.formats import Language
from chassis.pulse import Pulse
from chassis.settings import Settings

if TYPE_CHECKING:
    from chassis.pages import Pages
    from chassis.problems import ProblemWriter
    from chassis.sessions import Sessions
    from chassis.texts import Texts
    from chassis.tokens import TokenChecker


class Hosted(Protocol):
    """What the web needs of a service (`chassis.service.Service`)."""

    @property
    def name(self) -> str: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def clock(self) -> Clock: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def faults_live(self) -> Sequence[str]:
        """What keeps the process from doing its work; a restart may help."""
        ...

    async def faults_ready(self) -> Sequence[str]:
        """What keeps it from serving requests; empty when dependencies and indexes are there."""
        ...

    async def turn_clock(self, at: datetime | None) -> None:
        """Set the business clock; None: follow the machine clock. Raises ClockWentBack."""
        ...

    async def overview(self) -> Mapping[str, Any]:
        """Where projections and reactions stand (`chassis.operations`). Raises DependencyDown."""
        ...

    async def log_heads(self, at: datetime | None) -> Sequence[Mapping[str, Any]]:
        """Per log the last position, or the last one recorded by an instant. Raises TooYoung."""
        ...


@dataclass(frozen=True)
class Web:
    """The shared parts of one app."""

    service: Hosted
    texts: Texts
    problems: ProblemWriter
    checker: TokenChecker
    sessions: Sessions
    pages: Pages
    pulse: Pulse = field(default_factory=Pulse)

    @property
    def settings(self) -> Settings:
        """The service's settings."""
        return self.service.settings


def web_of(request: Request) -> Web:
    """The shared parts of the app that handles this request."""
    web: Web = request.app.state.web
    return web


def language_of(request: Request) -> Language:
    """The language that the request asked for (set by the middleware)."""
    language: Language = request.state.language
    return language


def correlation_of(request: Request) -> str:
    """The correlation id: the caller's own where it is well-formed, else a new one."""
    correlation: str = request.state.correlation
    return correlation
