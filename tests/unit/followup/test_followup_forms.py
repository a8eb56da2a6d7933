"""Forms: who is offered which, and what they say as the API would be told it."""

from __future__ import annotations

from datetime import date

import pytest

from contracts.vocabulary import Measure, Party
from services.followup.domain.commands import Command
from services.followup.forms import ACTIONS, body_of, offered
from services.followup.requests import NewAgreement
from tests.unit.followup.followup_facts import CONCLUDED, STARTED, approvals, approving, closing, drafting, opened
from tests.unit.followup.test_followup_views import case_of

ALL = frozenset(scope for action in ACTIONS.values() for scope in action.scopes)
START = date(2025, 2, 3)
COSTLY: list[Command] = [opened(), drafting(measure=Measure.TEMPORARY_WAGE_SUBSIDY), *approvals(decided=True)]
OFFERS: list[tuple[list[Command], dict[Party, list[str]]]] = [
    ([opened()], {Party.COUNSELLOR: ["draft"]}),
    (
        [opened(), drafting()],
        {Party.EMPLOYER: ["approve"], Party.PARTICIPANT: ["approve"], Party.COUNSELLOR: ["approve-for"]},
    ),
    (
        [opened(), drafting(), approving(Party.EMPLOYER)],
        {Party.PARTICIPANT: ["approve"], Party.COUNSELLOR: ["approve-for"]},
    ),
    ([opened(), drafting(), *approvals()[:2]], {Party.COUNSELLOR: ["approve"]}),
    (COSTLY[:-1], {Party.DECISION_MAKER: ["approve"]}),
    (CONCLUDED, {Party.EMPLOYER: ["start", "no-show"], Party.COUNSELLOR: ["start", "no-show"]}),
    (STARTED, {Party.COUNSELLOR: ["check-in", "extend", "close"]}),
    ([*STARTED, closing()], {}),
]


@pytest.mark.parametrize(("commands", "offers"), OFFERS)
def test_everybody_is_offered_what_is_theirs_to_do_next(
    commands: list[Command], offers: dict[Party, list[str]]
) -> None:
    case = case_of(commands)
    assert {party: found for party in Party if (found := offered(case, party, ALL, START))} == offers
    assert offered(case, None, ALL, START) == []


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
