"""Where the tables of one base path come from: computed live, or sealed in releases.

Invariant: whoever serves a table picks cells of it; a number that the source has not counted is never made here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from services.reporting.domain.counting import Tally
from services.reporting.domain.cube import Cube, Described

Table = Tally | Cube
"""What there is to serve: both are described in the same way, and `select` cells."""


class Source(Protocol):
    """The tables of one base path."""

    async def tables(self) -> Sequence[Described]:
        """All of them, in the order in which they are listed; none of them without a single period."""
        ...

    async def table(self, table_id: str) -> Table | None:
        """By its id, which is in small letters; None where there is none. Raises Problem 503 while it is not shown."""
        ...

    async def discontinued(self) -> Mapping[str, bool]:
        """Which of them get no more periods."""
        ...
