"""A thousand slots with people, delays and mistakes, played through followup's own decisions.

Invariant: everything happens at an instant of one history; whoever reacts or fires late decides on what is known then.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

from chassis.projection import Record
from contracts import followup, intake, matching
from contracts.days import oslo_day, promise_date
from contracts.event import Event
from contracts.followup import CaseEvent
from contracts.intake import NeedRegistered, NeedWithdrawn
from contracts.matching import (
    CandidateAsked,
    CandidateMatched,
    CandidatePresented,
    EmployerResponded,
    InterviewHeld,
    MatchCancelled,
    MatchConfirmed,
)
from contracts.plans import SlotEvent
from contracts.refused import Refused
from contracts.vocabulary import AnnulReason, CloseReason, DelayReason, Measure, Outcome, Party, Progress
from services.followup.domain.clock import Look, check_ins, deadlines, expiries
from services.followup.domain.commands import (
    Approve,
    Close,
    Command,
    ConfirmStart,
    Draft,
    EndCases,
    HoldCheckIn,
    LookAtCheckIns,
    LookAtDraft,
    OpenCase,
    ReportNoShow,
)
from services.followup.domain.decide import decide
from services.followup.domain.slot import (
    UNKNOWN,
    EndPlan,
    MakePlan,
    ReportDelay,
    SayDeadline,
    Slot,
    SlotCommand,
    decide_slot,
    evolve_slot,
)
from services.followup.domain.state import NOBODY, Person, evolve
from tests.unit.followup.followup_facts import FIT

BEGIN = datetime(2024, 1, 8, 9, tzinfo=UTC)
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


@dataclass
class Story:
    """One slot and the person for it."""

    world: World
    number: int
    candidate_id: str
    registered: datetime
    withdrawn: bool = False

    def __post_init__(self) -> None:
        self.chance = self.world.chance
        self.need_id, self.slot_id = f"N{self.number}", f"S{self.number}"
        self.match_id, self.agreement_id = f"M{self.number}", f"A{self.number}"
        self.registered_on = oslo_day(self.registered)
        self.ids = {
            "match_id": self.match_id,
            "need_id": self.need_id,
            "slot_id": self.slot_id,
            "candidate_id": self.candidate_id,
            "org_number": ORG,
        }

    def _days(self, least: int, most: int) -> timedelta:
        return timedelta(days=self.chance.randint(least, most), minutes=self.chance.randint(0, 400))

    def begin(self, now: datetime) -> None:
        world, promise = self.world, promise_date(self.registered_on)
        start_from = promise + 5 * DAY if self.chance.random() < 0.1 else None
        need = NeedRegistered(
            need_id=self.need_id,
            org_number=ORG,
            municipality="3312",
            occupation="5223",
            slot_ids=(self.slot_id,),
            intermediary="nav",
            hours_per_week=37.5,
            start_from=start_from,
            registered_on=self.registered_on,
            promise_date=promise,
        )
        world.elsewhere(intake.SOURCE, need, now)
        world.at(now + world.late(), self.plan)
        if self.chance.random() < 0.15:
            world.at(now + self._days(1, 25), self.delay)
        if self.chance.random() < 0.1:
            world.at(now + self._days(1, 45), self.withdraw)
        if self.chance.random() < 0.85:
            world.at(now + self._days(0, 12), self.propose)

    def plan(self, now: datetime) -> None:
        self.world.slot(
            MakePlan(
                at=now,
                slot_id=self.slot_id,
                need_id=self.need_id,
                org_number=ORG,
                intermediary="nav",
                municipality="3312",
                registered_on=self.registered_on,
            ),
            now,
        )

    def delay(self, now: datetime) -> None:
        caused = self.chance.choice([Party.EMPLOYER, Party.EMPLOYER, Party.PARTICIPANT])
        command = ReportDelay(
            at=now,
            slot_id=self.slot_id,
            acting=Party.COUNSELLOR,
            caused_by=caused,
            reason=DelayReason.START_POSTPONED,
            from_on=oslo_day(now),
        )
        self.world.slot(command, now)

    def withdraw(self, now: datetime) -> None:
        self.withdrawn = True
        event = NeedWithdrawn(
            need_id=self.need_id,
            org_number=ORG,
            slot_ids=(self.slot_id,),
            reason="no_longer_needed",
            withdrawn_on=oslo_day(now),
        )
        self.world.elsewhere(intake.SOURCE, event, now)

        def hear(then: datetime) -> None:
            reason = AnnulReason.NEED_WITHDRAWN
            self.world.person(self.candidate_id, EndCases(at=then, match_ids=(self.match_id,), reason=reason), then)
            self.world.slot(EndPlan(at=then, slot_id=self.slot_id), then)

        self.world.at(now + self.world.late(), hear)

    def propose(self, now: datetime) -> None:
        if self.withdrawn:
            return
        today = oslo_day(now)
        matched = CandidateMatched(
            **self.ids, intermediary="nav", score=1, reasons=(), rule_version="1", matched_on=today
        )
        self.world.elsewhere(matching.SOURCE, matched, now)
        asked = CandidateAsked(**self.ids, asked_on=today, deadline=today + 3 * DAY)
        self.world.elsewhere(matching.SOURCE, asked, now)
        self.world.at(now + self._days(0, 5), self.cancel if self.chance.random() < 0.1 else self.present)

    def cancel(self, now: datetime) -> None:
        event = MatchCancelled(**self.ids, cancelled_on=oslo_day(now), reason="candidate_declined")
        self.world.elsewhere(matching.SOURCE, event, now)

    def present(self, now: datetime) -> None:
        if self.withdrawn:
            return
        today = oslo_day(now)
        self.world.elsewhere(matching.SOURCE, CandidatePresented(**self.ids, presented_on=today), now)
        self.world.elsewhere(
            matching.SOURCE, EmployerResponded(**self.ids, responded_on=today, response="interview"), now
        )
        self.world.at(now + self._days(0, 5), self.confirm)

    def confirm(self, now: datetime) -> None:
        if self.withdrawn:
            return
        today = oslo_day(now)
        if self.chance.random() < 0.7:
            self.world.elsewhere(matching.SOURCE, InterviewHeld(**self.ids, held_on=today), now)
        confirmed = MatchConfirmed(
            **self.ids,
            confirmed_on=today,
            confirmed_by="counsellor",
            intermediary="nav",
            municipality="3312",
            occupation="5223",
            registered_on=self.registered_on,
            promise_date=promise_date(self.registered_on),
        )
        self.world.elsewhere(matching.SOURCE, confirmed, now)
        self.world.at(now + self.world.late(), self.open)

    def open(self, now: datetime) -> None:
        command = OpenCase(at=now, **self.ids, registered_on=self.registered_on, task_id=f"D{self.number}")
        self.world.person(self.candidate_id, command, now)
        self.plan(now)
        self.world.at(now + self._days(0, 4), self.draft)

    def draft(self, now: datetime) -> None:
        measure = self.chance.choice(
            [Measure.WORK_TRAINING, Measure.WORK_TRAINING, Measure.TEMPORARY_WAGE_SUBSIDY, Measure.MENTOR_GRANT]
        )
        start_on = oslo_day(now) + timedelta(days=self.chance.randint(-9, 25))
        command = Draft(
            at=now,
            match_id=self.match_id,
            agreement_id=self.agreement_id,
            task_id=f"P{self.number}",
            intermediary="nav",
            registered_on=self.registered_on,
            measure=measure,
            start_on=start_on,
            end_on=start_on + timedelta(days=self.chance.randint(20, 170)),
            hours_per_week=37.5,
            wage_subsidy_percent=None,
            late_registration=self.chance.random() < 0.1,
            eligibility=FIT,
        )
        if self.world.person(self.candidate_id, command, now) and self.chance.random() < 0.93:
            for party in self.chance.sample(list(Party), 4) + list(Party):
                self.world.at(now + self._days(0, 6), partial(self.approve, party))

    def approve(self, party: Party, now: datetime) -> None:
        command = Approve(
            at=now,
            agreement_id=self.agreement_id,
            acting=party,
            actor=f"the {party}",
            party=party,
            reason=None,
            task_id=f"C{self.number}",
        )
        events = self.world.person(self.candidate_id, command, now)
        concluded = next((event for event in events if isinstance(event, followup.AgreementConcluded)), None)
        if concluded is not None:
            on = concluded.start_on + timedelta(days=self.chance.choice([0, 0, 0, 1, 2]))
            typed = datetime(on.year, on.month, on.day, 10, tzinfo=UTC) + self._days(0, 5)
            missing = self.chance.random() < 0.05
            self.world.at(max(now, typed), lambda then: self.start(on, then, came=not missing))

    def start(self, on: date, now: datetime, *, came: bool) -> None:
        usual: dict[str, Any] = {
            "at": now,
            "agreement_id": self.agreement_id,
            "acting": Party.EMPLOYER,
            "actor": "the employer",
        }
        if not came:
            self.world.person(self.candidate_id, ReportNoShow(**usual, on=on), now)
            return
        command = ConfirmStart(
            **usual, trial_id=f"R{self.number}", on=on, registered_on=self.registered_on, task_id=f"X{self.number}"
        )
        events = self.world.person(self.candidate_id, command, now)
        started = next((event for event in events if isinstance(event, followup.TrialStarted)), None)
        if started is not None:
            for index in range(self.chance.randint(0, 4)):
                self.world.at(now + self._days(5, 120), partial(self.check_in, index))
            last = datetime(started.end_on.year, started.end_on.month, started.end_on.day, 10, tzinfo=UTC)
            self.world.at(max(now, last) + self._days(0, 9), lambda then: self.close(started.end_on, then))

    def check_in(self, index: int, now: datetime) -> None:
        command = HoldCheckIn(
            at=now,
            trial_id=f"R{self.number}",
            acting=Party.COUNSELLOR,
            actor="the counsellor",
            check_in_id=f"K{self.number}-{index}",
            held_on=oslo_day(now),
            progress=Progress.AS_PLANNED,
            note=None,
        )
        self.world.person(self.candidate_id, command, now)

    def close(self, on: date, now: datetime) -> None:
        outcome = self.chance.choice([Outcome.HIRED, Outcome.NO_OFFER])
        command = Close(
            at=now,
            trial_id=f"R{self.number}",
            acting=Party.COUNSELLOR,
            actor="the counsellor",
            on=on,
            outcome=outcome,
            reason=CloseReason.PERIOD_COMPLETED,
            note=None,
        )
        self.world.person(self.candidate_id, command, now)


def simulate(seed: int, cases: int) -> World:
    """So many slots, for fewer people: some are wanted in two places at once."""
    world = World(random.Random(seed))
    for number in range(cases):
        registered = BEGIN + timedelta(days=world.chance.randint(0, 730), minutes=world.chance.randint(0, 1439))
        story = Story(world, number, f"K{world.chance.randint(0, cases // 2)}", registered)
        world.at(registered, story.begin)
    world.run()
    return world
