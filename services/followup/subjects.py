"""Subjects of followup's log, and the state that they hold.

Invariant: whoever decides about a person's days reads and claims `candidate:…`, which every commit about that person
claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce

from chassis.decisions import Loaded
from contracts.followup import CaseEvent, FollowupEvent
from services.followup.domain.state import NOBODY, Person, evolve


def case_subject(match_id: str) -> str:
    """What a case's versions count."""
    return f"case:{match_id}"


def agreement_subject(agreement_id: str) -> str:
    """What an agreement's versions count."""
    return f"agreement:{agreement_id}"


def trial_subject(trial_id: str) -> str:
    """What a trial's versions count."""
    return f"trial:{trial_id}"


def person_subject(candidate_id: str) -> str:
    """The set of a person's cases."""
    return f"candidate:{candidate_id}"


def need_subject(need_id: str) -> str:
    """The set of a need's cases."""
    return f"need:{need_id}"


def followup_events(loaded: Loaded) -> Iterator[FollowupEvent]:
    """The events of a subject, typed."""
    for event in loaded.events:
        assert isinstance(event, CaseEvent)
        # Every event class of this log is in the union, and all of them are CaseEvents.
        yield event  # type: ignore[misc]


def person_of(loaded: Loaded) -> Person:
    """The person whose set this subject is. A commit may hold events of several persons: a withdrawn need has many."""
    events = (event for event in followup_events(loaded) if person_subject(event.candidate_id) == loaded.subject)
    return reduce(evolve, events, NOBODY)


def cases_in(events: Iterable[CaseEvent]) -> dict[str, CaseEvent]:
    """One event of each case, by match id: it carries all ids of the case."""
    return {event.match_id: event for event in events}
