"""What a wage subsidy amounts to, period by period.

Invariant: a period lies in one calendar month and has one per cent; its amount is rounded once, half up, to whole NOK.
Source: NAV practice for the monthly basis; part months by the mean month of 30.4375 days (365.25 / 12).
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from contracts.rulepacks import SubsidyStep

ROUNDING = "half_up_once_per_period"
"""How amounts are rounded; goes with every plan."""
DAYS_PER_MONTH = Decimal("30.4375")
_ONE_DAY = timedelta(days=1)
_HUNDRED = Decimal(100)


@dataclass(frozen=True)
class Wage:
    """What the monthly basis is made of. Rates are per cent: 12 is 12 %."""

    monthly_wage_nok: Decimal
    """Before tax, for a whole position."""
    holiday_pay_percent: Decimal
    pension_percent: Decimal
    employers_contribution_percent: Decimal
    position_percent: Decimal
    """The share of a whole position; 100 is a whole one."""

    @property
    def monthly_basis_nok(self) -> Decimal:
        """Wage × (1 + holiday pay) × (1 + pension) × (1 + employer's contribution) × position share; not rounded."""
        basis = self.monthly_wage_nok
        for rate in (self.holiday_pay_percent, self.pension_percent, self.employers_contribution_percent):
            basis *= 1 + rate / _HUNDRED
        return basis * self.position_percent / _HUNDRED


@dataclass(frozen=True)
class SubsidyPeriod:
    """Both days included."""

    from_on: date
    to_on: date
    percent: int
    amount_nok: int | None
    """None where the wage is not known."""


def subsidy_plan(steps: Sequence[SubsidyStep], wage: Wage | None) -> tuple[SubsidyPeriod, ...]:
    """The steps, split where months begin. A whole calendar month is paid as a month, a part of one by its days."""
    return tuple(
        SubsidyPeriod(from_on, to_on, step.percent, None if wage is None else _amount(from_on, to_on, step, wage))
        for step in steps
        for from_on, to_on in _months(step.from_on, step.to_on)
    )


def whole_nok(amount: Decimal) -> int:
    """Rounded half up: 0.5 is 1."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _amount(from_on: date, to_on: date, step: SubsidyStep, wage: Wage) -> int:
    monthly = wage.monthly_basis_nok * step.percent / _HUNDRED
    if from_on.day == 1 and to_on == _last_of_month(from_on):
        return whole_nok(monthly)
    days = (to_on - from_on).days + 1
    return whole_nok(days * monthly / DAYS_PER_MONTH)


def _months(from_on: date, to_on: date) -> list[tuple[date, date]]:
    found = []
    while from_on <= to_on:
        last = min(_last_of_month(from_on), to_on)
        found.append((from_on, last))
        from_on = last + _ONE_DAY
    return found


def _last_of_month(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])
