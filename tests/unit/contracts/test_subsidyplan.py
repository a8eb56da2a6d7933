"""Subsidy plans: periods per month and at step-downs, amounts in whole NOK, each rounded once."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from contracts.rulepacks import RulePack, SubsidyStep
from contracts.subsidyplan import SubsidyPeriod, Wage, subsidy_plan, whole_nok
from contracts.vocabulary import Measure

WAGE = Wage(Decimal(45_000), Decimal(12), Decimal(2), Decimal("14.1"), Decimal(100))


def periods(start_on: date, end_on: date, wage: Wage | None = WAGE) -> tuple[SubsidyPeriod, ...]:
    steps = RulePack.at(start_on).subsidy_steps(
        Measure.TEMPORARY_WAGE_SUBSIDY,
        start_on=start_on,
        end_on=end_on,
        first_start_on=start_on,
        reduced_work_capacity=False,
    )
    return subsidy_plan(steps, wage)


def test_the_monthly_basis_is_the_product_of_wage_holiday_pay_pension_contribution_and_position_share() -> None:
    assert WAGE.monthly_basis_nok == Decimal("58656.5280")
    half = Wage(Decimal(45_000), Decimal(12), Decimal(2), Decimal("14.1"), Decimal(50))
    assert half.monthly_basis_nok == Decimal("29328.2640")


def test_the_plan_of_the_nav_case_has_a_period_per_month_and_steps_down_on_1_june() -> None:
    found = periods(date(2025, 12, 1), date(2026, 11, 30))
    assert len(found) == 12
    assert {(each.percent, each.amount_nok) for each in found[:6]} == {(40, 23_463)}
    assert {(each.percent, each.amount_nok) for each in found[6:]} == {(30, 17_597)}
    assert found[6].from_on == date(2026, 6, 1)


def test_a_month_with_a_step_down_inside_is_two_periods_of_days() -> None:
    # The step lies on 28 February: 2026-08-31 + 6 months.
    inside = [each for each in periods(date(2026, 8, 31), date(2027, 3, 31)) if each.from_on.month == 2]
    assert [(each.from_on, each.to_on, each.percent) for each in inside] == [
        (date(2027, 2, 1), date(2027, 2, 27), 40),
        (date(2027, 2, 28), date(2027, 2, 28), 30),
    ]
    # 27 × 23462.6112 / 30.4375 = 20812.870…; 1 × 17596.9584 / 30.4375 = 578.134…
    assert [each.amount_nok for each in inside] == [20_813, 578]


def test_half_a_krone_is_rounded_up_and_once_per_period() -> None:
    assert [whole_nok(Decimal(text)) for text in ("0.5", "1.5", "2.4999")] == [1, 2, 2]
    odd = Wage(Decimal("1.25"), Decimal(0), Decimal(0), Decimal(0), Decimal(100))
    step = SubsidyStep(date(2026, 1, 1), date(2026, 3, 31), 40)
    # 0.50 a month: rounded each month, not in sum.
    assert [each.amount_nok for each in subsidy_plan([step], odd)] == [1, 1, 1]


def test_without_a_wage_the_periods_are_told_without_amounts() -> None:
    assert {each.amount_nok for each in periods(date(2026, 1, 1), date(2026, 6, 30), None)} == {None}


@given(
    start=st.dates(date(2024, 1, 1), date(2026, 6, 30)),
    days=st.integers(0, 360),
)
def test_periods_cover_every_day_once_and_none_crosses_a_month(start: date, days: int) -> None:
    end = start + timedelta(days=days)
    found = periods(
        start,
        min(
            end,
            RulePack.at(start).latest_end(
                Measure.TEMPORARY_WAGE_SUBSIDY, first_start_on=start, reduced_work_capacity=False
            )
            or end,
        ),
    )
    assert found[0].from_on == start
    for one, following in pairwise(found):
        assert following.from_on == one.to_on + timedelta(days=1)
    assert all((each.from_on.year, each.from_on.month) == (each.to_on.year, each.to_on.month) for each in found)
