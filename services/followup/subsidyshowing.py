"""A subsidy plan as the API answers it.

Invariant: amounts per period, never the wage that they were computed from.
"""

from __future__ import annotations

from typing import Any

from contracts.subsidyplan import ROUNDING
from services.followup.domain.subsidies import Plan

NO_STORE = {"Cache-Control": "no-store"}


def plan_body(agreement_id: str, plan: Plan) -> dict[str, Any]:
    """The periods with their amounts, the ceilings of the years, and how amounts are rounded."""
    periods = [
        {
            "from_on": each.from_on.isoformat(),
            "to_on": each.to_on.isoformat(),
            "wage_subsidy_percent": each.percent,
            "amount_nok": each.amount_nok,
        }
        for each in plan.periods
    ]
    return {
        "agreement_id": agreement_id,
        "periods": periods,
        "sum_nok": plan.sum_nok,
        "ceilings": [{"year": year, "nok": nok} for year, nok in sorted(plan.ceilings_nok.items())],
        "rounding": ROUNDING,
        "rule_version": plan.rule_version,
    }
