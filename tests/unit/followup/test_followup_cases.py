"""Opening and ending cases."""

from __future__ import annotations

from datetime import date

from contracts.followup import AgreementAnnulled, TaskAssigned, TaskCompleted
from contracts.vocabulary import AnnulReason
from services.followup.domain.decide import decide
from tests.unit.followup.followup_facts import (
    CONCLUDED,
    IDS,
    STARTED,
    after,
    approvals,
    closing,
    drafting,
    ending,
    noon,
    not_showing,
    opened,
    starting,
)


def test_a_confirmed_match_asks_the_counsellor_for_an_agreement_by_day_21() -> None:
    task = TaskAssigned(
        **IDS, task_id="M1-draft", task="draft_agreement", responsible="counsellor", due_on=date(2025, 2, 3)
    )
    after().when(decide, opened()).then(task)


def test_a_task_of_a_late_match_is_due_the_same_day_and_not_before() -> None:
    task = TaskAssigned(
        **IDS, task_id="M1-draft", task="draft_agreement", responsible="counsellor", due_on=date(2025, 2, 20)
    )
    after().when(decide, opened(at=noon(date(2025, 2, 20)))).then(task)


def test_a_match_that_is_a_case_already_opens_nothing() -> None:
    after(opened()).when(decide, opened()).then()


def test_a_cancelled_match_completes_what_was_asked_for() -> None:
    done = TaskCompleted(**IDS, task_id="M1-draft", task="draft_agreement", completed_on=date(2025, 1, 29))
    after(opened()).when(decide, ending("M1")).then(done)


def test_a_cancelled_match_annuls_a_draft() -> None:
    annulled = AgreementAnnulled(**IDS, agreement_id="A1", annulled_on=date(2025, 1, 29), reason="match_cancelled")
    done = TaskCompleted(**IDS, task_id="A1-approve", task="approve_agreement", completed_on=date(2025, 1, 29))
    after(opened(), drafting()).when(decide, ending("M1")).then(annulled, done)


def test_lost_readiness_annuls_a_concluded_agreement_and_does_not_say_why() -> None:
    annulled = AgreementAnnulled(**IDS, agreement_id="A1", annulled_on=date(2025, 1, 29), reason="no_longer_available")
    done = TaskCompleted(**IDS, task_id="A1-start", task="confirm_start", completed_on=date(2025, 1, 29))
    after(CONCLUDED).when(decide, ending("M1", reason=AnnulReason.NO_LONGER_AVAILABLE)).then(annulled, done)


def test_a_trial_goes_on_when_its_match_is_cancelled() -> None:
    after(STARTED).when(decide, ending("M1", on=date(2025, 3, 1))).then()


def test_a_closed_trial_a_no_show_and_an_unknown_match_have_nothing_left_to_end() -> None:
    after(STARTED, closing()).when(decide, ending("M1", on=date(2025, 6, 1))).then()
    after(CONCLUDED, not_showing()).when(decide, ending("M1", on=date(2025, 2, 4))).then()
    after().when(decide, ending("M1")).then()


def test_which_day_a_start_was_is_still_to_be_settled_when_the_person_is_lost_after_the_closing() -> None:
    other_day = starting(on=date(2025, 2, 4), at=noon(date(2025, 2, 5)))
    closed = [*STARTED, other_day, closing()]
    after(closed).when(decide, ending("M1", on=date(2025, 6, 1), reason=AnnulReason.NO_LONGER_AVAILABLE)).then()
    left = after(closed, ending("M1", on=date(2025, 6, 1))).state.cases["M1"].tasks
    assert [task.task for task in left] == ["settle_start_date"]


def test_an_ended_case_takes_no_new_draft() -> None:
    after(opened(), ending("M1")).when(decide, drafting()).then_refused("case_ended")
    after(CONCLUDED, ending("M1")).when(decide, drafting(agreement_id="A2")).then_refused("case_ended")
    after(CONCLUDED, not_showing()).when(decide, drafting(agreement_id="A2")).then_refused("case_ended")


def test_several_cases_of_a_withdrawn_need_end_together() -> None:
    both = [opened("M1"), opened("M2", candidate_id="K1")]
    outcome = after(both, drafting("M2", "A2")).when(decide, ending("M1", "M2", reason=AnnulReason.NEED_WITHDRAWN))
    assert [type(event).__name__ for event in outcome.events] == [
        "TaskCompleted",
        "AgreementAnnulled",
        "TaskCompleted",
    ]


def test_every_agreement_of_the_case_but_one_is_final() -> None:
    state = after(CONCLUDED, ending("M1")).state
    assert state.cases["M1"].live is None
    assert state.cases["M1"].tasks == ()
    assert after(opened(), drafting(), approvals()).state.cases["M1"].live is not None
