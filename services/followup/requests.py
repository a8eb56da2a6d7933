"""What followup's POSTs may hold.

Invariant: shapes and lengths alone; what may be done when is the domain's to say.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from chassis.requests import Note, StrictModel
from contracts.subsidyplan import Wage
from contracts.vocabulary import (
    AnnulReason,
    CheckInReversalReason,
    CloseReason,
    DelayReason,
    Measure,
    Outcome,
    Party,
    Progress,
    ReversalReason,
    ShortenReason,
    StartReversalReason,
    Task,
)

Rate = Annotated[float, Field(ge=0, le=100)]
HoursPerWeek = Annotated[float, Field(gt=0, le=40)]


class WageTerms(StrictModel):
    """What a wage subsidy is computed from. Sealed; the parties are shown what it amounts to."""

    monthly_wage_nok: Annotated[float, Field(gt=0, le=1_000_000)]
    """Before tax, for a whole position."""
    holiday_pay_percent: Rate = 12
    pension_percent: Rate = 2
    employers_contribution_percent: Rate = 14.1
    position_percent: Annotated[float, Field(gt=0, le=100)] = 100

    def wage(self) -> Wage:
        """The same, exactly."""
        return Wage(**{name: Decimal(str(value)) for name, value in self.model_dump().items()})


class NewAgreement(StrictModel):
    """What the parties are asked to approve."""

    measure: Measure
    start_on: date
    end_on: date
    """The last day, included."""
    hours_per_week: HoursPerWeek
    wage_subsidy_percent: int | None = None
    """Where the rules leave a choice (permanent wage subsidy, summer job); elsewhere the rules give it."""
    late_registration: bool = False
    """The start lies further back than the rules say; a decision maker then has to approve."""
    wage: WageTerms | None = None
    """For measures with a wage subsidy, so that the plan tells amounts."""


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
    agreed: Note | None = None
    """The actions agreed on."""


class CheckInReversed(StrictModel):
    """A check-in that was recorded was none."""

    reason: CheckInReversalReason
    note: Note | None = None
    """Needed for `other`."""


class CheckInReversedByDay(CheckInReversed):
    """As the page says which one: by its day; of several on one day, the one that was recorded last."""

    held_on: date


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


class Well(StrEnum):
    """How it goes, as the candidate says."""

    GOOD = "good"
    MIXED = "mixed"
    BAD = "bad"


class Help(StrEnum):
    """Whether the candidate gets the help that is needed."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


class NewVoice(StrictModel):
    """What the candidate says. Only the case's counsellor reads it."""

    well: Well
    help: Help
    talk: bool = False
    """Whether the candidate wants to talk with the counsellor."""
    text: Note | None = None

    def answers(self) -> dict[str, str]:
        """All of it as text, to be sealed."""
        told = {"well": self.well.value, "help": self.help.value, "talk": "yes" if self.talk else "no"}
        return told if self.text is None else {**told, "text": self.text}


class NewChange(StrictModel):
    """Employer or participant asks for other hours."""

    effective_on: date
    hours_per_week: HoursPerWeek
    note: Note | None = None


class ChangeAnswer(StrictModel):
    accepted: bool
    note: Note | None = None


class Shortening(StrictModel):
    end_on: date
    """The new last day, included: today or later."""
    reason: ShortenReason
    note: Note | None = None
    """Needed for `other`."""


class ClosingTalk(StrictModel):
    held_on: date
    note: Note | None = None


class Reversal(StrictModel):
    outcome: Outcome
    """The right one."""
    reason: ReversalReason
    note: Note | None = None
    """Needed where outcome or reason is `other`."""


class NewCertificate(StrictModel):
    """Nothing has to be said."""


class Employment(StrictModel):
    after_months: int
    """3, 6 or 12."""
    employed: bool
    on: date
    """The day on which it was so: not before that many months have passed."""


class CaseTake(StrictModel):
    """Nothing has to be said."""


class StartSettled(StrictModel):
    """Which day the start was, where two have been given."""

    on: date
    """The day on which the candidate showed up: the confirmed one, or another one."""
    reason: StartReversalReason | None = None
    """Why it was another day than the confirmed one; needed then, and only then."""
    note: Note | None = None
    """Needed for `other`."""


class PlanTaskDone(StrictModel):
    task: Task
    on: date


class Delay(StrictModel):
    caused_by: Party
    reason: DelayReason
    from_on: date
