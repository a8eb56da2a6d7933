"""The lists of needs and candidates, folded from intake's own topic."""

from __future__ import annotations

from datetime import date

from hypothesis import given as examples
from hypothesis import strategies as st

from contracts.event import Event
from contracts.intake import (
    SOURCE,
    AddressProtectionChanged,
    CandidateAssessed,
    CandidateMapped,
    CandidateRegistered,
    ConsentGiven,
    ConsentWithdrawn,
    NeedRegistered,
    NeedWithdrawn,
    QualificationAdded,
    ReadinessRevoked,
    WorkforceReported,
)
from services.intake.views import CANDIDATES, NEEDS
from tests.gwt import arrivals, folded, records

DAY = date(2025, 1, 13)


def need(need_id: str) -> NeedRegistered:
    return NeedRegistered(
        need_id=need_id,
        org_number="310000019",
        municipality="3312",
        occupation="5223",
        slot_ids=(f"{need_id}-1",),
        intermediary="nav",
        hours_per_week=37.5,
        registered_on=DAY,
        promise_date=date(2025, 2, 10),
    )


def withdrawn(need_id: str) -> NeedWithdrawn:
    return NeedWithdrawn(
        need_id=need_id, org_number="310000019", slot_ids=(f"{need_id}-1",), reason="other", withdrawn_on=DAY
    )


def registered(candidate_id: str) -> CandidateRegistered:
    sealed = {"name": "Karim Testesen", "national_id": "17859412345"}
    return CandidateRegistered(candidate_id=candidate_id, intermediary="nav", registered_on=DAY, sealed=sealed)


def history(candidate_id: str) -> list[Event]:
    return [
        registered(candidate_id),
        CandidateMapped(candidate_id=candidate_id, mapped_on=DAY, municipality="3312", hours_per_week=30),
        QualificationAdded(
            candidate_id=candidate_id,
            qualification_id="Q1",
            kind="course",
            occupation="2512",
            started_on=DAY,
            completed_on=DAY,
            sealed={"title": "Kurs", "provider": "Skole"},
        ),
        CandidateAssessed(candidate_id=candidate_id, ready=True, assessed_on=DAY, valid_until=date(2025, 7, 13)),
        ConsentGiven(candidate_id=candidate_id, scope="matching", given_on=DAY),
    ]


def test_a_need_is_listed_as_it_was_registered() -> None:
    assert folded(NEEDS, records(SOURCE, [need("N1")])) == {
        "N1": {**need("N1").data(), "withdrawn": None, "version": 1}
    }


def test_a_withdrawn_need_says_when_and_why() -> None:
    shown = folded(NEEDS, records(SOURCE, [need("N1"), withdrawn("N1")]))
    assert shown["N1"]["withdrawn"] == {"on": "2025-01-13", "reason": "other"}
    assert (shown["N1"]["occupation"], shown["N1"]["version"]) == ("5223", 2)


def test_a_candidate_is_listed_without_a_name() -> None:
    shown = folded(CANDIDATES, records(SOURCE, history("C1")))["C1"]
    assert shown == {
        "candidate_id": "C1",
        "intermediary": "nav",
        "registered_on": "2025-01-13",
        "mapping": {
            "mapped_on": "2025-01-13",
            "intermediary": None,
            "municipality": "3312",
            "language": {"listening": None, "reading": None, "speaking": None, "writing": None},
            "experience": [],
            "wished_occupations": [],
            "hours_per_week": 30.0,
            "available_from": None,
            "licences": [],
            "language_evidence": [],
            "skills": [],
            "education_level": None,
            "certificates": [],
            "wished_municipalities": [],
            "travel_minutes": None,
            "available_to": None,
        },
        "qualifications": [
            {
                "qualification_id": "Q1",
                "kind": "course",
                "occupation": "2512",
                "started_on": "2025-01-13",
                "completed_on": "2025-01-13",
            }
        ],
        "ready_until": "2025-07-13",
        "consents": ["matching"],
        "protected": False,
    }


def test_what_is_taken_back_is_no_longer_shown() -> None:
    taken_back: list[Event] = [
        ReadinessRevoked(candidate_id="C1", reason="other"),
        ConsentWithdrawn(candidate_id="C1", scope="matching", withdrawn_on=DAY),
        AddressProtectionChanged(candidate_id="C1", protected=True),
    ]
    shown = folded(CANDIDATES, records(SOURCE, [*history("C1"), *taken_back]))["C1"]
    assert (shown["ready_until"], shown["consents"], shown["protected"]) == (None, [], True)


def test_an_assessment_as_not_ready_ends_readiness() -> None:
    not_ready = CandidateAssessed(candidate_id="C1", ready=False, assessed_on=DAY, valid_until=date(2025, 8, 1))
    assert folded(CANDIDATES, records(SOURCE, [*history("C1"), not_ready]))["C1"]["ready_until"] is None


def test_workforce_figures_are_no_candidate_and_no_need() -> None:
    report = WorkforceReported(org_number="310000019", year=2024, reported_on=DAY, head_count=10)
    assert folded(NEEDS, records(SOURCE, [report])) == folded(CANDIDATES, records(SOURCE, [report])) == {}


SENT = records(SOURCE, [need("N1"), *history("C1"), need("N2"), withdrawn("N1"), *history("C2"), withdrawn("N2")])


@examples(st.data())
def test_any_order_of_subjects_and_any_duplicates_give_the_same_lists(data: st.DataObject) -> None:
    arrived = data.draw(arrivals(SENT))
    assert folded(NEEDS, arrived) == folded(NEEDS, SENT)
    assert folded(CANDIDATES, arrived) == folded(CANDIDATES, SENT)
