"""Whose playbook a case follows: what is shown and what is decided name the same days, also of a case from before."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from contracts.followup import CheckInMissed
from contracts.vocabulary import Measure, Party
from services.followup.domain import playbook
from services.followup.domain.commands import Command, LookAtCheckIns
from services.followup.domain.decide import decide
from services.followup.domain.playbook import CheckInRule, Interval, Override, editions
from services.followup.steps import NextStep, Step, next_step
from tests.unit.followup.followup_facts import after, approvals, drafting, noon, opened, starting
from tests.unit.followup.test_followup_views import case_of

OWN = Override(
    version="3312-2000",
    valid_from=date(2000, 1, 1),
    municipality="3312",
    check_ins={Measure.WORK_TRAINING: CheckInRule(first=Interval(weeks=2), every=Interval(weeks=3))},
)


@pytest.mark.parametrize(
    ("municipality", "weeks"),
    # A case that was opened before its tasks said where follows the edition, wherever the place is.
    [("3312", 2), (None, 4)],
)
def test_the_check_in_that_is_shown_as_due_is_the_one_that_is_said_to_be_missed(
    monkeypatch: pytest.MonkeyPatch, municipality: str | None, weeks: int
) -> None:
    known = (editions(), (OWN,))
    monkeypatch.setattr(playbook, "_loaded", lambda: known)
    begun: list[Command] = [opened(municipality=municipality), drafting(), *approvals(), starting()]
    case = case_of(begun)
    assert case["match"]["municipality"] == "3312"
    due = date(2025, 2, 3) + timedelta(weeks=weeks)
    assert next_step(case, date(2025, 2, 4), None) == NextStep(Step.FOLLOW_UP, (Party.COUNSELLOR,), due)
    on = due + timedelta(days=1)
    said = after(begun).when(decide, LookAtCheckIns(trial_id="trial-A1", on=on, task_id="T", at=noon(on))).events
    assert [each.due_on for each in said if isinstance(each, CheckInMissed)] == [due]
