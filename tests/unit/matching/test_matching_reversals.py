"""What is taken back, what ends by itself, and the second choice."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from contracts.event import Event
from contracts.matching import AnswerReversed, CandidateAsked, ResponseReversed
from contracts.vocabulary import CancelReason, Intermediary, Party
from services.matching.domain.commands import (
    Cancel,
    Confirm,
    EndUnfit,
    Present,
    Propose,
    ReverseAnswer,
    ReverseResponse,
)
from services.matching.domain.decide import decide
from services.matching.domain.facts import CandidateFacts, NeedFacts
from services.matching.domain.state import NOTHING, Stage, World, confirm_subjects, evolve, world_of
from tests.gwt import Given, given
from tests.unit.matching.matching_facts import (
    NEED,
    TODAY,
    WEIGHTS,
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
    the_end,
    told,
)
from tests.unit.matching.test_matching_columns import NEEDS, PEOPLE

REFUGEE_SERVICE = Intermediary.REFUGEE_SERVICE
BACK = ReverseAnswer("M1", Party.COUNSELLOR, TODAY)
UNSAID = ReverseResponse("M1", Party.EMPLOYER, TODAY)
YESTERDAY = TODAY - timedelta(days=1)


def past(*parts: Any) -> Given[World]:
    events: list[Event] = told(*parts)
    return given(evolve, NOTHING, events)


def test_a_yes_is_taken_back_before_the_presentation() -> None:
    event = AnswerReversed(**about(), reversed_on=TODAY, reversed_by="counsellor")
    past(accepted()).when(decide, BACK).then(event)
    assert past(accepted(), event).state.matches["M1"].stage is Stage.ASKED


@pytest.mark.parametrize(
    ("history", "code"),
    [
        (proposed(), "not_accepted"),
        (asked(), "not_accepted"),
        (presented(), "already_presented"),
        (confirmed(), "already_confirmed"),
        (told(asked(), the_end("other")), "match_ended"),
    ],
)
def test_there_is_no_yes_to_take_back_before_it_or_after_the_presentation(history: list[Any], code: str) -> None:
    past(history).when(decide, BACK).then_refused(code)


def test_an_employers_answer_is_taken_back_before_the_confirmation() -> None:
    event = ResponseReversed(**about(), reversed_on=TODAY, reversed_by="employer")
    past(answered()).when(decide, UNSAID).then(event)
    after = past(answered(), event)
    assert (after.state.matches["M1"].stage, after.state.matches["M1"].response) == (Stage.PRESENTED, None)
    after.when(decide, Confirm("M1", Party.COUNSELLOR, NEED, candidate(), TODAY)).then_refused(
        "employer_has_not_answered"
    )


def test_an_answer_that_was_not_given_is_not_taken_back() -> None:
    past(presented()).when(decide, UNSAID).then_refused("employer_has_not_answered")
    past(accepted()).when(decide, UNSAID).then_refused("not_presented")
    past(confirmed()).when(decide, UNSAID).then_refused("already_confirmed")


def test_a_confirmation_by_mistake_ends_the_match_and_frees_place_and_person() -> None:
    mistake = Cancel("M1", CancelReason.REGISTERED_BY_MISTAKE, TODAY)
    past(confirmed()).when(decide, mistake).then(the_end("registered_by_mistake"))
    after = past(confirmed(), the_end("registered_by_mistake")).state
    assert (after.confirmed_on("S1"), after.holding("C1")) == ([], [])


def test_a_question_nobody_answered_is_closed_once_the_deadline_has_passed() -> None:
    silence = Cancel("M1", CancelReason.NO_ANSWER, TODAY)
    late = asked(deadline=YESTERDAY)
    past(late).when(decide, silence).then(the_end("no_answer"))
    past(asked(deadline=TODAY)).when(decide, silence).then_refused("deadline_not_passed", ["/reason"], status=422)
    past(accepted()).when(decide, silence).then_refused("deadline_not_passed", ["/reason"], status=422)


def unfit(**changes: Any) -> EndUnfit:
    return EndUnfit("M1", NEED, candidate(**changes), TODAY)


@pytest.mark.parametrize("history", [proposed(), asked(), accepted(), presented(), interviewed()])
def test_an_assessment_that_ran_out_ends_an_open_match_with_a_neutral_reason(history: list[Any]) -> None:
    past(history).when(decide, unfit(valid_until=YESTERDAY)).then(the_end("no_longer_available"))
    past(history).when(decide, unfit(valid_until=TODAY)).then()


def test_a_confirmed_match_outlives_the_assessment() -> None:
    past(confirmed()).when(decide, unfit(valid_until=YESTERDAY)).then()
    past(told(asked(), the_end("other"))).when(decide, unfit(valid_until=YESTERDAY)).then()


@pytest.mark.parametrize(
    ("need", "person"),
    [
        ({"licences": ("B",)}, {}),
        ({"certificates": ("forklift",)}, {"certificates": ("hygiene",)}),
        ({"start_to": date(2025, 2, 1)}, {"available_from": date(2025, 2, 2)}),
        ({"start_from": date(2025, 2, 1)}, {"available_to": date(2025, 1, 31)}),
    ],
)
def test_requirements_that_are_no_longer_met_end_an_open_match_and_say_so(
    need: dict[str, Any], person: dict[str, Any]
) -> None:
    revised = replace(NEED, **need)
    command = EndUnfit("M1", revised, candidate(**person), TODAY)
    past(accepted()).when(decide, command).then(the_end("requirements_not_met"))
    refused = past(accepted()).when(decide, Present("M1", revised, candidate(**person), TODAY))
    assert refused.refusal is not None
    assert refused.refusal.code in ("licence_missing", "certificate_missing", "outside_window")


@hypothesis_given(NEEDS, PEOPLE, st.dates(date(2025, 1, 1), date(2025, 3, 31)))
def test_whoever_may_be_proposed_is_never_swept_away_the_same_day(need: Any, person: CandidateFacts, day: date) -> None:
    person = replace(person, candidate_id="C1", placed=False)
    command = Propose("M1", "S1", "C1", REFUGEE_SERVICE, need, person, WEIGHTS, day)
    outcome = past().when(decide, command)
    ended = past(proposed()).when(decide, EndUnfit("M1", need, person, day))
    assert (outcome.refusal is None) == (ended.events == ())


def test_the_second_choice_is_proposed_and_asked_in_one_step() -> None:
    deadline = TODAY + timedelta(days=3)
    command = Propose(
        "M1",
        "S1",
        "C1",
        REFUGEE_SERVICE,
        NEED,
        candidate(),
        WEIGHTS,
        TODAY,
        deadline,
    )
    outcome = past().when(decide, command)
    assert [type(event).__name__ for event in outcome.events] == ["CandidateMatched", "CandidateAsked"]
    assert outcome.events[1] == CandidateAsked(**about(), asked_on=TODAY, deadline=deadline)
    late = replace(command, deadline=YESTERDAY)
    past().when(decide, late).then_refused("deadline_in_past", ["/deadline"], status=422)


def test_a_person_who_has_a_place_under_an_older_registration_gets_no_second_one() -> None:
    command = Propose(
        "M2",
        "S2",
        "C2",
        REFUGEE_SERVICE,
        NEED,
        candidate("C2", absorbed=("C1",)),
        WEIGHTS,
        TODAY,
    )
    past(confirmed()).when(decide, command).then_refused("candidate_not_available", ["/candidate_id"])
    twice = Confirm("M2", Party.COUNSELLOR, NEED, candidate("C2", absorbed=("C1",)), TODAY)
    past(confirmed(), answered("M2", "S2", "C2")).when(decide, twice).then_refused("candidate_not_available")
    free = past(confirmed(), closed(), answered("M2", "S2", "C2")).when(decide, twice)
    assert free.refusal is None
    read = confirm_subjects("M2", world_of({"match:M2": answered("M2", "S2", "C2")}), ["C1"])
    assert read[0] == "match:M2"
    assert "candidate:C1" in read


@pytest.mark.parametrize(
    ("gone", "code"),
    [
        (replace(NEED, withdrawn_slots=frozenset({"S1"})), "slot_withdrawn"),
        (replace(NEED, expired_slots=frozenset({"S1"})), "slot_expired"),
    ],
)
def test_nobody_is_proposed_for_a_place_that_is_gone(gone: NeedFacts, code: str) -> None:
    command = Propose("M1", "S1", "C1", REFUGEE_SERVICE, gone, candidate(), WEIGHTS, TODAY)
    past().when(decide, command).then_refused(code)
