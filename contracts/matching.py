"""Events of matching (`dugnad.matching.v1`).

Invariant: a match says who (a random id), which slot and why; never anything protected.
"""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from contracts.event import Event, Value
from contracts.vocabulary import (
    CancelReasonCode,
    DeclineReasonCode,
    EmployerResponseCode,
    IntermediaryCode,
    MeasureCode,
    PartyCode,
    ResponseReasonCode,
)

SOURCE = "dugnad/matching"
TOPIC = "dugnad.matching.v1"


class NeedAssigned(Event):
    """Which intermediary works on a need from now on; later ones are handovers. Since v2 with who had it before."""

    VERSION: ClassVar[int] = 2

    SUBJECT: ClassVar[str] = "need:{need_id}"
    PARTITION_KEY: ClassVar[str] = "need:{need_id}"

    need_id: str
    org_number: str
    intermediary: IntermediaryCode
    assigned_on: date
    previous: IntermediaryCode | None = None
    """Who handed it over; None where the need was assigned for the first time."""


class Reason(Value):
    """Where points of the score come from; the code's sentence is in the catalogue of matching."""

    code: str
    points: int


class MatchEvent(Event):
    SUBJECT: ClassVar[str] = "match:{match_id}"
    PARTITION_KEY: ClassVar[str] = "need:{need_id}"
    PERSON: ClassVar[str | None] = "candidate_id"

    match_id: str
    need_id: str
    slot_id: str
    candidate_id: str
    org_number: str


class CandidateMatched(MatchEvent):
    """A counsellor proposes a ready candidate for a slot."""

    intermediary: IntermediaryCode
    """Of the counsellor who proposed."""
    score: int
    reasons: tuple[Reason, ...]
    rule_version: str
    matched_on: date


class CandidateAsked(MatchEvent):
    asked_on: date
    deadline: date
    """The last Oslo day on which the candidate may answer."""


class CandidateAccepted(MatchEvent):
    """The candidate says yes to being presented. Nothing is shown to the employer before. Sealed: `note`.

    Since v2 with who recorded the answer.
    """

    VERSION: ClassVar[int] = 2

    accepted_on: date
    answered_by: PartyCode | None = None
    """`participant`: the candidate; `counsellor`: on behalf of the candidate; None: not known."""


class CandidateDeclined(MatchEvent):
    """The candidate says no. Sealed: `note`. Since v2 with who recorded the answer."""

    VERSION: ClassVar[int] = 2

    declined_on: date
    reason: DeclineReasonCode
    answered_by: PartyCode | None = None
    """As in `CandidateAccepted`."""


class AnswerReversed(MatchEvent):
    """The candidate's yes was a mistake, or is taken back before the presentation: the question is open again."""

    reversed_on: date
    reversed_by: PartyCode


class CandidatePresented(MatchEvent):
    presented_on: date


class PresentationReversed(MatchEvent):
    """The presentation was a mistake: it is not counted in the period it was made in."""

    reversed_on: date


class EmployerResponded(MatchEvent):
    """Sealed: `note`."""

    responded_on: date
    response: EmployerResponseCode
    reason: ResponseReasonCode | None = None


class ResponseReversed(MatchEvent):
    """What the employer answered was typed by mistake: the presentation waits for an answer again."""

    reversed_on: date
    reversed_by: PartyCode


class InterviewHeld(MatchEvent):
    held_on: date


class MatchConfirmed(MatchEvent):
    """This person for this slot: at most one per slot and per person at a time. Carries what follow-up begins with."""

    confirmed_on: date
    confirmed_by: PartyCode
    intermediary: IntermediaryCode
    municipality: str
    occupation: str
    measure: MeasureCode | None = None
    registered_on: date
    promise_date: date


class MatchCancelled(MatchEvent):
    """The match ended without a start; the candidate is free again. Sealed: `note`."""

    cancelled_on: date
    reason: CancelReasonCode


MatchingEvent = (
    NeedAssigned
    | CandidateMatched
    | CandidateAsked
    | CandidateAccepted
    | CandidateDeclined
    | AnswerReversed
    | CandidatePresented
    | PresentationReversed
    | EmployerResponded
    | ResponseReversed
    | InterviewHeld
    | MatchConfirmed
    | MatchCancelled
)
