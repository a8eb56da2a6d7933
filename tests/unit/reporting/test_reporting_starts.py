"""A start on the wrong day: the right one restates the figures, and nothing else about the person."""

from __future__ import annotations

from datetime import UTC, date, datetime

from chassis.projection import fold_all
from contracts import followup as fo
from services.reporting.domain.facts import slot
from services.reporting.domain.filters import Filter
from services.reporting.domain.periods import Period
from services.reporting.views import placement
from tests.gwt import records
from tests.overviews import trakt, ventetid
from tests.unit.reporting.test_reporting_traps import (
    SLOT,
    TODAY,
    TRIAL,
    happened,
    registered,
    slots,
    stage,
    started,
    waiting,
)

LATE = date(2025, 3, 14)
"""Six weeks after a talk on the second day of the wrong start."""


def test_a_start_on_the_wrong_day_restates_the_time_to_start_and_the_period_it_belonged_to() -> None:
    begin = [registered(date(2025, 1, 2)), started(date(2025, 1, 30))]
    missed = fo.CheckInMissed(**TRIAL, due_on=date(2025, 2, 27), playbook_version="1")
    taken_back = fo.StartReversed(
        **TRIAL,
        reversed_on=date(2025, 3, 3),
        on=date(2025, 1, 30),
        reason="records_show",
        check_ins_not_missed_on=(date(2025, 2, 27),),
    )
    right = started(date(2025, 2, 3))
    before, after = slots(*begin, missed), slots(*begin, missed, taken_back, right)
    assert waiting(ventetid(before, Filter(), TODAY)) == {"15_28": 1}
    assert waiting(ventetid(after, Filter(), TODAY)) == {"29_56": 1}
    february = Filter(period=Period(2025, 2))
    assert [stage(trakt(told, february), "started") for told in (before, after)] == [0, 1]
    (trial_before,), (trial_after,) = before[0].trials, after[0].trials
    assert (trial_before.missed, trial_after.missed) == ((date(2025, 2, 27),), ())
    # What somebody had declared when it was first recorded is what is told of them.
    put_right = records(fo.SOURCE, [taken_back, right], first=3, recorded=datetime(2025, 3, 3, 9, tzinfo=UTC))
    (document,) = fold_all(placement, [*happened(*begin, missed), *put_right]).values()
    (whole,) = (fact.trials for fact in [slot(SLOT, document)] if fact is not None)
    assert (whole[0].started_on, whole[0].recorded) == (date(2025, 2, 3), trial_before.recorded)


def test_a_talk_before_the_right_day_is_counted_neither_as_held_nor_as_an_answer_to_what_was_missed() -> None:
    begin = [registered(date(2025, 1, 2)), started(date(2025, 1, 30))]
    talk = fo.CheckInHeld(**TRIAL, check_in_id="C1", held_on=date(2025, 1, 31), progress="as_planned")
    due = {day: fo.CheckInMissed(**TRIAL, due_on=day, playbook_version="1") for day in (date(2025, 3, 3), LATE)}
    taken_back = fo.StartReversed(
        **TRIAL, reversed_on=date(2025, 3, 20), on=date(2025, 1, 30), reason="other", check_ins_not_missed_on=(LATE,)
    )
    wrong = [*begin, talk, due[LATE]]
    (before,), (after,) = slots(*wrong), slots(*wrong, taken_back, started(date(2025, 2, 3)), due[date(2025, 3, 3)])
    assert (before.trials[0].held, before.trials[0].missed) == ((date(2025, 1, 31),), (LATE,))
    assert (after.trials[0].held, after.trials[0].missed) == ((), (date(2025, 3, 3),))
    assert after.trials[0].overdue == (date(2025, 3, 3),)


def test_a_check_in_that_was_taken_back_is_counted_nowhere_and_what_was_missed_without_it_is() -> None:
    begin = [registered(date(2025, 1, 2)), started(date(2025, 1, 30))]
    days = {"C1": date(2025, 2, 20), "C2": date(2025, 2, 20), "C3": date(2025, 2, 25)}
    talks = [
        fo.CheckInHeld(**TRIAL, check_in_id=name, held_on=day, progress="as_planned") for name, day in days.items()
    ]
    forgotten = fo.CheckInMissed(**TRIAL, due_on=LATE, playbook_version="1")
    back = [
        fo.CheckInReversed(**TRIAL, check_in_id=name, held_on=days[name], reversed_on=LATE, reason="not_held")
        for name in ("C2", "C3")
    ]
    never_due = back[1].model_copy(update={"check_ins_not_missed_on": (LATE,)})
    due = fo.CheckInMissed(**TRIAL, due_on=date(2025, 4, 3), playbook_version="1")
    (before,), (after,) = slots(*begin, *talks, forgotten), slots(*begin, *talks, forgotten, back[0], never_due, due)
    assert (before.trials[0].held, before.trials[0].missed) == (tuple(days.values()), (LATE,))
    assert (after.trials[0].held, after.trials[0].missed) == ((days["C1"],), (date(2025, 4, 3),))
