"""What followup's POSTs may hold.

Invariant: shapes and lengths alone; what may be done when is the domain's to say.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

from chassis.requests import Note, StrictModel
from contracts.vocabulary import AnnulReason, CloseReason, Measure, Outcome, Party, Progress


class NewAgreement(StrictModel):
    """What the parties are asked to approve."""

    measure: Measure
    start_on: date
    end_on: date
    """The last day, included."""
    hours_per_week: Annotated[float, Field(gt=0, le=40)]
    wage_subsidy_percent: int | None = None
    """Where the rules leave a choice (permanent wage subsidy, summer job); elsewhere the rules give it."""
    late_registration: bool = False
    """The start lies further back than the rules say; a decision maker then has to approve."""


class Approval(StrictModel):
    party: Party
    reason: Note | None = None
    """Why somebody approves on behalf of the party; needed then, and only then."""


class Revocation(StrictModel):
    party: Party
    note: Note | None = None


class Annulment(StrictModel):
    reason: AnnulReason
    """registered_by_mistake, no_longer_available or other."""
    note: Note | None = None
    """Needed for `other`."""


class Start(StrictModel):
    on: date
    """The day on which the candidate showed up."""


class NoShow(StrictModel):
    on: date


class NewCheckIn(StrictModel):
    held_on: date
    progress: Progress
    note: Note | None = None


class Extension(StrictModel):
    end_on: date
    """The new last day, included."""
    wage_subsidy_percent: int | None = None
    """Where the rules leave a choice; left out: as before, within the rules."""


class Closing(StrictModel):
    on: date
    """The last day of the trial."""
    outcome: Outcome
    reason: CloseReason
    note: Note | None = None
    """Needed where outcome or reason is `other`."""
