"""Assigning a need, proposing, asking, answering: decided as it should be, and refused as it must be."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from contracts.event import Event
from contracts.matching import (
    CandidateAccepted,
    CandidateAsked,
    CandidateDeclined,
    CandidateMatched,
    NeedAssigned,
)
from contracts.vocabulary import DeclineReason, Intermediary
from services.matching.domain.commands import Accept, Ask, Assign, Decline, Propose
from services.matching.domain.decide import decide
from services.matching.domain.ranking import reasons, total
from services.matching.domain.state import NOTHING, World, evolve
from tests.gwt import Given, given
from tests.unit.matching.matching_facts import (
    NEED,
    ORG,
    TODAY,
    WEIGHTS,
    about,
    accepted,
    asked,
    candidate,
    closed,
    confirmed,
    proposed,
    started,
    the_end,
    told,
)

NAV, REFUGEE_SERVICE = Intermediary.NAV, Intermediary.REFUGEE_SERVICE


def past(*parts: Any) -> Given[World]:
    events: list[Event] = told(*parts)
    return given(evolve, NOTHING, events)


def assignment(by: Intermediary = REFUGEE_SERVICE, to: Intermediary = NAV, **need: Any) -> Assign:
    return Assign(need=replace(NEED, **need), by=by, to=to, today=TODAY)


def test_a_need_is_passed_on_to_another_intermediary() -> None:
    about_it = {"need_id": "N1", "org_number": ORG, "assigned_on": TODAY}
    event = NeedAssigned(**about_it, intermediary="nav", previous="refugee_service")
    past().when(decide, assignment()).then(event)
    back = NeedAssigned(**about_it, intermediary="refugee_service", previous="nav")
    past(event).when(decide, assignment(by=NAV, to=REFUGEE_SERVICE)).then(back)


def test_a_need_is_passed_on_only_by_whoever_works_on_it() -> None:
    event = NeedAssigned(need_id="N1", org_number=ORG, intermediary="nav", assigned_on=TODAY)
    past(event).when(decide, assignment()).then_refused("need_of_other_intermediary")


def test_a_need_is_not_assigned_twice_to_the_same() -> None:
    event = NeedAssigned(need_id="N1", org_number=ORG, intermediary="nav", assigned_on=TODAY)
    past(event).when(decide, assignment(by=NAV)).then_refused("already_assigned", ["/intermediary"])


def test_a_withdrawn_need_is_not_assigned() -> None:
    command = assignment(withdrawn_slots=frozenset({"S1", "S2"}))
    past().when(decide, command).then_refused("slot_withdrawn")


def proposal(**changes: Any) -> Propose:
    need = replace(NEED, **changes.pop("need", {}))
    facts: dict[str, Any] = {
        "match_id": "M1",
        "slot_id": "S1",
        "candidate_id": "C1",
        "by": REFUGEE_SERVICE,
        "need": need,
        "candidate": candidate(),
        "weights": WEIGHTS,
        "today": TODAY,
    }
    return Propose(**{**facts, **changes})


def matched() -> CandidateMatched:
    found = reasons(NEED, candidate(), WEIGHTS)
    return CandidateMatched(
        **about(),
        intermediary="refugee_service",
        score=total(found),
        reasons=found,
        rule_version="ranking-2025-01",
        matched_on=TODAY,
    )


def test_a_ready_candidate_is_proposed_with_score_reasons_and_rule_version() -> None:
    past().when(decide, proposal()).then(matched())


def test_several_candidates_may_be_proposed_for_one_slot() -> None:
    past(proposed("M0", "S1", "C0")).when(decide, proposal()).then(matched())


def test_a_candidate_may_be_proposed_again_after_the_end_of_a_match() -> None:
    past(proposed("M0"), the_end("other", "M0")).when(decide, proposal()).then(matched())


def test_nobody_is_proposed_twice_for_one_slot() -> None:
    past(proposed("M0")).when(decide, proposal()).then_refused("already_proposed", ["/candidate_id"])


def test_only_the_intermediary_of_the_need_proposes() -> None:
    past().when(decide, proposal(by=NAV)).then_refused("need_of_other_intermediary")


def test_nobody_is_proposed_for_a_filled_slot() -> None:
    past(confirmed("M0", "S1", "C0")).when(decide, proposal()).then_refused("slot_filled")


def test_a_slot_stays_filled_after_its_trial_has_closed() -> None:
    ids = ("M0", "S1", "C0")
    past(confirmed(*ids), started(*ids), closed(*ids)).when(decide, proposal()).then_refused("slot_filled")


def test_nobody_is_proposed_for_a_withdrawn_slot() -> None:
    command = proposal(need={"withdrawn_slots": frozenset({"S1"})})
    past().when(decide, command).then_refused("slot_withdrawn")


@pytest.mark.parametrize(
    "changes",
    [
        {"ready": False},
        {"valid_until": TODAY - timedelta(days=1)},
        {"consent": False},
        {"protected": True},
        {"placed": True},
        {"protected": True, "licences": ()},
    ],
)
def test_the_refusal_is_the_same_whatever_stands_against_the_candidate(changes: dict[str, Any]) -> None:
    command = proposal(candidate=candidate(**changes), need={"licences": ("B",)} if "licences" in changes else {})
    past().when(decide, command).then_refused("candidate_not_available", ["/candidate_id"])


def test_an_unknown_candidate_is_refused_like_a_protected_one() -> None:
    past().when(decide, proposal(candidate=None)).then_refused("candidate_not_available", ["/candidate_id"])


def test_an_assessment_holds_on_its_last_day() -> None:
    command = proposal(candidate=candidate(valid_until=TODAY))
    assert len(past().when(decide, command).events) == 1


def test_whoever_has_a_place_in_the_log_is_not_proposed_though_the_view_lags() -> None:
    past(confirmed("M0", "S9")).when(decide, proposal()).then_refused("candidate_not_available", ["/candidate_id"])


def test_whoever_finished_a_trial_is_free_again() -> None:
    ids = ("M0", "S9", "C1")
    past(confirmed(*ids), started(*ids), closed(*ids)).when(decide, proposal()).then(matched())


def test_a_missing_licence_is_named() -> None:
    command = proposal(need={"licences": ("B",)})
    past().when(decide, command).then_refused("licence_missing", ["/candidate_id"])


def question(deadline: date = TODAY, **changes: Any) -> Ask:
    return Ask(match_id="M1", deadline=deadline, need=NEED, candidate=candidate(**changes), today=TODAY)


def test_a_proposed_candidate_is_asked_with_a_deadline() -> None:
    event = CandidateAsked(**about(), asked_on=TODAY, deadline=TODAY)
    past(proposed()).when(decide, question()).then(event)


def test_a_deadline_in_the_past_is_refused() -> None:
    command = question(TODAY - timedelta(days=1))
    past(proposed()).when(decide, command).then_refused("deadline_in_past", ["/deadline"], status=422)


def test_nobody_is_asked_twice_before_the_deadline() -> None:
    past(asked()).when(decide, question()).then_refused("already_asked")


def test_whoever_did_not_answer_in_time_may_be_asked_again() -> None:
    event = CandidateAsked(**about(), asked_on=TODAY, deadline=TODAY)
    past(asked(deadline=TODAY - timedelta(days=1))).when(decide, question()).then(event)


def test_nobody_is_asked_after_a_yes() -> None:
    past(accepted()).when(decide, question()).then_refused("already_answered")


def test_whoever_is_no_longer_available_is_not_asked() -> None:
    past(proposed()).when(decide, question(protected=True)).then_refused("candidate_not_available")


def test_nobody_is_asked_for_a_withdrawn_slot() -> None:
    command = replace(question(), need=replace(NEED, withdrawn_slots=frozenset({"S1"})))
    past(proposed()).when(decide, command).then_refused("slot_withdrawn")


def test_an_unknown_match_is_refused() -> None:
    past().when(decide, question()).then_refused("match_unknown")


def test_an_ended_match_is_refused() -> None:
    past(proposed(), the_end("other")).when(decide, question()).then_refused("match_ended")


def test_the_candidate_says_yes_on_the_last_day() -> None:
    past(asked()).when(decide, Accept("M1", TODAY)).then(
        CandidateAccepted(**about(), accepted_on=TODAY, answered_by="participant")
    )


def test_a_no_ends_the_match() -> None:
    declined = CandidateDeclined(**about(), declined_on=TODAY, reason="travel", answered_by="participant")
    end = the_end("candidate_declined")
    past(asked()).when(decide, Decline("M1", DeclineReason.TRAVEL, TODAY)).then(declined, end)


def test_another_reason_is_sealed() -> None:
    note = {"note": "Flytter til Bergen."}
    declined = CandidateDeclined(**about(), declined_on=TODAY, reason="other", answered_by="participant", sealed=note)
    command = Decline("M1", DeclineReason.OTHER, TODAY, note="Flytter til Bergen.")
    past(asked()).when(decide, command).then(declined, the_end("candidate_declined"))


def test_another_reason_needs_a_note_and_a_listed_one_takes_none() -> None:
    bare = Decline("M1", DeclineReason.OTHER, TODAY)
    past(asked()).when(decide, bare).then_refused("note_missing", ["/note"], status=422)
    noted = Decline("M1", DeclineReason.TRAVEL, TODAY, note="For langt.")
    past(asked()).when(decide, noted).then_refused("note_only_for_other", ["/note"], status=422)
    yes = Accept("M1", TODAY, note="Gjerne!")
    past(asked()).when(decide, yes).then_refused("note_only_for_other", ["/note"], status=422)


def test_an_answer_recorded_on_behalf_of_the_candidate_says_why() -> None:
    yes = Accept("M1", TODAY, on_behalf=True)
    past(asked()).when(decide, yes).then_refused("note_missing_on_behalf", ["/note"], status=422)
    no = Decline("M1", DeclineReason.TRAVEL, TODAY, on_behalf=True)
    past(asked()).when(decide, no).then_refused("note_missing_on_behalf", ["/note"], status=422)
    event = CandidateAccepted(**about(), accepted_on=TODAY, answered_by="counsellor", sealed={"note": "Ringte."})
    past(asked()).when(decide, Accept("M1", TODAY, on_behalf=True, note="Ringte.")).then(event)


def test_an_answer_after_the_deadline_is_refused() -> None:
    yes = Accept("M1", TODAY + timedelta(days=1))
    past(asked()).when(decide, yes).then_refused("deadline_passed")


def test_an_answer_needs_a_question_and_is_given_once() -> None:
    past(proposed()).when(decide, Accept("M1", TODAY)).then_refused("not_asked")
    past(accepted()).when(decide, Accept("M1", TODAY)).then_refused("already_answered")
    past(confirmed()).when(decide, Accept("M1", TODAY)).then_refused("already_confirmed")
