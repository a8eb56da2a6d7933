"""A thousand simulated cases with injected delays: what is shown equals what plain loops find in the events."""

from __future__ import annotations

import random
from datetime import date

import pytest

from chassis.projection import Document, Record, fold_all
from services.followup.plan import Figures, figures, plan_tasks, slot_clock
from services.followup.planview import PLANS
from tests.unit.followup.history import HORIZON, World
from tests.unit.followup.recompute import (
    Recomputed,
    approvals_are_in_order,
    deadlines_are_right,
    drafts_expire_when_nobody_touches_them,
    missed_check_ins,
    periods_that_overlap,
    recompute,
    starts_that_were_moved,
)
from tests.unit.followup.simulation import simulate

CASES = 1000
TODAY = HORIZON.date()


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(seed=20250113, cases=CASES)


@pytest.fixture(scope="module")
def told(world: World) -> list[Record]:
    return world.records()


def shuffled(told: list[Record], seed: int) -> list[Record]:
    """Subjects in any order, each in its own, and some records twice."""
    chance = random.Random(seed)
    queues: dict[tuple[str, str], list[Record]] = {}
    for record in told:
        queues.setdefault((record.source, record.subject), []).append(record)
    turns = [key for key, queue in queues.items() for _ in queue]
    chance.shuffle(turns)
    taken = {key: iter(queue) for key, queue in queues.items()}
    arrived: list[Record] = []
    for key in turns:
        arrived.append(next(taken[key]))
        if chance.random() < 0.1:
            arrived.append(chance.choice(arrived))
    return arrived


def shown(told: list[Record]) -> dict[str, Document]:
    return fold_all(PLANS, told)


def as_recomputed(found: Figures) -> Recomputed:
    return Recomputed(
        found.kept,
        found.late,
        found.running,
        found.overdue,
        found.withdrawn,
        found.delayed_by_employer,
        found.median_days,
    )


@pytest.mark.parametrize("today", [TODAY, date(2025, 3, 30), date(2024, 10, 27)])
def test_the_figures_of_a_thousand_cases_equal_plain_loops_over_the_events(told: list[Record], today: date) -> None:
    known = [record for record in told if record.recorded.date() <= today]
    made = [slot for slot in shown(known).values() if "plan" in slot]
    planned = {slot["slot_id"] for slot in made}
    # A slot whose plan has not been made yet, since followup was away, is in no figure yet.
    heard = [
        record
        for record in known
        if type(record.event).__name__ != "NeedRegistered" or getattr(record.event, "slot_ids", ("",))[0] in planned
    ]
    everything, without = figures(made, today)
    assert as_recomputed(everything) == recompute(heard, today)
    assert as_recomputed(without) == recompute(heard, today, without_delayed=True)
    assert everything.slots == everything.kept + everything.late + everything.running + (
        everything.overdue + everything.withdrawn
    )


def test_every_class_is_reached_and_every_mistake_was_tried(world: World, told: list[Record]) -> None:
    everything, without = figures(shown(told).values(), TODAY)
    assert (everything.slots, everything.running) == (CASES, 0)
    assert min(everything.kept, everything.late, everything.overdue, everything.withdrawn) > 50
    assert 50 < everything.delayed_by_employer < CASES
    assert without.slots == CASES - everything.delayed_by_employer
    assert {"overlaps", "approval_out_of_order", "already_approved", "start_too_far_back"} <= set(world.refused)


def test_every_deadline_is_said_once_on_its_day_and_never_after_a_start(told: list[Record]) -> None:
    assert deadlines_are_right(told) > CASES


def test_every_start_that_was_put_right_is_judged_by_the_right_day(world: World, told: list[Record]) -> None:
    assert starts_that_were_moved(told) > 30
    assert {"start_date_differs", "start_reason_missing", "outside_agreement"} & set(world.refused)


def test_every_draft_that_nobody_touched_expired_after_its_warnings(told: list[Record]) -> None:
    followup = [record for record in told if record.source == "dugnad/followup"]
    assert drafts_expire_when_nobody_touches_them(followup) > 10


def test_every_check_in_that_was_not_held_in_time_is_said_to_be_missed_and_no_other(told: list[Record]) -> None:
    trials = {
        record.event.data()["trial_id"]
        for record in told
        if type(record.event).__name__ == "TrialStarted" and record.event.data()["measure"] == "work_training"
    }
    said: list[tuple[str, date]] = []
    for record in told:
        each, kind = record.event.data(), type(record.event).__name__
        if kind == "CheckInMissed" and each["trial_id"] in trials:
            said.append((each["trial_id"], date.fromisoformat(each["due_on"])))
        elif kind in ("StartReversed", "CheckInReversed") and each["trial_id"] in trials:
            for due_on in each["check_ins_not_missed_on"]:
                # Taken back with the day that it was counted from.
                said.remove((each["trial_id"], date.fromisoformat(due_on)))
    assert sum(type(record.event).__name__ == "CheckInReversed" for record in told) > 50
    assert len(said) == len(set(said)) > 50
    assert set(said) <= missed_check_ins(told)
    # Timers were at most some three days late: what nobody held for longer has been said.
    surely = missed_check_ins(told, patience=6)
    assert len(surely) > 20
    assert surely <= set(said)


def test_approvals_are_in_order_and_no_two_periods_of_one_person_overlap(told: list[Record]) -> None:
    assert approvals_are_in_order(told) > 300
    assert periods_that_overlap(told) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_any_order_of_arrival_and_any_repetition_give_the_same_plans(told: list[Record], seed: int) -> None:
    expected = shown(told)
    assert shown(shuffled(told, seed)) == expected
    for slot in expected.values():
        clock, tasks = slot_clock(slot, TODAY), plan_tasks(slot, TODAY)
        assert [task.due_on for task in tasks] == sorted(task.due_on for task in tasks)
        order = [task.state.value for task in tasks]
        # Done, then what is open, then what comes later: never anything done behind something that is not.
        ranks = [("done", "open", "later", "void").index(state) for state in order]
        assert ranks == sorted(ranks)
        assert (clock.state.value in ("kept", "late")) == (order[-1] == "done")
