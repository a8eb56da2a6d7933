"""Subjects of followup's log, and the state that they hold.

Invariant: whoever decides about a person's days reads and claims `candidate:…`, which every commit about that person
claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce

from chassis.decisions import Loaded
from contracts.followup import CaseEvent
from services.followup.domain.slot import UNKNOWN, Slot, slot_of
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


def slot_subject(slot_id: str) -> str:
    """The plan of a slot, its clock, and whatever starts in it."""
    return f"slot:{slot_id}"


def need_subject(need_id: str) -> str:
    """The set of a need's cases."""
    return f"need:{need_id}"


def followup_events(loaded: Loaded) -> Iterator[CaseEvent]:
    """The events of cases in the history of a subject: a commit that opens a case may hold its slot's plan as well."""
    return (event for event in loaded.events if isinstance(event, CaseEvent))


def person_of(loaded: Loaded) -> Person:
    """The person whose set this subject is. A commit may hold events of several persons: a withdrawn need has many."""
    events = (event for event in followup_events(loaded) if person_subject(event.candidate_id) == loaded.subject)
    return reduce(evolve, events, NOBODY)


def slot_in(loaded: Mapping[str, Loaded], slot_id: str) -> Slot:
    """A slot as it was read."""
    known = loaded.get(slot_subject(slot_id))
    return UNKNOWN if known is None else slot_of(slot_id, known.events)


def cases_in(events: Iterable[CaseEvent]) -> dict[str, CaseEvent]:
    """One event of each case, by match id: it carries all ids of the case."""
    return {event.match_id: event for event in events}
