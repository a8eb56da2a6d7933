"""What callers of matching send, field by field.

Invariant: a body says only what the caller decides; ids, time and who asks come from elsewhere.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from chassis.requests import Id, Note, StrictModel
from contracts.vocabulary import CancelReason, DeclineReason, EmployerResponse, Intermediary, ResponseReason


class Nothing(StrictModel):
    """No fields; the body may be left out."""


class Assignment(StrictModel):
    """Who is to work on a need."""

    intermediary: Intermediary


class Proposal(StrictModel):
    """Whom a counsellor proposes for a slot."""

    candidate_id: Id


class NextChoice(StrictModel):
    """Propose and ask the best candidate who has not been tried for the slot."""

    deadline: date | None = None
    """The last day for the answer; left out: three days from now."""


class PlanLine(StrictModel):
    """One line of the plan that the counsellor takes."""

    slot_id: Id
    candidate_id: Id


class Question(StrictModel):
    """Until when the candidate may answer."""

    deadline: date
    """The last day."""


class YesOrNo(StrEnum):
    ACCEPT = "accept"
    DECLINE = "decline"


class CandidateAnswer(StrictModel):
    """The candidate says yes or no to being presented."""

    answer: YesOrNo
    reason: DeclineReason | None = None
    """Why not; only and always with `decline`."""
    note: Note | None = None
    """With the reason `other`: what it is. From a counsellor: why the answer is recorded on behalf of the candidate."""


class Response(StrictModel):
    """What the employer says of a presented candidate."""

    response: EmployerResponse
    reason: ResponseReason | None = None
    """Only and always with `not_relevant`."""
    note: Note | None = None
    """With the reason `other`: what it is."""


class Interview(StrictModel):
    held_on: date
    """The day on which it was held; not ahead."""


class Cancellation(StrictModel):
    reason: CancelReason
    note: Note | None = None
    """With the reason `other`: what it is."""
