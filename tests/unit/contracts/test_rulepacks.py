"""The rules with numbers, at their boundaries."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.refused import Refused
from contracts.rulepacks import RulePack, SubsidyStep, birthday, choose, packs, periods_overlap
from contracts.vocabulary import Measure

RULES = RulePack.at(date(2025, 1, 13))
JAN_1 = date(2026, 1, 1)
ONE_DAY = timedelta(days=1)


def period(measure: Measure, start_on: date, end_on: date, *, reduced: bool = False, first: date | None = None) -> None:
    RULES.check_period(
        measure,
        start_on=start_on,
        end_on=end_on,
        first_start_on=first or start_on,
        reduced_work_capacity=reduced,
    )


def code_of(caught: pytest.ExceptionInfo[Refused]) -> tuple[str, tuple[str, ...], int]:
    return caught.value.code, caught.value.fields, caught.value.status


@pytest.mark.parametrize(
    ("measure", "reduced", "start_on", "latest"),
    [
        (Measure.WORK_TRAINING, False, JAN_1, date(2026, 12, 31)),
        (Measure.WORK_TRAINING, True, JAN_1, date(2027, 6, 30)),
        (Measure.TEMPORARY_WAGE_SUBSIDY, False, JAN_1, date(2026, 12, 31)),
        (Measure.TEMPORARY_WAGE_SUBSIDY, True, JAN_1, date(2027, 12, 31)),
        (Measure.SUMMER_JOB, False, date(2026, 6, 1), date(2026, 6, 28)),
        (Measure.SUMMER_JOB, True, date(2026, 8, 31), date(2026, 9, 27)),
        (Measure.MENTOR_GRANT, False, date(2026, 8, 31), date(2027, 2, 27)),
        (Measure.MENTOR_GRANT, True, JAN_1, date(2028, 12, 31)),
        (Measure.INCLUSION_GRANT, False, JAN_1, date(2026, 12, 31)),
        (Measure.INCLUSION_GRANT, True, JAN_1, date(2026, 12, 31)),
    ],
)
def test_a_measure_may_last_to_its_latest_day_and_not_a_day_longer(
    measure: Measure, reduced: bool, start_on: date, latest: date
) -> None:
    assert RULES.latest_end(measure, first_start_on=start_on, reduced_work_capacity=reduced) == latest
    period(measure, start_on, latest, reduced=reduced)
    with pytest.raises(Refused) as caught:
        period(measure, start_on, latest + ONE_DAY, reduced=reduced)
    assert code_of(caught) == ("longer_than_allowed", ("/end_on",), 422)
    assert caught.value.params["latest_end"] == latest


@pytest.mark.parametrize("measure", [Measure.PERMANENT_WAGE_SUBSIDY, Measure.PERMANENT_ADAPTED_WORK])
@pytest.mark.parametrize("reduced", [False, True])
def test_permanent_measures_have_no_latest_day(measure: Measure, reduced: bool) -> None:
    assert RULES.latest_end(measure, first_start_on=JAN_1, reduced_work_capacity=reduced) is None
    period(measure, JAN_1, date(2066, 1, 1), reduced=reduced)


def test_a_new_agreement_does_not_start_the_longest_duration_afresh() -> None:
    period(Measure.WORK_TRAINING, date(2026, 7, 1), date(2026, 12, 31), first=JAN_1)
    with pytest.raises(Refused, match="longer_than_allowed"):
        period(Measure.WORK_TRAINING, date(2026, 7, 1), date(2027, 1, 1), first=JAN_1)
    with pytest.raises(ValueError, match="first start"):
        period(Measure.WORK_TRAINING, JAN_1, date(2026, 2, 1), first=date(2026, 7, 1))


def test_a_period_of_one_day_is_one_and_of_none_is_not() -> None:
    period(Measure.WORK_TRAINING, JAN_1, JAN_1)
    with pytest.raises(Refused) as caught:
        period(Measure.WORK_TRAINING, JAN_1, JAN_1 - ONE_DAY)
    assert code_of(caught) == ("end_before_start", ("/start_on", "/end_on"), 422)


@pytest.mark.parametrize("start_on", [date(2026, 5, 31), date(2026, 9, 1), date(2026, 12, 24)])
def test_a_summer_job_starts_from_1_june_to_31_august(start_on: date) -> None:
    with pytest.raises(Refused) as caught:
        period(Measure.SUMMER_JOB, start_on, start_on)
    assert code_of(caught) == ("start_outside_window", ("/start_on",), 422)


def steps(
    measure: Measure, start_on: date, end_on: date, *, first: date | None = None, reduced: bool = False,
    agreed: int | None = None,
) -> tuple[SubsidyStep, ...]:  # fmt: skip
    return RULES.subsidy_steps(
        measure,
        start_on=start_on,
        end_on=end_on,
        first_start_on=first or start_on,
        reduced_work_capacity=reduced,
        agreed_percent=agreed,
    )


def test_40_per_cent_from_new_year_is_30_from_1_july() -> None:
    assert steps(Measure.TEMPORARY_WAGE_SUBSIDY, JAN_1, date(2026, 12, 31)) == (
        (JAN_1, date(2026, 6, 30), 40),
        (date(2026, 7, 1), date(2026, 12, 31), 30),
    )


def test_six_months_from_31_august_step_down_on_28_february() -> None:
    assert steps(Measure.TEMPORARY_WAGE_SUBSIDY, date(2026, 8, 31), date(2027, 3, 31)) == (
        (date(2026, 8, 31), date(2027, 2, 27), 40),
        (date(2027, 2, 28), date(2027, 3, 31), 30),
    )


def test_with_reduced_work_capacity_60_per_cent_is_50_after_12_months() -> None:
    assert steps(Measure.TEMPORARY_WAGE_SUBSIDY, JAN_1, date(2027, 12, 31), reduced=True) == (
        (JAN_1, date(2026, 12, 31), 60),
        (date(2027, 1, 1), date(2027, 12, 31), 50),
    )


def test_the_extension_of_the_nav_case_is_at_30_per_cent() -> None:
    first = date(2025, 12, 1)
    subsidy = Measure.TEMPORARY_WAGE_SUBSIDY
    assert steps(subsidy, first, date(2026, 5, 31)) == ((first, date(2026, 5, 31), 40),)
    assert steps(subsidy, date(2026, 6, 1), date(2026, 11, 30), first=first) == (
        (date(2026, 6, 1), date(2026, 11, 30), 30),
    )
    assert RULES.latest_end(subsidy, first_start_on=first, reduced_work_capacity=False) == date(2026, 11, 30)


def percent_on(measure: Measure, day: date, *, reduced: bool = False, agreed: int | None = None) -> int | None:
    return RULES.subsidy_percent_on(
        measure, day, first_start_on=JAN_1, reduced_work_capacity=reduced, agreed_percent=agreed
    )


def test_the_per_cent_of_a_day_is_that_of_its_step() -> None:
    subsidy = Measure.TEMPORARY_WAGE_SUBSIDY
    assert percent_on(subsidy, JAN_1) == percent_on(subsidy, date(2026, 6, 30)) == 40
    assert percent_on(subsidy, date(2026, 7, 1)) == 30
    assert percent_on(subsidy, JAN_1 - ONE_DAY) is None
    assert percent_on(Measure.WORK_TRAINING, JAN_1) is None


def test_a_permanent_subsidy_is_at_most_75_and_67_after_12_months() -> None:
    permanent = Measure.PERMANENT_WAGE_SUBSIDY
    assert steps(permanent, JAN_1, date(2027, 12, 31), agreed=75) == (
        (JAN_1, date(2026, 12, 31), 75),
        (date(2027, 1, 1), date(2027, 12, 31), 67),
    )
    assert percent_on(permanent, date(2027, 6, 1), agreed=50) == 50
    for agreed in (None, 0, 76):
        with pytest.raises(Refused, match="percent_not_allowed"):
            percent_on(permanent, JAN_1, agreed=agreed)


def test_a_summer_job_is_at_50_or_75_per_cent() -> None:
    for agreed in (50, 75):
        assert percent_on(Measure.SUMMER_JOB, date(2026, 6, 1), agreed=agreed) == agreed
    for refused in (None, 60):
        with pytest.raises(Refused) as caught:
            percent_on(Measure.SUMMER_JOB, date(2026, 6, 1), agreed=refused)
        assert code_of(caught) == ("percent_not_allowed", ("/wage_subsidy_percent",), 422)


@pytest.mark.parametrize("measure", [m for m in Measure if "subsidy" not in m.value and m is not Measure.SUMMER_JOB])
def test_measures_without_a_wage_subsidy_have_no_steps(measure: Measure) -> None:
    assert steps(measure, JAN_1, date(2026, 1, 31)) == ()


def test_a_decision_maker_is_needed_where_it_costs_money() -> None:
    assert {measure for measure in Measure if not RULES.decision_maker_needed(measure)} == {
        Measure.WORK_TRAINING,
        Measure.INCLUSION_GRANT,
    }


def test_a_start_7_days_ago_is_in_time_and_8_days_ago_is_late() -> None:
    today = date(2026, 3, 30)
    assert RULES.start_in_time(date(2026, 3, 23), today=today)
    assert not RULES.start_in_time(date(2026, 3, 22), today=today)
    RULES.check_start_in_time(date(2026, 3, 23), today=today)
    RULES.check_start_in_time(date(2026, 3, 22), today=today, late_registration_allowed=True)
    with pytest.raises(Refused) as caught:
        RULES.check_start_in_time(date(2026, 3, 22), today=today)
    assert code_of(caught) == ("start_too_far_back", ("/start_on",), 422)
    assert caught.value.params["earliest"] == date(2026, 3, 23)


def test_the_16th_birthday_on_the_day_of_drafting_is_old_enough() -> None:
    assert RULES.old_enough(date(2010, 3, 30), drafted_on=date(2026, 3, 30))
    assert not RULES.old_enough(date(2010, 3, 31), drafted_on=date(2026, 3, 30))


def test_somebody_born_on_29_february_has_a_birthday_every_year() -> None:
    assert birthday(date(2008, 2, 29), 16) == date(2024, 2, 29)
    assert birthday(date(2008, 2, 29), 17) == date(2025, 2, 28)


def young_enough(measure: Measure, birth_date: date, *, start_on: date, end_on: date) -> bool:
    return RULES.young_enough(measure, birth_date, start_on=start_on, end_on=end_on)


@pytest.mark.parametrize(("measure", "oldest"), [(Measure.WORK_TRAINING, 71), (Measure.PERMANENT_ADAPTED_WORK, 66)])
def test_nobody_is_older_than_the_measure_allows_on_the_last_day(measure: Measure, oldest: int) -> None:
    last = date(2026, 6, 30)
    turns_too_old_the_day_after = date(2026 - oldest - 1, 7, 1)
    assert young_enough(measure, turns_too_old_the_day_after, start_on=JAN_1, end_on=last)
    assert not young_enough(measure, turns_too_old_the_day_after - ONE_DAY, start_on=JAN_1, end_on=last)


def test_the_30th_birthday_may_be_on_the_first_day_of_a_summer_job_and_not_before() -> None:
    start_on, end_on = date(2026, 7, 1), date(2026, 7, 28)
    assert young_enough(Measure.SUMMER_JOB, date(1996, 7, 1), start_on=start_on, end_on=end_on)
    assert young_enough(Measure.SUMMER_JOB, date(1996, 7, 15), start_on=start_on, end_on=end_on)
    assert not young_enough(Measure.SUMMER_JOB, date(1996, 6, 30), start_on=start_on, end_on=end_on)
    assert not young_enough(Measure.SUMMER_JOB, date(1995, 12, 31), start_on=start_on, end_on=end_on)


PLACEMENTS = {
    Measure.WORK_TRAINING,
    Measure.TEMPORARY_WAGE_SUBSIDY,
    Measure.PERMANENT_WAGE_SUBSIDY,
    Measure.SUMMER_JOB,
}


@pytest.mark.parametrize("one", Measure)
@pytest.mark.parametrize("other", Measure)
def test_placements_never_overlap_grants_may_and_adapted_work_stands_alone(one: Measure, other: Measure) -> None:
    alone = Measure.PERMANENT_ADAPTED_WORK in (one, other)
    assert RULES.may_overlap(one, other) is not (alone or {one, other} <= PLACEMENTS)


@pytest.mark.parametrize(
    ("other", "overlaps"),
    [
        ((date(2026, 1, 1), date(2026, 1, 9)), False),
        ((date(2026, 1, 1), date(2026, 1, 10)), True),
        ((date(2026, 1, 12), date(2026, 1, 15)), True),
        ((date(2025, 1, 1), date(2027, 1, 1)), True),
        ((date(2026, 1, 20), date(2026, 2, 1)), True),
        ((date(2026, 1, 21), date(2026, 2, 1)), False),
    ],
)
def test_periods_that_share_a_day_overlap_and_so_does_one_that_encloses(
    other: tuple[date, date], overlaps: bool
) -> None:
    one = (date(2026, 1, 10), date(2026, 1, 20))
    assert periods_overlap(one, other) is periods_overlap(other, one) is overlaps


def test_the_inclusion_grant_has_a_rate_per_year_and_a_year_without_one_is_refused() -> None:
    rates = {year: RULES.yearly_ceiling_nok(Measure.INCLUSION_GRANT, year) for year in (2024, 2025, 2026)}
    assert rates == {2024: 149_100, 2025: 154_800, 2026: 160_400}
    assert RULES.yearly_ceiling_nok(Measure.WORK_TRAINING, 2027) is None
    with pytest.raises(Refused) as caught:
        RULES.yearly_ceiling_nok(Measure.INCLUSION_GRANT, 2027)
    assert code_of(caught)[0] == "no_rate_for_year"


def test_drafts_and_access_have_their_weeks() -> None:
    assert RULES.agreement.draft_expires_after_weeks == RULES.agreement.access_after_close_weeks == 12
    assert RULES.agreement.draft_warnings_days_before == (7, 1)
    assert RULES.measures[Measure.PERMANENT_ADAPTED_WORK].follow_up_every_months == 6


def test_every_pack_is_named_after_the_day_from_which_it_holds() -> None:
    assert [pack.version for pack in packs()] == [pack.valid_from.isoformat() for pack in packs()]
    assert all(rules.source for pack in packs() for rules in pack.measures.values())


def test_the_newest_pack_in_force_on_a_day_judges() -> None:
    later = RULES.model_copy(update={"version": "2027-01-01", "valid_from": date(2027, 1, 1)})
    assert choose([later, RULES], date(2026, 12, 31)) is RULES
    assert choose([later, RULES], date(2027, 1, 1)) is later


def test_a_day_before_the_first_pack_is_refused() -> None:
    assert RulePack.at(packs()[0].valid_from) is packs()[0]
    with pytest.raises(Refused, match="no_rules_for_day"):
        RulePack.at(packs()[0].valid_from - ONE_DAY)


def broken(change: dict[str, Any]) -> dict[str, Any]:
    return {**RULES.model_dump(), **change}


def test_a_pack_with_a_misspelt_rule_or_a_missing_measure_stops_the_start() -> None:
    with pytest.raises(ValidationError, match="longst"):
        RulePack.model_validate(broken({"longst": 1}))
    measures = {name: rules for name, rules in RULES.model_dump()["measures"].items() if name != "summer_job"}
    with pytest.raises(ValidationError, match="no rules for summer_job"):
        RulePack.model_validate(broken({"measures": measures}))
