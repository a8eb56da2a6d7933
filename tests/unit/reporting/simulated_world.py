"""What has happened in a simulation, and the orders in which a reader may hear of it.

Invariant: the same seed gives the same events; a subject's events stand in the order in which they were decided.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime

from chassis.projection import Record
from contracts import followup as fo
from contracts import intake as it
from contracts import matching as ma
from contracts.event import Event
from tests.gwt import records


@dataclass(eq=False)
class World:
    """What has happened, per source, in the order of the positions."""

    seed: int
    random: random.Random = field(init=False)
    intake: list[Event] = field(default_factory=list)
    matching: list[Event] = field(default_factory=list)
    followup: list[Event] = field(default_factory=list)
    background: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def id(self, kind: str) -> str:
        return f"{kind}{self.random.getrandbits(60):015x}"

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def records(self) -> list[Record]:
        """As they come over the topics, source after source."""
        at = datetime(2024, 1, 1, tzinfo=UTC)
        return [
            *records(it.SOURCE, self.intake, recorded=at),
            *records(ma.SOURCE, self.matching, recorded=at),
            *records(fo.SOURCE, self.followup, recorded=at),
            *records(it.BACKGROUND_SOURCE, self.background, recorded=at),
        ]

    def shuffled(self) -> list[Record]:
        """Another arrival: subjects and topics interleaved anew, every tenth record twice."""
        queues: dict[tuple[str, str], list[Record]] = {}
        for record in self.records():
            queues.setdefault((record.source, record.subject), []).append(record)
        turns = [key for key, queue in queues.items() for _ in queue]
        self.random.shuffle(turns)
        iterators = {key: iter(queue) for key, queue in queues.items()}
        arrived: list[Record] = []
        for key in turns:
            arrived.append(next(iterators[key]))
            if self.chance(0.1):
                arrived.append(self.random.choice(arrived))
        return arrived
