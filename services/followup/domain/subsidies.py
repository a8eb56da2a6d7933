"""What an agreement's subsidy amounts to: the wage it was drafted with, and the per cents of the rules.

Invariant: a wage is sealed; what is told of it are amounts per period, to those whose agreement it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

from pydantic import JsonValue

from contracts.rulepacks import RulePack
from contracts.subsidyplan import SubsidyPeriod, Wage, subsidy_plan
from contracts.vocabulary import Measure
from services.followup.domain import rules
from services.followup.domain.state import Agreement, Person

_WHOLE = Decimal(100)


@dataclass(frozen=True)
class Plan:
    """`ceilings_nok`: per calendar year, where the measure has a ceiling."""

    periods: tuple[SubsidyPeriod, ...]
    ceilings_nok: Mapping[int, int]
    rule_version: str

    @property
    def sum_nok(self) -> int | None:
        """Of all periods; None where an amount is not known."""
        known = [each.amount_nok for each in self.periods if each.amount_nok is not None]
        return sum(known) if len(known) == len(self.periods) else None


def sealed_wage(wage: Wage) -> dict[str, JsonValue]:
    """A wage as text: exact, whatever reads it."""
    return {name: str(value) for name, value in asdict(wage).items()}


def wage_of(agreement: Agreement) -> Wage | None:
    """The wage that was sealed with the content; None where none was given, or it was not opened."""
    told = (agreement.terms or {}).get("wage")
    return Wage(**{name: Decimal(str(value)) for name, value in told.items()}) if isinstance(told, Mapping) else None


def plan_of(person: Person, agreement: Agreement, *, end_on: date | None = None, percent: int | None = None) -> Plan:
    """The plan from the first to the last day. `end_on` and `percent`: as an extension would have it from then on.

    Other hours that were agreed in the trial change the share of the position as much, from their day on.
    """
    trial = agreement.trial
    start_on = agreement.start_on if trial is None else trial.started_on
    last = agreement.end_on if trial is None else trial.closed_on or trial.end_on
    agreed = [(start_on, agreement.wage_subsidy_percent)] if trial is None else list(trial.agreed_percents)
    if end_on is not None:
        agreed.append((last + timedelta(days=1), percent))
        last = end_on
    pack = RulePack.at(start_on)
    first = rules.first_start(person, agreement.org_number, agreement.measure, start_on)
    steps = [
        step
        for from_on, to_on, wanted in _each_day_once(agreed, start_on, last)
        for step in pack.subsidy_steps(
            agreement.measure,
            start_on=from_on,
            end_on=to_on,
            first_start_on=first,
            reduced_work_capacity=_reduced(pack, agreement, wanted),
            agreed_percent=wanted,
        )
    ]
    periods = [
        period
        for step in steps
        for (from_on, wage), (until, _) in pairwise([*_wages(agreement), (date.max, None)])
        if max(step.from_on, from_on) <= min(step.to_on, until - timedelta(days=1))
        for period in subsidy_plan(
            [step._replace(from_on=max(step.from_on, from_on), to_on=min(step.to_on, until - timedelta(days=1)))], wage
        )
    ]
    return Plan(tuple(periods), _ceilings(pack, agreement.measure, start_on, last), pack.version)


def _each_day_once(
    agreed: Iterable[tuple[date, int | None]], start_on: date, last: date
) -> Iterator[tuple[date, date, int | None]]:
    """First day, last day and per cent of what holds, from what was agreed in the order in which it was decided.

    The last day may have moved forward since: nothing after it is paid, and an extension from there on takes the place
    of one that had been decided for days that were then cut, else those days would be paid twice.
    """
    holding: list[tuple[date, int | None]] = []
    for from_on, percent in agreed:
        holding = [*(each for each in holding if each[0] < from_on), (from_on, percent)]
    after = last + timedelta(days=1)
    for (from_on, percent), (until, _) in pairwise([*holding, (after, None)]):
        first_day, last_day = max(from_on, start_on), min(until, after) - timedelta(days=1)
        if first_day <= last_day:
            yield first_day, last_day, percent


def _wages(agreement: Agreement) -> list[tuple[date, Wage | None]]:
    """From which day on which wage: the share of the position follows the hours that are agreed."""
    wage = wage_of(agreement)
    found: list[tuple[date, Wage | None]] = [(date.min, wage)]
    for from_on, hours in () if agreement.trial is None else agreement.trial.agreed_hours:
        part = Decimal(str(hours)) / Decimal(str(agreement.hours_per_week))
        # More than a whole position is not subsidised.
        found.append((from_on, wage and replace(wage, position_percent=min(_WHOLE, wage.position_percent * part))))
    return found


def _ceilings(pack: RulePack, measure: Measure, start_on: date, end_on: date) -> dict[int, int]:
    found = {year: pack.yearly_ceiling_nok(measure, year) for year in range(start_on.year, end_on.year + 1)}
    return {year: ceiling for year, ceiling in found.items() if ceiling is not None}


def _reduced(pack: RulePack, agreement: Agreement, percent: int | None) -> bool:
    """By which table the per cent was decided: an extension is by what was known of the person by then."""
    if percent is not None and pack.measures[agreement.measure].subsidy == "fixed":
        return rules.is_of_reduced(pack, agreement.measure, percent)
    return bool((agreement.terms or {}).get("reduced_work_capacity", False))
