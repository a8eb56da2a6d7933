"""How often somebody may call: a bucket of tokens per client.

Invariant: a client that keeps to so many calls per window is never refused; what is kept of clients is bounded, and
nobody can make room for themselves by pushing others out (a new bucket is a full one).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import ceil
from time import monotonic

from starlette.requests import Request

from chassis.problems import Problem

CLIENTS = 10_000


@dataclass
class Buckets:
    """`calls` per `seconds` and client: so many at once, then as fast as the bucket fills again."""

    calls: int
    seconds: float
    now: Callable[[], float] = monotonic
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict, init=False)

    def __post_init__(self) -> None:
        if self.calls < 1 or self.seconds <= 0:
            raise ValueError("a limit is at least one call in more than no time")

    def take(self, client: str) -> float:
        """Take a token. 0: go on; else after how many seconds there will be one."""
        now = self.now()
        left, at = self._left.pop(client, (float(self.calls), now))
        left = min(float(self.calls), left + (now - at) * self.calls / self.seconds)
        wait = 0.0 if left >= 1 else (1 - left) * self.seconds / self.calls
        self._left[client] = (left - 1 if not wait else left, now)
        if len(self._left) > CLIENTS:
            self._left.popitem(last=False)
        return wait


def address_of(request: Request) -> str:
    """Whom the connection comes from: one client, as far as nobody says who they are."""
    return "unknown" if request.client is None else request.client.host


def limit(buckets: Buckets, client_of: Callable[[Request], str] = address_of) -> Callable[[Request], Awaitable[None]]:
    """A dependency of routes. Raises Problem 429 with `Retry-After` in whole seconds."""

    async def limited(request: Request) -> None:
        wait = buckets.take(client_of(request))
        if wait:
            seconds = ceil(wait)
            raise Problem(429, "too_many_calls", headers={"Retry-After": str(seconds)}, seconds=seconds)

    return limited
