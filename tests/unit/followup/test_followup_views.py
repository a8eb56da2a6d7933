"""The case as it is shown: any order of arrival gives the same document, and next steps follow from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.projection import Document, Record
from contracts import followup, matching
from contracts.matching import CandidateMatched, MatchCancelled
from contracts.vocabulary import AnnulReason, Measure, Party
from services.followup import steps
from services.followup.core import access_ended
from services.followup.domain.commands import Command
from services.followup.showing import case_body, differences, versions
from services.followup.steps import Group, NextStep, Status, Step, group, next_step, over_on, status
from services.followup.views import CASES
from tests.gwt import arrivals, folded, records
from tests.unit.followup.followup_facts import (
    CARED_FOR,
    CONCLUDED,
    STARTED,
    annulling,
    approvals,
    approving,
    checking_in,
    closing,
    drafting,
    ending,
    extending,
    noon,
    not_showing,
    opened,
    played,
    revoking,
    starting,
    taking_back,
)
from tests.unit.followup.test_followup_aftermath import CERTIFICATE, REVERSE, TAKE, TALK, employed
from tests.unit.followup.test_followup_changes import DRAFTED, EXPIRES, changing, looking
from tests.unit.followup.test_followup_reactions import cancelled, confirmed
from tests.unit.followup.test_followup_running import VOICE, answering, missing, proposing, shortening
from tests.unit.followup.test_followup_start import settling

TODAY = date(2025, 1, 29)
LIER: list[Command] = [
    *STARTED,
    checking_in(note="secret"),
    extending(at=noon(date(2025, 4, 10))),
    closing(),
    opened("M2"),
    ending("M2"),
]
FULL: list[Command] = [
    opened(),
    TAKE,
    drafting(),
    changing(hours_per_week=35.0),
    *approvals(at=noon(date(2025, 1, 29))),
    starting(),
    starting(on=date(2025, 2, 4), at=noon(date(2025, 2, 4))),
    VOICE,
    proposing(),
    answering(Party.PARTICIPANT),
    missing(date(2025, 3, 4)),
    checking_in(held_on=date(2025, 3, 5), at=noon(date(2025, 3, 5)), note="secret", agreed="secret too"),
    taking_back(note="secret"),
    checking_in(check_in_id="C2", held_on=date(2025, 3, 6), at=noon(date(2025, 3, 6))),
    extending(at=noon(date(2025, 4, 10))),
    shortening(end_on=date(2025, 7, 1), at=noon(date(2025, 4, 11))),
    settling(date(2025, 2, 4), date(2025, 4, 12), note="secret"),
    TALK,
    closing(at=noon(date(2025, 5, 3))),
    CERTIFICATE,
    employed(3, date(2025, 8, 2)),
    REVERSE,
]
"""Nearly everything that can happen to one case."""
COSTLY = [opened(), drafting(measure=Measure.TEMPORARY_WAGE_SUBSIDY)]


def sent(commands: Sequence[Command], *more: matching.MatchEvent) -> list[Record]:
    """Both topics: matching's events, then followup's."""
    of_matching = records(matching.SOURCE, [confirmed(), *more], recorded=noon(date(2025, 1, 20)))
    return [*of_matching, *records(followup.SOURCE, played(commands), recorded=noon(TODAY))]


def case_of(*commands: Command | Sequence[Command], more: Sequence[matching.MatchEvent] = ()) -> Document:
    flat = [each for command in commands for each in (command if isinstance(command, Sequence) else [command])]
    return folded(CASES, sent(flat, *more))["M1"]


@given(st.data(), st.sampled_from([LIER, FULL]))
@settings(max_examples=100, deadline=None)
def test_any_order_of_topics_and_subjects_and_any_duplicates_give_the_same_cases(
    data: st.DataObject, story: list[Command]
) -> None:
    expected = folded(CASES, sent(story, cancelled("other")))
    arrived = data.draw(arrivals(sent(story, cancelled("other"))))
    assert folded(CASES, arrived) == expected


def test_nearly_everything_that_can_happen_is_in_the_history_and_nothing_sealed_is() -> None:
    case = case_of(FULL)
    told = {each["event"] for each in case["history"]}
    untold = {"AgreementAnnulled", "AgreementExpired", "AgreementExpiring", "ApprovalRevoked", "ChangeDeclined"}
    kinds = {event.__name__ for event in CASES.reads if not event.__name__.startswith("Task")}
    assert kinds - told == untold | {"MatchCancelled", "NoShowReported"}
    text = json.dumps(case)
    assert not [word for word in ("secret", "mixed", "Jeg vil", "Godt avsluttet", "the counsellor") if word in text]
    assert case["counsellor_id"] == "W1"
    assert case["trials"]["trial-A1"]["closed"]["outcome"] == "no_offer"


@given(st.data(), st.sampled_from([LIER, FULL]))
@settings(max_examples=60, deadline=None)
def test_status_and_next_step_are_answered_at_every_moment_of_any_arrival(
    data: st.DataObject, story: list[Command]
) -> None:
    arrived = data.draw(arrivals(sent(story)))
    for count in range(1, len(arrived)):
        for case in folded(CASES, arrived[:count]).values():
            where = status(case)
            step = next_step(case, TODAY, None)
            over = where == Status.ENDED or (where == Status.CLOSED and not steps.start_is_disputed(case))
            assert (step is None) == over


def test_a_case_tells_match_agreement_trial_and_history_and_nothing_sealed() -> None:
    case = case_of(LIER)
    assert case["match"]["registered_on"] == "2025-01-13"
    assert case["agreements"]["A1"]["measure"] == "work_training"
    assert [each["party"] for each in case["agreements"]["A1"]["approvals"]] == [
        "employer",
        "participant",
        "counsellor",
    ]
    trial = case["trials"]["trial-A1"]
    assert trial["end_on"] == "2025-08-02"
    assert trial["check_ins"] == [{"check_in_id": "C1", "held_on": "2025-03-03", "progress": "as_planned"}]
    assert trial["closed"] == {"on": "2025-05-02", "outcome": "hired", "reason": "period_completed"}
    events = [entry["event"] for entry in case["history"]]
    assert events[0] == "MatchConfirmed"
    assert "TaskAssigned" not in events
    assert {entry["by"] for entry in case["history"]} == {None, "employer", "participant", "counsellor"}
    text = json.dumps(case)
    assert "secret" not in text
    assert "the counsellor" not in text


def test_a_match_that_was_never_confirmed_is_no_case() -> None:
    matched = CandidateMatched(
        match_id="M1",
        need_id="N1",
        slot_id="S1",
        candidate_id="K1",
        org_number="315486890",
        intermediary="nav",
        score=1,
        reasons=(),
        rule_version="1",
        matched_on=TODAY,
    )
    never = MatchCancelled.model_validate({**cancelled().model_dump()})
    assert folded(CASES, records(matching.SOURCE, [matched, never])) == {}


def test_revoking_clears_approvals_and_a_no_show_ends_the_case() -> None:
    assert (
        case_of(opened(), drafting(), approvals()[:2], revoking(Party.EMPLOYER))["agreements"]["A1"]["approvals"] == []
    )
    case = case_of(CONCLUDED, not_showing())
    assert case["agreements"]["A1"]["no_show"] == {"on": "2025-02-03", "reported_by": "employer"}
    assert status(case) == Status.ENDED


START = date(2025, 2, 3)
STEPS: list[tuple[list[Any], Status, NextStep | None]] = [
    ([opened()], Status.AWAITING_AGREEMENT, NextStep(Step.DRAFT, (Party.COUNSELLOR,), START)),
    (
        [opened(), drafting()],
        Status.AWAITING_APPROVAL,
        NextStep(Step.APPROVE, (Party.EMPLOYER, Party.PARTICIPANT), START),
    ),
    (
        [opened(), drafting(), approving(Party.EMPLOYER)],
        Status.AWAITING_APPROVAL,
        NextStep(Step.APPROVE, (Party.PARTICIPANT,), START),
    ),
    (
        [opened(), drafting(), *approvals()[:2]],
        Status.AWAITING_APPROVAL,
        NextStep(Step.APPROVE, (Party.COUNSELLOR,), START),
    ),
    (
        [*COSTLY, *approvals()],
        Status.AWAITING_APPROVAL,
        NextStep(Step.APPROVE, (Party.DECISION_MAKER,), START),
    ),
    (CONCLUDED, Status.AWAITING_START, NextStep(Step.CONFIRM_START, (Party.EMPLOYER, Party.COUNSELLOR), START)),
    (STARTED, Status.IN_TRIAL, NextStep(Step.FOLLOW_UP, (Party.COUNSELLOR,), date(2025, 3, 3))),
    ([*STARTED, closing()], Status.CLOSED, None),
    ([*CONCLUDED, annulling()], Status.ENDED, None),
    ([opened(), ending("M1", reason=AnnulReason.NEED_WITHDRAWN)], Status.ENDED, None),
]


@pytest.mark.parametrize(("commands", "where", "step"), STEPS)
def test_the_next_step_names_who_does_what_by_when(
    commands: list[Command], where: Status, step: NextStep | None
) -> None:
    case = case_of(commands)
    assert status(case) == where
    assert next_step(case, TODAY, None) == step


def test_a_cancelled_match_without_an_agreement_has_ended_before_the_task_is_completed() -> None:
    assert status(case_of(opened(), more=[cancelled()])) == Status.ENDED


def test_a_case_whose_match_alone_has_been_heard_of_waits_for_an_agreement_until_the_promise() -> None:
    case = folded(CASES, records(matching.SOURCE, [confirmed()]))["M1"]
    assert next_step(case, TODAY, None) == NextStep(Step.DRAFT, (Party.COUNSELLOR,), date(2025, 2, 10))


def test_on_its_last_day_a_trial_waits_to_be_closed() -> None:
    case = case_of(STARTED)
    last = date(2025, 5, 2)
    assert [next_step(case, day, None).step for day in (last - timedelta(days=1), last)] == [  # type: ignore[union-attr]
        Step.FOLLOW_UP,
        Step.CLOSE,
    ]


WAITING_CHANGE: list[tuple[list[Command], Step, Party, date]] = [
    ([*STARTED, missing(date(2025, 3, 4))], Step.CHECK_IN, Party.COUNSELLOR, date(2025, 3, 4)),
    ([*STARTED, proposing()], Step.ANSWER_CHANGE, Party.PARTICIPANT, date(2025, 3, 10)),
    ([*STARTED, proposing(Party.PARTICIPANT)], Step.ANSWER_CHANGE, Party.EMPLOYER, date(2025, 3, 10)),
    (
        [*STARTED, starting(on=date(2025, 2, 4), at=noon(date(2025, 2, 4)))],
        Step.SETTLE_START,
        Party.COUNSELLOR,
        date(2025, 2, 4),
    ),
    (CARED_FOR, Step.FOLLOW_UP, Party.COUNSELLOR, date(2025, 5, 2)),
]


@pytest.mark.parametrize(("commands", "step", "party", "due_on"), WAITING_CHANGE)
def test_in_a_trial_what_somebody_waits_for_comes_before_the_next_check_in(
    commands: list[Command], step: Step, party: Party, due_on: date
) -> None:
    # The check-in after 7 April is due after the last day: then only the closing is left.
    assert next_step(case_of(commands), date(2025, 3, 5), Party.PARTICIPANT) == NextStep(step, (party,), due_on)


def test_somebody_who_was_hired_is_asked_after_once_the_months_have_passed() -> None:
    closed = [*STARTED, closing()]
    case = case_of(closed)
    assert next_step(case, date(2025, 8, 1), None) is None
    assert next_step(case, date(2025, 8, 2), None) == NextStep(
        Step.CONFIRM_EMPLOYMENT, (Party.COUNSELLOR,), date(2025, 8, 16)
    )
    assert group(case, Party.COUNSELLOR, date(2025, 8, 17)) == Group.OVERDUE
    confirmed = [employed(3, date(2025, 8, 2)), employed(6, date(2025, 11, 2))]
    assert next_step(case_of(closed, confirmed), date(2026, 5, 1), None) is None
    assert next_step(case_of(closed, confirmed), date(2026, 5, 2), None) is not None
    left = [employed(3, date(2025, 8, 2), employed=False)]
    assert next_step(case_of(closed, left), date(2026, 5, 2), None) is None


def test_a_draft_that_expired_waits_for_a_new_one_and_the_case_goes_on() -> None:
    case = case_of(DRAFTED, looking(EXPIRES))
    assert (status(case), over_on(case)) == (Status.AWAITING_AGREEMENT, None)
    again = drafting(agreement_id="A2", start_on=EXPIRES, end_on=date(2025, 7, 1), at=noon(EXPIRES))
    assert status(case_of(DRAFTED, looking(EXPIRES), again)) == Status.AWAITING_APPROVAL


def test_versions_say_from_which_day_each_content_holds_and_two_of_them_are_compared() -> None:
    accepted: list[Command] = [proposing(), answering(Party.PARTICIPANT)]
    longer = extending(at=noon(date(2025, 4, 10)))
    case = case_of(opened(), drafting(), changing(hours_per_week=35.0), again(), CARED_FOR[-2:], accepted, longer)
    found = versions(case, "A1")
    assert [(each["number"], each["effective_on"], each["hours_per_week"], each["end_on"]) for each in found] == [
        (1, "2025-02-03", 37.5, "2025-05-02"),
        (2, "2025-02-03", 35.0, "2025-05-02"),
        (3, "2025-03-10", 30.0, "2025-05-02"),
        (4, "2025-05-03", 30.0, "2025-08-02"),
    ]
    assert differences(found[0], found[2]) == {
        "hours_per_week": {"from": 37.5, "to": 30.0},
        "effective_on": {"from": "2025-02-03", "to": "2025-03-10"},
    }
    assert versions(case, "unknown") == []


def again() -> list[Command]:
    return list(approvals(at=noon(date(2025, 1, 29))))


def test_an_employer_is_shown_when_check_ins_were_and_not_how_it_goes_nor_what_is_between_others() -> None:
    case = case_of(
        STARTED, missing(date(2025, 3, 4)), checking_in(held_on=date(2025, 3, 5), at=noon(date(2025, 3, 5))), VOICE
    )
    today = date(2025, 3, 6)
    shown = {party: case_body(case, today, party) for party in Party}
    for party in Party:
        events = [each["event"] for each in shown[party]["history"]]
        assert ("VoiceGiven" in events) == ("voices" in shown[party]["trial"]) == (party == Party.COUNSELLOR)
        assert ("CheckInMissed" in events) == (party != Party.EMPLOYER)
    check_in = shown[Party.EMPLOYER]["trial"]["check_ins"][0]
    assert check_in == {"check_in_id": "C1", "held_on": "2025-03-05"}
    assert "hold_check_in" not in str(shown[Party.EMPLOYER])
    assert shown[Party.COUNSELLOR]["trial"]["check_ins"][0]["progress"] == "as_planned"


@pytest.mark.parametrize(
    ("commands", "over"),
    [
        ([*STARTED, closing()], date(2025, 5, 2)),
        ([*CONCLUDED, annulling()], date(2025, 1, 28)),
        ([*CONCLUDED, not_showing()], date(2025, 2, 3)),
    ],
)
def test_a_partys_access_ends_12_weeks_after_the_case_was_over_and_the_counsellors_goes_on(
    commands: list[Command], over: date
) -> None:
    case = case_of(commands)
    last = over + timedelta(weeks=12)
    for party in (Party.EMPLOYER, Party.PARTICIPANT, Party.DECISION_MAKER):
        assert not access_ended(case, party, last)
        assert access_ended(case, party, last + timedelta(days=1))
    assert not access_ended(case, Party.COUNSELLOR, last + timedelta(days=999))
    assert not access_ended(case_of(STARTED), Party.EMPLOYER, date(2035, 1, 1))


def test_a_list_of_work_tells_due_overdue_waiting_and_over_apart() -> None:
    case = case_of(CONCLUDED)
    assert group(case, Party.EMPLOYER, START) == Group.DUE
    assert group(case, Party.EMPLOYER, START + timedelta(days=1)) == Group.OVERDUE
    assert group(case, Party.PARTICIPANT, START + timedelta(days=1)) == Group.WAITING
    assert group(case, None, START) == Group.WAITING
    assert group(case_of(STARTED, closing()), Party.COUNSELLOR, START) == Group.OVER
