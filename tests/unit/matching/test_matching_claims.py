"""One person, one place, by claims alone: whatever several deciders do at once from what they have read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as with_changes

from hypothesis import given
from hypothesis import strategies as st

from contracts.event import Event
from contracts.matching import MatchEvent
from contracts.refused import Refused
from contracts.vocabulary import CancelReason, Party
from services.matching.domain.commands import Cancel, Command, Confirm, Propose
from services.matching.domain.decide import decide
from services.matching.domain.state import Stage, World, confirm_subjects, ending_subjects, world_of
from tests.unit.matching.matching_facts import NEED, TODAY, WEIGHTS, answered, candidate
from tests.unit.matching.test_matching_proposals import REFUGEE_SERVICE

SLOTS = ("S1", "S2", "S3")
PEOPLE = ("C1", "C2", "C3")
WIDE_NEED = with_changes(NEED, slot_ids=SLOTS)


@dataclass
class Log:
    """Commits with claims, as the real log keeps them: a claim on a version that is taken is refused."""

    commits: list[tuple[dict[str, int], list[Event]]] = field(default_factory=list)

    def read(self, subject: str) -> tuple[int, list[Event]]:
        of_subject = [events for claims, events in self.commits if subject in claims]
        return len(of_subject), [event for events in of_subject for event in events]

    def append(self, read: Mapping[str, int], events: Sequence[Event]) -> bool:
        if any(self.read(subject)[0] != version for subject, version in read.items()):
            return False
        self.commits.append((dict(read), list(events)))
        return True


@dataclass
class Decider:
    """One process's command: reads at one moment, appends at a later one."""

    command: Command
    subjects: Callable[[World], Sequence[str]]
    taken: tuple[dict[str, int], list[Event]] | None = None

    def read_and_decide(self, log: Log) -> None:
        read: dict[str, tuple[int, list[Event]]] = {}
        while more := [name for name in self.subjects(seen(read)) if name not in read]:
            read |= {name: log.read(name) for name in more}
        try:
            events = decide(self.command, seen(read))
        except Refused:
            return
        for event in events:
            assert isinstance(event, MatchEvent)
            assert event.subject in read
            assert f"slot:{event.slot_id}" in read, "a slot would not know what happened on it"
            assert f"candidate:{event.candidate_id}" in read, "a person would not know what happened to them"
        self.taken = {name: version for name, (version, _) in read.items()}, events

    def append(self, log: Log) -> None:
        if self.taken is not None:
            log.append(*self.taken)


def seen(read: Mapping[str, tuple[int, list[Event]]]) -> World:
    return world_of({name: events for name, (_, events) in read.items()})


def whole(log: Log) -> World:
    match_ids = {event.match_id for _, events in log.commits for event in events if isinstance(event, MatchEvent)}
    return world_of({f"match:{match_id}": log.read(f"match:{match_id}")[1] for match_id in match_ids})


def proposing(match_id: str, slot_id: str, name: str) -> Decider:
    command = Propose(match_id, slot_id, name, REFUGEE_SERVICE, WIDE_NEED, candidate(name), WEIGHTS, TODAY)
    return Decider(command, lambda _: [f"match:{match_id}", f"slot:{slot_id}", f"candidate:{name}"])


def confirming(match_id: str, name: str) -> Decider:
    command = Confirm(match_id, Party.COUNSELLOR, WIDE_NEED, candidate(name), TODAY)
    return Decider(command, lambda world: confirm_subjects(match_id, world))


def cancelling(match_id: str) -> Decider:
    command = Cancel(match_id, CancelReason.REGISTERED_BY_MISTAKE, TODAY)
    return Decider(command, lambda world: ending_subjects(match_id, world))


def presented_everywhere() -> tuple[Log, dict[str, str]]:
    """Everybody presented for every slot, and well received; match id to candidate."""
    log, people = Log(), {}
    for slot_id in SLOTS:
        for name in PEOPLE:
            match_id = f"{slot_id}{name}"
            subjects = [f"match:{match_id}", f"slot:{slot_id}", f"candidate:{name}"]
            assert log.append({each: log.read(each)[0] for each in subjects}, answered(match_id, slot_id, name))
            people[match_id] = name
    return log, people


@given(st.data())
def test_whatever_is_decided_at_once_nobody_has_two_places_and_no_place_two_people(data: st.DataObject) -> None:
    log, people = presented_everywhere()
    match_ids = st.sampled_from(sorted(people))
    turns = data.draw(st.integers(1, 4))
    for turn in range(turns):
        kinds = data.draw(st.lists(st.tuples(st.sampled_from(["confirm", "confirm", "cancel", "propose"]), match_ids)))
        deciders = []
        for number, (kind, match_id) in enumerate(kinds):
            name, slot_id = people[match_id], match_id[:2]
            if kind == "confirm":
                deciders.append(confirming(match_id, name))
            elif kind == "cancel":
                deciders.append(cancelling(match_id))
            else:
                deciders.append(proposing(f"{slot_id}{name}-{turn}-{number}", slot_id, name))
        for decider in deciders:
            decider.read_and_decide(log)
        for index in data.draw(st.permutations(range(len(deciders)))):
            deciders[index].append(log)
        check(whole(log))


def check(world: World) -> None:
    confirmed = world.confirmed()
    assert len({match.slot_id for match in confirmed}) == len(confirmed)
    assert len({match.candidate_id for match in confirmed}) == len(confirmed)
    for match in confirmed:
        others = [*world.open_on(match.slot_id), *world.open_of(match.candidate_id)]
        assert others == [], "an open match beside a confirmed one"


def test_the_second_of_two_confirmations_from_the_same_state_is_refused_by_a_claim() -> None:
    log, people = presented_everywhere()
    one, other = confirming("S1C1", "C1"), confirming("S2C1", "C1")
    for decider in (one, other):
        decider.read_and_decide(log)
        assert decider.taken is not None
    one.append(log)
    before = len(log.commits)
    other.append(log)
    assert len(log.commits) == before
    again = confirming("S2C1", "C1")
    again.read_and_decide(log)
    assert again.taken is None, "decided anew, it is refused"
    assert whole(log).matches["S2C1"].stage is Stage.CANCELLED
    assert people["S2C1"] == "C1"
