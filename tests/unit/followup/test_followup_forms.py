"""Forms: who is offered which, and what they say as the API would be told it."""

from __future__ import annotations

from datetime import date

import pytest

from contracts.vocabulary import Measure, Party
from services.followup.domain.commands import Command
from services.followup.forms import ACTIONS, body_of, offered
from services.followup.requests import NewAgreement
from services.followup.steps import waiting_change
from tests.unit.followup.followup_facts import (
    CONCLUDED,
    STARTED,
    annulling,
    approvals,
    approving,
    closing,
    drafting,
    noon,
    opened,
    starting,
)
from tests.unit.followup.test_followup_aftermath import CERTIFICATE, TAKE, TALK
from tests.unit.followup.test_followup_running import proposing
from tests.unit.followup.test_followup_views import case_of

ALL = frozenset(scope for action in ACTIONS.values() for scope in action.scopes)
START = date(2025, 2, 3)
COSTLY: list[Command] = [opened(), drafting(measure=Measure.TEMPORARY_WAGE_SUBSIDY), *approvals(decided=True)]
TALK_AND_CLOSE = ["closing-talk", "close", "take"]
OFFERS: list[tuple[list[Command], dict[Party, list[str]]]] = [
    ([opened()], {Party.COUNSELLOR: ["draft", "take"]}),
    (
        [opened(), drafting()],
        {
            Party.EMPLOYER: ["approve"],
            Party.PARTICIPANT: ["approve"],
            Party.COUNSELLOR: ["approve-for", "change", "annul", "take"],
        },
    ),
    (
        [opened(), drafting(), approving(Party.EMPLOYER)],
        {
            Party.EMPLOYER: ["revoke"],
            Party.PARTICIPANT: ["approve"],
            Party.COUNSELLOR: ["approve-for", "change", "annul", "take"],
        },
    ),
    (
        [opened(), drafting(), *approvals()[:2]],
        {
            Party.EMPLOYER: ["revoke"],
            Party.PARTICIPANT: ["revoke"],
            Party.COUNSELLOR: ["approve", "change", "annul", "take"],
        },
    ),
    (
        COSTLY[:-1],
        {
            Party.EMPLOYER: ["revoke"],
            Party.PARTICIPANT: ["revoke"],
            Party.COUNSELLOR: ["change", "annul", "revoke", "take"],
            Party.DECISION_MAKER: ["approve"],
        },
    ),
    (
        CONCLUDED,
        {Party.EMPLOYER: ["start", "no-show"], Party.COUNSELLOR: ["start", "no-show", "change", "annul", "take"]},
    ),
    (
        STARTED,
        {
            Party.EMPLOYER: ["propose-change", "wrong-start"],
            Party.PARTICIPANT: ["propose-change", "voice"],
            Party.COUNSELLOR: ["check-in", "extend", "shorten", *TALK_AND_CLOSE[:-1], "wrong-start", "take"],
            Party.DECISION_MAKER: ["shorten"],
        },
    ),
    (
        [*STARTED, proposing(), starting(on=date(2025, 2, 4), at=noon(date(2025, 2, 4)))],
        {
            Party.EMPLOYER: ["decline-change"],
            Party.PARTICIPANT: ["accept-change", "decline-change", "voice"],
            Party.COUNSELLOR: ["settle", "check-in", "extend", "shorten", *TALK_AND_CLOSE],
            Party.DECISION_MAKER: ["shorten"],
        },
    ),
    (
        [*STARTED, closing()],
        {
            Party.EMPLOYER: ["wrong-start"],
            Party.COUNSELLOR: ["closing-talk", "certificate", "reverse", "wrong-start", "take"],
        },
    ),
    (
        [*STARTED, TALK, closing(at=noon(date(2025, 5, 3))), CERTIFICATE],
        {Party.EMPLOYER: ["wrong-start"], Party.COUNSELLOR: ["reverse", "wrong-start", "take"]},
    ),
    (
        [*STARTED, starting(on=date(2025, 2, 4), at=noon(date(2025, 2, 4))), TALK, closing(at=noon(date(2025, 5, 3)))],
        {Party.COUNSELLOR: ["settle", "certificate", "reverse", "take"]},
    ),
    ([*CONCLUDED, annulling()], {}),
]


@pytest.mark.parametrize(("commands", "offers"), OFFERS)
def test_everybody_is_offered_what_is_theirs_to_do_next(
    commands: list[Command], offers: dict[Party, list[str]]
) -> None:
    case = case_of(commands)
    assert {party: found for party in Party if (found := offered(case, party, ALL, START))} == offers
    assert offered(case, None, ALL, START) == []


def test_who_may_extend_is_offered_it_also_where_a_decision_maker_has_allowed_a_late_registration() -> None:
    late = drafting(start_on=date(2025, 1, 14), late_registration=True)
    begun = starting(on=date(2025, 1, 22), at=noon(date(2025, 1, 24)))
    case = case_of(opened(), late, approvals(decided=True), begun)
    assert case["agreements"]["A1"]["decision_maker_needed"]
    assert "extend" in offered(case, Party.COUNSELLOR, ALL, START)
    assert "extend" not in offered(case, Party.DECISION_MAKER, ALL, START)
    costly = case_of(COSTLY, starting())
    assert "extend" not in offered(costly, Party.COUNSELLOR, ALL, START)
    assert "extend" in offered(costly, Party.DECISION_MAKER, ALL, START)


def test_employment_is_asked_for_when_the_months_have_passed_and_a_case_of_ones_own_is_not_taken_again() -> None:
    case = case_of(STARTED, closing(), TAKE)
    assert offered(case, Party.COUNSELLOR, ALL, date(2025, 8, 2), "W1")[0] == "employment"
    assert "employment" not in offered(case, Party.COUNSELLOR, ALL, date(2025, 8, 1), "W1")
    assert "take" not in offered(case, Party.COUNSELLOR, ALL, START, "W1")
    assert "take" in offered(case, Party.COUNSELLOR, ALL, START, "W2")


def test_a_question_that_nobody_answered_before_the_closing_waits_for_nobody() -> None:
    asked = [*STARTED, proposing()]
    assert waiting_change(case_of(asked)["trials"]["trial-A1"]) is not None
    assert waiting_change(case_of(asked, closing())["trials"]["trial-A1"]) is None


def test_numbers_and_answers_of_forms_become_what_the_api_takes() -> None:
    typed = {"after_months": "3", "employed": "no", "on": "2025-08-02"}
    assert body_of(ACTIONS["employment"], typed, Party.COUNSELLOR) == {
        "after_months": 3,
        "employed": False,
        "on": "2025-08-02",
    }
    wage = body_of(ACTIONS["draft"], {"wage.monthly_wage_nok": "45000"}, Party.COUNSELLOR)
    assert wage == {"wage": {"monthly_wage_nok": 45000}}
    half = {"wage.monthly_wage_nok": "45000", "wage.position_percent": "50"}
    assert body_of(ACTIONS["draft"], half, Party.COUNSELLOR)["wage"]["position_percent"] == 50
    assert body_of(ACTIONS["accept-change"], {}, Party.EMPLOYER) == {"accepted": True}


def test_who_may_only_read_is_offered_no_draft_and_nobody_starts_before_the_first_day() -> None:
    assert offered(case_of(opened()), Party.COUNSELLOR, frozenset({"cases:read"}), START) == []
    assert offered(case_of(CONCLUDED), Party.EMPLOYER, ALL, date(2025, 2, 2)) == []


def test_a_form_says_what_the_api_would_be_told() -> None:
    typed = {
        "measure": "work_training",
        "start_on": "2025-02-03",
        "end_on": " 2025-05-02 ",
        "hours_per_week": "37,5",
        "wage_subsidy_percent": "40",
        "late_registration": "yes",
        "csrf_token": "x",
    }
    body = body_of(ACTIONS["draft"], typed, Party.COUNSELLOR)
    assert NewAgreement.model_validate(body) == NewAgreement(
        measure=Measure.WORK_TRAINING,
        start_on=START,
        end_on=date(2025, 5, 2),
        hours_per_week=37.5,
        wage_subsidy_percent=40,
        late_registration=True,
    )


def test_what_is_empty_is_left_out_and_what_cannot_be_read_is_passed_on() -> None:
    assert body_of(ACTIONS["draft"], {"hours_per_week": "full", "note": ""}, Party.COUNSELLOR) == {
        "hours_per_week": "full"
    }


def test_an_approval_is_for_oneself_and_only_the_other_form_names_a_party() -> None:
    assert body_of(ACTIONS["approve"], {"party": "employer"}, Party.PARTICIPANT) == {"party": "participant"}
    typed = {"party": "employer", "reason": "by telephone"}
    assert body_of(ACTIONS["approve-for"], typed, Party.COUNSELLOR) == typed
