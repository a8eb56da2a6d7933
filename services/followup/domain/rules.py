"""Rule packs, asked with what followup knows of a person.

Invariant: duration and step-down count from the first start of the same person, measure and employer.
"""

from __future__ import annotations

from datetime import date

from contracts.refused import Refused
from contracts.rulepacks import RulePack, periods_overlap
from contracts.vocabulary import Measure
from services.followup.domain.state import Agreement, Person

Period = tuple[date, date]
"""First and last day, both included."""


def first_start(person: Person, org_number: str, measure: Measure, start_on: date, *, besides: str = "") -> date:
    """The first start of this person in this measure with this employer; `start_on` where there was none before.

    `besides`: an agreement whose own start is not asked for, since it is in question.
    """
    earlier = [
        agreement.trial.started_on
        for agreement in person.agreements()
        if agreement.trial is not None
        and (agreement.org_number, agreement.measure) == (org_number, measure)
        and agreement.agreement_id != besides
    ]
    return min([*earlier, start_on])


def check_period(pack: RulePack, measure: Measure, period: Period, first: date, *, reduced: bool) -> None:
    """Window, length and yearly rates."""
    start_on, end_on = period
    pack.check_period(measure, start_on=start_on, end_on=end_on, first_start_on=first, reduced_work_capacity=reduced)
    for year in range(start_on.year, end_on.year + 1):
        pack.yearly_ceiling_nok(measure, year)


def percent_on(
    pack: RulePack, measure: Measure, day: date, first: date, wanted: int | None, *, reduced: bool
) -> int | None:
    """The per cent on a day; refused where `wanted` is not what the rules give or allow."""
    given = pack.subsidy_percent_on(
        measure, day, first_start_on=first, reduced_work_capacity=reduced, agreed_percent=wanted
    )
    settled = pack.measures[measure].subsidy in ("none", "fixed")
    if settled and wanted is not None and wanted != given:
        raise Refused("percent_not_allowed", ["/wage_subsidy_percent"], status=422, measure=measure.value)
    return given


def percent_at_start(agreement: Agreement, on: date, first: date) -> int | None:
    """The per cent on the day of the start, which may lie after a step that the planned start lay before."""
    pack = RulePack.at(on)
    # The agreed per cent tells by which table the agreement was made: intake need not be there when somebody starts.
    reduced = is_of_reduced(pack, agreement.measure, agreement.wage_subsidy_percent)
    return pack.subsidy_percent_on(
        agreement.measure,
        on,
        first_start_on=first,
        reduced_work_capacity=reduced,
        agreed_percent=agreement.wage_subsidy_percent,
    )


def is_of_reduced(pack: RulePack, measure: Measure, percent: int | None) -> bool:
    """Whether a per cent is one of those for people with reduced work capacity, which no other table has."""
    return percent in [step.percent for step in pack.measures[measure].percent_with_reduced_work_capacity]


def leaves_a_choice(pack: RulePack, measure: Measure) -> bool:
    """Whether the per cent is agreed, within limits."""
    return pack.measures[measure].subsidy in ("at_most", "one_of")


def check_overlap(person: Person, measure: Measure, period: Period, *, besides: str, fields: tuple[str, ...]) -> None:
    """Refused where the person's days are taken by another agreement of a measure that excludes this one."""
    pack = RulePack.at(period[0])
    for other in person.agreements():
        if other.agreement_id == besides or other.period is None or pack.may_overlap(measure, other.measure):
            continue
        if periods_overlap(period, other.period):
            raise Refused("overlaps", fields)
