"""What an erasure leaves of somebody in the facts, whatever comes first."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from chassis.projection import Document, Record, fold_all
from contracts import followup as fo
from contracts import intake as it
from services.reporting.views import PROJECTIONS, journey, persons, placement
from tests.gwt import arrivals, records

CASE = {"match_id": "M1", "need_id": "N1", "slot_id": "S1", "candidate_id": "C1", "org_number": "315486892"}
DECLARED = it.BackgroundDeclared(candidate_id="C1", declared_on=date(2025, 1, 2), ciphertext="sealed")
PROTECTED = it.AddressProtectionChanged(candidate_id="C1", protected=True, occurred=datetime(2025, 1, 3, tzinfo=UTC))
STARTED = fo.TrialStarted(
    **CASE,
    agreement_id="A1",
    trial_id="T1",
    on=date(2025, 2, 1),
    confirmed_by="employer",
    measure="work_training",
    end_on=date(2025, 4, 30),
    days_from_need=20,
    within_promise=True,
    rule_version="1",
)
ERASED = it.CandidateErased(candidate_id="C1", erased_on=date(2026, 1, 5))
SENT = [
    *records(it.SOURCE, [PROTECTED, ERASED]),
    *records(it.BACKGROUND_SOURCE, [DECLARED]),
    *records(fo.SOURCE, [STARTED]),
]
ALIVE = [record for record in SENT if record.event is not ERASED]


def told(documents: dict[str, Document]) -> str:
    return json.dumps(documents, default=str)


def test_a_person_is_one_document_that_says_what_they_declared_and_where_they_are() -> None:
    person = fold_all(persons, ALIVE)["C1"]
    assert person["protected"] is True
    assert person["trials"] == {"T1": True}
    assert person["slots"] == {"S1": True}
    assert [each["ciphertext"] for each in person["declarations"]] == ["sealed"]


@given(arrivals(SENT))
def test_after_an_erasure_nothing_is_left_whatever_comes_when(arrived: list[Record]) -> None:
    assert fold_all(persons, arrived) == {}


def test_no_other_fact_says_who_somebody_is() -> None:
    for projection in PROJECTIONS:
        documents = fold_all(projection, SENT)
        assert "C1" not in told(documents), projection.name
        assert "sealed" not in told(documents), projection.name
    # Not only after the erasure: a fact of a slot never says it.
    assert "C1" not in told(fold_all(placement, ALIVE))


def test_the_start_itself_goes_on_being_counted() -> None:
    assert fold_all(placement, SENT)["S1"]["trials"]["T1"]["started_on"] == "2025-02-01"


def test_a_candidates_own_journey_is_gone_and_the_needs_stays() -> None:
    assert "candidate:C1" in fold_all(journey, ALIVE)
    assert set(fold_all(journey, SENT)) == {"need:N1"}


@given(st.booleans())
def test_protection_that_is_lifted_is_lifted(again: bool) -> None:
    events = [PROTECTED, PROTECTED.model_copy(update={"protected": again})]
    assert fold_all(persons, records(it.SOURCE, events))["C1"]["protected"] is again
