"""What has been folded of one partition and is not yet written.

Invariant: a document is written only over the revision that was read; positions and offsets are given for whoever notes
them, and that is after the documents are written.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from aiokafka import TopicPartition

from chassis.compiled import Compiled
from chassis.mongo import Collection
from chassis.projection import Folding
from chassis.revisions import insert_or_lose, revision, write_or_lose

DOCUMENTS_PER_WRITE = 500
WRITES_AT_ONCE = 3
"""While the engine works at one, the next are made ready and sent: with one at a time both wait for each other."""


@dataclass
class Held:
    """What has been folded of one partition and is not yet written."""

    partition: int = 0
    documents: dict[str, Folding] = field(default_factory=dict)
    positions: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """By source."""
    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    bytes: int = 0
    folded: int = 0
    dropped: int = 0
    ignored: int = 0
    compiled: Compiled | None = None
    """In place of all that, but for the offsets: what the compiled fold has of the partition."""

    async def write_or_lose(self, into: Collection) -> bool:
        """Write all of it, some at a time; whether somebody else wrote any of that meanwhile."""
        return any(await _few_at_once(self._writes(into)))

    def _writes(self, into: Collection) -> Iterator[Coroutine[Any, Any, list[str]]]:
        if self.compiled is not None:
            for encoded in self.compiled.documents(DOCUMENTS_PER_WRITE):
                yield insert_or_lose(into, encoded)
        for documents in _slices(self.documents):
            yield write_or_lose(
                into, [revision(key, each.rev, each.stored()) for key, each in documents if each.changed]
            )

    def handled(self) -> Mapping[str, Iterable[int]]:
        """Positions by source."""
        return self.positions if self.compiled is None else self.compiled.positions()

    def counts(self) -> tuple[int, int, int]:
        """Folded, dropped and ignored."""
        return (self.folded, self.dropped, self.ignored) if self.compiled is None else self.compiled.counts


async def _few_at_once(writes: Iterable[Coroutine[Any, Any, list[str]]]) -> list[str]:
    """What they give, together; while the engine works at one, the next is made ready."""
    given: list[str] = []
    going: set[asyncio.Task[list[str]]] = set()
    try:
        for write in writes:
            going.add(asyncio.create_task(write))
            if len(going) == WRITES_AT_ONCE:
                done, going = await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
                given += chain.from_iterable(each.result() for each in done)
        given += chain.from_iterable(await asyncio.gather(*going))
    finally:
        for each in going:
            each.cancel()
        # Whatever became of them, nobody waits for them any more.
        await asyncio.gather(*going, return_exceptions=True)
    return given


def _slices(documents: dict[str, Folding]) -> Iterator[list[tuple[str, Folding]]]:
    """All of them, some at a time, the last first; what has been given is no longer kept."""
    while documents:
        yield [documents.popitem() for _ in range(min(DOCUMENTS_PER_WRITE, len(documents)))]
