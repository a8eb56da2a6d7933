"""A person of the tests: what is asked about them, and the events that follow."""

from __future__ import annotations

from datetime import UTC, date, datetime

from contracts import nationalids
from contracts.intake import (
    AddressProtectionChanged,
    CandidateAssessed,
    CandidateMapped,
    CandidateRegistered,
    ConsentGiven,
    ReadinessRevoked,
)
from contracts.vocabulary import ConsentScope, Intermediary, QualificationKind, RevokeReason
from services.intake.domain.candidate_commands import (
    AddQualification,
    AssessCandidate,
    GiveConsent,
    MapCandidate,
    RegisterCandidate,
    RevokeReadiness,
)

AT = datetime(2025, 1, 10, 9, 0, tzinfo=UTC)
TODAY = date(2025, 1, 10)
YESTERDAY = date(2025, 1, 9)
YESTERDAY_NOON = datetime(2025, 1, 9, 11, 0, tzinfo=UTC)
TOMORROW = date(2025, 1, 11)
BORN = date(1994, 5, 17)
NATIONAL_ID = nationalids.synthetic(BORN, 0)

REGISTER = RegisterCandidate(
    candidate_id="C1",
    intermediary=Intermediary.REFUGEE_SERVICE,
    name="Karim Testesen",
    national_id=NATIONAL_ID,
    at=AT,
    phone="+4791234567",
    email="karim@example.org",
    synthetic=True,
)
MAP = MapCandidate(mapped_on=TODAY, municipality="3312", hours_per_week=37.5, at=AT)
QUALIFY = AddQualification(
    qualification_id="Q1",
    kind=QualificationKind.COURSE,
    occupation="2512",
    started_on=date(2024, 9, 1),
    completed_on=date(2024, 11, 30),
    title="Kveldskurs",
    provider="Voksenopplæringen",
    at=AT,
)
ASSESS = AssessCandidate(ready=True, assessed_on=TODAY, valid_until=date(2025, 7, 10), at=AT)
REVOKE = RevokeReadiness(RevokeReason.CIRCUMSTANCES_CHANGED, AT)
CONSENT = GiveConsent(ConsentScope.MATCHING, TODAY, AT)

REGISTERED = CandidateRegistered(
    candidate_id="C1",
    intermediary="refugee_service",
    registered_on=TODAY,
    sealed={
        "name": "Karim Testesen",
        "national_id": NATIONAL_ID,
        "birth_date": "1994-05-17",
        "phone": "+4791234567",
        "email": "karim@example.org",
    },
)
MAPPED = CandidateMapped(candidate_id="C1", mapped_on=TODAY, municipality="3312", hours_per_week=37.5)
ASSESSED = CandidateAssessed(
    candidate_id="C1",
    ready=True,
    assessed_on=TODAY,
    valid_until=date(2025, 7, 10),
    sealed={"reduced_work_capacity": False, "notes": None},
)
REVOKED = ReadinessRevoked(candidate_id="C1", reason="circumstances_changed")
CONSENTED = ConsentGiven(candidate_id="C1", scope="matching", given_on=TODAY)
PROTECTED = AddressProtectionChanged(candidate_id="C1", protected=True)
