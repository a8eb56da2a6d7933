"""The numbers of the rule table and its boundary cases, each by name, as followup decides them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st

from contracts.followup import AgreementDrafted
from contracts.vocabulary import Measure, Party
from services.followup.domain.commands import Command
from services.followup.domain.decide import decide
from services.followup.domain.subsidies import plan_of
from tests.unit.followup.followup_facts import (
    FIT,
    OTHER_ORG,
    REDUCED,
    after,
    approvals,
    approving,
    closing,
    drafting,
    noon,
    opened,
    starting,
)

NEW_YEAR = date(2026, 1, 1)


def draft(measure: Measure, start_on: date, end_on: date, **but: Any) -> Command:
    registered_on = but.pop("registered_on", start_on)
    at = but.pop("at", noon(start_on))
    return drafting(measure=measure, start_on=start_on, end_on=end_on, registered_on=registered_on, at=at, **but)


def drafted(measure: Measure, start_on: date, end_on: date, **but: Any) -> AgreementDrafted:
    outcome = after(opened()).when(decide, draft(measure, start_on, end_on, **but))
    assert outcome.refusal is None, outcome.refusal
    event = outcome.events[0]
    assert isinstance(event, AgreementDrafted)
    return event


def refused(measure: Measure, start_on: date, end_on: date, **but: Any) -> str:
    outcome = after(opened()).when(decide, draft(measure, start_on, end_on, **but))
    assert outcome.refusal is not None
    return outcome.refusal.code


LONGEST = [
    (Measure.WORK_TRAINING, FIT, date(2026, 12, 31), None),
    (Measure.WORK_TRAINING, REDUCED, date(2027, 6, 30), None),
    (Measure.TEMPORARY_WAGE_SUBSIDY, FIT, date(2026, 12, 31), None),
    (Measure.TEMPORARY_WAGE_SUBSIDY, REDUCED, date(2027, 12, 31), None),
    (Measure.MENTOR_GRANT, FIT, date(2026, 6, 30), None),
    (Measure.MENTOR_GRANT, REDUCED, date(2028, 12, 31), None),
    (Measure.INCLUSION_GRANT, FIT, date(2026, 12, 31), None),
]


@pytest.mark.parametrize(("measure", "who", "last", "percent"), LONGEST)
def test_a_measure_from_1_january_2026_may_end_on_its_last_day_and_not_a_day_later(
    measure: Measure, who: Any, last: date, percent: int | None
) -> None:
    assert drafted(measure, NEW_YEAR, last, eligibility=who).end_on == last
    later = refused(measure, NEW_YEAR, last + timedelta(days=1), eligibility=who)
    assert later in ("longer_than_allowed", "no_rate_for_year")


def test_18_months_from_1_january_2026_end_on_30_june_2027_and_not_on_1_july() -> None:
    assert drafted(Measure.WORK_TRAINING, NEW_YEAR, date(2027, 6, 30), eligibility=REDUCED)
    assert refused(Measure.WORK_TRAINING, NEW_YEAR, date(2027, 7, 1), eligibility=REDUCED) == "longer_than_allowed"


def test_a_40_per_cent_subsidy_from_1_january_2026_is_30_from_1_july() -> None:
    person = after(opened(), draft(Measure.TEMPORARY_WAGE_SUBSIDY, NEW_YEAR, date(2026, 12, 31))).state
    periods = plan_of(person, person.cases["M1"].agreements["A1"]).periods
    assert [(each.from_on, each.percent) for each in periods if each.from_on.month in (6, 7)] == [
        (date(2026, 6, 1), 40),
        (date(2026, 7, 1), 30),
    ]


def test_with_reduced_work_capacity_60_per_cent_is_50_after_12_months() -> None:
    command = draft(Measure.TEMPORARY_WAGE_SUBSIDY, NEW_YEAR, date(2027, 12, 31), eligibility=REDUCED)
    person = after(opened(), command).state
    periods = plan_of(person, person.cases["M1"].agreements["A1"]).periods
    assert [each.percent for each in periods] == [60] * 12 + [50] * 12


def test_6_months_from_31_august_2026_end_on_27_february_2027_and_step_down_on_the_28th() -> None:
    first = date(2026, 8, 31)
    assert drafted(Measure.MENTOR_GRANT, first, date(2027, 2, 27))
    assert refused(Measure.MENTOR_GRANT, first, date(2027, 2, 28)) == "longer_than_allowed"
    person = after(opened(), draft(Measure.TEMPORARY_WAGE_SUBSIDY, first, date(2027, 3, 31))).state
    periods = plan_of(person, person.cases["M1"].agreements["A1"]).periods
    assert next(each.from_on for each in periods if each.percent == 30) == date(2027, 2, 28)


def test_a_start_7_days_ago_is_in_time_and_8_days_ago_is_late() -> None:
    today = noon(date(2026, 3, 10))
    usual: dict[str, Any] = {"registered_on": date(2026, 2, 1), "at": today}
    in_time = drafted(Measure.WORK_TRAINING, date(2026, 3, 3), date(2026, 6, 1), **usual)
    assert not in_time.decision_maker_needed
    late = (Measure.WORK_TRAINING, date(2026, 3, 2), date(2026, 6, 1))
    assert refused(*late, **usual) == "start_too_far_back"
    allowed = drafted(*late, **usual, late_registration=True)
    assert allowed.decision_maker_needed


def test_a_permanent_subsidy_has_no_end_and_at_most_75_and_67_per_cent_after_a_year() -> None:
    far = date(2035, 12, 31)
    assert drafted(Measure.PERMANENT_WAGE_SUBSIDY, NEW_YEAR, far, wage_subsidy_percent=75).wage_subsidy_percent == 75
    code = refused(Measure.PERMANENT_WAGE_SUBSIDY, NEW_YEAR, far, wage_subsidy_percent=76)
    assert code == "percent_not_allowed"
    command = draft(Measure.PERMANENT_WAGE_SUBSIDY, NEW_YEAR, date(2027, 3, 31), wage_subsidy_percent=75)
    person = after(opened(), command).state
    periods = plan_of(person, person.cases["M1"].agreements["A1"]).periods
    assert [each.percent for each in periods] == [75] * 12 + [67] * 3


def test_a_summer_job_is_4_weeks_from_1_june_to_31_august_at_50_or_75_per_cent() -> None:
    last = date(2026, 8, 31) + timedelta(weeks=4) - timedelta(days=1)
    job = Measure.SUMMER_JOB
    assert drafted(job, date(2026, 8, 31), last, wage_subsidy_percent=75)
    assert drafted(job, date(2026, 6, 1), date(2026, 6, 28), wage_subsidy_percent=50)
    assert refused(job, date(2026, 5, 31), date(2026, 6, 20), wage_subsidy_percent=50) == "start_outside_window"
    assert refused(job, date(2026, 9, 1), date(2026, 9, 20), wage_subsidy_percent=50) == "start_outside_window"
    assert refused(job, date(2026, 6, 1), date(2026, 6, 29), wage_subsidy_percent=50) == "longer_than_allowed"
    assert refused(job, date(2026, 6, 1), date(2026, 6, 28), wage_subsidy_percent=60) == "percent_not_allowed"


def test_an_inclusion_grant_into_a_year_without_a_rate_is_refused() -> None:
    assert drafted(Measure.INCLUSION_GRANT, date(2024, 6, 1), date(2025, 5, 31))
    assert refused(Measure.INCLUSION_GRANT, date(2026, 6, 1), date(2027, 1, 1)) == "no_rate_for_year"


@pytest.mark.parametrize("measure", list(Measure))
def test_a_decision_maker_is_needed_for_the_measures_that_cost_money_and_not_for_two(measure: Measure) -> None:
    percent = {Measure.PERMANENT_WAGE_SUBSIDY: 50, Measure.SUMMER_JOB: 50}.get(measure)
    found = drafted(measure, date(2026, 6, 1), date(2026, 6, 20), wage_subsidy_percent=percent)
    free = (Measure.WORK_TRAINING, Measure.INCLUSION_GRANT)
    assert found.decision_maker_needed == (measure not in free)
    assert found.rule_version == "2024-01-01"


def test_a_new_agreement_with_the_same_employer_does_not_start_duration_and_step_down_afresh() -> None:
    subsidy = Measure.TEMPORARY_WAGE_SUBSIDY
    before: list[Command] = [
        opened(),
        drafting(measure=subsidy),
        *approvals(decided=True),
        starting(),
        closing(at=noon(date(2025, 5, 3))),
        opened("M2", registered_on=date(2025, 7, 1)),
        opened("M3", registered_on=date(2025, 7, 1), org_number=OTHER_ORG),
    ]
    usual: dict[str, Any] = {"measure": subsidy, "registered_on": date(2025, 7, 1), "start_on": date(2025, 9, 1)}
    at = noon(date(2025, 8, 20))

    def second(match_id: str, end_on: date) -> Any:
        return after(before).when(decide, drafting(match_id, "A2", end_on=end_on, at=at, **usual))

    same = second("M2", date(2026, 2, 2)).events[0]
    assert isinstance(same, AgreementDrafted)
    assert same.wage_subsidy_percent == 30
    second("M2", date(2026, 2, 3)).then_refused("longer_than_allowed", ["/end_on"])
    elsewhere = second("M3", date(2026, 8, 31)).events[0]
    assert isinstance(elsewhere, AgreementDrafted)
    assert elsewhere.wage_subsidy_percent == 40


PAIRS = [
    (Measure.WORK_TRAINING, Measure.TEMPORARY_WAGE_SUBSIDY, False),
    (Measure.WORK_TRAINING, Measure.WORK_TRAINING, False),
    (Measure.WORK_TRAINING, Measure.MENTOR_GRANT, True),
    (Measure.TEMPORARY_WAGE_SUBSIDY, Measure.INCLUSION_GRANT, True),
    (Measure.MENTOR_GRANT, Measure.INCLUSION_GRANT, True),
    (Measure.PERMANENT_ADAPTED_WORK, Measure.MENTOR_GRANT, False),
    (Measure.WORK_TRAINING, Measure.PERMANENT_ADAPTED_WORK, False),
]


@pytest.mark.parametrize(("one", "other", "allowed"), PAIRS)
@pytest.mark.parametrize(
    "period",
    [
        (date(2025, 3, 1), date(2025, 3, 31)),  # enclosed
        (date(2025, 1, 20), date(2025, 6, 30)),  # encloses
        (date(2025, 5, 2), date(2025, 6, 30)),  # shares the last day
        (date(2025, 1, 20), date(2025, 2, 3)),  # shares the first day
    ],
    ids=["enclosed", "encloses", "last day", "first day"],
)
def test_measures_that_exclude_one_another_never_share_a_day_and_grants_may(
    one: Measure, other: Measure, allowed: bool, period: tuple[date, date]
) -> None:
    decided = one not in (Measure.WORK_TRAINING, Measure.INCLUSION_GRANT)
    first: list[Command] = [opened(), drafting(measure=one), *approvals(decided=decided)]
    second = drafting("M2", "A2", measure=other, start_on=period[0], end_on=period[1])
    outcome = after(first, opened("M2", org_number=OTHER_ORG)).when(decide, second)
    assert (outcome.refusal is None) == allowed
    if outcome.refusal is not None:
        assert outcome.refusal.code == "overlaps"


def test_periods_that_only_touch_do_not_overlap() -> None:
    first: list[Command] = [opened(), drafting(), *approvals(), opened("M2", org_number=OTHER_ORG)]
    for start_on, end_on in ((date(2025, 5, 3), date(2025, 6, 1)), (date(2025, 1, 20), date(2025, 2, 2))):
        assert after(first).when(decide, drafting("M2", "A2", start_on=start_on, end_on=end_on)).refusal is None


parties = st.lists(st.sampled_from(list(Party)), max_size=14)


@generated(tried=parties, decided=st.booleans())
@settings(max_examples=150, deadline=None)
def test_approvals_are_never_given_out_of_order_whatever_is_tried(tried: list[Party], decided: bool) -> None:
    measure = Measure.TEMPORARY_WAGE_SUBSIDY if decided else Measure.WORK_TRAINING
    state = after(opened(), drafting(measure=measure))
    given_by: list[str] = []
    commands: list[Command] = [opened(), drafting(measure=measure)]
    for party in tried:
        outcome = after(commands).when(decide, approving(party))
        if outcome.refusal is None:
            commands.append(approving(party))
            given_by.append(party)
    order = ["counsellor", *(["decision_maker"] if decided else [])]
    assert sorted(given_by[:2]) == sorted({"employer", "participant"} & set(given_by[:2]))
    assert given_by[2:] == order[: len(given_by[2:])]
    final = after(commands).state.cases["M1"].agreements["A1"]
    assert (final.stage == "concluded") == (len(given_by) == 2 + len(order))
    assert state.state.cases["M1"].agreements["A1"].approvals == ()
