"""Who has to do what by when, as dated data.

Invariant: a due day is never before the day on which the task is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from contracts.vocabulary import Party


@dataclass(frozen=True)
class Playbook:
    """One edition, in force from `since`. Days are counted from the registration of the need."""

    version: str
    since: date
    draft_within_days: int
    """An agreement drafted by then leaves the parties a week to approve it inside the promise."""
    drafts: Party = Party.COUNSELLOR
    sees_to_approvals: Party = Party.COUNSELLOR
    confirms_start: Party = Party.EMPLOYER


EDITIONS = (Playbook(version="playbook-2000", since=date(2000, 1, 1), draft_within_days=21),)
"""In order of `since`."""


def playbook_on(day: date) -> Playbook:
    """The edition in force on a day."""
    return max((edition for edition in EDITIONS if edition.since <= day), key=lambda edition: edition.since)


def draft_due(registered_on: date, today: date) -> date:
    """By when an agreement should be drafted for a need registered on that day."""
    return max(today, registered_on + timedelta(days=playbook_on(today).draft_within_days))


def before_start_due(start_on: date, today: date) -> date:
    """By when that must be done which a start waits for: approvals, and the confirmation itself."""
    return max(today, start_on)
