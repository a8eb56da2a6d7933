"""When followup has to look again, as instants of the business clock: pure, from single events.

Invariant: a timer says only when to look; what is then to be said is decided on all that is known by then, so a timer
too many says nothing, and none is ever taken back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from contracts.days import promise_date
from contracts.event import Event
from contracts.followup import (
    AgreementApproved,
    AgreementChanged,
    AgreementDrafted,
    ApprovalRevoked,
    CheckInHeld,
    TrialExtended,
    TrialStarted,
)
from contracts.plans import PlanMade
from contracts.rulepacks import RulePack
from contracts.vocabulary import Measure
from services.followup.domain.moments import oslo_midnight
from services.followup.domain.playbook import playbook_on, playbooks_on
from services.followup.domain.slot import MISSED_DAY

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Look:
    """Look at the beginning of a day in Oslo. `day` is the slot's day where it is about a slot."""

    on: date
    day: int = 0

    @property
    def at(self) -> datetime:
        """The instant, UTC."""
        return oslo_midnight(self.on)


def deadlines(event: Event) -> Iterator[Look]:
    """A slot's: as its promise comes near, and when it is missed."""
    if isinstance(event, PlanMade):
        for day in (*playbook_on(event.registered_on).approaching_days, MISSED_DAY):
            yield Look(event.registered_on + timedelta(days=day), day)


def expiries(event: Event) -> Iterator[Look]:
    """A draft's, from the day on which it was last touched: warnings, and the end."""
    match event:
        case AgreementDrafted():
            touched = event.drafted_on
        case AgreementChanged():
            touched = event.changed_on
        case AgreementApproved():
            touched = event.approved_on
        case ApprovalRevoked():
            touched = event.revoked_on
        case _:
            return
    rules = RulePack.at(touched).agreement
    expires_on = touched + timedelta(weeks=rules.draft_expires_after_weeks)
    for days_before in (*rules.draft_warnings_days_before, 0):
        yield Look(expires_on - timedelta(days=days_before))


def check_ins(event: Event) -> Iterator[Look]:
    """A trial's: the day after the one by which the next check-in is to be held.

    Which municipality and which measure it is the trial knows: any day that it may be by then is found by looking.
    """
    match event:
        case TrialStarted():
            measure = Measure(event.measure)
            due = {each.check_in_due(measure, event.on, None) for each in playbooks_on(event.on)}
        case CheckInHeld():
            held_on = event.held_on
            due = {
                each.check_in_due(measure, held_on, held_on) for each in playbooks_on(held_on) for measure in Measure
            }
        case TrialExtended():
            # A check-in may have become due after the old last day, which nobody looked at then.
            due = {event.extended_on}
        case _:
            return
    yield from (Look(day + _ONE_DAY) for day in sorted(due))


def promise_days(registered_on: date, today: date) -> int:
    """The day that the slot's clock shows: 0 on the day of the registration."""
    return (today - registered_on).days


def days_left(registered_on: date, today: date) -> int:
    """Days until the promise date; negative once it has passed."""
    return (promise_date(registered_on) - today).days
