"""From presenting to one confirmed match or the end: decided as it should be, and refused as it must be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from contracts.event import Event
from contracts.matching import CandidatePresented, EmployerResponded, InterviewHeld, PresentationReversed
from contracts.vocabulary import CancelReason, EmployerResponse, Party, ResponseReason
from services.matching.domain.commands import Cancel, Confirm, HoldInterview, Present, Respond, ReversePresentation
from services.matching.domain.decide import decide
from services.matching.domain.state import NOTHING, World, evolve
from tests.gwt import Given, given
from tests.unit.matching.matching_facts import (
    NEED,
    TODAY,
    about,
    accepted,
    answered,
    asked,
    candidate,
    closed,
    confirmed,
    interviewed,
    presented,
    proposed,
    started,
    the_confirmation,
    the_end,
    told,
)


def past(*parts: Any) -> Given[World]:
    events: list[Event] = told(*parts)
    return given(evolve, NOTHING, events)


def presentation(**changes: Any) -> Present:
    return Present("M1", NEED, candidate(**changes), TODAY)


def test_a_candidate_is_presented_after_a_yes() -> None:
    past(accepted()).when(decide, presentation()).then(CandidatePresented(**about(), presented_on=TODAY))


@pytest.mark.parametrize("before", [proposed(), asked()])
def test_nobody_is_presented_before_a_yes(before: list[Event]) -> None:
    past(before).when(decide, presentation()).then_refused("not_accepted")


def test_nobody_is_presented_twice() -> None:
    past(presented()).when(decide, presentation()).then_refused("already_presented")


@pytest.mark.parametrize("changes", [{"consent": False}, {"protected": True}, {"ready": False}])
def test_whoever_has_become_unavailable_is_not_presented(changes: dict[str, Any]) -> None:
    past(accepted()).when(decide, presentation(**changes)).then_refused("candidate_not_available")


def test_nobody_is_presented_for_a_withdrawn_slot() -> None:
    command = replace(presentation(), need=replace(NEED, withdrawn_slots=frozenset({"S1"})))
    past(accepted()).when(decide, command).then_refused("slot_withdrawn")


def test_a_mistaken_presentation_is_reversed_and_may_be_made_again() -> None:
    reversal = PresentationReversed(**about(), reversed_on=TODAY)
    past(answered()).when(decide, ReversePresentation("M1", TODAY)).then(reversal)
    again = CandidatePresented(**about(), presented_on=TODAY)
    past(answered(), reversal).when(decide, presentation()).then(again)


def test_only_a_presentation_can_be_reversed_and_not_after_an_interview() -> None:
    past(accepted()).when(decide, ReversePresentation("M1", TODAY)).then_refused("not_presented")
    past(interviewed()).when(decide, ReversePresentation("M1", TODAY)).then_refused("interview_already_held")


def test_after_a_reversal_the_employer_has_not_answered() -> None:
    reversal = PresentationReversed(**about(), reversed_on=TODAY)
    again = CandidatePresented(**about(), presented_on=TODAY)
    past(answered(), reversal, again).when(decide, confirmation()).then_refused("employer_has_not_answered")


def response(said: EmployerResponse, **more: Any) -> Respond:
    return Respond("M1", said, TODAY, **more)


@pytest.mark.parametrize(
    "said", [EmployerResponse.RELEVANT, EmployerResponse.INTERVIEW, EmployerResponse.WANTS_TO_HIRE]
)
def test_the_employer_answers_and_may_go_further_later(said: EmployerResponse) -> None:
    event = EmployerResponded(**about(), responded_on=TODAY, response=said)
    past(answered()).when(decide, response(said)).then(event)


def test_not_relevant_says_why_and_ends_the_match() -> None:
    event = EmployerResponded(**about(), responded_on=TODAY, response="not_relevant", reason="language")
    command = response(EmployerResponse.NOT_RELEVANT, reason=ResponseReason.LANGUAGE)
    past(presented()).when(decide, command).then(event, the_end("employer_declined"))


def test_not_relevant_without_a_reason_is_refused() -> None:
    command = response(EmployerResponse.NOT_RELEVANT)
    past(presented()).when(decide, command).then_refused("reason_missing", ["/reason"], status=422)


def test_a_reason_belongs_to_not_relevant_alone() -> None:
    command = response(EmployerResponse.RELEVANT, reason=ResponseReason.HOURS)
    past(presented()).when(decide, command).then_refused("reason_only_for_not_relevant", ["/reason"], status=422)


def test_the_employers_other_reason_needs_a_note_and_is_sealed() -> None:
    bare = response(EmployerResponse.NOT_RELEVANT, reason=ResponseReason.OTHER)
    past(presented()).when(decide, bare).then_refused("note_missing", ["/note"], status=422)
    noted = replace(bare, note="Trenger noen på kvelden.")
    event = EmployerResponded(
        **about(), responded_on=TODAY, response="not_relevant", reason="other", sealed={"note": noted.note}
    )
    past(presented()).when(decide, noted).then(event, the_end("employer_declined"))
    free = response(EmployerResponse.RELEVANT, note="Fin person.")
    past(presented()).when(decide, free).then_refused("note_only_for_other", ["/note"], status=422)


def test_the_employer_answers_only_on_whom_he_has_seen() -> None:
    past(accepted()).when(decide, response(EmployerResponse.RELEVANT)).then_refused("not_presented")


def interview(held_on: date) -> HoldInterview:
    return HoldInterview("M1", held_on, TODAY)


def test_an_interview_is_recorded_on_its_day() -> None:
    past(answered()).when(decide, interview(TODAY)).then(InterviewHeld(**about(), held_on=TODAY))


def test_an_interview_recorded_later_happened_on_its_day() -> None:
    held_on = date(2025, 1, 17)
    event = InterviewHeld(**about(), held_on=held_on, occurred=datetime(2025, 1, 17, 11, tzinfo=UTC))
    past(answered()).when(decide, interview(held_on)).then(event)


def test_an_interview_is_not_in_the_future_nor_before_the_presentation() -> None:
    late = interview(TODAY + timedelta(days=1))
    past(answered()).when(decide, late).then_refused("date_in_future", ["/held_on"], status=422)
    early = interview(date(2025, 1, 15))
    past(answered()).when(decide, early).then_refused("before_presentation", ["/held_on"], status=422)
    past(accepted()).when(decide, interview(TODAY)).then_refused("not_presented")


def confirmation(match_id: str = "M1", name: str = "C1", **need: Any) -> Confirm:
    return Confirm(match_id, Party.COUNSELLOR, replace(NEED, **need), candidate(name), TODAY)


@pytest.mark.parametrize("said", ["relevant", "interview", "wants_to_hire"])
def test_a_match_is_confirmed_after_any_good_answer(said: str) -> None:
    past(answered(response=said)).when(decide, confirmation()).then(the_confirmation())


def test_confirming_ends_all_other_matches_of_the_slot_and_of_the_candidate() -> None:
    rival, elsewhere, other = ("M2", "S1", "C2"), ("M3", "S2", "C1"), ("M4", "S2", "C2")
    past(interviewed(), presented(*rival), asked(*elsewhere), proposed(*other)).when(decide, confirmation()).then(
        the_confirmation(),
        the_end("other_candidate_chosen", *rival),
        the_end("placed_elsewhere", *elsewhere),
    )


def test_a_match_is_not_confirmed_before_the_employer_has_answered() -> None:
    past(presented()).when(decide, confirmation()).then_refused("employer_has_not_answered")
    past(accepted()).when(decide, confirmation()).then_refused("not_presented")


def test_one_slot_is_not_filled_twice() -> None:
    past(confirmed("M2", "S1", "C2"), interviewed()).when(decide, confirmation()).then_refused("slot_filled")


def test_one_person_is_not_placed_twice() -> None:
    past(confirmed("M2", "S2"), interviewed()).when(decide, confirmation()).then_refused("candidate_not_available")


def test_a_person_in_a_trial_is_not_placed_though_the_match_was_cancelled_late() -> None:
    ids = ("M2", "S2", "C1")
    facts = Confirm("M1", Party.COUNSELLOR, NEED, candidate(placed=True), TODAY)
    past(confirmed(*ids), started(*ids), the_end("no_longer_available", *ids), interviewed()).when(
        decide, facts
    ).then_refused("candidate_not_available")


def test_whoever_finished_a_trial_may_be_placed_again() -> None:
    ids = ("M2", "S2", "C1")
    past(confirmed(*ids), started(*ids), closed(*ids), interviewed()).when(decide, confirmation()).then(
        the_confirmation()
    )


def test_a_withdrawn_slot_is_not_filled() -> None:
    command = confirmation(withdrawn_slots=frozenset({"S1"}))
    past(interviewed()).when(decide, command).then_refused("slot_withdrawn")


def test_a_match_is_confirmed_once() -> None:
    past(confirmed()).when(decide, confirmation()).then_refused("already_confirmed")


def test_a_cancelled_match_is_not_confirmed() -> None:
    past(interviewed(), the_end("other")).when(decide, confirmation()).then_refused("match_ended")


@pytest.mark.parametrize("changes", [{"consent": False}, {"protected": True}, {"ready": False}])
def test_a_withdrawal_that_is_heard_before_the_confirmation_prevents_it(changes: dict[str, Any]) -> None:
    command = Confirm("M1", Party.COUNSELLOR, NEED, candidate(**changes), TODAY)
    past(interviewed()).when(decide, command).then_refused("candidate_not_available")


def test_a_match_is_cancelled_with_a_reason() -> None:
    command = Cancel("M1", CancelReason.REGISTERED_BY_MISTAKE, TODAY)
    past(asked()).when(decide, command).then(the_end("registered_by_mistake"))


def test_a_confirmed_match_is_cancelled_until_the_trial_has_started() -> None:
    command = Cancel("M1", CancelReason.NO_LONGER_AVAILABLE, TODAY)
    past(confirmed()).when(decide, command).then(the_end("no_longer_available"))
    past(confirmed(), started()).when(decide, command).then_refused("trial_started")


def test_another_reason_for_cancelling_needs_a_note_and_is_sealed() -> None:
    bare = Cancel("M1", CancelReason.OTHER, TODAY)
    past(asked()).when(decide, bare).then_refused("note_missing", ["/note"], status=422)
    noted = replace(bare, note="Syk.")
    past(asked()).when(decide, noted).then(the_end("other", sealed={"note": "Syk."}))


@pytest.mark.parametrize("reason", [CancelReason.NO_SHOW, CancelReason.NEED_WITHDRAWN, CancelReason.PLACED_ELSEWHERE])
def test_consequences_are_not_chosen_by_hand(reason: CancelReason) -> None:
    command = Cancel("M1", reason, TODAY)
    past(asked()).when(decide, command).then_refused("reason_not_allowed", ["/reason"], status=422)


def test_a_match_ends_once() -> None:
    command = Cancel("M1", CancelReason.REGISTERED_BY_MISTAKE, TODAY)
    past(asked(), the_end("other")).when(decide, command).then_refused("match_ended")
    past().when(decide, command).then_refused("match_unknown")
