"""One history in which decisions are taken, reactions come late, and timers fire when a process is there.

Invariant: everything happens at an instant of one history; whoever reacts or fires late decides on what is known then.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from chassis.projection import Record
from contracts import followup, intake, matching
from contracts.event import Event
from contracts.followup import CaseEvent
from contracts.plans import SlotEvent
from contracts.refused import Refused
from services.followup.domain.clock import Look, check_ins, deadlines, expiries
from services.followup.domain.commands import (
    Command,
    LookAtCheckIns,
    LookAtDraft,
)
from services.followup.domain.decide import decide
from services.followup.domain.slot import (
    UNKNOWN,
    SayDeadline,
    Slot,
    SlotCommand,
    decide_slot,
    evolve_slot,
)
from services.followup.domain.state import NOBODY, Person, evolve

HORIZON = datetime(2026, 6, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
ORG = "315486892"


@dataclass
class World:
    """The history, and the state that decisions are taken from."""

    chance: random.Random
    log: list[tuple[str, Event, datetime]] = field(default_factory=list)
    """Source, event, recorded: in the order of the history."""
    persons: dict[str, Person] = field(default_factory=dict)
    slots: dict[str, Slot] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    _waiting: list[tuple[datetime, int, Callable[[datetime], None]]] = field(default_factory=list)
    _turn: count[int] = field(default_factory=count)

    def at(self, when: datetime, then: Callable[[datetime], None]) -> None:
        """Something that will happen, unless the history ends before."""
        if when <= HORIZON:
            heapq.heappush(self._waiting, (when, next(self._turn), then))

    def run(self) -> None:
        """To the end of the history."""
        while self._waiting:
            when, _, then = heapq.heappop(self._waiting)
            then(when)

    def late(self) -> timedelta:
        """How late a reaction or a timer is: mostly at once, at times a process was down for days."""
        return self.chance.choice([timedelta(0)] * 8 + [timedelta(hours=7), 3 * DAY])

    def elsewhere(self, source: str, event: Event, now: datetime) -> None:
        self.log.append((source, event, now))

    def slot(self, command: SlotCommand, now: datetime) -> None:
        """Decide about a slot."""
        self._said(self._tried(lambda: decide_slot(command, self.slots.get(command.slot_id, UNKNOWN))), now)

    def person(self, candidate_id: str, command: Command, now: datetime) -> list[Event]:
        """Decide about a person; a refusal is counted and changes nothing."""
        events = self._tried(lambda: decide(command, self.persons.get(candidate_id, NOBODY)))
        self._said(events, now)
        return events

    def _tried(self, decided: Callable[[], Iterable[Event]]) -> list[Event]:
        try:
            return list(decided())
        except Refused as refusal:
            self.refused[refusal.code] = self.refused.get(refusal.code, 0) + 1
            return []

    def _said(self, events: Iterable[Event], now: datetime) -> None:
        for event in events:
            self.log.append((followup.SOURCE, event, now))
            if isinstance(event, CaseEvent):
                self.persons[event.candidate_id] = evolve(self.persons.get(event.candidate_id, NOBODY), event)
                self.slots[event.slot_id] = evolve_slot(self.slots.get(event.slot_id, UNKNOWN), event)
            elif isinstance(event, SlotEvent):
                self.slots[event.slot_id] = evolve_slot(self.slots.get(event.slot_id, UNKNOWN), event)
            self._arm(event, now)

    def _arm(self, event: Event, now: datetime) -> None:
        for looks, fire in ((deadlines, self._deadline), (expiries, self._draft), (check_ins, self._check_in)):
            for look in looks(event):
                # What is due already fires now; else at its time, or as late as the process is.
                self.at(max(now, look.at) + self.late(), fire(event, look))

    def _deadline(self, event: Event, look: Look) -> Callable[[datetime], None]:
        slot_id = str(getattr(event, "slot_id", ""))
        return lambda now: self.slot(SayDeadline(at=now, slot_id=slot_id, day=look.day), now)

    def _draft(self, event: Event, look: Look) -> Callable[[datetime], None]:
        agreement_id, person = str(getattr(event, "agreement_id", "")), str(getattr(event, "candidate_id", ""))

        def fire(now: datetime) -> None:
            command = LookAtDraft(at=now, agreement_id=agreement_id, on=look.on, task_id=f"T{next(self._turn)}")
            self.person(person, command, now)

        return fire

    def _check_in(self, event: Event, look: Look) -> Callable[[datetime], None]:
        trial_id, person = str(getattr(event, "trial_id", "")), str(getattr(event, "candidate_id", ""))

        def fire(now: datetime) -> None:
            command = LookAtCheckIns(at=now, trial_id=trial_id, on=look.on, task_id=f"T{next(self._turn)}")
            self.person(person, command, now)

        return fire

    def records(self) -> list[Record]:
        """Everything as it comes over the topics."""
        positions = {source: count(1) for source in (intake.SOURCE, matching.SOURCE, followup.SOURCE)}
        found = []
        for source, event, recorded in self.log:
            position = next(positions[source])
            found.append(
                Record(
                    event=event,
                    kind=type(event),
                    type=event.type_name(),
                    source=source,
                    subject=event.subject,
                    partition_key=event.partition_key,
                    position=position,
                    id=f"{source}#{position}",
                    occurred=event.occurred or recorded,
                    recorded=recorded,
                )
            )
        return found
