"""What the tests of matching share: the Lier need, a ready candidate, and the way of a match, event by event."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from contracts.event import Event
from contracts.followup import TrialClosed, TrialStarted
from contracts.intake import LanguageLevels
from contracts.matching import (
    CandidateAccepted,
    CandidateAsked,
    CandidateMatched,
    CandidatePresented,
    EmployerResponded,
    InterviewHeld,
    MatchCancelled,
    MatchConfirmed,
    MatchEvent,
)
from services.matching.domain.facts import CandidateFacts, NeedFacts, Practice
from services.matching.rules import weights_on

TODAY = date(2025, 1, 20)
ORG = "315486890"
WEIGHTS = weights_on(TODAY)

NEED = NeedFacts(
    need_id="N1",
    org_number=ORG,
    slot_ids=("S1", "S2"),
    withdrawn_slots=frozenset(),
    intermediary="refugee_service",
    municipality="3312",
    occupation="5223",
    measure="work_training",
    hours_per_week=37.5,
    start_from=None,
    language=LanguageLevels(speaking="A2"),
    licences=(),
    registered_on=date(2025, 1, 13),
    promise_date=date(2025, 2, 10),
)
READY = CandidateFacts(
    candidate_id="C1",
    ready=True,
    valid_until=date(2025, 7, 1),
    consent=True,
    municipality="3312",
    language=LanguageLevels(listening="B1", reading="A2", speaking="A2", writing="A1"),
    experience=(Practice("5223", 30),),
    wished_occupations=("5223",),
    hours_per_week=37.5,
)


def candidate(name: str = "C1", **changes: Any) -> CandidateFacts:
    return replace(READY, candidate_id=name, **changes)


def about(match_id: str = "M1", slot_id: str = "S1", candidate_id: str = "C1", need_id: str = "N1") -> dict[str, str]:
    return {
        "match_id": match_id,
        "slot_id": slot_id,
        "candidate_id": candidate_id,
        "need_id": need_id,
        "org_number": ORG,
    }


def proposed(match_id: str = "M1", slot_id: str = "S1", candidate_id: str = "C1") -> list[MatchEvent]:
    return [
        CandidateMatched(
            **about(match_id, slot_id, candidate_id),
            intermediary="refugee_service",
            score=0,
            reasons=(),
            rule_version="ranking-2025-01",
            matched_on=date(2025, 1, 15),
        )
    ]


def asked(*ids: str, deadline: date = TODAY) -> list[MatchEvent]:
    return [*proposed(*ids), CandidateAsked(**about(*ids), asked_on=date(2025, 1, 15), deadline=deadline)]


def accepted(*ids: str) -> list[MatchEvent]:
    return [*asked(*ids), CandidateAccepted(**about(*ids), accepted_on=date(2025, 1, 16))]


def presented(*ids: str) -> list[MatchEvent]:
    return [*accepted(*ids), CandidatePresented(**about(*ids), presented_on=date(2025, 1, 16))]


def answered(*ids: str, response: str = "interview") -> list[MatchEvent]:
    said = EmployerResponded(**about(*ids), responded_on=date(2025, 1, 17), response=response)
    return [*presented(*ids), said]


def interviewed(*ids: str) -> list[MatchEvent]:
    return [*answered(*ids), InterviewHeld(**about(*ids), held_on=date(2025, 1, 18))]


def the_confirmation(*ids: str) -> MatchConfirmed:
    return MatchConfirmed(
        **about(*ids),
        confirmed_on=TODAY,
        confirmed_by="counsellor",
        intermediary="refugee_service",
        municipality="3312",
        occupation="5223",
        measure="work_training",
        registered_on=date(2025, 1, 13),
        promise_date=date(2025, 2, 10),
    )


def confirmed(*ids: str) -> list[MatchEvent]:
    return [*interviewed(*ids), the_confirmation(*ids)]


def the_end(reason: str, *ids: str, sealed: dict[str, Any] | None = None) -> MatchCancelled:
    return MatchCancelled(**about(*ids), cancelled_on=TODAY, reason=reason, sealed=sealed)


def started(match_id: str = "M1", slot_id: str = "S1", candidate_id: str = "C1") -> TrialStarted:
    return TrialStarted(
        **about(match_id, slot_id, candidate_id),
        trial_id=f"T{match_id}",
        agreement_id=f"A{match_id}",
        on=TODAY,
        confirmed_by="employer",
        measure="work_training",
        end_on=TODAY + timedelta(days=88),
        days_from_need=7,
        within_promise=True,
        rule_version="test",
    )


def closed(match_id: str = "M1", slot_id: str = "S1", candidate_id: str = "C1") -> TrialClosed:
    return TrialClosed(
        **about(match_id, slot_id, candidate_id),
        trial_id=f"T{match_id}",
        agreement_id=f"A{match_id}",
        on=TODAY + timedelta(days=88),
        outcome="hired",
        reason="period_completed",
    )


def told(*parts: list[MatchEvent] | Event) -> list[Event]:
    """One list of events from lists and single ones."""
    return [event for part in parts for event in (part if isinstance(part, list) else [part])]
