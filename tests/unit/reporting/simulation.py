"""Simulated cases: every turn that a placement can take, also those that take back what was said.

Invariant: the same seed gives the same events; a subject's events stand in the order in which they were decided.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from chassis.projection import Record
from contracts import followup as fo
from contracts import intake as it
from contracts import matching as ma
from contracts.days import promise_date
from contracts.event import Event
from contracts.vocabulary import (
    AnnulReason,
    CancelReason,
    CloseReason,
    DeclineReason,
    EmployerResponse,
    Intermediary,
    Measure,
    Outcome,
    Party,
    WithdrawReason,
)
from tests.gwt import records

ORG = "315486892"
MUNICIPALITIES = ("0301", "3301", "3312", "5501")


@dataclass
class World:
    """What has happened, per source, in the order of the positions."""

    seed: int
    random: random.Random = field(init=False)
    intake: list[Event] = field(default_factory=list)
    matching: list[Event] = field(default_factory=list)
    followup: list[Event] = field(default_factory=list)

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


def simulate(seed: int, cases: int) -> World:
    """That many needs with all that came of them, registered from 2023 to 2025."""
    world = World(seed)
    for _ in range(cases):
        _case(world)
    return world


def _case(world: World) -> None:
    rnd = world.random
    need_id, day = world.id("N"), date(2023, 1, 1) + timedelta(days=rnd.randrange(1000))
    slots = tuple(world.id("S") for _ in range(rnd.randint(1, 3)))
    window = day + timedelta(days=rnd.choice((5, 28, 29, 60))) if world.chance(0.3) else None
    world.intake.append(
        it.NeedRegistered(
            need_id=need_id,
            org_number=ORG,
            municipality=rnd.choice(MUNICIPALITIES),
            occupation="5223",
            slot_ids=slots,
            intermediary=rnd.choice(list(Intermediary)),
            measure=rnd.choice([None, *Measure]),
            hours_per_week=37.5,
            start_from=window,
            registered_on=day,
            promise_date=promise_date(day),
        )
    )
    if world.chance(0.5):
        world.matching.append(
            ma.NeedAssigned(
                need_id=need_id, org_number=ORG, intermediary=rnd.choice(list(Intermediary)), assigned_on=day
            )
        )
    for slot_id in slots:
        for _ in range(rnd.randint(0, 3)):
            _match(world, need_id, slot_id, day)
    if world.chance(0.15):
        world.intake.append(
            it.NeedWithdrawn(
                need_id=need_id,
                org_number=ORG,
                slot_ids=slots[: rnd.randint(1, len(slots))],
                reason=rnd.choice(list(WithdrawReason)),
                withdrawn_on=day + timedelta(days=rnd.randint(0, 40)),
            )
        )


def _days(world: World, day: date) -> Iterator[date]:
    # Some are through in a day, some take months.
    pace = world.random.choice(((0,), (0, 0, 0, 1), (0, 1, 2), (0, 0, 1, 2, 3, 7, 12)))
    while True:
        day += timedelta(days=world.random.choice(pace))
        yield day


def _match(world: World, need_id: str, slot_id: str, registered_on: date) -> None:
    rnd, days = world.random, _days(world, registered_on)
    case = {
        "match_id": world.id("M"),
        "need_id": need_id,
        "slot_id": slot_id,
        "candidate_id": world.id("C"),
        "org_number": ORG,
    }

    def cancel(reason: CancelReason) -> None:
        world.matching.append(ma.MatchCancelled(**case, cancelled_on=next(days), reason=reason))

    matched = ma.CandidateMatched(
        **case, intermediary=Intermediary.NAV, score=70, reasons=(), rule_version="1", matched_on=next(days)
    )
    asked_on = next(days)
    asked = ma.CandidateAsked(**case, asked_on=asked_on, deadline=asked_on + timedelta(days=7))
    world.matching += [matched, asked]
    if world.chance(0.2):
        world.matching.append(ma.CandidateDeclined(**case, declined_on=next(days), reason=DeclineReason.TRAVEL))
        return cancel(CancelReason.CANDIDATE_DECLINED)
    world.matching.append(ma.CandidateAccepted(**case, accepted_on=next(days)))
    for _ in range(rnd.choice((1, 1, 1, 2))):
        world.matching.append(ma.CandidatePresented(**case, presented_on=next(days)))
        if world.chance(0.25):
            world.matching.append(ma.PresentationReversed(**case, reversed_on=next(days)))
    world.matching.append(
        ma.EmployerResponded(**case, responded_on=next(days), response=rnd.choice(list(EmployerResponse)))
    )
    if world.chance(0.6):
        world.matching.append(ma.InterviewHeld(**case, held_on=next(days)))
    if world.chance(0.4):
        return cancel(rnd.choice(list(CancelReason)))
    confirmed = ma.MatchConfirmed(
        **case,
        confirmed_on=next(days),
        confirmed_by=Party.EMPLOYER,
        intermediary=Intermediary.NAV,
        municipality="3312",
        occupation="5223",
        registered_on=registered_on,
        promise_date=promise_date(registered_on),
    )
    world.matching.append(confirmed)
    for _ in range(rnd.choice((1, 1, 2))):
        _agreement(world, case, registered_on, days)
    if world.chance(0.1):
        cancel(CancelReason.REGISTERED_BY_MISTAKE)
    return None


def _agreement(world: World, case: dict[str, str], registered_on: date, days: Iterator[date]) -> None:
    rnd = world.random
    of = {**case, "agreement_id": world.id("A")}
    drafted_on = next(days)
    start_on = drafted_on + timedelta(days=rnd.choice((0, 1, 3, 7, 14, 20, 30, 60)))
    end_on = start_on + timedelta(days=90)
    measure = rnd.choice(list(Measure))
    world.followup.append(
        fo.AgreementDrafted(
            **of,
            intermediary=Intermediary.NAV,
            measure=measure,
            drafted_on=drafted_on,
            start_on=start_on,
            end_on=end_on,
            hours_per_week=30.0,
            decision_maker_needed=False,
            rule_version="1",
        )
    )
    if world.chance(0.85):
        world.followup.append(
            fo.AgreementConcluded(**of, concluded_on=next(days), measure=measure, start_on=start_on, end_on=end_on)
        )
    if world.chance(0.15):
        world.followup.append(fo.NoShowReported(**of, on=start_on, reported_by=Party.EMPLOYER))
    if world.chance(0.8):
        _trial(world, of, measure, registered_on, start_on, end_on)
    if world.chance(0.1):
        world.followup.append(fo.NoShowReported(**of, on=start_on, reported_by=Party.EMPLOYER))
    if world.chance(0.15):
        reason = rnd.choice(list(AnnulReason))
        world.followup.append(fo.AgreementAnnulled(**of, annulled_on=next(days), reason=reason))


def _trial(world: World, of: dict[str, str], measure: str, registered_on: date, start_on: date, end_on: date) -> None:
    rnd = world.random
    trial = {**of, "trial_id": world.id("T")}
    waited = (start_on - registered_on).days
    world.followup.append(
        fo.TrialStarted(
            **trial,
            on=start_on,
            confirmed_by=Party.EMPLOYER,
            measure=measure,
            end_on=end_on,
            days_from_need=waited,
            within_promise=waited <= 28,
            rule_version="1",
        )
    )
    if world.chance(0.3):
        end_on += timedelta(days=60)
        world.followup.append(
            fo.TrialExtended(
                **trial, extended_on=start_on, end_on=end_on, decided_by=Party.DECISION_MAKER, rule_version="1"
            )
        )
    if world.chance(0.7):
        outcome = Outcome.HIRED if world.chance(0.5) else rnd.choice(list(Outcome))
        world.followup.append(fo.TrialClosed(**trial, on=end_on, outcome=outcome, reason=CloseReason.PERIOD_COMPLETED))
