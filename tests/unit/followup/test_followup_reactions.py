"""What followup does about what it hears: pure, on subjects as the log would load them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

import pytest

from chassis.decisions import Loaded
from chassis.reactor import Occasion, Reaction
from contracts import intake, matching
from contracts.event import Event
from contracts.followup import AgreementAnnulled, CaseEvent, TaskAssigned, TaskCompleted, TrialStarted
from contracts.intake import (
    AddressProtectionChanged,
    CandidateAssessed,
    CandidateErased,
    CandidateMerged,
    ConsentWithdrawn,
    NeedExpired,
    NeedRegistered,
    NeedWithdrawn,
    ReadinessRevoked,
)
from contracts.matching import MatchCancelled, MatchConfirmed
from contracts.plans import PlanEnded, PlanMade
from contracts.refused import Refused
from services.followup.domain.commands import Command
from services.followup.domain.decide import decide
from services.followup.reactions import REACTIONS
from services.followup.subjects import person_of
from tests.gwt import records
from tests.unit.followup.followup_facts import (
    CONCLUDED,
    IDS,
    ORG,
    REGISTERED,
    STARTED,
    approvals,
    drafting,
    noon,
    opened,
)

OCCASION = Occasion(noon(date(2025, 1, 29)), lambda: "new")


def confirmed(**but: object) -> MatchConfirmed:
    usual: dict[str, object] = {
        **IDS,
        "confirmed_on": date(2025, 1, 20),
        "confirmed_by": "counsellor",
        "intermediary": "refugee_service",
        "municipality": "3312",
        "occupation": "5223",
        "measure": "work_training",
        "registered_on": REGISTERED,
        "promise_date": date(2025, 2, 10),
    }
    return MatchConfirmed.model_validate({**usual, **but})


def cancelled(reason: str = "placed_elsewhere", **but: object) -> MatchCancelled:
    return MatchCancelled.model_validate({**IDS, "cancelled_on": date(2025, 1, 29), "reason": reason, **but})


@dataclass
class SmallLog:
    """A log in memory: a commit claims what its decision read, and every subject of its events."""

    commits: list[tuple[frozenset[str], tuple[Event, ...]]] = field(default_factory=list)

    def load(self, subjects: Iterable[str]) -> dict[str, Loaded]:
        loaded = {}
        for name in subjects:
            mine = [events for claims, events in self.commits if name in claims]
            loaded[name] = Loaded(name, len(mine), tuple(event for events in mine for event in events))
        return loaded

    def append(self, claims: Iterable[str], events: Sequence[Event]) -> None:
        if events:
            self.commits.append((frozenset(claims), tuple(events)))

    def hear(self, event: Event, occasion: Occasion = OCCASION) -> tuple[list[str], list[Event]]:
        """React as the reactor does; returns what was claimed and decided."""
        record = records("dugnad/elsewhere", [event])[0]
        claimed: list[str] = []
        decided: list[Event] = []
        for reaction in REACTIONS:
            if isinstance(event, reaction.on):
                loaded = self._all(reaction, record)
                events = list(reaction.react(record, loaded, occasion))
                self.append(loaded, events)
                claimed += loaded
                decided += events
        return claimed, decided

    def _all(self, reaction: Reaction, record: object) -> dict[str, Loaded]:
        loaded: dict[str, Loaded] = {}
        while True:
            wanted = reaction.subjects(record, loaded)  # type: ignore[arg-type]
            more = [name for name in wanted if name not in loaded]
            if not more:
                return loaded
            loaded = self.load([*loaded, *more])

    def command(self, command: Command, candidate_id: str = "K1") -> None:
        """Decide a command as the API does."""
        person = f"candidate:{candidate_id}"
        events = decide(command, person_of(self.load([person])[person]))
        subjects = {event.subject for event in events}
        cases = {f"case:{event.match_id}" for event in events if isinstance(event, CaseEvent)}
        slots = {f"slot:{event.slot_id}" for event in events if isinstance(event, TrialStarted)}
        self.append({person, *subjects, *cases, *slots}, events)


def log_after(commands: Iterable[Command]) -> SmallLog:
    """A log in which the first case was opened by its match, and the rest by these commands."""
    log = SmallLog()
    log.hear(confirmed(), Occasion(noon(date(2025, 1, 20)), lambda: "M1-draft"))
    for command in commands:
        log.command(command)
    return log


AGREED = [command for command in CONCLUDED if command != opened()]
BEGUN = [command for command in STARTED if command != opened()]
ANNULLED = AgreementAnnulled(**IDS, agreement_id="A1", annulled_on=date(2025, 1, 29), reason="match_cancelled")
DONE = TaskCompleted(**IDS, task_id="A1-start", task="confirm_start", completed_on=date(2025, 1, 29))


def test_a_confirmed_match_opens_the_case_and_claims_match_person_and_need() -> None:
    claimed, decided = SmallLog().hear(confirmed(), Occasion(noon(date(2025, 1, 20)), lambda: "T1"))
    assert claimed == ["case:M1", "candidate:K1", "need:N1", "slot:slot-of-M1"]
    assert decided[0] == TaskAssigned(
        **IDS,
        task_id="T1",
        task="draft_agreement",
        responsible="counsellor",
        due_on=date(2025, 2, 3),
        municipality="3312",
    )
    assert isinstance(decided[1], PlanMade)
    assert (decided[1].slot_id, decided[1].promise_date) == ("slot-of-M1", date(2025, 2, 10))


def registered(*slots: str) -> NeedRegistered:
    return NeedRegistered(
        need_id="N1",
        org_number=ORG,
        municipality="3312",
        occupation="5223",
        slot_ids=slots,
        intermediary="refugee_service",
        hours_per_week=37.5,
        registered_on=REGISTERED,
        promise_date=date(2025, 2, 10),
    )


def test_a_registered_need_gives_a_plan_to_each_of_its_slots_once_whichever_topic_was_faster() -> None:
    log = SmallLog()
    claimed, decided = log.hear(registered("S1", "slot-of-M1"))
    assert claimed == ["slot:S1", "slot:slot-of-M1"]
    assert [type(event) for event in decided] == [PlanMade, PlanMade]
    assert log.hear(registered("S1", "slot-of-M1"))[1] == []
    assert [type(event) for event in log.hear(confirmed())[1]] == [TaskAssigned]
    faster = SmallLog()
    faster.hear(confirmed())
    assert [
        event.slot_id for event in faster.hear(registered("S1", "slot-of-M1"))[1] if isinstance(event, PlanMade)
    ] == ["S1"]


def test_a_withdrawn_slot_ends_its_plan_and_a_filled_one_keeps_it() -> None:
    log = SmallLog()
    log.hear(registered("S1", "slot-of-M1"))
    ended = log.hear(withdrawn("S1"))[1]
    assert [type(event) for event in ended] == [PlanEnded]
    assert log.hear(withdrawn("S1"))[1] == []
    begun = log_after(BEGUN)
    assert begun.hear(withdrawn("slot-of-M1"))[1] == []


def expired(*slots: str) -> NeedExpired:
    return NeedExpired(need_id="N1", org_number=ORG, slot_ids=slots, expired_on=date(2025, 1, 29))


def test_an_expired_slot_ends_its_plan_and_what_has_not_started_and_says_so() -> None:
    log = SmallLog()
    log.hear(registered("S1", "slot-of-M1"))
    ended = log.hear(expired("S1"))[1]
    assert [(type(event), getattr(event, "reason", None)) for event in ended] == [(PlanEnded, "need_expired")]
    annulled = log_after(AGREED).hear(expired("slot-of-M1"))[1][0]
    assert isinstance(annulled, AgreementAnnulled)
    assert annulled.reason == "need_expired"
    assert log_after(BEGUN).hear(expired("slot-of-M1"))[1] == []


def test_a_match_confirmed_twice_is_one_case() -> None:
    log = SmallLog()
    log.hear(confirmed())
    assert log.hear(confirmed())[1] == []


def test_a_cancelled_match_annuls_what_has_not_started_and_claims_the_agreement() -> None:
    claimed, decided = log_after(AGREED).hear(cancelled())
    assert decided == [ANNULLED, DONE]
    assert {"case:M1", "candidate:K1", "agreement:A1"} <= set(claimed)


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("need_withdrawn", "need_withdrawn"),
        ("need_expired", "need_expired"),
        ("no_longer_available", "no_longer_available"),
        ("placed_elsewhere", "match_cancelled"),
        ("a_reason_of_next_year", "match_cancelled"),
    ],
)
def test_the_reason_of_a_cancellation_becomes_the_reason_of_the_annulment(reason: str, told: str) -> None:
    annulled = log_after(AGREED).hear(cancelled(reason))[1][0]
    assert isinstance(annulled, AgreementAnnulled)
    assert annulled.reason == told


def test_a_cancelled_match_that_was_never_confirmed_concerns_nobody() -> None:
    assert SmallLog().hear(cancelled())[1] == []


def test_a_trial_goes_on_whatever_is_heard() -> None:
    for event in (cancelled(), withdrawn(), *LOSSES):
        assert log_after(BEGUN).hear(event)[1] == []


def withdrawn(*slots: str) -> NeedWithdrawn:
    return NeedWithdrawn(
        need_id="N1",
        org_number=ORG,
        slot_ids=slots or ("slot-of-M1",),
        reason="filled_otherwise",
        withdrawn_on=date(2025, 1, 29),
    )


def test_a_withdrawn_need_ends_the_cases_of_its_withdrawn_slots_alone() -> None:
    log = log_after(AGREED)
    log.hear(confirmed(match_id="M2", slot_id="slot-of-M2", candidate_id="K2"))
    log.command(drafting("M2", "A2"), "K2")
    annulled = log.hear(withdrawn("slot-of-M2"))[1][0]
    assert isinstance(annulled, AgreementAnnulled)
    assert (annulled.agreement_id, annulled.candidate_id, annulled.reason) == ("A2", "K2", "need_withdrawn")
    assert log.hear(withdrawn("slot-of-M3"))[1] == []


def test_a_withdrawn_need_ends_cases_of_several_people_in_one_commit_and_each_keeps_their_own_history() -> None:
    log = log_after(AGREED)
    log.hear(confirmed(match_id="M2", slot_id="slot-of-M2", candidate_id="K2"))
    claimed, decided = log.hear(withdrawn("slot-of-M1", "slot-of-M2"))
    assert {"candidate:K1", "candidate:K2", "case:M1", "case:M2", "agreement:A1"} <= set(claimed)
    told = [type(event).__name__ for event in decided]
    assert told == ["AgreementAnnulled", "TaskCompleted", "TaskCompleted", "PlanEnded", "PlanEnded"]
    for person, match_id in (("candidate:K1", "M1"), ("candidate:K2", "M2")):
        assert list(person_of(log.load([person])[person]).cases) == [match_id]


REVOKED = ReadinessRevoked(candidate_id="K1", reason="circumstances_changed")
WITHDRAWN_CONSENT = ConsentWithdrawn(candidate_id="K1", scope="matching", withdrawn_on=date(2025, 1, 29))
PROTECTED = AddressProtectionChanged(candidate_id="K1", protected=True)
NOT_READY = CandidateAssessed(
    candidate_id="K1", ready=False, assessed_on=date(2025, 1, 29), valid_until=date(2025, 1, 29)
)
ERASED = CandidateErased(candidate_id="K1", erased_on=date(2025, 1, 29))
MERGED = CandidateMerged(candidate_id="K1", merged_into="K2", merged_on=date(2025, 1, 29))
LOSSES = (REVOKED, WITHDRAWN_CONSENT, PROTECTED, NOT_READY, ERASED, MERGED)


@pytest.mark.parametrize("event", LOSSES, ids=lambda event: type(event).__name__)
def test_whatever_keeps_a_person_from_starting_is_told_alike(event: Event) -> None:
    told = AgreementAnnulled(**IDS, agreement_id="A1", annulled_on=date(2025, 1, 29), reason="no_longer_available")
    assert log_after(AGREED).hear(event)[1] == [told, DONE]


@pytest.mark.parametrize(
    "event",
    [
        AddressProtectionChanged(candidate_id="K1", protected=False),
        ConsentWithdrawn(candidate_id="K1", scope="newsletter", withdrawn_on=date(2025, 1, 29)),
        CandidateAssessed(candidate_id="K1", ready=True, assessed_on=date(2025, 1, 29), valid_until=date(2025, 7, 29)),
        ReadinessRevoked(candidate_id="K9", reason="other"),
    ],
    ids=["protection lifted", "another consent", "ready again", "somebody else"],
)
def test_what_takes_nothing_away_changes_nothing(event: Event) -> None:
    assert log_after(AGREED).hear(event)[1] == []


@pytest.mark.parametrize("first", ["cancelled", "lost"])
def test_two_reasons_for_the_same_end_annul_once(first: str) -> None:
    events = [cancelled("no_longer_available"), REVOKED]
    log = log_after(AGREED)
    heard = [log.hear(event)[1] for event in (events if first == "cancelled" else events[::-1])]
    assert [len(decided) for decided in heard] == [2, 0]


def test_whoever_hears_of_the_match_after_the_loss_is_ended_by_the_cancellation_that_matching_sends() -> None:
    log = SmallLog()
    assert log.hear(PROTECTED)[1] == []
    log.hear(confirmed())
    ended = log.hear(cancelled("no_longer_available"))[1]
    assert [type(event).__name__ for event in ended] == ["TaskCompleted"]


def test_reactions_have_distinct_names_and_listen_where_their_events_are_published() -> None:
    assert len({reaction.name for reaction in REACTIONS}) == len(REACTIONS)
    for reaction in REACTIONS:
        modules = {intake.TOPIC: intake.__name__, matching.TOPIC: matching.__name__}
        assert {event.__module__ for event in reaction.on} == {modules[topic] for topic in reaction.topics}


def test_an_agreement_of_an_ended_case_is_not_approved_any_more() -> None:
    log = log_after(AGREED)
    log.hear(cancelled())
    state = person_of(log.load(["candidate:K1"])["candidate:K1"])
    with pytest.raises(Refused, match="agreement_annulled"):
        decide(approvals()[0], state)
