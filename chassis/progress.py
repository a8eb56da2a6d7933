"""Which positions a projection has handled, per source.

Invariant: a position is in the bitmap only when its effects are written; completeness is read off, never assumed.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from chassis.mongo import Collection, Database
from chassis.revisions import revision, write_or_lose

BLOCK = 65_536
"""Positions per document. Intervals instead of a bitmap grew to megabytes after one partition of a million events."""
FULL = (1 << BLOCK) - 1

Handled = Mapping[tuple[str, int], Iterable[int]]
"""Positions by source and partition."""


@dataclass(frozen=True)
class Hole:
    """The first position of a source that is missing though later ones have been handled, since `since` (monotonic)."""

    source: str
    position: int
    since: float


class Progress:
    """The progress of one projection: a document per source, partition and block, so that no two readers share one."""

    def __init__(self, database: Database, projection: str) -> None:
        self._blocks: Collection = database[f"progress_{projection}"]
        self._moved = asyncio.Event()
        self._holes: dict[str, Hole] = {}
        self.moved_at = monotonic()
        """When this process last recorded anything here, or began to."""

    async def record(self, handled: Handled) -> None:
        """Add positions. Repeated and concurrent calls (a rebalance) give the union."""
        waiting: dict[str, tuple[dict[str, Any], bytes]] = {}
        for (source, partition), positions in handled.items():
            for block, bits in _bitmaps(positions).items():
                fields = {"source": source, "partition": partition, "block": block}
                waiting[f"{source}/{partition:04d}/{block:08d}"] = fields, bits
        while waiting:
            stored = {each["_id"]: each async for each in self._blocks.find({"_id": {"$in": list(waiting)}})}
            writes = []
            for name, (fields, more) in waiting.items():
                before = stored.get(name, {"rev": 0, "bits": b""})
                bits = _both(bytes(before["bits"]), more)
                if bits == before["bits"]:
                    continue
                writes.append(revision(name, before["rev"], {**fields, "bits": bits}))
            waiting = {name: waiting[name] for name in await write_or_lose(self._blocks, writes)}
        self.moved_at = monotonic()
        self._moved.set()
        self._moved = asyncio.Event()

    async def complete_to(self, source: str) -> int:
        """The last position up to which everything of a source has been handled; 0 for nothing."""
        collapsed, blocks = await self._union(source)
        full = collapsed
        while blocks.get(full) == FULL:
            full += 1
        if full > collapsed:
            await self._collapse(source, full)
        bits = blocks.get(full, 0)
        lowest_zero = (~bits & (bits + 1)).bit_length() - 1
        return full * BLOCK + lowest_zero

    async def missing(self, source: str, head: int) -> int:
        """How many positions of a source up to `head` have not been handled."""
        collapsed, blocks = await self._union(source)
        handled = min(collapsed * BLOCK, head)
        for block, bits in blocks.items():
            wanted = max(0, min(BLOCK, head - block * BLOCK))
            handled += (bits & ((1 << wanted) - 1)).bit_count()
        return head - handled

    async def missing_intervals(self, source: str, most: int) -> list[tuple[int, int]]:
        """The first intervals, both ends included, that are missing though later positions have been handled."""
        collapsed, blocks = await self._union(source)
        found: list[tuple[int, int]] = []
        for block in range(collapsed, max((block for block, bits in blocks.items() if bits), default=-1) + 1):
            bits, first = blocks.get(block, 0), block * BLOCK + 1
            last_block = not any(bits for later, bits in blocks.items() if later > block)
            gaps = ~bits & ((1 << (bits.bit_length() if last_block else BLOCK)) - 1)
            while gaps:
                start = (gaps & -gaps).bit_length() - 1
                length = (~(gaps >> start) & ((gaps >> start) + 1)).bit_length() - 1
                gaps &= ~(((1 << length) - 1) << start)
                if found and found[-1][1] == first + start - 1:
                    found[-1] = (found[-1][0], first + start + length - 1)
                elif len(found) == most:
                    return found
                else:
                    found.append((first + start, first + start + length - 1))
        return found

    async def _union(self, source: str) -> tuple[int, dict[int, int]]:
        """How many leading blocks are full, and the bits of those that follow, over all partitions."""
        collapsed = await self._collapsed(source)
        blocks: dict[int, int] = defaultdict(int)
        async for each in self._blocks.find({"source": source, "block": {"$gte": collapsed}}):
            blocks[each["block"]] |= int.from_bytes(bytes(each["bits"]), "little")
        return collapsed, blocks

    async def holes(self) -> list[Hole]:
        """The hole of each source that has one; how old it is, is known as far as this process has looked."""
        highest: dict[str, int] = defaultdict(int)
        async for each in self._blocks.find({"block": {"$exists": True}}):
            last = each["block"] * BLOCK + int.from_bytes(bytes(each["bits"]), "little").bit_length()
            highest[each["source"]] = max(highest[each["source"]], last)
        found = {}
        for source, last in highest.items():
            missing = await self.complete_to(source) + 1
            if missing <= last:
                known = self._holes.get(source)
                still = known is not None and known.position == missing
                found[source] = known if still and known else Hole(source, missing, monotonic())
        self._holes = found
        return list(found.values())

    async def sources(self) -> set[str]:
        """The sources of which anything has been handled, also those of continued logs (`dugnad/intake~2`)."""
        blocks: list[str] = await self._blocks.distinct("source", {"block": {"$exists": True}})
        collapsed = self._blocks.find({"blocks": {"$exists": True}}, {"_id": 1})
        return {*blocks, *[each["_id"].removesuffix("/complete") async for each in collapsed]}

    async def highest(self, source: str) -> int:
        """The last position of a source that has been handled, whether or not something before it is missing."""
        collapsed, blocks = await self._union(source)
        return max([collapsed * BLOCK, *(block * BLOCK + bits.bit_length() for block, bits in blocks.items() if bits)])

    async def has(self, source: str, position: int) -> bool:
        """Whether one position has been handled."""
        block, offset = divmod(position - 1, BLOCK)
        if block < await self._collapsed(source):
            return True
        async for each in self._blocks.find({"source": source, "block": block}):
            bits = bytes(each["bits"])
            if offset // 8 < len(bits) and bits[offset // 8] >> (offset % 8) & 1:
                return True
        return False

    async def _collapsed(self, source: str) -> int:
        """How many leading blocks are full over all partitions, and no longer kept one by one."""
        found = await self._blocks.find_one({"_id": f"{source}/complete"})
        return 0 if found is None else int(found["blocks"])

    async def _collapse(self, source: str, blocks: int) -> None:
        # First the sum, then its parts: a reader in between sees a block twice, never not at all.
        await self._blocks.update_one({"_id": f"{source}/complete"}, {"$max": {"blocks": blocks}}, upsert=True)
        await self._blocks.delete_many({"source": source, "block": {"$lt": blocks}})

    async def wait_for(self, source: str, position: int, seconds: float) -> bool:
        """Whether a position is handled within so many seconds. Woken by this process, else it looks every 50 ms."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not await self.has(source, position):
            if loop.time() >= deadline:
                return False
            moved = self._moved
            try:
                await asyncio.wait_for(moved.wait(), min(0.05, max(0.0, deadline - loop.time())))
            except TimeoutError:
                continue
        return True


def _bitmaps(positions: Iterable[int]) -> dict[int, bytes]:
    """The positions by block, each as long as its last set byte: a short log must not cost 8 KiB per write."""
    blocks: dict[int, bytearray] = defaultdict(lambda: bytearray(BLOCK // 8))
    for position in positions:
        block, offset = divmod(position - 1, BLOCK)
        blocks[block][offset >> 3] |= 1 << (offset & 7)
    return {block: bytes(bits).rstrip(b"\0") for block, bits in blocks.items()}


def _both(bits: bytes, more: bytes) -> bytes:
    """The bits of either."""
    union = int.from_bytes(bits, "little") | int.from_bytes(more, "little")
    return union.to_bytes(max(len(bits), len(more)), "little")
