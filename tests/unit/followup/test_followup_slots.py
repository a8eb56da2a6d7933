"""Plans and clocks of slots: made once, each deadline said once, delays and withdrawals beside them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.days import OSLO, oslo_day, promise_date
from contracts.followup import CheckInMissed, TaskAssigned, TrialStarted
from contracts.plans import (
    DeadlineApproaching,
    DeadlineMissed,
    DelayReported,
    PlanEnded,
    PlanMade,
    PlannedTask,
    PlanTaskCompleted,
)
from contracts.vocabulary import DelayReason, Measure, Party, Task
from services.followup.domain import playbook
from services.followup.domain.clock import Look, check_ins, days_left, deadlines, promise_days
from services.followup.domain.commands import Command, LookAtCheckIns
from services.followup.domain.decide import decide
from services.followup.domain.moments import oslo_midnight
from services.followup.domain.playbook import (
    CheckInRule,
    Interval,
    Override,
    Playbook,
    TaskRule,
    choose,
    editions,
    playbook_on,
)
from services.followup.domain.slot import (
    MISSED_DAY,
    UNKNOWN,
    CompletePlanTask,
    EndPlan,
    MakePlan,
    ReportDelay,
    SayDeadline,
    Slot,
    decide_slot,
    evolve_slot,
)
from tests.gwt import Given, given
from tests.unit.followup.followup_facts import (
    IDS,
    ORG,
    REGISTERED,
    STARTED,
    after,
    approvals,
    drafting,
    noon,
    opened,
    played,
    starting,
)

SLOT: dict[str, str] = {"slot_id": "S1", "need_id": "N1", "org_number": ORG}
MADE = MakePlan(**SLOT, intermediary="nav", municipality="3312", registered_on=REGISTERED, at=noon(REGISTERED))


def planned(*more: Any) -> Given[Slot]:
    return given(evolve_slot, UNKNOWN, [*decide_slot(MADE, UNKNOWN), *more])


def saying(day: int, at: datetime | None = None) -> SayDeadline:
    return SayDeadline(slot_id="S1", day=day, at=at or oslo_midnight(REGISTERED + timedelta(days=day)))


def due(task: str, responsible: str, on: date) -> PlannedTask:
    return PlannedTask(task=task, responsible=responsible, due_on=on)


def test_a_registered_need_gives_each_slot_a_plan_of_eight_tasks_with_their_days() -> None:
    given(evolve_slot, UNKNOWN).when(decide_slot, MADE).then(
        PlanMade(
            **SLOT,
            intermediary="nav",
            registered_on=REGISTERED,
            promise_date=date(2025, 2, 10),
            playbook_version="playbook-2000",
            tasks=(
                due("contact_employer", "counsellor", date(2025, 1, 15)),
                due("propose", "counsellor", date(2025, 1, 18)),
                due("ask", "counsellor", date(2025, 1, 20)),
                due("present", "counsellor", date(2025, 1, 23)),
                due("answer", "employer", date(2025, 1, 27)),
                due("meet", "employer", date(2025, 1, 31)),
                due("agree", "counsellor", date(2025, 2, 3)),
                due("start", "employer", date(2025, 2, 10)),
            ),
        )
    )
    planned().when(decide_slot, MADE).then()


def test_a_plan_that_is_made_late_asks_for_nothing_before_the_day_on_which_it_is_made() -> None:
    late = MakePlan(**{**vars(MADE), "at": noon(date(2025, 1, 29))})
    event = decide_slot(late, UNKNOWN)[0]
    assert isinstance(event, PlanMade)
    assert min(task.due_on for task in event.tasks) == date(2025, 1, 29)
    assert event.promise_date == date(2025, 2, 10)


def test_the_promise_comes_near_on_days_14_21_and_28_and_is_missed_on_day_29() -> None:
    made = decide_slot(MADE, UNKNOWN)[0]
    assert [look.on for look in deadlines(made)] == [
        date(2025, 1, 27),
        date(2025, 2, 3),
        date(2025, 2, 10),
        date(2025, 2, 11),
    ]
    assert next(iter(deadlines(made))).at == datetime(2025, 1, 26, 23, tzinfo=UTC)
    midnight = oslo_midnight(date(2025, 1, 27))
    planned().when(decide_slot, saying(14)).then(
        DeadlineApproaching(
            **SLOT, day=14, days_left=14, on=date(2025, 1, 27), promise_date=date(2025, 2, 10), occurred=midnight
        )
    )
    planned().when(decide_slot, saying(MISSED_DAY)).then(
        DeadlineMissed(
            **SLOT,
            on=date(2025, 2, 11),
            promise_date=date(2025, 2, 10),
            occurred=oslo_midnight(date(2025, 2, 11)),
        )
    )


def test_a_deadline_is_said_once_and_not_a_millisecond_early_however_often_and_late_it_is_asked_for() -> None:
    early = oslo_midnight(date(2025, 2, 11)) - timedelta(milliseconds=1)
    planned().when(decide_slot, saying(MISSED_DAY, early)).then()
    late = saying(14, noon(date(2025, 6, 1)))
    said = decide_slot(late, planned().state)
    assert [oslo_day(each.occurred) for each in said if each.occurred is not None] == [date(2025, 1, 27)]
    planned(*said).when(decide_slot, late).then()


def test_nothing_is_said_of_a_slot_that_is_filled_or_withdrawn_or_unknown() -> None:
    started = played(STARTED)[-2]
    filled = started.model_copy(update={"slot_id": "S1"})
    planned(filled).when(decide_slot, saying(21)).then()
    ended = decide_slot(EndPlan(slot_id="S1", at=noon(date(2025, 1, 20))), planned().state)
    planned(*ended).when(decide_slot, saying(21)).then()
    given(evolve_slot, UNKNOWN).when(decide_slot, saying(21)).then()


def test_a_withdrawn_slot_is_ended_once_and_stays_known_while_a_filled_one_goes_on() -> None:
    end = EndPlan(slot_id="S1", at=noon(date(2025, 1, 20)))
    event = PlanEnded(**SLOT, ended_on=date(2025, 1, 20), reason="need_withdrawn")
    planned().when(decide_slot, end).then(event)
    planned(event).when(decide_slot, end).then()
    planned(event).when(decide_slot, MADE).then()
    filled = played(STARTED)[-2].model_copy(update={"slot_id": "S1"})
    planned(filled).when(decide_slot, end).then()
    assert IDS["need_id"] == "N1"


def test_people_complete_what_no_event_tells_and_nothing_else() -> None:
    contact = CompletePlanTask(
        slot_id="S1",
        acting=Party.COUNSELLOR,
        task=Task.CONTACT_EMPLOYER,
        on=date(2025, 1, 14),
        at=noon(date(2025, 1, 15)),
    )
    done = PlanTaskCompleted(
        **SLOT,
        task="contact_employer",
        completed_on=date(2025, 1, 14),
        completed_by="counsellor",
        occurred=noon(date(2025, 1, 14)),
    )
    planned().when(decide_slot, contact).then(done)
    planned(done).when(decide_slot, contact).then_refused("task_done", ["/task"], status=409)
    for but, code, fields in (
        ({"acting": Party.EMPLOYER}, "not_yours_to_say", []),
        ({"task": Task.PROPOSE}, "task_completes_itself", ["/task"]),
        ({"on": date(2025, 1, 16)}, "date_in_future", ["/on"]),
        ({"on": date(2025, 1, 12)}, "before_registration", ["/on"]),
    ):
        planned().when(decide_slot, CompletePlanTask(**{**vars(contact), **but})).then_refused(code, fields)


def test_a_delay_of_the_employer_is_a_fact_beside_the_clock_which_goes_on() -> None:
    report = ReportDelay(
        slot_id="S1",
        acting=Party.EMPLOYER,
        caused_by=Party.EMPLOYER,
        reason=DelayReason.MEETING_POSTPONED,
        from_on=date(2025, 1, 20),
        at=noon(date(2025, 1, 21)),
    )
    delay = DelayReported(
        **SLOT,
        caused_by="employer",
        reason="meeting_postponed",
        from_on=date(2025, 1, 20),
        reported_on=date(2025, 1, 21),
        occurred=noon(date(2025, 1, 20)),
    )
    planned().when(decide_slot, report).then(delay)
    assert len(planned(delay).when(decide_slot, saying(14)).events) == 1
    for but, code, fields in (
        ({"caused_by": Party.PARTICIPANT}, "not_your_delay", ["/caused_by"]),
        ({"acting": Party.PARTICIPANT}, "not_yours_to_say", []),
        ({"from_on": date(2025, 1, 22)}, "date_in_future", ["/from_on"]),
    ):
        planned().when(decide_slot, ReportDelay(**{**vars(report), **but})).then_refused(code, fields)
    given(evolve_slot, UNKNOWN).when(decide_slot, report).then_refused("plan_unknown", status=404)
    ended = decide_slot(EndPlan(slot_id="S1", at=noon(date(2025, 1, 20))), planned().state)
    planned(*ended).when(decide_slot, report).then_refused("slot_withdrawn")
    filled = played(STARTED)[-2].model_copy(update={"slot_id": "S1"})
    planned(filled).when(decide_slot, report).then_refused("slot_filled")


@generated(hours=st.integers(0, 3 * 8766))
@settings(max_examples=40, deadline=None)
def test_the_clock_never_counts_a_day_twice_also_over_daylight_saving(hours: int) -> None:
    registered_on = oslo_day(datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hours))
    # Every half hour of the promise: a day is counted when it begins, once, and there are 28 of them.
    moments = [oslo_midnight(registered_on) + timedelta(minutes=30 * step) for step in range(31 * 48)]
    shown = [promise_days(registered_on, oslo_day(moment)) for moment in moments]
    assert shown == sorted(shown)
    changes = [later - earlier for earlier, later in pairwise(shown)]
    assert set(changes) <= {0, 1}
    begins = {day: moments[shown.index(day)] for day in range(30)}
    assert begins == {day: oslo_midnight(registered_on + timedelta(days=day)) for day in range(30)}
    assert all(begins[day].astimezone(OSLO).hour == 0 for day in range(30))
    assert days_left(registered_on, promise_date(registered_on)) == 0


def test_a_day_of_23_and_one_of_25_hours_are_one_day_each() -> None:
    spring, autumn = date(2025, 3, 30), date(2025, 10, 26)
    for day, hours in ((spring, 23), (autumn, 25)):
        assert oslo_midnight(day + timedelta(days=1)) - oslo_midnight(day) == timedelta(hours=hours)
        assert promise_days(day, day + timedelta(days=1)) == 1


OWN = Override(
    version="3312-2026",
    valid_from=date(2026, 1, 1),
    municipality="3312",
    tasks=(TaskRule(task=Task.CONTACT_EMPLOYER, responsible=Party.EMPLOYER, due_day=1),),
)


def test_a_municipality_overrides_what_it_names_from_its_day_on() -> None:
    def rule(day: date, municipality: str | None) -> tuple[str, Party, int]:
        found = choose(editions(), [OWN], day, municipality)
        contact = found.rule(Task.CONTACT_EMPLOYER)
        return found.version, contact.responsible, contact.due_day

    assert rule(date(2026, 1, 1), "3312") == ("playbook-2000+3312-2026", Party.EMPLOYER, 1)
    assert rule(date(2025, 12, 31), "3312") == ("playbook-2000", Party.COUNSELLOR, 2)
    assert rule(date(2026, 1, 1), "0301") == rule(date(2026, 1, 1), None) == ("playbook-2000", Party.COUNSELLOR, 2)
    assert choose(editions(), [OWN], date(2026, 1, 1), "3312").rule(Task.PROPOSE).due_day == 5


WITHIN = Override(
    version="3312-2026",
    valid_from=date(2026, 1, 1),
    municipality="3312",
    check_ins={Measure.WORK_TRAINING: CheckInRule(first=Interval(weeks=2), every=Interval(weeks=3))},
    voice_answered_within_days=1,
    employment_asked_within_days=7,
)


def test_a_municipality_has_its_own_check_ins_and_times_to_answer_and_the_rest_is_the_edition() -> None:
    own, general = (choose(editions(), [WITHIN], date(2026, 1, 5), where) for where in ("3312", "0301"))
    start = date(2026, 1, 5)
    assert own.check_in_due(Measure.WORK_TRAINING, start, None) == start + timedelta(weeks=2)
    assert own.check_in_due(Measure.WORK_TRAINING, start, start) == start + timedelta(weeks=3)
    assert own.check_ins[Measure.SUMMER_JOB] == general.check_ins[Measure.SUMMER_JOB]
    assert (own.voice_answered_within_days, own.employment_asked_within_days) == (1, 7)
    assert (general.voice_answered_within_days, general.employment_asked_within_days) == (3, 14)
    assert (own.approaching_days, own.tasks) == (general.approaching_days, general.tasks)


def test_an_override_that_names_nothing_or_no_time_at_all_stops_the_start() -> None:
    usual = {"version": "1", "valid_from": date(2026, 1, 1), "municipality": "3312"}
    for named in ({}, {"voice_answered_within_days": 0}, {"approaching_days": [7]}):
        with pytest.raises(ValidationError):
            Override.model_validate({**usual, **named})


def test_a_case_and_its_timers_follow_the_playbook_of_the_municipality_of_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    confirms = TaskRule(task=Task.START, responsible=Party.COUNSELLOR, due_day=28)
    own = WITHIN.model_copy(update={"valid_from": date(2000, 1, 1), "tasks": (confirms,)})
    known = (editions(), (own,))
    monkeypatch.setattr(playbook, "_loaded", lambda: known)
    begun: list[Command] = [opened(municipality="3312"), drafting(), *approvals(), starting()]
    assigned = [event for event in played(begun) if isinstance(event, TaskAssigned)]
    assert {event.municipality for event in assigned} == {"3312"}
    assert assigned[-1].responsible == "counsellor"
    started = next(event for event in played(begun) if isinstance(event, TrialStarted))
    due = started.on + timedelta(weeks=2)
    assert due + timedelta(days=1) in {look.on for look in check_ins(started)}
    look = LookAtCheckIns(
        trial_id="trial-A1", on=due + timedelta(days=1), task_id="T", at=noon(due + timedelta(days=1))
    )
    missed = after(begun).when(decide, look).events[0]
    assert isinstance(missed, CheckInMissed)
    assert (missed.due_on, missed.playbook_version) == (due, "playbook-2000+3312-2026")
    elsewhere: list[Command] = [opened(municipality="0301"), drafting(), *approvals(), starting()]
    after(elsewhere).when(decide, look).then()


def test_an_edition_that_does_not_hold_together_stops_the_start() -> None:
    edition = editions()[0].model_dump()
    tasks = edition["tasks"]
    faults: list[dict[str, Any]] = [
        {"tasks": tasks[1:]},
        {"tasks": [{**tasks[0], "due_day": 30}, *tasks[1:]]},
        {"tasks": [*tasks[:-1], {**tasks[-1], "due_day": 29}]},
        {"check_ins": {}},
        {"colour": "grey"},
    ]
    for fault in faults:
        with pytest.raises(ValidationError):
            Playbook.model_validate({**edition, **fault})


def test_a_plan_keeps_its_days_when_a_later_edition_comes_and_looks_on_those_of_its_own() -> None:
    assert playbook_on(REGISTERED).approaching_days == (14, 21, 28)
    assert [look.day for look in deadlines(decide_slot(MADE, UNKNOWN)[0])] == [14, 21, 28, MISSED_DAY]
    assert list(deadlines(PlanEnded(**SLOT, ended_on=REGISTERED, reason="need_withdrawn"))) == []
    assert Look(REGISTERED).at == oslo_midnight(REGISTERED)
