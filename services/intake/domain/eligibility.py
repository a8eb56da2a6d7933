"""Whether a person may take part in a measure, told without the birth date.

Invariant: the answer holds named yes or no, a last day, a class and the version of the rules; nothing that it was
computed from.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from contracts.refused import Refused
from contracts.rulepacks import RulePack
from contracts.vocabulary import Measure
from services.intake.domain.candidates import Candidate
from services.intake.domain.rules import wrong

SubsidyClass = Literal["ordinary", "reduced_work_capacity"]


@dataclass(frozen=True)
class Period:
    """What is asked: this measure, from the first to the last day, both included."""

    measure: Measure
    start: date
    end: date


@dataclass(frozen=True)
class Eligibility:
    old_enough: bool
    """On the day of the question, which is the day of drafting."""
    not_too_old: bool
    """On the first and the last day."""
    eligible: bool
    """All of the above."""
    longest_end: date | None
    """The last possible last day of a period that begins on `start`; None where there is no limit."""
    subsidy_class: SubsidyClass
    rule_version: str


def answer(asked: Period, candidate: Candidate, today: date) -> Eligibility:
    """Judged by the rules in force on the first day. Raises Refused; 409 where the person has been erased."""
    if asked.end < asked.start:
        raise wrong("dates_out_of_order", "/start", "/end")
    if candidate.birth_date is None:
        raise Refused("candidate_erased")
    rules = RulePack.at(asked.start)
    old_enough = rules.old_enough(candidate.birth_date, drafted_on=today)
    not_too_old = rules.young_enough(asked.measure, candidate.birth_date, start_on=asked.start, end_on=asked.end)
    reduced = candidate.reduced_work_capacity
    return Eligibility(
        old_enough=old_enough,
        not_too_old=not_too_old,
        eligible=old_enough and not_too_old,
        longest_end=rules.latest_end(asked.measure, first_start_on=asked.start, reduced_work_capacity=reduced),
        subsidy_class="reduced_work_capacity" if reduced else "ordinary",
        rule_version=rules.version,
    )
