"""Handovers, merges and erasure: what happens to a registration at its end."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from contracts.event import Event
from contracts.intake import (
    AddressProtectionChanged,
    CandidateErased,
    CandidateHandedOver,
    CandidateMerged,
    CandidateRegistered,
)
from contracts.refused import Refused
from contracts.vocabulary import Intermediary
from services.intake.domain.candidate_commands import ChangeAddressProtection, EraseCandidate, HandOver, MergeInto
from services.intake.domain.candidates import Candidate, decide, erase, evolve, merge
from tests.gwt import given
from tests.unit.intake.people import ASSESS, ASSESSED, AT, CONSENT, CONSENTED, MAP, MAPPED, REGISTERED, REVOKE, TODAY

HANDED = CandidateHandedOver(
    candidate_id="C1", from_intermediary="refugee_service", to_intermediary="nav", handed_over_on=TODAY
)
MERGED = CandidateMerged(candidate_id="C1", merged_into="C2", merged_on=TODAY)
ERASED = CandidateErased(candidate_id="C1", erased_on=TODAY)


def candidate(candidate_id: str, *events: Event, intermediary: str = "refugee_service") -> Candidate:
    """Somebody registered, and what happened since."""
    first = CandidateRegistered(candidate_id=candidate_id, intermediary=intermediary, registered_on=TODAY)
    state: Candidate | None = None
    state = reduce(evolve, (first, *events), state)
    assert state is not None
    return state


def refused(code: str, act: object) -> None:
    with pytest.raises(Refused) as refusal:
        act()  # type: ignore[operator]
    assert refusal.value.code == code


def test_a_candidate_is_handed_over_to_another_intermediary_and_stays_ready() -> None:
    before = [REGISTERED, MAPPED, ASSESSED, CONSENTED]
    given(evolve, None, before).when(decide, HandOver(Intermediary.NAV, AT)).then(HANDED)
    after = given(evolve, None, [*before, HANDED]).state
    assert after is not None
    assert (after.intermediary, after.ready_until) == ("nav", ASSESSED.valid_until)
    same = HandOver(Intermediary.REFUGEE_SERVICE, AT)
    given(evolve, None, before).when(decide, same).then_refused(
        "handed_over_to_the_same", ["/to_intermediary"], status=422
    )


def test_a_merge_ends_one_registration_and_keeps_the_protection_of_both() -> None:
    plain, hidden = candidate("C1"), replace(candidate("C1"), protected=True)
    assert merge(MergeInto("C2", AT), plain, candidate("C2")) == [MERGED]
    protected = AddressProtectionChanged(candidate_id="C2", protected=True)
    assert merge(MergeInto("C2", AT), hidden, candidate("C2")) == [MERGED, protected]
    assert merge(MergeInto("C2", AT), hidden, replace(candidate("C2"), protected=True)) == [MERGED]


def test_a_merge_is_of_two_registrations_that_go_on_at_one_intermediary() -> None:
    command = MergeInto("C2", AT)
    one, other = candidate("C1"), candidate("C2")
    refused("merged_with_itself", lambda: merge(command, one, one))
    refused("merged_across_intermediaries", lambda: merge(command, one, candidate("C2", intermediary="nav")))
    refused("candidate_unknown", lambda: merge(command, one, None))
    refused("candidate_merged", lambda: merge(command, candidate("C1", MERGED), other))
    refused("candidate_erased", lambda: merge(command, one, replace(other, erased=True)))


def test_each_of_two_merged_registrations_folds_its_own_part_of_the_commit() -> None:
    protected = AddressProtectionChanged(candidate_id="C2", protected=True)
    ended, survivor = candidate("C1", MERGED, protected), candidate("C2", MERGED, protected)
    assert (ended.merged_into, ended.protected, ended.merged) == ("C2", False, ())
    assert (survivor.merged_into, survivor.protected, survivor.merged) == (None, True, ("C1",))


def test_an_erasure_takes_what_was_merged_in_with_it_and_happens_once() -> None:
    command = EraseCandidate(AT)
    other = CandidateErased(candidate_id="C2", erased_on=TODAY)
    survivor = candidate("C2", MERGED)
    assert erase(command, survivor, [candidate("C1", MERGED)]) == [other, ERASED]
    assert erase(command, survivor, [candidate("C1", MERGED, ERASED)]) == [other]
    refused("candidate_erased", lambda: erase(command, candidate("C1", ERASED), []))
    refused("candidate_merged", lambda: erase(command, candidate("C1", MERGED), []))
    refused("candidate_unknown", lambda: erase(command, None, []))


COMMANDS = [MAP, ASSESS, REVOKE, CONSENT, ChangeAddressProtection(True, AT), HandOver(Intermediary.NAV, AT)]


@pytest.mark.parametrize(("end", "code"), [(MERGED, "candidate_merged"), (ERASED, "candidate_erased")])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: type(each).__name__)
def test_nothing_more_happens_to_a_registration_that_has_ended(command: object, end: Event, code: str) -> None:
    given(evolve, None, [REGISTERED, MAPPED, ASSESSED, end]).when(decide, command).then_refused(code)  # type: ignore[arg-type]


@examples(st.lists(st.sampled_from(COMMANDS), max_size=10), st.integers(0, 10))
def test_who_has_ended_is_never_ready_and_consents_to_nothing(commands: list[object], at: int) -> None:
    events: list[Event] = [REGISTERED]
    for number, command in enumerate(commands):
        if number == at:
            events.append(MERGED)
        outcome = given(evolve, None, events).when(decide, command)  # type: ignore[arg-type]
        events += outcome.events
    events.append(ERASED)
    state = given(evolve, None, events).state
    assert state is not None
    assert (state.ready_until, state.consents, state.erased) == (None, frozenset(), True)
    assert all(given(evolve, None, events).when(decide, each).events == () for each in COMMANDS)  # type: ignore[arg-type]
