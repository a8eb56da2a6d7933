"""Approvals: in order, on behalf of, four eyes, revoked, concluded, annulled."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st

from contracts.followup import (
    AgreementAnnulled,
    AgreementApproved,
    AgreementConcluded,
    ApprovalRevoked,
    TaskAssigned,
    TaskCompleted,
)
from contracts.refused import Refused
from contracts.vocabulary import AnnulReason, Measure, Party
from services.followup.domain.commands import Approve, Command
from services.followup.domain.decide import decide
from services.followup.domain.state import NOBODY, Person, Stage, evolve
from tests.gwt import given
from tests.unit.followup.followup_facts import (
    CONCLUDED,
    IDS,
    OTHER_ORG,
    STARTED,
    after,
    annulling,
    approvals,
    approving,
    closing,
    drafting,
    noon,
    not_showing,
    opened,
    played,
    revoking,
)

DRAFTED: list[Command] = [opened(), drafting()]
COSTLY: list[Command] = [opened(), drafting(measure=Measure.TEMPORARY_WAGE_SUBSIDY)]


def approved(party: str, **but: object) -> AgreementApproved:
    usual: dict[str, object] = {
        "agreement_id": "A1",
        "party": party,
        "approved_on": date(2025, 1, 24),
        "sealed": {"approved_by": f"the {party}"},
    }
    return AgreementApproved.model_validate({**IDS, **usual, **but})


def test_employer_and_participant_approve_in_any_order() -> None:
    after(DRAFTED).when(decide, approving(Party.EMPLOYER)).then(approved("employer"))
    after(DRAFTED).when(decide, approving(Party.PARTICIPANT)).then(approved("participant"))
    after(DRAFTED, approving(Party.PARTICIPANT)).when(decide, approving(Party.EMPLOYER)).then(approved("employer"))


def test_the_counsellor_approves_after_both() -> None:
    for before in ([], [approving(Party.EMPLOYER)], [approving(Party.PARTICIPANT)]):
        after(DRAFTED, before).when(decide, approving(Party.COUNSELLOR)).then_refused(
            "approval_out_of_order", ["/party"]
        )


def test_the_last_approval_concludes_in_the_same_commit() -> None:
    after(DRAFTED, approvals()[:2]).when(decide, approving(Party.COUNSELLOR)).then(
        approved("counsellor"),
        AgreementConcluded(
            **IDS,
            agreement_id="A1",
            concluded_on=date(2025, 1, 24),
            measure="work_training",
            start_on=date(2025, 2, 3),
            end_on=date(2025, 5, 2),
            rule_version="2024-01-01",
        ),
        TaskCompleted(**IDS, task_id="A1-approve", task="approve_agreement", completed_on=date(2025, 1, 24)),
        TaskAssigned(**IDS, task_id="A1-start", task="confirm_start", responsible="employer", due_on=date(2025, 2, 3)),
    )


def test_a_measure_that_costs_money_waits_for_a_decision_maker() -> None:
    after(COSTLY, approvals()[:2]).when(decide, approving(Party.COUNSELLOR)).then(approved("counsellor"))
    outcome = after(COSTLY, approvals()).when(decide, approving(Party.DECISION_MAKER))
    assert isinstance(outcome.events[1], AgreementConcluded)
    after(COSTLY, approvals()[:2]).when(decide, approving(Party.DECISION_MAKER)).then_refused(
        "approval_out_of_order", ["/party"]
    )


def test_a_decision_maker_has_nothing_to_decide_where_none_is_needed() -> None:
    after(DRAFTED, approvals()[:2]).when(decide, approving(Party.DECISION_MAKER)).then_refused(
        "decision_maker_not_needed", ["/party"]
    )


def test_a_decision_maker_is_never_the_counsellor_who_approved() -> None:
    same = approving(Party.DECISION_MAKER, actor="the counsellor")
    after(COSTLY, approvals()).when(decide, same).then_refused("same_person")


def test_a_decision_maker_has_not_spoken_for_anybody_in_this_agreement() -> None:
    spoken = approving(Party.PARTICIPANT, acting=Party.COUNSELLOR, actor="Kari", reason="ill, agreed by telephone")
    before = [spoken, approving(Party.EMPLOYER), approving(Party.COUNSELLOR)]
    same = approving(Party.DECISION_MAKER, actor="Kari")
    after(COSTLY, before).when(decide, same).then_refused("same_person")


def test_nobody_decides_where_it_cannot_be_seen_who_approved() -> None:
    # As the events are loaded without the person's key, or after it was destroyed.
    unopened = [event.model_copy(update={"sealed": None}) for event in played(COSTLY, approvals())]
    given(evolve, NOBODY, unopened).when(decide, approving(Party.DECISION_MAKER)).then_refused("approver_unknown")


def test_on_behalf_of_needs_a_reason_which_is_sealed() -> None:
    spoken = approving(Party.PARTICIPANT, acting=Party.COUNSELLOR, actor="Kari", reason="no electronic id yet")
    after(DRAFTED).when(decide, spoken).then(
        approved("participant", on_behalf_of=True, sealed={"approved_by": "Kari", "note": "no electronic id yet"})
    )
    silent = approving(Party.PARTICIPANT, acting=Party.COUNSELLOR, actor="Kari")
    after(DRAFTED).when(decide, silent).then_refused("reason_missing", ["/reason"], status=422)


def test_a_reason_is_not_expected_of_who_speaks_for_themselves() -> None:
    after(DRAFTED).when(decide, approving(Party.EMPLOYER, reason="why not")).then_refused(
        "reason_not_expected", ["/reason"], status=422
    )


@pytest.mark.parametrize(
    ("acting", "party"),
    [
        (Party.EMPLOYER, Party.PARTICIPANT),
        (Party.PARTICIPANT, Party.EMPLOYER),
        (Party.EMPLOYER, Party.COUNSELLOR),
        (Party.COUNSELLOR, Party.DECISION_MAKER),
        (Party.DECISION_MAKER, Party.COUNSELLOR),
        (Party.DECISION_MAKER, Party.EMPLOYER),
    ],
)
def test_nobody_else_speaks_for_another_party(acting: Party, party: Party) -> None:
    speaks = approving(party, acting=acting, reason="because")
    after(DRAFTED).when(decide, speaks).then_refused("not_your_approval", ["/party"], status=422)
    takes_back = revoking(party, acting=acting)
    after(DRAFTED, approvals()[:2]).when(decide, takes_back).then_refused("not_your_approval", ["/party"], status=422)


def test_a_party_approves_once() -> None:
    after(DRAFTED, approving(Party.EMPLOYER)).when(decide, approving(Party.EMPLOYER)).then_refused(
        "already_approved", ["/party"]
    )


def test_revoking_clears_all_approvals() -> None:
    revoked = ApprovalRevoked(**IDS, agreement_id="A1", party="employer", revoked_on=date(2025, 1, 25))
    before = [*DRAFTED, *approvals()[:2]]
    after(before).when(decide, revoking(Party.EMPLOYER)).then(revoked)
    after(before, revoking(Party.EMPLOYER)).when(decide, approving(Party.COUNSELLOR)).then_refused(
        "approval_out_of_order", ["/party"]
    )
    assert after(before, revoking(Party.EMPLOYER)).when(decide, approving(Party.EMPLOYER)).events


def test_only_what_was_approved_is_revoked_and_only_before_the_conclusion() -> None:
    after(DRAFTED).when(decide, revoking(Party.EMPLOYER)).then_refused("not_approved", ["/party"])
    after(CONCLUDED).when(decide, revoking(Party.EMPLOYER)).then_refused("already_concluded")


def test_a_counsellor_takes_back_on_behalf_of_and_says_why_in_the_sealed_part() -> None:
    before = [*DRAFTED, approving(Party.PARTICIPANT)]
    back = revoking(Party.PARTICIPANT, acting=Party.COUNSELLOR, note="changed their mind")
    after(before).when(decide, back).then(
        ApprovalRevoked(
            **IDS,
            agreement_id="A1",
            party="participant",
            revoked_on=date(2025, 1, 25),
            sealed={"note": "changed their mind"},
        )
    )


def test_of_two_drafts_for_the_same_days_only_one_is_concluded() -> None:
    both: list[Command] = [
        *DRAFTED,
        opened("M2", org_number=OTHER_ORG),
        drafting("M2", "A2", start_on=date(2025, 3, 1), end_on=date(2025, 3, 31)),
        *approvals("A1"),
        *approvals("A2")[:2],
    ]
    after(both).when(decide, approving(Party.COUNSELLOR, "A2")).then_refused("overlaps")


def test_an_agreement_is_not_concluded_after_its_period() -> None:
    on_time = approving(Party.COUNSELLOR, at=noon(date(2025, 5, 2)))
    assert after(DRAFTED, approvals()[:2]).when(decide, on_time).events
    late = approving(Party.COUNSELLOR, at=noon(date(2025, 5, 3)))
    after(DRAFTED, approvals()[:2]).when(decide, late).then_refused("period_over")


def test_annulling_by_hand_ends_the_case() -> None:
    after(CONCLUDED).when(decide, annulling()).then(
        AgreementAnnulled(**IDS, agreement_id="A1", annulled_on=date(2025, 1, 28), reason="registered_by_mistake"),
        TaskCompleted(**IDS, task_id="A1-start", task="confirm_start", completed_on=date(2025, 1, 28)),
    )


def test_annulling_needs_one_of_the_reasons_for_people_and_a_note_for_other() -> None:
    for reason in (AnnulReason.MATCH_CANCELLED, AnnulReason.NEED_WITHDRAWN):
        after(DRAFTED).when(decide, annulling(reason=reason)).then_refused(
            "reason_not_allowed", ["/reason"], status=422
        )
    after(DRAFTED).when(decide, annulling(reason=AnnulReason.OTHER)).then_refused("note_missing", ["/note"], status=422)
    told = after(DRAFTED).when(decide, annulling(reason=AnnulReason.OTHER, note="moved away")).events[0]
    assert told.sealed == {"note": "moved away"}


STEPS: list[Command] = [
    approving(Party.EMPLOYER),
    revoking(Party.EMPLOYER),
    annulling(),
]


@pytest.mark.parametrize(
    ("before", "code"),
    [
        (CONCLUDED, "already_concluded"),
        (STARTED, "already_started"),
        ([*CONCLUDED, not_showing()], "no_show_reported"),
        ([*DRAFTED, annulling()], "agreement_annulled"),
        ([*STARTED, closing()], "trial_closed"),
    ],
)
def test_what_is_past_drafting_takes_no_approval_and_says_where_it_stands(before: list[Command], code: str) -> None:
    for step in STEPS:
        if code == "already_concluded" and step == annulling():
            continue
        after(before).when(decide, step).then_refused(code)


def test_an_unknown_agreement_is_refused() -> None:
    for step in STEPS:
        after(opened()).when(decide, step).then_refused("agreement_unknown", status=404)


PARTIES = list(Party)
moves = st.lists(
    st.builds(
        lambda party, acting, actor, reason, back: (
            revoking(party, acting=acting, actor=actor)
            if back
            else approving(party, acting=acting, actor=actor, reason=reason)
        ),
        st.sampled_from(PARTIES),
        st.sampled_from(PARTIES),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([None, "reason"]),
        st.sampled_from([False, False, False, True]),
    ),
    max_size=30,
)


@generated(moves=moves, measure=st.sampled_from([Measure.WORK_TRAINING, Measure.TEMPORARY_WAGE_SUBSIDY]))
@settings(max_examples=200, deadline=None)
def test_approvals_are_never_out_of_order_whatever_is_tried(moves: list[Command], measure: Measure) -> None:
    person = _play(after(opened(), drafting(measure=measure)).state, moves)
    agreement = person.cases["M1"].agreements["A1"]
    order = [approval.party for approval in agreement.approvals]
    assert len(set(order)) == len(order)
    assert set(order[:2]) <= {Party.EMPLOYER, Party.PARTICIPANT}
    assert order[2:] in ([], [Party.COUNSELLOR], [Party.COUNSELLOR, Party.DECISION_MAKER])
    needed = 4 if measure == Measure.TEMPORARY_WAGE_SUBSIDY else 3
    assert (agreement.stage == Stage.CONCLUDED) == (len(order) == needed)
    if len(order) == 4:
        people = [approval.approved_by for approval in agreement.approvals]
        assert people[3] not in people[:3]


@generated(turns=st.permutations([*approvals(decided=True), *approvals(decided=True)]))
@settings(max_examples=100, deadline=None)
def test_whoever_comes_too_early_is_refused_and_nothing_is_kept(turns: list[Approve]) -> None:
    person = after(COSTLY).state
    for turn in turns:
        before = person
        person = _play(person, [turn])
        if person == before:
            continue
        agreement = person.cases["M1"].agreements["A1"]
        assert agreement.approvals[-1].party == turn.party


def _play(person: Person, moves: list[Command]) -> Person:
    for move in moves:
        try:
            events = decide(move, person)
        except Refused:
            continue
        for event in events:
            person = evolve(person, event)
    return person
