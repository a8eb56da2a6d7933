"""A start of which two days are given: the counsellor says which it was, and all that follows is counted from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from contracts.days import oslo_day, promise_date
from contracts.event import Event
from contracts.followup import (
    CaseEvent,
    CheckInMissed,
    StartDisputed,
    StartReversed,
    TaskAssigned,
    TaskCompleted,
    TrialStarted,
)
from contracts.plans import DeadlineMissed
from contracts.vocabulary import Measure, Party, StartReversalReason
from services.followup.domain.commands import Command, LookAtCheckIns, SettleStart
from services.followup.domain.decide import decide
from services.followup.domain.slot import MakePlan, MoveStart, SayDeadline, decide_slot, slot_of
from services.followup.domain.state import NOBODY, Person, evolve
from services.followup.domain.subsidies import plan_of
from tests.unit.followup.followup_facts import (
    CONCLUDED,
    IDS,
    REGISTERED,
    STARTED,
    after,
    approvals,
    checking_in,
    closing,
    drafting,
    extending,
    noon,
    opened,
    played,
    starting,
)

TRIAL = {**IDS, "trial_id": "trial-A1", "agreement_id": "A1"}
LATER = date(2025, 2, 10)
"""The right day of the usual case, a week after the one that was confirmed."""


def disputing(on: date = LATER, at: date = date(2025, 2, 12), **but: Any) -> Command:
    return starting(on=on, at=noon(at), **{"acting": Party.COUNSELLOR, **but})


def settling(on: date = LATER, at: date = date(2025, 2, 14), **but: Any) -> SettleStart:
    usual: dict[str, Any] = {
        "match_id": "M1",
        "acting": Party.COUNSELLOR,
        "task_id": "A1-settle",
        "check_in_task_id": "A1-check-in",
        "registered_on": REGISTERED,
        "on": on,
        "reason": StartReversalReason.PARTIES_AGREE,
        "at": noon(at),
    }
    return SettleStart(**{**usual, **but})


DISPUTED: list[Command] = [*STARTED, disputing()]


def person_after(*commands: Command) -> Person:
    person = NOBODY
    for event in played(list(commands)):
        person = evolve(person, event)
    return person


def started_in(events: list[CaseEvent]) -> TrialStarted:
    return [event for event in events if isinstance(event, TrialStarted)][-1]


def kinds(events: list[CaseEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_the_same_start_twice_is_refused_and_a_second_date_asks_the_counsellor_to_settle_it() -> None:
    after(STARTED).when(decide, starting(at=noon(date(2025, 2, 4)))).then_refused("already_started")
    other = starting(on=date(2025, 2, 4), at=noon(date(2025, 2, 4)))
    said = StartDisputed(**TRIAL, on=date(2025, 2, 4), reported_by="employer", reported_on=date(2025, 2, 4))
    asked = TaskAssigned(
        **IDS, task_id="A1-settle", task="settle_start_date", responsible="counsellor", due_on=date(2025, 2, 4)
    )
    after(STARTED).when(decide, other).then(said, asked)
    after(STARTED, other).when(decide, other).then_refused("start_date_differs", ["/on"], status=409)


def test_a_third_day_is_kept_too_and_asks_no_second_time() -> None:
    third = starting(on=date(2025, 2, 11), at=noon(date(2025, 2, 12)))
    said = StartDisputed(**TRIAL, on=date(2025, 2, 11), reported_by="employer", reported_on=date(2025, 2, 12))
    after(DISPUTED).when(decide, third).then(said)


def test_the_counsellor_may_say_that_the_confirmed_day_stands() -> None:
    stands = settling(on=date(2025, 2, 3), reason=None)
    done = TaskCompleted(**IDS, task_id="A1-settle", task="settle_start_date", completed_on=date(2025, 2, 14))
    after(DISPUTED).when(decide, stands).then(done)
    after(DISPUTED, stands).when(decide, stands).then_refused("task_unknown", status=404)
    needless = settling(on=date(2025, 2, 3))
    after(DISPUTED).when(decide, needless).then_refused("start_reason_not_expected", ["/reason"], status=422)


def test_what_was_settled_is_not_known_already_when_it_is_said_again() -> None:
    stands = settling(on=date(2025, 2, 3), reason=None)
    other = starting(on=date(2025, 2, 11), at=noon(date(2025, 2, 15)), task_id="again")
    said = StartDisputed(**TRIAL, on=LATER, reported_by="counsellor", reported_on=date(2025, 2, 16))
    after(DISPUTED, stands, other).when(decide, disputing(at=date(2025, 2, 16))).then(said)


def test_another_day_takes_the_confirmed_one_back_and_says_all_that_follows_anew() -> None:
    after(DISPUTED).when(decide, settling(note="sealed away")).then(
        StartReversed(
            **TRIAL,
            reversed_on=date(2025, 2, 14),
            on=date(2025, 2, 3),
            reason="parties_agree",
            sealed={"note": "sealed away"},
        ),
        TrialStarted(
            **TRIAL,
            on=LATER,
            confirmed_by="counsellor",
            measure="work_training",
            end_on=date(2025, 5, 2),
            days_from_need=28,
            within_promise=True,
            rule_version="2024-01-01",
            occurred=noon(LATER),
        ),
        TaskCompleted(**IDS, task_id="A1-settle", task="settle_start_date", completed_on=date(2025, 2, 14)),
    )


def test_only_the_counsellor_settles_with_a_reason_and_no_other_task_by_hand() -> None:
    given = after(DISPUTED)
    given.when(decide, settling(acting=Party.EMPLOYER)).then_refused("not_yours_to_say")
    given.when(decide, settling(reason=None)).then_refused("start_reason_missing", ["/reason"], status=422)
    other = settling(reason=StartReversalReason.OTHER)
    given.when(decide, other).then_refused("note_missing", ["/note"], status=422)
    assert given.when(decide, replace(other, note="why")).events
    after(CONCLUDED).when(decide, settling(task_id="A1-start")).then_refused("task_completes_itself")
    given.when(decide, settling(match_id="M9")).then_refused("task_unknown", status=404)


@pytest.mark.parametrize(
    ("on", "code"),
    [
        (date(2025, 2, 15), "date_in_future"),
        (date(2025, 2, 2), "outside_agreement"),
        (date(2025, 1, 12), "outside_agreement"),
    ],
)
def test_the_right_day_has_come_and_lies_within_the_agreement(on: date, code: str) -> None:
    after(DISPUTED).when(decide, settling(on)).then_refused(code, ["/on"], status=422)


def test_the_right_day_is_not_before_the_need() -> None:
    after(DISPUTED).when(decide, settling(registered_on=date(2025, 2, 11))).then_refused(
        "start_before_need", ["/on"], status=422
    )


@pytest.mark.parametrize(("days", "within"), [(21, True), (28, True), (29, False)])
def test_the_clock_follows_the_right_day(days: int, within: bool) -> None:
    on = REGISTERED + timedelta(days=days)
    begun = [*CONCLUDED, starting(on=date(2025, 2, 4), at=noon(date(2025, 2, 20))), disputing(on, date(2025, 2, 21))]
    events = list(after(begun).when(decide, settling(on, date(2025, 2, 22))).events)
    found = next(each for each in events if isinstance(each, TrialStarted))
    assert (found.days_from_need, found.within_promise) == (days, within)
    assert found.occurred is not None
    assert oslo_day(found.occurred) == on


def test_the_promise_is_said_to_be_missed_once_where_the_right_day_misses_it() -> None:
    plan = MakePlan(
        at=noon(REGISTERED),
        slot_id="slot-of-M1",
        need_id="N1",
        org_number=IDS["org_number"],
        intermediary="refugee_service",
        municipality="3312",
        registered_on=REGISTERED,
    )
    known: list[Event] = [*decide_slot(plan, slot_of("slot-of-M1", [])), *played(STARTED)]
    slot = slot_of("slot-of-M1", known)
    looked = SayDeadline(at=noon(date(2025, 3, 1)), slot_id="slot-of-M1", day=29)
    assert decide_slot(looked, slot) == [], "somebody had started"
    at = noon(date(2025, 3, 1))
    assert decide_slot(MoveStart(at=at, slot_id="slot-of-M1", on=promise_date(REGISTERED)), slot) == []
    moved = MoveStart(at=at, slot_id="slot-of-M1", on=promise_date(REGISTERED) + timedelta(days=1))
    (missed,) = decide_slot(moved, slot)
    assert isinstance(missed, DeadlineMissed)
    assert missed.on == date(2025, 2, 11)
    assert decide_slot(moved, slot_of("slot-of-M1", [*known, missed])) == []


def test_the_check_in_plan_follows_the_right_day() -> None:
    held_late = [*DISPUTED, settling()]
    trial = person_after(*held_late).trial("trial-A1")
    assert trial is not None
    assert trial[2].check_in_due("3312") == LATER + timedelta(weeks=4)
    look = LookAtCheckIns(trial_id="trial-A1", on=date(2025, 3, 4), task_id="T", at=noon(date(2025, 3, 4)))
    assert after(STARTED).when(decide, look).events, "by the wrong day it is owed"
    after(held_late).when(decide, look).then()


def test_a_check_in_said_to_be_missed_is_taken_back_with_the_day_it_was_counted_from() -> None:
    look = LookAtCheckIns(trial_id="trial-A1", on=date(2025, 3, 4), task_id="T", at=noon(date(2025, 3, 4)))
    missed = [*STARTED, look, disputing(at=date(2025, 3, 5))]
    events = played([*missed, settling(at=date(2025, 3, 6))])
    reversed_ = next(event for event in events if isinstance(event, StartReversed))
    assert reversed_.check_ins_not_missed_on == (date(2025, 3, 3),)
    assert [each.task_id for each in events if isinstance(each, TaskCompleted)][-2:] == ["T", "A1-settle"]
    # It is said again, of the right day, when that has passed without one.
    again = LookAtCheckIns(trial_id="trial-A1", on=date(2025, 3, 11), task_id="T2", at=noon(date(2025, 3, 11)))
    said = after([*missed, settling(at=date(2025, 3, 6))]).when(decide, again).events
    assert [each.due_on for each in said if isinstance(each, CheckInMissed)] == [date(2025, 3, 10)]


def test_no_check_in_is_left_missed_that_was_counted_from_a_talk_before_the_right_day() -> None:
    def look(due_on: date) -> Command:
        on = due_on + timedelta(days=1)
        return LookAtCheckIns(trial_id="trial-A1", on=on, task_id="T", at=noon(on))

    by_the_talk, by_the_start = date(2025, 3, 19), date(2025, 3, 10)
    held = checking_in(held_on=date(2025, 2, 5), at=noon(date(2025, 2, 5)))
    wrong = [*STARTED, held, look(by_the_talk), disputing(at=date(2025, 3, 24))]
    trial = person_after(*wrong).trial("trial-A1")
    assert trial is not None
    assert trial[2].missed == {by_the_talk}
    events = after(wrong).when(decide, settling(at=date(2025, 3, 25))).events
    assert [each.check_ins_not_missed_on for each in events if isinstance(each, StartReversed)] == [(by_the_talk,)]
    assert [each.due_on for each in events if isinstance(each, CheckInMissed)] == [by_the_start]
    # Put back, the talk is one of the trial's again, and what was counted from it was missed after all.
    back = [disputing(date(2025, 2, 3), date(2025, 3, 26), task_id="again")]
    undone = settling(date(2025, 2, 3), date(2025, 3, 27), task_id="again")
    events = after(wrong, settling(at=date(2025, 3, 25)), back).when(decide, undone).events
    assert [each.check_ins_not_missed_on for each in events if isinstance(each, StartReversed)] == [(by_the_start,)]
    assert [each.due_on for each in events if isinstance(each, CheckInMissed)] == [by_the_talk]


def test_a_check_in_missed_after_a_talk_that_counts_by_both_days_stays_missed() -> None:
    held = checking_in(held_on=date(2025, 2, 12), at=noon(date(2025, 2, 12)))
    look = LookAtCheckIns(trial_id="trial-A1", on=date(2025, 3, 27), task_id="T", at=noon(date(2025, 3, 27)))
    events = after(STARTED, held, look, disputing()).when(decide, settling(at=date(2025, 3, 28))).events
    assert [each.check_ins_not_missed_on for each in events if isinstance(each, StartReversed)] == [()]
    assert not any(isinstance(each, CheckInMissed | TaskAssigned) for each in events)
    assert [each.task for each in events if isinstance(each, TaskCompleted)] == ["settle_start_date"], (
        "it is owed still"
    )


def test_an_earlier_day_may_have_made_a_check_in_late_that_was_in_time() -> None:
    begun = [*CONCLUDED, starting(on=LATER, at=noon(LATER)), disputing(date(2025, 2, 3))]
    held = checking_in(held_on=date(2025, 3, 6), at=noon(date(2025, 3, 6)))
    events = after([*begun, held]).when(decide, settling(date(2025, 2, 3), date(2025, 3, 7))).events
    assert [each.due_on for each in events if isinstance(each, CheckInMissed)] == [date(2025, 3, 3)]
    assert not any(isinstance(each, TaskAssigned) for each in events), "it has been held since"
    owed = after(begun).when(decide, settling(date(2025, 2, 3), date(2025, 3, 7))).events
    assert [each.task for each in owed if isinstance(each, TaskAssigned)] == ["hold_check_in"]


def test_a_check_in_that_was_due_on_the_day_of_the_closing_was_not_missed() -> None:
    begun = [*CONCLUDED, starting(on=LATER, at=noon(LATER)), disputing(date(2025, 2, 3))]
    for closed_on, missed in ((date(2025, 3, 3), []), (date(2025, 3, 4), [date(2025, 3, 3)])):
        closed = closing(on=closed_on, at=noon(closed_on))
        events = after([*begun, closed]).when(decide, settling(date(2025, 2, 3), date(2025, 4, 1))).events
        assert [each.due_on for each in events if isinstance(each, CheckInMissed)] == missed


def test_a_talk_before_the_right_day_is_no_check_in_of_the_trial() -> None:
    held = checking_in(held_on=date(2025, 2, 5), at=noon(date(2025, 2, 5)))
    trial = person_after(*STARTED, held, disputing(), settling()).trial("trial-A1")
    assert trial is not None
    assert (trial[2].last_check_in_on, trial[2].check_in_due(None)) == (None, LATER + timedelta(weeks=4))


SUBSIDY: list[Command] = [
    opened(),
    drafting(measure=Measure.TEMPORARY_WAGE_SUBSIDY, wage_subsidy_percent=40, end_on=date(2025, 12, 31)),
    *approvals(decided=True),
    starting(),
    disputing(),
]


def test_the_subsidy_plan_steps_down_from_the_right_day() -> None:
    def steps(*commands: Command) -> list[tuple[date, int]]:
        person = person_after(*commands)
        found = person.agreement("A1")
        assert found is not None
        periods = plan_of(person, found[1]).periods
        return [(each.from_on, each.percent) for each in periods if each.from_on.day != 1]

    assert steps(*SUBSIDY) == [(date(2025, 2, 3), 40), (date(2025, 8, 3), 30)]
    assert steps(*SUBSIDY, settling()) == [(LATER, 40), (date(2025, 8, 10), 30)]


def test_what_was_held_extended_and_agreed_since_stays() -> None:
    held = checking_in(held_on=date(2025, 4, 7), at=noon(date(2025, 4, 7)))
    before = [*DISPUTED, held, extending()]
    was = person_after(*before).trial("trial-A1")
    now = person_after(*before, settling(at=date(2025, 4, 28))).trial("trial-A1")
    assert was is not None
    assert now is not None
    moved = replace(
        was[2],
        started_on=LATER,
        disputed=frozenset(),
        missed=now[2].missed,
        agreed_percents=((LATER, None), *was[2].agreed_percents[1:]),
    )
    assert now[2] == moved


def test_a_wrong_day_is_put_right_also_after_the_closing_which_does_not_drop_the_question() -> None:
    closed = [*DISPUTED, closing(on=date(2025, 4, 1), at=noon(date(2025, 4, 1)))]
    events = played([*closed, settling(at=date(2025, 4, 2))])
    assert started_in(events).end_on == date(2025, 5, 2), "the agreed last day is what it was"
    trial = person_after(*closed, settling(at=date(2025, 4, 2))).trial("trial-A1")
    assert trial is not None
    assert (trial[2].started_on, trial[2].closed_on) == (LATER, date(2025, 4, 1))
    after(closed).when(decide, settling(date(2025, 4, 2), date(2025, 4, 3))).then_refused("outside_agreement", ["/on"])
    asked_after = [*STARTED, closing(), disputing(at=date(2025, 5, 5))]
    assert kinds(played(asked_after))[-2:] == ["StartDisputed", "TaskAssigned"]


def test_a_day_that_was_put_right_can_be_disputed_again() -> None:
    again = [*DISPUTED, settling(), disputing(date(2025, 2, 3), date(2025, 2, 16), task_id="again")]
    events = played([*again, settling(date(2025, 2, 3), date(2025, 2, 17), task_id="again")])
    assert [each.on for each in events if isinstance(each, TrialStarted)] == [date(2025, 2, 3), LATER, date(2025, 2, 3)]
    assert [each.on for each in events if isinstance(each, StartReversed)] == [date(2025, 2, 3), LATER]
