"""How a member of a consumer group gets on with its partitions.

Invariant: how far a partition goes is what the broker says, not what the member was given; and time in which the broker
was away is nothing that it could have got on in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping
from time import monotonic

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from chassis.lag import Lag

LOOK_SECONDS = 1.0


class Standing:
    """Of one member. Looked at from time to time: the library goes on trying after most errors, and says nothing."""

    def __init__(self) -> None:
        self.lag = Lag()
        self._moved: dict[TopicPartition, tuple[int, float]] = {}
        """Where each partition stood when it was last seen to move or to be idle, and when that was."""
        self._excused = 0.0

    async def look(
        self, consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], stopped: Container[TopicPartition]
    ) -> None:
        """Note which partitions get on; those that were stopped are not expected to."""
        now, moved = monotonic(), {}
        mine = set(consumer.assignment())
        # At once: each that is not answered takes its time, and whoever looks has other members to look at.
        positions = await asyncio.gather(*(_position(consumer, partition) for partition in mine))
        for partition, position in zip(mine, positions, strict=True):
            before, since = self._moved.get(partition, (-1, now))
            if position is None:
                if partition in consumer.assignment():
                    moved[partition] = (before, since)
                continue
            self.lag.begin(partition, position)
            idle = position >= ends.get(partition, position) or partition in stopped
            moved[partition] = (position, now if idle or position != before else since)
        self._moved = moved
        self.lag.look(now, {partition: end for partition, end in ends.items() if partition in mine})

    def excuse(self) -> None:
        """The broker does not answer: time up to now does not count."""
        self._excused = monotonic()

    def forget(self) -> None:
        """It begins anew, as another member."""
        self._moved.clear()
        self.lag.forget()

    def for_seconds(self, since: float) -> float:
        """How long it is since a moment (monotonic), or since the broker was away, if that is less."""
        return monotonic() - max(since, self._excused)

    def waited(self) -> dict[TopicPartition, float]:
        """For how many seconds each partition has had more and given nothing."""
        return {partition: self.for_seconds(since) for partition, (_, since) in self._moved.items()}


async def _position(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """None: where it is to begin is asked of the group's coordinator, and the answer may never come."""
    try:
        position: int = await asyncio.wait_for(consumer.position(partition), LOOK_SECONDS)
    except (TimeoutError, KafkaError, AssertionError):
        return None
    return position
