"""What a batch of records is, and what became of it: for whoever handles batches without being a member of a group.

Invariant: nothing here needs the framework of the consumers, which takes half a second of each process that loads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from aiokafka import TopicPartition

from chassis.fetching import Fetched

MAX_RECORDS = 500
"""In one batch."""


class Raw(Fetched, Protocol):
    """A record as the client library gives it."""

    topic: str
    partition: int


@dataclass(frozen=True)
class Stopped:
    """Where a partition stops: too much is parked already, so that the fault is not in single events."""

    partition: TopicPartition
    offset: int
    reason: str


@dataclass
class Handled:
    """What became of a batch: the offset to commit per partition, and the partitions that must stop."""

    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    stopped: list[Stopped] = field(default_factory=list)
