"""Simulated cases: every turn that a placement can take, also those that take back what was said.

Invariant: the same seed gives the same events; a subject's events stand in the order in which they were decided.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from contracts import followup as fo
from contracts import intake as it
from contracts import matching as ma
from contracts.days import promise_date
from contracts.plans import DelayReported
from contracts.vocabulary import (
    AnnulReason,
    Background,
    CancelReason,
    CloseReason,
    DeclineReason,
    DelayReason,
    EmployerResponse,
    Intermediary,
    Measure,
    Outcome,
    Party,
    Progress,
    ReversalReason,
    ShortenReason,
    WithdrawReason,
)
from tests.unit.reporting.simulated_world import World

ORG = "315486892"
MUNICIPALITIES = ("0301", "3301", "3312", "5501", "3049", "0626", "1507", "1850")
"""Four of today, two ended ones of Lier, and two that were divided."""


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
            measure=rnd.choice([None, "measure_of_tomorrow", *Measure]),
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
        if world.chance(0.2):
            world.followup.append(
                DelayReported(
                    need_id=need_id,
                    slot_id=slot_id,
                    org_number=ORG,
                    caused_by=rnd.choice([Party.EMPLOYER, Party.PARTICIPANT]),
                    reason=DelayReason.NO_ANSWER,
                    from_on=day,
                    reported_on=day + timedelta(days=3),
                )
            )
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
    _background(world, case["candidate_id"], registered_on)
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


def _background(world: World, candidate_id: str, registered_on: date) -> None:
    # The ciphertext of a simulation is the declaration itself.
    rnd = world.random
    for _ in range(rnd.choice((0, 1, 1, 2, 3))):
        on = registered_on + timedelta(days=rnd.randint(-20, 90))
        occurred = datetime(on.year, on.month, on.day, rnd.randrange(24), tzinfo=UTC)
        if world.chance(0.15):
            world.background.append(
                it.BackgroundWithdrawn(candidate_id=candidate_id, withdrawn_on=on, occurred=occurred)
            )
            continue
        facts = {
            "immigrant_background": rnd.choice([*Background, "code_of_tomorrow"]),
            "country_of_birth": rnd.choice(["SY", "PL", "US", "XX", None]),
            "reduced_functional_ability": rnd.choice(["yes", "no", "unknown"]),
            "cv_gap": rnd.choice(["yes", "no", "unknown"]),
            "gender": rnd.choice(["female", "male", "other", "unknown"]),
            "year_of_birth": rnd.choice([1960, 1975, 1976, 1994, 1995, 1996, None]),
        }
        world.background.append(
            it.BackgroundDeclared(
                candidate_id=candidate_id, declared_on=on, ciphertext=json.dumps(facts), occurred=occurred
            )
        )


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
    if world.chance(0.1):
        measure = rnd.choice(list(Measure))
        world.followup.append(
            fo.AgreementConcluded(**of, concluded_on=next(days), measure=measure, start_on=start_on, end_on=end_on)
        )
        changed_on = next(days)
        world.followup.append(
            fo.AgreementChanged(
                **of,
                content_version=2,
                changed_on=changed_on,
                effective_on=start_on,
                measure=measure,
                start_on=start_on,
                end_on=end_on,
                hours_per_week=20.0,
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
            occurred=datetime(start_on.year, start_on.month, start_on.day, 9, tzinfo=UTC),
            confirmed_by=Party.EMPLOYER,
            measure=measure,
            end_on=end_on,
            days_from_need=waited,
            within_promise=waited <= 28,
            rule_version="1",
        )
    )
    for number in range(rnd.randint(0, 3)):
        day = start_on + timedelta(days=30 * (number + 1) + rnd.randint(0, 10))
        if world.chance(0.3):
            world.followup.append(fo.CheckInMissed(**trial, due_on=day, playbook_version="1"))
        else:
            held = fo.CheckInHeld(**trial, check_in_id=world.id("K"), held_on=day, progress=Progress.AS_PLANNED)
            world.followup.append(held)
    for _ in range(rnd.choice((0, 0, 1, 2))):
        end_on += timedelta(days=60)
        world.followup.append(
            fo.TrialExtended(
                **trial, extended_on=start_on, end_on=end_on, decided_by=Party.DECISION_MAKER, rule_version="1"
            )
        )
    if world.chance(0.15):
        end_on -= timedelta(days=20)
        world.followup.append(
            fo.TrialShortened(
                **trial,
                shortened_on=end_on - timedelta(days=5),
                end_on=end_on,
                reason=rnd.choice([*ShortenReason, "reason_of_tomorrow"]),
                decided_by=Party.COUNSELLOR,
                rule_version="1",
            )
        )
    if world.chance(0.7):
        _closing(world, trial, end_on)


def _closing(world: World, trial: dict[str, str], end_on: date) -> None:
    rnd = world.random
    outcome = Outcome.HIRED if world.chance(0.5) else rnd.choice(list(Outcome))
    closed = fo.TrialClosed(**trial, on=end_on, outcome=outcome, reason=CloseReason.PERIOD_COMPLETED)
    world.followup.append(closed)
    if world.chance(0.15):
        other = fo.TrialClosed(
            **trial,
            on=end_on - timedelta(days=rnd.choice((0, 40))),
            outcome=rnd.choice(list(Outcome)),
            reason=CloseReason.PERIOD_COMPLETED,
        )
        reversed_on = end_on + timedelta(days=9)
        reason = ReversalReason.REGISTERED_BY_MISTAKE
        world.followup.append(fo.OutcomeReversed(**trial, reversed_on=reversed_on, outcome=outcome, reason=reason))
        if world.chance(0.9):
            world.followup.append(other)
    for months in (3, 6, 12):
        if world.chance(0.5):
            world.followup.append(
                fo.EmploymentConfirmed(
                    **trial,
                    after_months=months,
                    employed=world.chance(0.7),
                    on=end_on + timedelta(days=30 * months),
                    confirmed_by=Party.EMPLOYER,
                )
            )
