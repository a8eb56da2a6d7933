"""Given, when, then: deciders and folds told as sentences.

Invariant: a refusal is compared by code and fields, never by its text; a decision by its events, with their sealed
parts and times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from typing import Any, Generic, TypeVar

from hypothesis import strategies as st

from chassis.projection import Document, Projection, Record, fold_all
from contracts.event import Event
from contracts.refused import Refused

S = TypeVar("S")
C = TypeVar("C")
E = TypeVar("E", bound=Event)

AT = datetime(2025, 1, 13, 9, 0, tzinfo=UTC)
"""When events of tests happened, unless they say otherwise."""


@dataclass(frozen=True)
class Outcome:
    """What a decider made of a command: events, or a refusal."""

    events: tuple[Event, ...]
    refusal: Refused | None

    def then(self, *events: Event) -> None:
        """It decided exactly these events; none means that it had nothing to say."""
        assert self.refusal is None, f"refused: {self.refusal.code} {self.refusal.fields}"
        assert [told(event) for event in self.events] == [told(event) for event in events]

    def then_refused(self, code: str, fields: Sequence[str] = (), *, status: int | None = None) -> None:
        """It said no: this code, these JSON pointers, and this status where one is named."""
        assert self.refusal is not None, f"not refused, decided: {[told(event) for event in self.events]}"
        assert (self.refusal.code, self.refusal.fields) == (code, tuple(fields))
        assert status is None or self.refusal.status == status


@dataclass(frozen=True)
class Given(Generic[S]):
    """A state folded from what happened."""

    state: S

    def when(self, decide: Callable[[C, S], Sequence[Event]], command: C) -> Outcome:
        """Decide one command on that state."""
        try:
            return Outcome(tuple(decide(command, self.state)), None)
        except Refused as refusal:
            return Outcome((), refusal)


def given(evolve: Callable[[S, E], S], initial: S, events: Iterable[E] = ()) -> Given[S]:
    """The state after these events."""
    return Given(reduce(evolve, events, initial))


def told(event: Event) -> dict[str, Any]:
    """Everything an event says, its sealed part included, in a form that reads well in a failed comparison."""
    sealed = None if event.sealed is None else dict(event.sealed)
    return {"type": type(event).__name__, **event.data(), "sealed": sealed, "occurred": event.occurred}


def records(
    source: str, events: Iterable[Event], *, first: int = 1, recorded: datetime = AT, step: int = 1
) -> list[Record]:
    """Events as they come over a topic: position after position from `first`, recorded when they happened."""
    return [
        Record(
            event=event,
            kind=type(event),
            type=event.type_name(),
            source=source,
            subject=event.subject,
            partition_key=event.partition_key,
            position=first + index * step,
            id=f"{source}#{first + index * step}",
            occurred=event.occurred or recorded,
            recorded=event.occurred or recorded,
        )
        for index, event in enumerate(events)
    ]


def folded(projection: Projection, *sequences: Iterable[Record]) -> dict[str, Document]:
    """What the projection shows after these records, one sequence after the other."""
    return fold_all(projection, [record for sequence in sequences for record in sequence])


@st.composite
def arrivals(draw: st.DrawFn, sent: Sequence[Record]) -> list[Record]:
    """Any order in which these records may arrive: a subject keeps its order, all else is shuffled, some come again."""
    waiting: dict[tuple[str, str], list[Record]] = {}
    for record in sent:
        waiting.setdefault((record.source, record.subject), []).append(record)
    turns = draw(st.permutations([key for key, queue in waiting.items() for _ in queue]))
    queues = {key: iter(queue) for key, queue in waiting.items()}
    arrived: list[Record] = []
    for key in turns:
        arrived.append(next(queues[key]))
        again = draw(st.lists(st.integers(0, len(arrived) - 1), max_size=2))
        arrived += [arrived[index] for index in again]
    return arrived
