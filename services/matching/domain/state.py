"""What the log of matching says: matches, who works on which need; and of followup, which trials began and ended.

Invariant: a match is open until exactly one MatchCancelled or MatchConfirmed; a cancelled one never comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from functools import reduce

from contracts.event import Event
from contracts.followup import TrialClosed, TrialStarted
from contracts.matching import (
    AnswerReversed,
    CandidateAccepted,
    CandidateAsked,
    CandidateDeclined,
    CandidateMatched,
    CandidatePresented,
    EmployerResponded,
    InterviewHeld,
    MatchCancelled,
    MatchConfirmed,
    MatchEvent,
    NeedAssigned,
    PresentationReversed,
    ResponseReversed,
)


class Stage(StrEnum):
    """How far a match has come. The codes are shown by the API."""

    PROPOSED = "proposed"
    ASKED = "asked"
    ACCEPTED = "accepted"
    PRESENTED = "presented"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Match:
    """One person proposed for one slot."""

    match_id: str
    need_id: str
    slot_id: str
    candidate_id: str
    org_number: str
    stage: Stage = Stage.PROPOSED
    deadline: date | None = None
    presented_on: date | None = None
    response: str | None = None
    interviewed_on: date | None = None

    @property
    def is_open(self) -> bool:
        return self.stage not in (Stage.CONFIRMED, Stage.CANCELLED)

    @property
    def subjects(self) -> tuple[str, str, str]:
        """What a commit claims that opens, confirms or ends this match; itself first."""
        return f"match:{self.match_id}", f"slot:{self.slot_id}", f"candidate:{self.candidate_id}"


@dataclass(frozen=True)
class World:
    """As much of the log as a decision has read."""

    matches: Mapping[str, Match] = field(default_factory=dict)
    assigned: Mapping[str, str] = field(default_factory=dict)
    """Need to intermediary."""
    started: frozenset[str] = frozenset()
    """Matches whose trial has started; only ever grows."""
    closed: frozenset[str] = frozenset()
    """Matches whose trial has closed: they fill their slot for ever, and no longer hold the person."""

    def open_on(self, slot_id: str) -> list[Match]:
        return [match for match in self.matches.values() if match.slot_id == slot_id and match.is_open]

    def open_of(self, candidate_id: str) -> list[Match]:
        return [match for match in self.matches.values() if match.candidate_id == candidate_id and match.is_open]

    def confirmed_on(self, slot_id: str) -> list[Match]:
        return [match for match in self.confirmed() if match.slot_id == slot_id]

    def confirmed(self) -> list[Match]:
        return [match for match in self.matches.values() if match.stage is Stage.CONFIRMED]

    def holding(self, candidate_id: str) -> list[Match]:
        """The confirmed matches that hold a person now."""
        return [m for m in self.confirmed() if m.candidate_id == candidate_id and m.match_id not in self.closed]

    def endable(self) -> list[Match]:
        """Open matches, and confirmed ones that have not started."""
        return [m for m in self.matches.values() if m.stage is not Stage.CANCELLED and m.match_id not in self.started]


NOTHING = World()


def evolve(world: World, event: Event) -> World:
    """The world after one more event; what it does not concern changes nothing."""
    if isinstance(event, NeedAssigned):
        return replace(world, assigned={**world.assigned, event.need_id: event.intermediary})
    if isinstance(event, TrialStarted):
        return replace(world, started=world.started | {event.match_id})
    if isinstance(event, TrialClosed):
        return replace(world, closed=world.closed | {event.match_id})
    if isinstance(event, MatchEvent):
        match = evolve_match(world.matches.get(event.match_id), event)
        return world if match is None else replace(world, matches={**world.matches, event.match_id: match})
    return world


def evolve_match(match: Match | None, event: MatchEvent) -> Match | None:
    """One match after one more of its events. None: this event does not say that there is one."""
    if match is None:
        if isinstance(event, CandidateMatched):
            return Match(event.match_id, event.need_id, event.slot_id, event.candidate_id, event.org_number)
        return None
    match event:
        case CandidateMatched() | CandidateDeclined():
            # A declined match ends with the MatchCancelled of the same commit.
            return match
        case AnswerReversed():
            return replace(match, stage=Stage.ASKED)
        case CandidateAsked():
            return replace(match, stage=Stage.ASKED, deadline=event.deadline)
        case CandidateAccepted():
            return replace(match, stage=Stage.ACCEPTED)
        case CandidatePresented():
            return replace(match, stage=Stage.PRESENTED, presented_on=event.presented_on)
        case PresentationReversed():
            return replace(match, stage=Stage.ACCEPTED, presented_on=None, response=None, interviewed_on=None)
        case EmployerResponded():
            return replace(match, response=event.response)
        case ResponseReversed():
            return replace(match, response=None)
        case InterviewHeld():
            return replace(match, interviewed_on=event.held_on)
        case MatchConfirmed():
            return replace(match, stage=Stage.CONFIRMED)
        case MatchCancelled():
            return replace(match, stage=Stage.CANCELLED)
        case _:
            return match


def world_of(read: Mapping[str, Sequence[Event]]) -> World:
    """The world from the subjects that were read: for each, all events of the commits that claimed it.

    A match is complete from its own subject. Of a match that was not read itself, its slot's or candidate's subject
    tells proposal, confirmation and end, since the commits of these claim both. `trial:{match_id}` is followup's word
    on a confirmed match.
    """
    world = NOTHING
    matches: dict[str, Match] = {}
    for subject, events in read.items():
        kind, _, name = subject.partition(":")
        if kind in ("need", "trial"):
            of_it = [e for e in events if not isinstance(e, NeedAssigned) or e.need_id == name]
            world = reduce(evolve, of_it, world)
            continue
        for match_id, own in _by_match(kind, name, events).items():
            if kind == "match" or f"match:{match_id}" not in read:
                match = _fold(own)
                if match is not None:
                    matches[match_id] = match
    return replace(world, matches=matches)


def _by_match(kind: str, name: str, events: Iterable[Event]) -> dict[str, list[MatchEvent]]:
    # A commit that claims slot A may hold the end of a match on slot B: of that one, A does not know the beginning.
    concerned = {"match": "match_id", "slot": "slot_id", "candidate": "candidate_id"}.get(kind)
    found: dict[str, list[MatchEvent]] = {}
    if concerned is not None:
        for event in events:
            if isinstance(event, MatchEvent) and getattr(event, concerned) == name:
                found.setdefault(event.match_id, []).append(event)
    return found


def _fold(events: Iterable[MatchEvent]) -> Match | None:
    match: Match | None = None
    for event in events:
        match = evolve_match(match, event)
    return match


def confirm_subjects(match_id: str, world: World, absorbed: Iterable[str] = ()) -> list[str]:
    """What a confirmation reads: the match, its slot, its candidate, and every open match of either with its own.

    `absorbed`: registrations of the same person that were merged into this one; what holds them holds the person.
    """
    subjects = [f"match:{match_id}", *(f"candidate:{name}" for name in absorbed)]
    match = world.matches.get(match_id)
    if match is not None:
        subjects += match.subjects
        for other in (*world.open_on(match.slot_id), *world.open_of(match.candidate_id)):
            subjects += other.subjects
    return list(dict.fromkeys(subjects))


def ending_subjects(match_id: str, world: World) -> list[str]:
    """What the end of one match reads."""
    match = world.matches.get(match_id)
    return [f"match:{match_id}"] if match is None else list(match.subjects)


def live_subjects(roots: Iterable[str], world: World) -> list[str]:
    """What ending all live matches of some matches, slots or candidates reads."""
    wanted = list(roots)
    live = [match for match in world.matches.values() if match.stage is not Stage.CANCELLED]
    found = [name for match in live if not set(match.subjects).isdisjoint(wanted) for name in match.subjects]
    return list(dict.fromkeys([*wanted, *found]))
