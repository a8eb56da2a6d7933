"""A start that was put right, as it is shown: what holds, what was taken back, and who does what next."""

from __future__ import annotations

from datetime import date, timedelta

from contracts.vocabulary import Party
from services.followup.domain.commands import Command, LookAtCheckIns
from services.followup.showing import case_body, versions
from services.followup.steps import NextStep, Status, Step, disputed_days, next_step, status
from tests.unit.followup.followup_facts import CONCLUDED, checking_in, closing, extending, noon, starting
from tests.unit.followup.test_followup_start import DISPUTED, LATER, settling
from tests.unit.followup.test_followup_views import case_of


def test_a_day_that_was_put_right_is_shown_with_the_one_taken_back_and_both_stay_in_the_history() -> None:
    case = case_of(DISPUTED)
    assert disputed_days(case) == [{"on": "2025-02-10", "reported_by": "counsellor", "reported_on": "2025-02-12"}]
    held = checking_in(held_on=date(2025, 3, 7), at=noon(date(2025, 3, 7)))
    case = case_of(DISPUTED, held, settling(at=date(2025, 3, 9)))
    trial = case["trials"]["trial-A1"]
    wrong = {"on": "2025-02-03", "reversed_on": "2025-03-09", "reason": "parties_agree"}
    assert trial["start_reversals"] == [{**wrong, "right_on": "2025-02-10", "end_on": "2025-05-02"}]
    assert trial["disputed"] == []
    assert (trial["on"], trial["days_from_need"], trial["within_promise"]) == ("2025-02-10", 28, True)
    assert [each["check_in_id"] for each in trial["check_ins"]] == ["C1"]
    days = {each["event"]: each["on"] for each in case["history"]}
    assert [(each["event"], each["on"]) for each in case["history"] if each["event"] == "TrialStarted"] == [
        ("TrialStarted", "2025-02-03"),
        ("TrialStarted", "2025-02-10"),
    ]
    assert {"StartDisputed", "StartReversed"} <= days.keys()
    assert next_step(case_of(DISPUTED, settling()), date(2025, 2, 15), None) == NextStep(
        Step.FOLLOW_UP, (Party.COUNSELLOR,), LATER + timedelta(weeks=4)
    )


def test_a_check_in_that_by_the_right_day_was_never_due_is_not_shown_as_missed() -> None:
    look = LookAtCheckIns(trial_id="trial-A1", on=date(2025, 3, 4), task_id="T", at=noon(date(2025, 3, 4)))
    missed: list[Command] = [*DISPUTED, look]
    assert case_of(missed)["trials"]["trial-A1"]["missed"] == ["2025-03-03"]
    assert case_of(missed, settling(at=date(2025, 3, 5)))["trials"]["trial-A1"]["missed"] == []


def test_what_was_settled_as_the_confirmed_day_stands_is_not_shown_as_open_when_another_day_is_given() -> None:
    stands = settling(on=date(2025, 2, 3), reason=None)
    case = case_of(DISPUTED, stands)
    assert (disputed_days(case), case_body(case, LATER, Party.COUNSELLOR)["trial"]["disputed"]) == ([], [])
    other = starting(on=date(2025, 2, 11), at=noon(date(2025, 2, 15)), task_id="again")
    case = case_of(DISPUTED, stands, other)
    told = [{"on": "2025-02-11", "reported_by": "employer", "reported_on": "2025-02-15"}]
    assert disputed_days(case) == told
    assert case_body(case, LATER, Party.EMPLOYER)["trial"]["disputed"] == told


def test_a_day_that_was_settled_is_not_shown_again_when_another_one_is_given_on_the_same_day() -> None:
    day = date(2025, 2, 12)
    stands = settling(on=date(2025, 2, 3), at=day, reason=None)
    other = starting(on=date(2025, 2, 11), at=noon(day), task_id="again")
    case = case_of(DISPUTED, stands, other)
    assert [each["on"] for each in disputed_days(case)] == ["2025-02-11"]
    assert [each["on"] for each in disputed_days(case_of(DISPUTED))] == ["2025-02-10"]


def test_which_day_it_was_is_settled_also_after_the_closing() -> None:
    closed = case_of(DISPUTED, closing())
    assert status(closed) == Status.CLOSED
    step = next_step(closed, date(2025, 5, 3), Party.COUNSELLOR)
    assert step == NextStep(Step.SETTLE_START, (Party.COUNSELLOR,), date(2025, 2, 12))
    assert next_step(case_of(DISPUTED, closing(), settling(at=date(2025, 5, 3))), date(2025, 5, 3), None) is None


def test_of_a_start_that_was_settled_and_an_extension_on_the_same_day_the_last_one_holds() -> None:
    day = date(2025, 4, 25)
    held = checking_in(held_on=date(2025, 4, 7), at=noon(date(2025, 4, 7)))
    orders: list[list[Command]] = [[settling(at=day), extending()], [extending(), settling(at=day)]]
    for decided in orders:
        case = case_of(DISPUTED, held, decided)
        assert case["trials"]["trial-A1"]["end_on"] == "2025-08-02"
        assert [(each["end_on"], each["effective_on"]) for each in versions(case, "A1")] == [
            ("2025-05-02", "2025-02-03"),
            ("2025-08-02", "2025-05-03"),
        ]
    begun = [*CONCLUDED, starting(on=LATER, at=noon(LATER)), starting(at=noon(LATER), task_id="A1-settle")]
    kept = [checking_in(held_on=day, at=noon(day)) for day in (date(2025, 3, 3), date(2025, 4, 14))]
    longest = extending(end_on=date(2026, 2, 9), at=noon(date(2025, 4, 26)))
    cut = case_of(begun, kept, longest, settling(date(2025, 2, 3), date(2025, 4, 26)))
    assert [each["end_on"] for each in versions(cut, "A1")] == ["2025-05-02", "2026-02-09", "2026-02-02"]


def test_a_last_day_that_follows_the_right_start_is_a_version_of_the_content() -> None:
    begun = [*CONCLUDED, starting(on=LATER, at=noon(LATER)), starting(at=noon(LATER), task_id="A1-settle")]
    held = [checking_in(held_on=day, at=noon(day)) for day in (date(2025, 3, 3), date(2025, 4, 14))]
    longest = extending(end_on=date(2026, 2, 9))
    case = case_of(begun, held, longest, settling(date(2025, 2, 3), date(2025, 4, 26)))
    assert [each["end_on"] for each in versions(case, "A1")] == ["2025-05-02", "2026-02-09", "2026-02-02"]
    assert len(versions(case_of(DISPUTED, settling()), "A1")) == 1
