"""How far a consumer is behind its topics, in events and in seconds.

Invariant: only what took effect counts as done, never what was merely fetched; ages are differences of one monotonic
clock, so neither the business clock nor another machine's can bend them.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import TopicPartition

MOST_HEADS = 500
"""How many ends of a partition are remembered while it does not get on."""


class Lag:
    """What one member of a group has done of its partitions, and where their ends were when it looked.

    The age is that of the oldest end seen and not yet reached. A new owner of a partition sees its first end when it
    looks, so what waited before that is counted in events, but not in age.
    """

    def __init__(self) -> None:
        self._done: dict[TopicPartition, int] = {}
        self._heads: dict[TopicPartition, list[tuple[float, int]]] = {}
        """When the end was first seen at an offset; ascending in both, only those not reached."""
        self._ends: dict[TopicPartition, int] = {}

    def begin(self, partition: TopicPartition, offset: int) -> None:
        """The first that is known of a partition: all before an offset is done."""
        self._done.setdefault(partition, offset)

    def done(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Everything before these offsets took effect."""
        self._done.update(offsets)

    def forget(self) -> None:
        """Partitions are given out anew: somebody else may have got on with them meanwhile."""
        self._done.clear()
        self._heads.clear()
        self._ends.clear()

    def look(self, now: float, ends: Mapping[TopicPartition, int]) -> None:
        """The ends of all partitions that are this member's, as they are now."""
        self._ends = dict(ends)
        for partition, end in ends.items():
            heads = self._heads.setdefault(partition, [])
            if heads and end < heads[-1][1]:
                # The topic was made anew: ends from before mean nothing any more.
                heads.clear()
            if not heads or end > heads[-1][1]:
                if len(heads) < MOST_HEADS:
                    heads.append((now, end))
                else:
                    # Rather too old an age than none.
                    heads[-1] = (heads[-1][0], end)

    def events(self) -> int:
        """Records that are there and not done."""
        return sum(max(0, end - self._done.get(partition, 0)) for partition, end in self._ends.items())

    def seconds(self, now: float) -> float:
        """For how long the oldest of them has been seen to wait; 0 where nothing waits."""
        oldest = now
        for partition in self._ends:
            done, heads = self._done.get(partition, 0), self._heads[partition]
            while heads and heads[0][1] <= done:
                heads.pop(0)
            if heads:
                oldest = min(oldest, heads[0][0])
        return now - oldest
