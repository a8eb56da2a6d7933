"""How a trial ends well: closing talk, reversal of an outcome, certificate, and who is still employed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from contracts.followup import (
    CaseTaken,
    CertificateIssued,
    ClosingTalkHeld,
    EmploymentConfirmed,
    OutcomeReversed,
    TrialClosed,
)
from contracts.vocabulary import Outcome, Party, ReversalReason
from services.followup.domain.commands import (
    ConfirmEmployment,
    HoldClosingTalk,
    IssueCertificate,
    ReverseOutcome,
    TakeCase,
)
from services.followup.domain.decide import decide
from services.followup.domain.state import Stage
from tests.unit.followup.followup_facts import CONCLUDED, IDS, STARTED, after, closing, noon, opened

TRIAL = {**IDS, "trial_id": "trial-A1", "agreement_id": "A1"}
BY: dict[str, Any] = {"trial_id": "trial-A1", "acting": Party.COUNSELLOR, "actor": "the counsellor"}
CLOSED = [*STARTED, closing()]
TALK = HoldClosingTalk(**BY, held_on=date(2025, 5, 2), note="Ble ansatt", at=noon(date(2025, 5, 3)))
REVERSE = ReverseOutcome(
    **BY,
    outcome=Outcome.NO_OFFER,
    reason=ReversalReason.NOT_FULFILLED,
    note="Ansettelsen ble ikke noe av",
    at=noon(date(2025, 6, 2)),
)
CERTIFICATE = IssueCertificate(**BY, certificate_id="P1", at=noon(date(2025, 5, 5)))

TAKE = TakeCase(match_id="M1", acting=Party.COUNSELLOR, counsellor_id="W1", at=noon(date(2025, 1, 21)))


def employed(after_months: int, on: date, **but: Any) -> ConfirmEmployment:
    usual: dict[str, Any] = {**BY, "after_months": after_months, "employed": True, "on": on, "at": noon(on)}
    return ConfirmEmployment(**{**usual, **but})


def test_the_closing_talk_is_held_once_before_or_after_the_closing_and_its_note_is_sealed() -> None:
    event = ClosingTalkHeld(
        **TRIAL, held_on=date(2025, 5, 2), sealed={"note": "Ble ansatt"}, occurred=noon(date(2025, 5, 2))
    )
    for before in (STARTED, CLOSED):
        after(before).when(decide, TALK).then(event)
        after(before, TALK).when(decide, TALK).then_refused("closing_talk_held")
    after(STARTED).when(decide, replace(TALK, held_on=date(2025, 2, 2))).then_refused("before_start", ["/held_on"])
    after(STARTED).when(decide, replace(TALK, held_on=date(2025, 5, 4))).then_refused("date_in_future", ["/held_on"])
    after(STARTED).when(decide, replace(TALK, acting=Party.EMPLOYER)).then_refused("not_yours_to_say")
    after(CONCLUDED).when(decide, TALK).then_refused("trial_unknown", status=404)


def test_an_outcome_is_reversed_by_an_event_and_the_right_one_follows_on_the_same_day() -> None:
    after(CLOSED).when(decide, REVERSE).then(
        OutcomeReversed(
            **TRIAL,
            reversed_on=date(2025, 6, 2),
            outcome="hired",
            reason="not_fulfilled",
            sealed={"note": "Ansettelsen ble ikke noe av"},
        ),
        TrialClosed(
            **TRIAL,
            on=date(2025, 5, 2),
            outcome="no_offer",
            reason="period_completed",
            occurred=noon(date(2025, 5, 2)),
        ),
    )
    state = after(CLOSED, REVERSE).state.cases["M1"].agreements["A1"]
    assert state.stage == Stage.CLOSED
    assert state.trial is not None
    assert state.trial.outcome == Outcome.NO_OFFER


def test_a_reversal_says_another_outcome_and_explains_what_is_other() -> None:
    after(CLOSED).when(decide, replace(REVERSE, outcome=Outcome.HIRED)).then_refused("same_outcome", ["/outcome"])
    for but in ({"reason": ReversalReason.OTHER}, {"outcome": Outcome.OTHER}):
        unexplained = replace(REVERSE, note=None, **but)
        after(CLOSED).when(decide, unexplained).then_refused("note_missing", ["/note"])
    after(CLOSED).when(decide, replace(REVERSE, acting=Party.EMPLOYER)).then_refused("not_yours_to_say")
    after(STARTED).when(decide, REVERSE).then_refused("trial_not_closed")


def test_a_certificate_is_issued_once_after_the_closing() -> None:
    after(CLOSED).when(decide, CERTIFICATE).then(
        CertificateIssued(**TRIAL, certificate_id="P1", issued_on=date(2025, 5, 5))
    )
    after(CLOSED, CERTIFICATE).when(decide, CERTIFICATE).then_refused("certificate_issued")
    after(STARTED).when(decide, CERTIFICATE).then_refused("trial_not_closed")
    after(CLOSED).when(decide, replace(CERTIFICATE, acting=Party.PARTICIPANT)).then_refused("not_yours_to_say")


@pytest.mark.parametrize(
    ("months", "earliest"), [(3, date(2025, 8, 2)), (6, date(2025, 11, 2)), (12, date(2026, 5, 2))]
)
def test_employment_is_confirmed_after_3_6_and_12_months_and_not_a_day_before(months: int, earliest: date) -> None:
    event = EmploymentConfirmed(
        **TRIAL, after_months=months, employed=True, on=earliest, confirmed_by="counsellor", occurred=noon(earliest)
    )
    after(CLOSED).when(decide, employed(months, earliest)).then(event)
    after(CLOSED, employed(months, earliest)).when(decide, employed(months, earliest)).then_refused(
        "employment_confirmed", ["/after_months"]
    )
    too_early = employed(months, earliest.replace(day=1))
    after(CLOSED).when(decide, too_early).then_refused("too_early", ["/on"], status=422)


def test_employment_is_asked_of_the_hired_alone_and_not_after_it_has_ended() -> None:
    first = employed(3, date(2025, 8, 2), employed=False)
    after(CLOSED, first).when(decide, employed(6, date(2025, 11, 2))).then_refused("employment_ended")
    after(CLOSED).when(decide, employed(4, date(2025, 11, 2))).then_refused("months_not_asked", ["/after_months"])
    after(CLOSED, REVERSE).when(decide, employed(3, date(2025, 8, 2))).then_refused("not_hired")
    after(STARTED).when(decide, employed(3, date(2025, 8, 2))).then_refused("trial_not_closed")
    refused = employed(3, date(2025, 8, 2), acting=Party.PARTICIPANT)
    after(CLOSED).when(decide, refused).then_refused("not_yours_to_say")


def test_a_case_is_taken_by_one_counsellor_after_another() -> None:
    after(opened()).when(decide, TAKE).then(CaseTaken(**IDS, counsellor_id="W1", taken_on=date(2025, 1, 21)))
    after(opened(), TAKE).when(decide, TAKE).then_refused("case_is_yours")
    assert after(opened(), TAKE).when(decide, replace(TAKE, counsellor_id="W2")).events
    after(opened()).when(decide, replace(TAKE, acting=Party.DECISION_MAKER)).then_refused("not_yours_to_say")
    after().when(decide, TAKE).then_refused("case_unknown", status=404)
