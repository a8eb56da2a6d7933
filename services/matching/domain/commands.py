"""What can be asked of matching. Time, ids and facts of other services arrive in the command.

Invariant: a command is complete: deciding it needs nothing but the log's own state.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from contracts.vocabulary import CancelReason, DeclineReason, EmployerResponse, Intermediary, Party, ResponseReason
from services.matching.domain.facts import CandidateFacts, NeedFacts
from services.matching.domain.weights import Weights


@dataclass(frozen=True)
class Assign:
    need: NeedFacts
    by: Intermediary
    to: Intermediary
    today: date


@dataclass(frozen=True)
class Propose:
    match_id: str
    slot_id: str
    candidate_id: str
    by: Intermediary
    need: NeedFacts
    candidate: CandidateFacts | None
    """None: nobody of that id is known."""
    weights: Weights
    today: date
    deadline: date | None = None
    """Also ask the candidate, who may answer until this day."""


@dataclass(frozen=True)
class Ask:
    match_id: str
    deadline: date
    need: NeedFacts
    candidate: CandidateFacts
    today: date


@dataclass(frozen=True)
class Accept:
    match_id: str
    today: date
    on_behalf: bool = False
    """A counsellor records the candidate's answer."""
    note: str | None = None
    """Why it was recorded on behalf of the candidate."""


@dataclass(frozen=True)
class Decline:
    match_id: str
    reason: DeclineReason
    today: date
    on_behalf: bool = False
    note: str | None = None


@dataclass(frozen=True)
class ReverseAnswer:
    match_id: str
    by: Party
    today: date


@dataclass(frozen=True)
class Present:
    match_id: str
    need: NeedFacts
    candidate: CandidateFacts
    today: date


@dataclass(frozen=True)
class ReversePresentation:
    match_id: str
    today: date


@dataclass(frozen=True)
class Respond:
    match_id: str
    response: EmployerResponse
    today: date
    reason: ResponseReason | None = None
    note: str | None = None


@dataclass(frozen=True)
class ReverseResponse:
    match_id: str
    by: Party
    today: date


@dataclass(frozen=True)
class HoldInterview:
    match_id: str
    held_on: date
    today: date


@dataclass(frozen=True)
class Confirm:
    match_id: str
    by: Party
    need: NeedFacts
    candidate: CandidateFacts
    today: date


@dataclass(frozen=True)
class Cancel:
    match_id: str
    reason: CancelReason
    today: date
    note: str | None = None


@dataclass(frozen=True)
class EndUnfit:
    """What no event says: an assessment runs out as days pass, requirements change under a running proposal."""

    match_id: str
    need: NeedFacts
    candidate: CandidateFacts
    today: date


Command = (
    Assign
    | Propose
    | Ask
    | Accept
    | Decline
    | ReverseAnswer
    | Present
    | ReversePresentation
    | Respond
    | ReverseResponse
    | HoldInterview
    | Confirm
    | Cancel
    | EndUnfit
)
