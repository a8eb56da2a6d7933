"""The plan of a slot as it is shown: tasks complete with what others say, and open again when it no longer holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from chassis.projection import Document, fold_all
from contracts import followup, intake, matching
from contracts.event import Event
from contracts.followup import (
    AgreementAnnulled,
    AgreementChanged,
    AgreementConcluded,
    AgreementExpired,
    NoShowReported,
)
from contracts.intake import NeedExpired, NeedWithdrawn
from contracts.matching import (
    CandidateAsked,
    CandidateDeclined,
    CandidateMatched,
    CandidatePresented,
    EmployerResponded,
    InterviewHeld,
    MatchCancelled,
    MatchConfirmed,
    NeedAssigned,
    PresentationReversed,
)
from contracts.plans import PlanTaskCompleted
from services.followup.domain.slot import UNKNOWN, decide_slot
from services.followup.plan import ClockClass, TaskState, figures, open_task, plan_tasks, slot_clock
from services.followup.planview import ASSIGNMENTS, PLANS
from tests.gwt import folded, records
from tests.unit.followup.followup_facts import IDS, ORG, REGISTERED, STARTED, played
from tests.unit.followup.test_followup_reactions import confirmed, registered
from tests.unit.followup.test_followup_slots import MADE, SLOT

MATCH: dict[str, str] = {**IDS, "slot_id": "S1"}
DAY = date(2025, 1, 14)
MATCHED = CandidateMatched(**MATCH, intermediary="nav", score=1, reasons=(), rule_version="1", matched_on=DAY)
ASKED = CandidateAsked(**MATCH, asked_on=DAY, deadline=DAY)
PRESENTED = CandidatePresented(**MATCH, presented_on=date(2025, 1, 16))
ANSWERED = EmployerResponded(**MATCH, responded_on=date(2025, 1, 17), response="interview")
MET = InterviewHeld(**MATCH, held_on=date(2025, 1, 18))
CONFIRMED: MatchConfirmed = confirmed(slot_id="S1")
CONCLUDED = AgreementConcluded(
    **MATCH,
    agreement_id="A1",
    concluded_on=date(2025, 1, 24),
    measure="work_training",
    start_on=date(2025, 2, 3),
    end_on=date(2025, 5, 2),
)
BEGUN = played(STARTED)[-2].model_copy(update={"slot_id": "S1"})


def slot(*more: Event) -> Document:
    """The document of the slot after its plan was made and this was said."""
    sources: dict[str, list[Event]] = {intake.SOURCE: [registered("S1")], matching.SOURCE: [], followup.SOURCE: []}
    sources[followup.SOURCE] += decide_slot(MADE, UNKNOWN)
    for event in more:
        module = type(event).__module__
        source = {"contracts.intake": intake.SOURCE, "contracts.matching": matching.SOURCE}
        sources[source.get(module, followup.SOURCE)].append(event)
    told = [records(source, events) for source, events in sources.items() if events]
    return folded(PLANS, *told)["S1"]


def reached(*more: Event) -> int:
    """How many tasks are done."""
    tasks = plan_tasks(slot(*more), DAY)
    return sum(task.state == TaskState.DONE for task in tasks)


STEPS: list[tuple[Sequence[Event], int]] = [
    ([], 0),
    ([PlanTaskCompleted(**SLOT, task="contact_employer", completed_on=DAY, completed_by="counsellor")], 1),
    ([MATCHED], 2),
    ([MATCHED, ASKED], 3),
    ([MATCHED, ASKED, PRESENTED], 4),
    ([MATCHED, ASKED, PRESENTED, ANSWERED], 5),
    ([MATCHED, ASKED, PRESENTED, ANSWERED, MET], 6),
    ([MATCHED, CONFIRMED], 6),
    ([MATCHED, CONFIRMED, CONCLUDED], 7),
    ([MATCHED, CONFIRMED, CONCLUDED, BEGUN], 8),
    # What no longer holds is open again.
    ([MATCHED, ASKED, PRESENTED, PresentationReversed(**MATCH, reversed_on=DAY)], 3),
    ([MATCHED, ASKED, CandidateDeclined(**MATCH, declined_on=DAY, reason="travel")], 0),
    ([MATCHED, ASKED, MatchCancelled(**MATCH, cancelled_on=DAY, reason="other")], 0),
    ([CONFIRMED, CONCLUDED, AgreementAnnulled(**MATCH, agreement_id="A1", annulled_on=DAY, reason="other")], 6),
    ([CONFIRMED, CONCLUDED, NoShowReported(**MATCH, agreement_id="A1", on=DAY, reported_by="employer")], 6),
    ([CONFIRMED, AgreementExpired(**MATCH, agreement_id="A1", expired_on=DAY, rule_version="1")], 6),
    (
        [
            CONFIRMED,
            CONCLUDED,
            AgreementChanged(
                **MATCH,
                agreement_id="A1",
                content_version=2,
                changed_on=DAY,
                effective_on=DAY,
                measure="work_training",
                start_on=DAY,
                end_on=DAY,
                hours_per_week=30.0,
                decision_maker_needed=False,
                rule_version="1",
            ),
        ],
        6,
    ),
]


@pytest.mark.parametrize(("more", "done"), STEPS)
def test_tasks_are_done_by_what_still_holds_and_everything_before_them(more: Sequence[Event], done: int) -> None:
    assert reached(*more) == done
    task = open_task(slot(*more), DAY)
    assert (None if task is None else [each.task for each in plan_tasks(slot(), DAY)].index(task.task)) == (
        None if done == 8 else done
    )


def test_another_match_of_the_slot_keeps_what_it_has_reached() -> None:
    other = MATCHED.model_copy(update={"match_id": "M2"})
    assert reached(MATCHED, ASKED, other, MatchCancelled(**MATCH, cancelled_on=DAY, reason="other")) == 2


def test_a_task_is_overdue_the_day_after_its_due_day() -> None:
    first = plan_tasks(slot(), date(2025, 1, 15))[0]
    assert (first.due_on, first.overdue) == (date(2025, 1, 15), False)
    assert plan_tasks(slot(), date(2025, 1, 16))[0].overdue


@pytest.mark.parametrize(("on", "state"), [(date(2025, 2, 10), ClockClass.KEPT), (date(2025, 2, 11), ClockClass.LATE)])
def test_a_start_on_day_28_keeps_the_promise_and_on_day_29_misses_it_whenever_it_was_typed(
    on: date, state: ClockClass
) -> None:
    begun = BEGUN.model_copy(update={"on": on})
    clock = slot_clock(slot(begun), date(2025, 6, 1))
    assert (clock.state, clock.day) == (state, (on - REGISTERED).days)
    assert slot_clock(slot(), on).state == (ClockClass.RUNNING if state == ClockClass.KEPT else ClockClass.OVERDUE)


def test_a_withdrawn_slot_is_a_class_of_its_own_unless_somebody_had_started() -> None:
    gone = NeedWithdrawn(
        need_id="N1", org_number=ORG, slot_ids=("S1",), reason="no_longer_needed", withdrawn_on=date(2025, 1, 20)
    )
    document = slot(gone)
    assert slot_clock(document, date(2025, 6, 1)).state == ClockClass.WITHDRAWN
    assert {task.state for task in plan_tasks(document, DAY)} == {TaskState.VOID}
    assert slot_clock(slot(gone, BEGUN), date(2025, 6, 1)).state == ClockClass.KEPT


def test_an_expired_slot_stays_in_the_figure_as_a_promise_that_was_not_kept() -> None:
    over = NeedExpired(need_id="N1", org_number=ORG, slot_ids=("S1",), expired_on=date(2025, 2, 1))
    document = slot(over)
    clock = slot_clock(document, date(2025, 6, 1))
    assert (clock.state, clock.day) == (ClockClass.EXPIRED, (date(2025, 2, 1) - REGISTERED).days)
    assert {task.state for task in plan_tasks(document, DAY)} == {TaskState.VOID}
    assert slot_clock(slot(over, BEGUN), date(2025, 6, 1)).state == ClockClass.KEPT
    everything, _ = figures([document], date(2025, 6, 1))
    assert (everything.expired, everything.kept_percent) == (1, 0)


def test_an_employer_who_asked_for_a_late_start_is_shown_apart_and_stays_in_the_figure() -> None:
    late = registered("S1").model_copy(update={"start_from": date(2025, 2, 11)})
    in_time = registered("S1").model_copy(update={"start_from": date(2025, 2, 10)})
    for need, apart in ((late, True), (in_time, False)):
        told = [records(intake.SOURCE, [need]), records(followup.SOURCE, decide_slot(MADE, UNKNOWN))]
        document = folded(PLANS, *told)["S1"]
        assert slot_clock(document, DAY).delayed_by_employer == apart
        everything, without = figures([document], DAY)
        assert (everything.slots, without.slots) == (1, 0 if apart else 1)


def test_figures_of_nothing_are_nothing() -> None:
    everything, _ = figures([], DAY)
    assert (everything.slots, everything.median_days, everything.kept_percent) == (0, None, None)


def test_the_last_assignment_says_who_works_on_a_need() -> None:
    assigned: list[Any] = [
        NeedAssigned(need_id="N1", org_number=ORG, intermediary=who, assigned_on=DAY)
        for who in ("nav", "adult_education")
    ]
    assert fold_all(ASSIGNMENTS, records(matching.SOURCE, assigned)) == {"N1": {"intermediary": "adult_education"}}
