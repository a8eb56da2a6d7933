"""A person is assessed, gives consent and takes it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from contracts.event import Event
from contracts.intake import (
    ConsentWithdrawn,
    ReadinessRevoked,
)
from contracts.vocabulary import ConsentScope, RevokeReason
from services.intake.domain.candidate_commands import (
    ChangeAddressProtection,
    WithdrawConsent,
)
from services.intake.domain.candidates import decide, evolve
from tests.gwt import given
from tests.unit.intake.people import (
    ASSESS,
    ASSESSED,
    AT,
    CONSENT,
    CONSENTED,
    MAPPED,
    PROTECTED,
    REGISTERED,
    REVOKE,
    REVOKED,
    TODAY,
    TOMORROW,
    YESTERDAY,
    YESTERDAY_NOON,
)

# --- readiness


def test_a_mapped_person_is_assessed_as_ready_for_a_time() -> None:
    given(evolve, None, [REGISTERED, MAPPED]).when(decide, ASSESS).then(ASSESSED)


def test_the_decision_on_work_capacity_is_sealed() -> None:
    command = replace(ASSESS, reduced_work_capacity=True, notes="vedtak")
    expected = ASSESSED.model_copy(update={"sealed": {"reduced_work_capacity": True, "notes": "vedtak"}})
    given(evolve, None, [REGISTERED, MAPPED]).when(decide, command).then(expected)
    assert "reduced" not in str(expected.data())


def test_nobody_is_assessed_before_being_mapped() -> None:
    given(evolve, None, [REGISTERED]).when(decide, ASSESS).then_refused("not_mapped", status=409)


def test_an_assessment_dated_before_the_first_mapping_is_out_of_order() -> None:
    command = replace(ASSESS, assessed_on=YESTERDAY)
    given(evolve, None, [REGISTERED, MAPPED]).when(decide, command).then_refused(
        "assessed_before_mapped", ["/assessed_on"], status=422
    )


def test_a_later_mapping_leaves_an_assessment_between_the_two_in_order() -> None:
    earlier = MAPPED.model_copy(update={"mapped_on": date(2025, 1, 2)})
    command = replace(ASSESS, assessed_on=YESTERDAY)
    assert given(evolve, None, [REGISTERED, earlier, MAPPED]).when(decide, command).refusal is None


@pytest.mark.parametrize(
    ("change", "code", "fields"),
    [
        ({"assessed_on": TOMORROW}, "date_in_future", ["/assessed_on"]),
        ({"valid_until": TODAY}, "dates_out_of_order", ["/assessed_on", "/valid_until"]),
    ],
)
def test_a_wrong_day_of_an_assessment_is_named(change: dict[str, object], code: str, fields: list[str]) -> None:
    command = replace(ASSESS, **change)  # type: ignore[arg-type]
    given(evolve, None, [REGISTERED, MAPPED]).when(decide, command).then_refused(code, fields, status=422)


def test_readiness_is_revoked_with_a_reason() -> None:
    given(evolve, None, [REGISTERED, MAPPED, ASSESSED]).when(decide, REVOKE).then(REVOKED)


def test_free_text_stands_beside_the_reason_other_and_is_sealed() -> None:
    command = replace(REVOKE, reason=RevokeReason.OTHER, note="flytter")
    given(evolve, None, [REGISTERED, MAPPED, ASSESSED]).when(decide, command).then(
        ReadinessRevoked(candidate_id="C1", reason="other", sealed={"note": "flytter"})
    )


@pytest.mark.parametrize(
    ("reason", "note", "code"),
    [(RevokeReason.OTHER, None, "note_needed"), (RevokeReason.IN_WORK_OR_EDUCATION, "mer", "note_not_allowed")],
)
def test_free_text_belongs_to_the_reason_other_alone(reason: RevokeReason, note: str | None, code: str) -> None:
    command = replace(REVOKE, reason=reason, note=note)
    given(evolve, None, [REGISTERED, MAPPED, ASSESSED]).when(decide, command).then_refused(code, ["/note"], status=422)


@pytest.mark.parametrize(
    "history", [[MAPPED], [MAPPED, ASSESSED, REVOKED], [MAPPED, ASSESSED.model_copy(update={"ready": False})]]
)
def test_only_who_is_ready_can_lose_readiness(history: list[Event]) -> None:
    given(evolve, None, [REGISTERED, *history]).when(decide, REVOKE).then_refused("not_ready", status=409)


# --- consent and protection


def test_a_person_says_yes_to_matching() -> None:
    given(evolve, None, [REGISTERED]).when(decide, CONSENT).then(CONSENTED)


def test_consent_given_on_paper_yesterday_is_dated_yesterday() -> None:
    given(evolve, None, [REGISTERED]).when(decide, replace(CONSENT, given_on=YESTERDAY)).then(
        CONSENTED.model_copy(update={"given_on": YESTERDAY, "occurred": YESTERDAY_NOON})
    )


def test_consent_cannot_be_given_tomorrow() -> None:
    command = replace(CONSENT, given_on=TOMORROW)
    given(evolve, None, [REGISTERED]).when(decide, command).then_refused("date_in_future", ["/given_on"], status=422)


def test_consent_that_holds_is_not_given_again() -> None:
    given(evolve, None, [REGISTERED, CONSENTED]).when(decide, CONSENT).then_refused("consent_already_given")


def test_consent_is_taken_back_and_may_be_given_again() -> None:
    withdrawn = ConsentWithdrawn(candidate_id="C1", scope="matching", withdrawn_on=TODAY)
    command = WithdrawConsent(ConsentScope.MATCHING, AT)
    given(evolve, None, [REGISTERED, CONSENTED]).when(decide, command).then(withdrawn)
    given(evolve, None, [REGISTERED, CONSENTED, withdrawn]).when(decide, CONSENT).then(CONSENTED)


def test_consent_that_was_not_given_cannot_be_taken_back() -> None:
    command = WithdrawConsent(ConsentScope.MATCHING, AT)
    given(evolve, None, [REGISTERED]).when(decide, command).then_refused("consent_not_given", status=409)


def test_address_protection_is_set_and_lifted() -> None:
    given(evolve, None, [REGISTERED]).when(decide, ChangeAddressProtection(True, AT)).then(PROTECTED)
    given(evolve, None, [REGISTERED, PROTECTED]).when(decide, ChangeAddressProtection(False, AT)).then(
        PROTECTED.model_copy(update={"protected": False})
    )


@pytest.mark.parametrize(("history", "protected"), [([], False), ([PROTECTED], True)])
def test_address_protection_changes_or_is_refused(history: list[Event], protected: bool) -> None:
    given(evolve, None, [REGISTERED, *history]).when(decide, ChangeAddressProtection(protected, AT)).then_refused(
        "address_protection_unchanged", status=409
    )


# --- the state


def test_a_log_read_without_the_key_gives_a_state_without_personal_facts() -> None:
    closed = [event.model_copy(update={"sealed": None}) for event in (REGISTERED, MAPPED, ASSESSED)]
    state = given(evolve, None, closed).state
    assert state is not None
    assert (state.name, state.birth_date, state.reduced_work_capacity) == (None, None, False)
    assert state.ready_until == date(2025, 7, 10)


def test_the_last_assessment_decides_about_work_capacity() -> None:
    reduced = ASSESSED.model_copy(update={"sealed": {"reduced_work_capacity": True, "notes": None}})
    state = given(evolve, None, [REGISTERED, MAPPED, reduced]).state
    assert state is not None
    assert state.reduced_work_capacity
    later = given(evolve, None, [REGISTERED, MAPPED, reduced, ASSESSED]).state
    assert later is not None
    assert not later.reduced_work_capacity


def test_events_before_the_registration_change_nothing() -> None:
    assert given(evolve, None, [MAPPED, ASSESSED, CONSENTED]).state is None
