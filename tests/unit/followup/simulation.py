"""A thousand slots with people, delays and mistakes, played through followup's own decisions.

Invariant: a story tries what people try, also what is refused; only what was decided is in the history.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from contracts import followup, intake, matching
from contracts.days import oslo_day, promise_date
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
from contracts.vocabulary import (
    AnnulReason,
    CloseReason,
    DelayReason,
    Measure,
    Outcome,
    Party,
    Progress,
    StartReversalReason,
)
from services.followup.domain.commands import (
    Approve,
    Close,
    ConfirmStart,
    Draft,
    EndCases,
    HoldCheckIn,
    OpenCase,
    ReportNoShow,
    SettleStart,
)
from services.followup.domain.slot import (
    EndPlan,
    MakePlan,
    MoveStart,
    ReportDelay,
)
from tests.unit.followup.followup_facts import FIT, taking_back
from tests.unit.followup.history import DAY, ORG, World

BEGIN = datetime(2024, 1, 8, 9, tzinfo=UTC)


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
        if self.chance.random() < 0.4:
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
            if self.chance.random() < 0.4:
                self.world.at(now + self._days(1, 40), lambda then: self.dispute(started, then))
            last = datetime(started.end_on.year, started.end_on.month, started.end_on.day, 10, tzinfo=UTC)
            self.world.at(max(now, last) + self._days(0, 9), lambda then: self.close(started.end_on, then))

    def dispute(self, started: followup.TrialStarted, now: datetime) -> None:
        """The counsellor has another day, settles which it was some days later, and mostly it was the other one."""
        other = started.on + timedelta(days=self.chance.choice([-1, 1, 2, 3, 6]))
        usual: dict[str, Any] = {"acting": Party.COUNSELLOR, "registered_on": self.registered_on}
        task_id = f"Y{self.number}"
        self.world.person(
            self.candidate_id,
            ConfirmStart(
                **usual,
                at=now,
                agreement_id=self.agreement_id,
                actor="the counsellor",
                trial_id="unused",
                on=other,
                task_id=task_id,
            ),
            now,
        )
        stands = self.chance.random() < 0.2
        later = now + self._days(0, 5)
        self.world.at(later, lambda then: self.settle(started.on if stands else other, usual, task_id, then))

    def settle(self, on: date, usual: dict[str, Any], task_id: str, now: datetime) -> None:
        command = SettleStart(
            **usual,
            at=now,
            match_id=self.match_id,
            task_id=task_id,
            check_in_task_id=f"Z{self.number}",
            on=on,
            reason=self.chance.choice([StartReversalReason.PARTIES_AGREE, StartReversalReason.RECORDS_SHOW, None]),
        )
        events = self.world.person(self.candidate_id, command, now)
        if any(isinstance(event, followup.TrialStarted) for event in events):
            self.world.slot(MoveStart(at=now, slot_id=self.slot_id, on=on), now)

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
        if (self.number + index) % 7 == 0:
            # Recorded by mistake, which is found out days later.
            self.world.at(now + 4 * DAY, lambda then: self.take_back(command.check_in_id, then))

    def take_back(self, check_in_id: str, now: datetime) -> None:
        command = taking_back(f"R{self.number}", check_in_id=check_in_id, task_id=f"L{check_in_id}", at=now)
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
