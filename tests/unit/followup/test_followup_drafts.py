"""Drafting: dates, lengths, per cent, eligibility and overlap."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from contracts.followup import AgreementDrafted, TaskAssigned, TaskCompleted
from contracts.vocabulary import Measure
from services.followup.domain.commands import Command, Eligibility
from services.followup.domain.decide import decide
from tests.unit.followup.followup_facts import (
    CONCLUDED,
    IDS,
    ORG,
    OTHER_ORG,
    REDUCED,
    REGISTERED,
    STARTED,
    after,
    annulling,
    approvals,
    closing,
    drafting,
    noon,
    not_showing,
    opened,
    starting,
)


def test_a_draft_says_what_the_parties_are_asked_to_approve() -> None:
    drafted = AgreementDrafted(
        **IDS,
        agreement_id="A1",
        intermediary="refugee_service",
        measure="work_training",
        drafted_on=date(2025, 1, 22),
        start_on=date(2025, 2, 3),
        end_on=date(2025, 5, 2),
        hours_per_week=37.5,
        decision_maker_needed=False,
        rule_version="2024-01-01",
        sealed={
            "reduced_work_capacity": False,
            "answers": {"old_enough": True, "young_enough": True},
            "eligibility_rule_version": "2024-01-01",
        },
    )
    done = TaskCompleted(**IDS, task_id="M1-draft", task="draft_agreement", completed_on=date(2025, 1, 22))
    task = TaskAssigned(
        **IDS, task_id="A1-approve", task="approve_agreement", responsible="counsellor", due_on=date(2025, 2, 3)
    )
    after(opened()).when(decide, drafting()).then(drafted, done, task)


def test_a_case_has_one_live_agreement() -> None:
    after(opened(), drafting()).when(decide, drafting(agreement_id="A2")).then_refused("agreement_exists")
    after(STARTED).when(decide, drafting(agreement_id="A2")).then_refused("agreement_exists")


def test_a_draft_without_a_case_is_refused() -> None:
    after().when(decide, drafting()).then_refused("case_ended")


def test_after_an_annulment_the_case_is_over_until_the_match_is_confirmed_anew() -> None:
    after(opened(), drafting(), annulling()).when(decide, drafting(agreement_id="A2")).then_refused("case_ended")


def test_an_end_before_the_start_is_refused() -> None:
    wrong = drafting(start_on=date(2025, 2, 3), end_on=date(2025, 2, 2))
    after(opened()).when(decide, wrong).then_refused("end_before_start", ["/start_on", "/end_on"], status=422)


def test_one_day_is_a_period() -> None:
    assert after(opened()).when(decide, drafting(start_on=date(2025, 2, 3), end_on=date(2025, 2, 3))).events


def test_a_start_before_the_need_was_registered_is_refused() -> None:
    early = drafting(start_on=date(2025, 1, 12), at=noon(date(2025, 1, 14)))
    after(opened()).when(decide, early).then_refused("start_before_need", ["/start_on"], status=422)


@pytest.mark.parametrize(("today", "in_time"), [(date(2025, 2, 10), True), (date(2025, 2, 11), False)])
def test_a_start_seven_days_ago_is_in_time_and_eight_days_ago_is_not(today: date, in_time: bool) -> None:
    outcome = after(opened()).when(decide, drafting(at=noon(today)))
    if in_time:
        assert outcome.events
    else:
        outcome.then_refused("start_too_far_back", ["/start_on"], status=422)


def test_late_registration_needs_a_decision_maker_even_where_the_measure_does_not() -> None:
    late = after(opened()).when(decide, drafting(at=noon(date(2025, 2, 11)), late_registration=True)).events[0]
    assert isinstance(late, AgreementDrafted)
    assert late.decision_maker_needed
    in_time = after(opened()).when(decide, drafting(late_registration=True)).events[0]
    assert isinstance(in_time, AgreementDrafted)
    assert not in_time.decision_maker_needed


@pytest.mark.parametrize(
    ("measure", "reduced", "last"),
    [
        (Measure.WORK_TRAINING, False, date(2026, 2, 2)),
        (Measure.WORK_TRAINING, True, date(2026, 8, 2)),
        (Measure.TEMPORARY_WAGE_SUBSIDY, False, date(2026, 2, 2)),
        (Measure.TEMPORARY_WAGE_SUBSIDY, True, date(2027, 2, 2)),
        (Measure.MENTOR_GRANT, False, date(2025, 8, 2)),
        (Measure.MENTOR_GRANT, True, date(2028, 2, 2)),
    ],
)
def test_the_longest_period_may_end_on_its_last_day_and_not_a_day_later(
    measure: Measure, reduced: bool, last: date
) -> None:
    eligibility = REDUCED if reduced else Eligibility({}, False, "2024-01-01")
    fits = drafting(measure=measure, end_on=last, eligibility=eligibility)
    assert after(opened()).when(decide, fits).events
    too_long = drafting(measure=measure, end_on=date.fromordinal(last.toordinal() + 1), eligibility=eligibility)
    after(opened()).when(decide, too_long).then_refused("longer_than_allowed", ["/end_on"], status=422)


def test_a_new_agreement_with_the_same_employer_does_not_start_the_longest_duration_afresh() -> None:
    before = [*STARTED, closing()]
    again = [opened("M2", registered_on=date(2025, 6, 1))]
    usual: dict[str, Any] = {
        "registered_on": date(2025, 6, 1),
        "start_on": date(2025, 6, 10),
        "at": noon(date(2025, 6, 5)),
    }
    assert after(before, again).when(decide, drafting("M2", "A2", end_on=date(2026, 2, 2), **usual)).events
    after(before, again).when(decide, drafting("M2", "A2", end_on=date(2026, 2, 3), **usual)).then_refused(
        "longer_than_allowed", ["/end_on"]
    )
    elsewhere = [opened("M2", registered_on=date(2025, 6, 1), org_number=OTHER_ORG)]
    assert after(before, elsewhere).when(decide, drafting("M2", "A2", end_on=date(2026, 6, 9), **usual)).events
    other_measure = drafting("M2", "A2", end_on=date(2026, 6, 9), measure=Measure.TEMPORARY_WAGE_SUBSIDY, **usual)
    assert after(before, again).when(decide, other_measure).events


@pytest.mark.parametrize(
    ("measure", "reduced", "wanted", "given_percent"),
    [
        (Measure.TEMPORARY_WAGE_SUBSIDY, False, None, 40),
        (Measure.TEMPORARY_WAGE_SUBSIDY, False, 40, 40),
        (Measure.TEMPORARY_WAGE_SUBSIDY, True, None, 60),
        (Measure.PERMANENT_WAGE_SUBSIDY, False, 75, 75),
        (Measure.PERMANENT_WAGE_SUBSIDY, False, 50, 50),
        (Measure.WORK_TRAINING, False, None, None),
    ],
)
def test_the_per_cent_is_what_the_rules_give(
    measure: Measure, reduced: bool, wanted: int | None, given_percent: int | None
) -> None:
    eligibility = REDUCED if reduced else Eligibility({}, False, "2024-01-01")
    drafted = after(opened()).when(
        decide, drafting(measure=measure, wage_subsidy_percent=wanted, eligibility=eligibility)
    )
    event = drafted.events[0]
    assert isinstance(event, AgreementDrafted)
    assert event.wage_subsidy_percent == given_percent


@pytest.mark.parametrize(
    ("measure", "wanted"),
    [
        (Measure.WORK_TRAINING, 40),
        (Measure.TEMPORARY_WAGE_SUBSIDY, 60),
        (Measure.PERMANENT_WAGE_SUBSIDY, 76),
        (Measure.PERMANENT_WAGE_SUBSIDY, None),
        (Measure.PERMANENT_WAGE_SUBSIDY, 0),
    ],
)
def test_another_per_cent_is_refused(measure: Measure, wanted: int | None) -> None:
    asked = drafting(measure=measure, wage_subsidy_percent=wanted)
    after(opened()).when(decide, asked).then_refused("percent_not_allowed", ["/wage_subsidy_percent"], status=422)


def test_a_new_subsidy_with_the_same_employer_begins_at_the_stepped_down_per_cent() -> None:
    subsidy: dict[str, Any] = {"measure": Measure.TEMPORARY_WAGE_SUBSIDY}
    first: list[Command] = [
        opened(),
        drafting(**subsidy),
        *approvals(decided=True),
        starting(),
        closing(at=noon(date(2025, 5, 3))),
        opened("M2", registered_on=date(2025, 8, 1)),
    ]
    for start_on, percent in [(date(2025, 8, 2), 40), (date(2025, 8, 3), 30)]:
        again = drafting(
            "M2",
            "A2",
            registered_on=date(2025, 8, 1),
            start_on=start_on,
            end_on=date(2025, 12, 31),
            at=noon(date(2025, 8, 1)),
            **subsidy,
        )
        event = after(first).when(decide, again).events[0]
        assert isinstance(event, AgreementDrafted)
        assert event.wage_subsidy_percent == percent


def test_a_summer_job_begins_in_summer_for_four_weeks_at_half_or_three_quarters() -> None:
    usual: dict[str, Any] = {"measure": Measure.SUMMER_JOB, "at": noon(date(2025, 5, 20))}
    good = drafting(start_on=date(2025, 6, 1), end_on=date(2025, 6, 28), wage_subsidy_percent=75, **usual)
    assert after(opened()).when(decide, good).events
    early = drafting(start_on=date(2025, 5, 31), end_on=date(2025, 6, 20), wage_subsidy_percent=75, **usual)
    after(opened()).when(decide, early).then_refused("start_outside_window", ["/start_on"], status=422)
    long = drafting(start_on=date(2025, 6, 1), end_on=date(2025, 6, 29), wage_subsidy_percent=75, **usual)
    after(opened()).when(decide, long).then_refused("longer_than_allowed", ["/end_on"], status=422)
    odd = drafting(start_on=date(2025, 6, 1), end_on=date(2025, 6, 28), wage_subsidy_percent=60, **usual)
    after(opened()).when(decide, odd).then_refused("percent_not_allowed", ["/wage_subsidy_percent"])


def test_an_inclusion_grant_reaching_into_a_year_without_a_rate_is_refused() -> None:
    usual: dict[str, Any] = {
        "measure": Measure.INCLUSION_GRANT,
        "start_on": date(2026, 6, 1),
        "at": noon(date(2026, 5, 28)),
    }
    assert after(opened()).when(decide, drafting(end_on=date(2026, 12, 31), **usual)).events
    after(opened()).when(decide, drafting(end_on=date(2027, 1, 1), **usual)).then_refused(
        "no_rate_for_year", ["/end_on"], status=422
    )


def test_one_no_from_intake_is_enough() -> None:
    unfit = Eligibility({"old_enough": True, "young_enough": False}, False, "2024-01-01")
    after(opened()).when(decide, drafting(eligibility=unfit)).then_refused("not_eligible", ["/measure"], status=422)


SPRING = (date(2025, 2, 3), date(2025, 5, 2))


@pytest.mark.parametrize(
    ("start_on", "end_on", "taken"),
    [
        (date(2025, 5, 3), date(2025, 6, 2), False),
        (date(2025, 5, 2), date(2025, 6, 2), True),
        (date(2025, 1, 20), date(2025, 2, 2), False),
        (date(2025, 1, 20), date(2025, 2, 3), True),
        (date(2025, 3, 1), date(2025, 3, 31), True),
        (date(2025, 1, 20), date(2025, 12, 31), True),
        (*SPRING, True),
    ],
)
def test_periods_of_one_person_never_overlap_enclosing_ones_included(start_on: date, end_on: date, taken: bool) -> None:
    other = opened("M2", org_number=OTHER_ORG)
    outcome = after(CONCLUDED, other).when(decide, drafting("M2", "A2", start_on=start_on, end_on=end_on))
    if taken:
        outcome.then_refused("overlaps", ["/start_on", "/end_on"], status=409)
    else:
        assert outcome.events


def test_a_mentor_may_stand_beside_work_training_and_adapted_work_beside_nothing() -> None:
    other = opened("M2", org_number=OTHER_ORG)
    mentor = drafting("M2", "A2", measure=Measure.MENTOR_GRANT)
    assert after(CONCLUDED, other).when(decide, mentor).events
    adapted = drafting("M2", "A2", measure=Measure.PERMANENT_ADAPTED_WORK)
    after(CONCLUDED, other).when(decide, adapted).then_refused("overlaps", ["/start_on", "/end_on"])


def test_drafts_no_shows_and_annulled_agreements_take_no_days() -> None:
    other = opened("M2", org_number=OTHER_ORG)
    befores: list[list[Command]] = [
        [opened(), drafting()],
        [*CONCLUDED, not_showing()],
        [*CONCLUDED, annulling()],
    ]
    for before in befores:
        assert after(before, other).when(decide, drafting("M2", "A2")).events


def test_a_trial_that_closed_early_frees_the_days_after_it() -> None:
    closed = [*STARTED, closing(on=date(2025, 3, 14), at=noon(date(2025, 3, 14)))]
    other = opened("M2", org_number=OTHER_ORG)
    usual: dict[str, Any] = {"end_on": date(2025, 6, 1), "at": noon(date(2025, 3, 14))}
    after(closed, other).when(decide, drafting("M2", "A2", start_on=date(2025, 3, 14), **usual)).then_refused(
        "overlaps", ["/start_on", "/end_on"]
    )
    assert after(closed, other).when(decide, drafting("M2", "A2", start_on=date(2025, 3, 15), **usual)).events


def test_the_same_days_of_another_person_are_free() -> None:
    # The state of a person holds that person alone: here nobody has been concluded.
    assert (
        after(opened("M2", candidate_id="K2", org_number=ORG))
        .when(decide, drafting("M2", "A2", registered_on=REGISTERED))
        .events
    )
