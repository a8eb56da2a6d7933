"""What follows from what is heard, in both orders of every race."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from chassis.decisions import Loaded
from chassis.projection import Record
from chassis.reactor import Occasion, Reaction
from contracts import followup, intake
from contracts.event import Event
from contracts.followup import AgreementAnnulled, NoShowReported
from contracts.intake import (
    AddressProtectionChanged,
    CandidateAssessed,
    CandidateErased,
    CandidateMerged,
    ConsentGiven,
    ConsentWithdrawn,
    NeedExpired,
    ReadinessRevoked,
)
from contracts.matching import MatchEvent, NeedAssigned
from services.matching.reactions import REACTIONS
from tests.gwt import AT, records
from tests.gwt import told as in_words
from tests.unit.matching.matching_facts import (
    ORG,
    TODAY,
    about,
    asked,
    confirmed,
    interviewed,
    presented,
    proposed,
    started,
    the_end,
    told,
)
from tests.unit.matching.test_matching_views import REGISTERED, WITHDRAWN

NOW = AT.replace(day=TODAY.day)
LOST: list[Event] = [
    ReadinessRevoked(candidate_id="C1", reason="circumstances_changed"),
    ConsentWithdrawn(candidate_id="C1", scope="matching", withdrawn_on=TODAY),
    AddressProtectionChanged(candidate_id="C1", protected=True),
    CandidateAssessed(candidate_id="C1", ready=False, assessed_on=TODAY, valid_until=TODAY),
    CandidateMerged(candidate_id="C1", merged_into="C9", merged_on=TODAY),
    CandidateErased(candidate_id="C1", erased_on=TODAY),
]
KEPT: list[Event] = [
    ConsentGiven(candidate_id="C1", scope="matching", given_on=TODAY),
    ConsentWithdrawn(candidate_id="C1", scope="something else", withdrawn_on=TODAY),
    AddressProtectionChanged(candidate_id="C1", protected=False),
    CandidateAssessed(candidate_id="C1", ready=True, assessed_on=TODAY, valid_until=TODAY),
]


def log_of(*commits: Sequence[Event]) -> dict[str, list[Event]]:
    """The log per subject, as commits claim: an event's match, slot and candidate, or its need."""
    log: dict[str, list[Event]] = {}
    for commit in commits:
        subjects = dict.fromkeys(name for event in commit for name in claimed(event))
        for subject in subjects:
            log.setdefault(subject, []).extend(commit)
    return log


def claimed(event: Event) -> Iterable[str]:
    if isinstance(event, MatchEvent):
        return (event.subject, f"slot:{event.slot_id}", f"candidate:{event.candidate_id}")
    return (event.subject,)


def reacted(heard: Event, log: Mapping[str, list[Event]], *trials: Event) -> list[Event]:
    """What the reaction to an event appends; it has asked for every subject that it ends something of."""
    source = followup.SOURCE if isinstance(heard, followup.CaseEvent) else intake.SOURCE
    (record,) = records(source, [heard])
    found: list[Event] = []
    for reaction in REACTIONS:
        if isinstance(heard, reaction.on):
            found += _run(reaction, record, log, trials)
    return found


def _run(reaction: Reaction, record: Record, log: Mapping[str, list[Event]], trials: Sequence[Event]) -> list[Event]:
    loaded: dict[str, Loaded] = {}
    while more := [name for name in reaction.subjects(record, loaded) if name not in loaded]:
        for name in more:
            known = tuple(log.get(name, ()))
            loaded[name] = Loaded(name, len(known), known)
    of_match = {f"trial:{event.match_id}": event for event in trials if isinstance(event, followup.TrialStarted)}
    facts = {name: Loaded(name, 0, (event,)) for name, event in of_match.items()}
    events = list(reaction.react(record, {**loaded, **facts}, Occasion(NOW, lambda: "ID")))
    wanted = {name for event in events for name in claimed(event)}
    assert wanted <= loaded.keys(), "an end that claims not all it ends lets another decision miss it"
    return events


def same(found: Sequence[Event], *expected: Event) -> None:
    assert [in_words(event) for event in found] == [in_words(event) for event in expected]


def test_every_need_has_an_intermediary_at_once() -> None:
    event = NeedAssigned(need_id="N1", org_number=ORG, intermediary="refugee_service", assigned_on=TODAY)
    same(reacted(REGISTERED, {}), event)


def test_a_need_that_was_assigned_by_hand_stays_so() -> None:
    event = NeedAssigned(need_id="N1", org_number=ORG, intermediary="nav", assigned_on=TODAY)
    same(reacted(REGISTERED, log_of([event])))


@pytest.mark.parametrize("heard", LOST)
def test_whoever_is_lost_has_all_open_matches_ended_with_a_neutral_reason(heard: Event) -> None:
    log = log_of(proposed(), presented("M2", "S2"), proposed("M3", "S1", "C2"))
    same(reacted(heard, log), the_end("no_longer_available"), the_end("no_longer_available", "M2", "S2"))


@pytest.mark.parametrize("heard", LOST)
def test_a_withdrawal_that_is_heard_after_the_confirmation_ends_it(heard: Event) -> None:
    same(reacted(heard, log_of(confirmed())), the_end("no_longer_available"))


@pytest.mark.parametrize("heard", LOST)
def test_a_started_trial_is_never_touched(heard: Event) -> None:
    same(reacted(heard, log_of(confirmed()), started()))


@pytest.mark.parametrize("heard", KEPT)
def test_what_takes_nobody_away_ends_nothing(heard: Event) -> None:
    same(reacted(heard, log_of(confirmed())))


@pytest.mark.parametrize("heard", LOST)
def test_what_has_ended_is_not_ended_again(heard: Event) -> None:
    same(reacted(heard, log_of(told(asked(), the_end("other")))))
    same(reacted(heard, {}))


def test_a_match_that_was_ended_by_the_confirmation_of_another_is_seen_as_ended() -> None:
    commit = told(confirmed(), the_end("placed_elsewhere", "M2", "S2"))
    log = log_of(interviewed("M2", "S2"), commit)
    same(reacted(LOST[0], log), the_end("no_longer_available"))


def test_a_withdrawn_need_ends_the_matches_of_its_withdrawn_slots() -> None:
    log = log_of(proposed(), presented("M2", "S2"), confirmed("M3", "S2", "C2"))
    same(reacted(WITHDRAWN, log), the_end("need_withdrawn", "M2", "S2"), the_end("need_withdrawn", "M3", "S2", "C2"))


def test_an_expired_need_ends_open_matches_and_leaves_whoever_is_confirmed() -> None:
    expired = NeedExpired(need_id="N1", org_number=ORG, slot_ids=("S1", "S2"), expired_on=TODAY)
    log = log_of(proposed(), confirmed("M3", "S2", "C2"))
    same(reacted(expired, log), the_end("need_expired"))


def test_a_withdrawn_need_leaves_a_started_trial() -> None:
    ids = ("M3", "S2", "C2")
    same(reacted(WITHDRAWN, log_of(confirmed(*ids)), started(*ids)))


def no_show() -> NoShowReported:
    return NoShowReported(**about(), agreement_id="A1", on=TODAY, reported_by="employer")


def annulled(reason: str) -> AgreementAnnulled:
    return AgreementAnnulled(**about(), agreement_id="A1", annulled_on=TODAY, reason=reason)


def test_a_no_show_opens_the_slot_again() -> None:
    same(reacted(no_show(), log_of(confirmed())), the_end("no_show"))
    same(reacted(no_show(), log_of(told(confirmed(), the_end("no_show")))))


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        ("no_longer_available", "no_longer_available"),
        ("match_cancelled", "no_longer_available"),
        ("need_withdrawn", "need_withdrawn"),
        ("registered_by_mistake", "registered_by_mistake"),
        ("other", "other"),
        ("a reason of a newer writer", "no_longer_available"),
    ],
)
def test_an_annulled_agreement_ends_the_match(reason: str, end: str) -> None:
    same(reacted(annulled(reason), log_of(confirmed())), the_end(end))


def test_an_annulled_agreement_of_a_cancelled_match_ends_nothing() -> None:
    same(reacted(annulled("match_cancelled"), log_of(told(confirmed(), the_end("other")))))


def test_reactions_have_names_of_their_own() -> None:
    names: list[Any] = [reaction.name for reaction in REACTIONS]
    assert len(set(names)) == len(names)
