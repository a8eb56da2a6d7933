"""What a fact document says of a match after somebody has taken an answer back."""

from __future__ import annotations

from datetime import date
from typing import Any

from chassis.projection import fold_all
from contracts import matching as ma
from contracts.event import Event
from services.reporting.views import placement
from tests.unit.reporting.test_reporting_traps import CASE, happened, presented

DAY = date(2025, 1, 20)
YES = ma.CandidateAccepted(**CASE, accepted_on=DAY)
RELEVANT = ma.EmployerResponded(**CASE, responded_on=DAY, response="relevant")


def match_after(*events: Event) -> dict[str, Any]:
    [document] = fold_all(placement, happened(*events)).values()
    matched: dict[str, Any] = document["matches"]["M1"]
    return matched


def test_a_yes_that_was_taken_back_is_no_fact_until_it_is_said_again() -> None:
    taken_back = ma.AnswerReversed(**CASE, reversed_on=DAY, reversed_by="counsellor")
    assert match_after(YES)["accepted_on"] == "2025-01-20"
    assert match_after(YES, taken_back)["accepted_on"] is None
    assert match_after(YES, taken_back, YES)["accepted_on"] == "2025-01-20"


def test_an_employers_answer_that_was_taken_back_is_no_fact_until_there_is_another_one() -> None:
    taken_back = ma.ResponseReversed(**CASE, reversed_on=DAY, reversed_by="employer")
    told = match_after(presented(DAY), RELEVANT, taken_back)
    assert (told["presented_on"], told["answered_on"], told["answer"]) == ("2025-01-20", None, None)
    assert match_after(presented(DAY), RELEVANT, taken_back, RELEVANT)["answer"] == "relevant"
