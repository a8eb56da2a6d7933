"""Trials: start, no-show, check-ins, closing; the Lier case to the letter."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st

from contracts.days import oslo_day
from contracts.followup import (
    CheckInHeld,
    NoShowReported,
    TaskCompleted,
    TrialClosed,
    TrialStarted,
)
from contracts.vocabulary import CloseReason, Measure, Outcome, Party
from services.followup.domain.commands import Command
from services.followup.domain.decide import decide
from tests.unit.followup.followup_facts import (
    CONCLUDED,
    IDS,
    STARTED,
    after,
    annulling,
    approvals,
    checking_in,
    closing,
    drafting,
    extending,
    noon,
    not_showing,
    opened,
    starting,
)


def agreed_from(day: date) -> list[Command]:
    """An agreement concluded for a need registered that day, which may start at once."""
    return [opened(registered_on=day), drafting(registered_on=day, start_on=day, at=noon(day)), *approvals()]


def test_the_confirmed_start_stops_the_clock_on_day_21_in_lier() -> None:
    started = TrialStarted(
        **IDS,
        trial_id="trial-A1",
        agreement_id="A1",
        on=date(2025, 2, 3),
        confirmed_by="employer",
        measure="work_training",
        end_on=date(2025, 5, 2),
        days_from_need=21,
        within_promise=True,
        rule_version="2024-01-01",
        occurred=noon(date(2025, 2, 3)),
    )
    done = TaskCompleted(**IDS, task_id="A1-start", task="confirm_start", completed_on=date(2025, 2, 3))
    after(CONCLUDED).when(decide, starting()).then(started, done)


@pytest.mark.parametrize(
    ("registered_on", "on", "days", "kept"),
    [
        (date(2025, 1, 6), date(2025, 2, 3), 28, True),
        (date(2025, 1, 6), date(2025, 2, 4), 29, False),
        (date(2025, 2, 3), date(2025, 2, 3), 0, True),
        # Summer time begins on 30 March 2025.
        (date(2025, 3, 1), date(2025, 3, 29), 28, True),
        (date(2025, 3, 5), date(2025, 4, 2), 28, True),
        (date(2025, 3, 5), date(2025, 4, 3), 29, False),
    ],
)
def test_day_28_keeps_the_promise_and_day_29_misses_it(registered_on: date, on: date, days: int, kept: bool) -> None:
    agreed = agreed_from(registered_on)
    event = after(agreed).when(decide, starting(registered_on=registered_on, on=on, at=noon(on))).events[0]
    assert isinstance(event, TrialStarted)
    assert (event.days_from_need, event.within_promise) == (days, kept)


def test_a_need_of_23_30_utc_counts_from_the_next_day_in_oslo() -> None:
    registered_on = oslo_day(datetime(2025, 3, 1, 23, 30, tzinfo=UTC))
    agreed = agreed_from(registered_on)
    on = date(2025, 3, 30)
    event = after(agreed).when(decide, starting(registered_on=registered_on, on=on, at=noon(on))).events[0]
    assert isinstance(event, TrialStarted)
    assert (event.days_from_need, event.within_promise) == (28, True)


@generated(days=st.integers(0, 80), typed_later=st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_the_clock_counts_calendar_days_whenever_the_start_is_typed(days: int, typed_later: int) -> None:
    registered_on = date(2025, 2, 3)
    on = registered_on + timedelta(days=days)
    agreed = agreed_from(registered_on)
    typed = starting(registered_on=registered_on, on=on, at=noon(on + timedelta(days=typed_later)))
    event = after(agreed).when(decide, typed).events[0]
    assert isinstance(event, TrialStarted)
    assert (event.days_from_need, event.within_promise) == (days, days <= 28)
    assert event.occurred is not None
    assert oslo_day(event.occurred) == on


def test_a_start_tomorrow_is_refused_also_when_it_is_tomorrow_in_oslo_alone() -> None:
    after(CONCLUDED).when(decide, starting(at=noon(date(2025, 2, 2)))).then_refused(
        "date_in_future", ["/on"], status=422
    )
    before_midnight = datetime(2025, 2, 2, 22, 59, tzinfo=UTC)
    after(CONCLUDED).when(decide, starting(at=before_midnight)).then_refused("date_in_future", ["/on"])
    assert after(CONCLUDED).when(decide, starting(at=before_midnight + timedelta(minutes=1))).events


def test_the_start_lies_within_the_agreement() -> None:
    for on in (date(2025, 2, 2), date(2025, 5, 3)):
        after(CONCLUDED).when(decide, starting(on=on, at=noon(date(2025, 5, 4)))).then_refused(
            "outside_agreement", ["/on"], status=422
        )
    assert after(CONCLUDED).when(decide, starting(on=date(2025, 5, 2), at=noon(date(2025, 5, 4)))).events


def test_nothing_starts_that_is_not_concluded_or_did_not_begin() -> None:
    after(opened(), drafting()).when(decide, starting()).then_refused("not_concluded")
    after(CONCLUDED, annulling()).when(decide, starting()).then_refused("agreement_annulled")
    after(CONCLUDED, not_showing()).when(decide, starting()).then_refused("no_show_reported")
    after(opened()).when(decide, starting()).then_refused("agreement_unknown")


@pytest.mark.parametrize("acting", [Party.PARTICIPANT, Party.DECISION_MAKER])
def test_employer_or_counsellor_confirm_the_start(acting: Party) -> None:
    after(CONCLUDED).when(decide, starting(acting=acting)).then_refused("not_yours_to_say", status=409)
    after(CONCLUDED).when(decide, not_showing(acting=acting)).then_refused("not_yours_to_say", status=409)
    assert after(CONCLUDED).when(decide, starting(acting=Party.COUNSELLOR)).events


def test_a_later_start_after_the_step_begins_at_the_lower_per_cent() -> None:
    usual = {"measure": Measure.TEMPORARY_WAGE_SUBSIDY}
    before: list[Command] = [
        opened(),
        drafting(**usual),
        *approvals(decided=True),
        starting(),
        closing(at=noon(date(2025, 5, 3))),
        opened("M2", registered_on=date(2025, 7, 20)),
        drafting(
            "M2",
            "A2",
            registered_on=date(2025, 7, 20),
            start_on=date(2025, 8, 1),
            end_on=date(2025, 12, 31),
            at=noon(date(2025, 7, 21)),
            **usual,
        ),
        *approvals("A2", decided=True, at=noon(date(2025, 7, 22))),
    ]
    for on, percent in [(date(2025, 8, 2), 40), (date(2025, 8, 3), 30)]:
        event = (
            after(before)
            .when(decide, starting("A2", registered_on=date(2025, 7, 20), on=on, at=noon(date(2025, 8, 4))))
            .events[0]
        )
        assert isinstance(event, TrialStarted)
        assert event.wage_subsidy_percent == percent


def test_a_no_show_leaves_the_clock_running_and_ends_the_case() -> None:
    no_show = NoShowReported(
        **IDS, agreement_id="A1", on=date(2025, 2, 3), reported_by="employer", occurred=noon(date(2025, 2, 3))
    )
    done = TaskCompleted(**IDS, task_id="A1-start", task="confirm_start", completed_on=date(2025, 2, 3))
    after(CONCLUDED).when(decide, not_showing()).then(no_show, done)
    after(CONCLUDED).when(decide, not_showing(at=noon(date(2025, 2, 2)))).then_refused("date_in_future", ["/on"])
    after(CONCLUDED).when(decide, not_showing(on=date(2025, 2, 1))).then_refused("outside_agreement", ["/on"])
    after(STARTED).when(decide, not_showing()).then_refused("already_started")


def test_a_check_in_says_how_it_goes_and_seals_the_note() -> None:
    held = CheckInHeld(
        **IDS,
        trial_id="trial-A1",
        agreement_id="A1",
        check_in_id="C1",
        held_on=date(2025, 3, 3),
        progress="as_planned",
        sealed={"note": "goes well"},
        occurred=noon(date(2025, 3, 3)),
    )
    after(STARTED).when(decide, checking_in(note="goes well")).then(held)


@pytest.mark.parametrize(
    ("held_on", "code"),
    [
        (date(2025, 2, 2), "outside_trial"),
        (date(2025, 5, 3), "outside_trial"),
        (date(2025, 6, 2), "date_in_future"),
    ],
)
def test_a_check_in_lies_within_the_trial_and_not_in_the_future(held_on: date, code: str) -> None:
    after(STARTED).when(decide, checking_in(held_on=held_on, at=noon(date(2025, 6, 1)))).then_refused(
        code, ["/held_on"], status=422
    )


def test_the_trial_of_lier_closes_with_a_job() -> None:
    after(STARTED).when(decide, closing()).then(
        TrialClosed(
            **IDS,
            trial_id="trial-A1",
            agreement_id="A1",
            on=date(2025, 5, 2),
            outcome="hired",
            reason="period_completed",
            occurred=noon(date(2025, 5, 2)),
        )
    )


@pytest.mark.parametrize(
    ("on", "code"),
    [(date(2025, 2, 2), "outside_trial"), (date(2025, 5, 3), "outside_trial"), (date(2025, 5, 11), "date_in_future")],
)
def test_a_trial_closes_within_its_period_and_not_in_the_future(on: date, code: str) -> None:
    after(STARTED).when(decide, closing(on=on, at=noon(date(2025, 5, 10)))).then_refused(code, ["/on"], status=422)


def test_a_trial_may_close_on_its_first_day() -> None:
    assert after(STARTED).when(decide, closing(on=date(2025, 2, 3), at=noon(date(2025, 2, 3)))).events


def test_what_is_other_is_explained_in_a_sealed_note() -> None:
    for but in ({"outcome": Outcome.OTHER}, {"reason": CloseReason.OTHER}):
        after(STARTED).when(decide, closing(**but)).then_refused("note_missing", ["/note"], status=422)
        assert after(STARTED).when(decide, closing(note="moved", **but)).events[0].sealed == {"note": "moved"}


def test_after_the_closing_there_is_nothing_but_reading() -> None:
    closed = [*STARTED, closing()]
    for command in (checking_in(at=noon(date(2025, 5, 3))), extending(), closing(), annulling()):
        after(closed).when(decide, command).then_refused("trial_closed")
    after(closed).when(decide, starting()).then_refused("already_started")
    for command in (checking_in("T9"), extending("T9"), closing("T9")):
        after(closed).when(decide, command).then_refused("trial_unknown", status=404)


@pytest.mark.parametrize("acting", [Party.EMPLOYER, Party.PARTICIPANT, Party.DECISION_MAKER])
def test_the_counsellor_holds_check_ins_and_closes(acting: Party) -> None:
    after(STARTED).when(decide, checking_in(acting=acting)).then_refused("not_yours_to_say")
    after(STARTED).when(decide, closing(acting=acting)).then_refused("not_yours_to_say")
