"""A person is registered, mapped, assessed and asked for consent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from contracts import nationalids
from contracts.event import Event
from contracts.intake import (
    AddressProtectionChanged,
    CandidateAssessed,
    CandidateMapped,
    CandidateRegistered,
    ConsentGiven,
    ConsentWithdrawn,
    Experience,
    LanguageLevels,
    QualificationAdded,
    ReadinessRevoked,
)
from contracts.vocabulary import ConsentScope, Intermediary, QualificationKind, RevokeReason
from services.intake.domain.candidate_commands import (
    AddQualification,
    AssessCandidate,
    CandidateCommand,
    ChangeAddressProtection,
    GiveConsent,
    MapCandidate,
    RegisterCandidate,
    RevokeReadiness,
    WithdrawConsent,
)
from services.intake.domain.candidates import decide, evolve
from services.intake.domain.checks import MOST_QUALIFICATIONS
from tests.gwt import given

AT = datetime(2025, 1, 10, 9, 0, tzinfo=UTC)
TODAY = date(2025, 1, 10)
YESTERDAY = date(2025, 1, 9)
YESTERDAY_NOON = datetime(2025, 1, 9, 11, 0, tzinfo=UTC)
TOMORROW = date(2025, 1, 11)
BORN = date(1994, 5, 17)
NATIONAL_ID = nationalids.synthetic(BORN, 0)

REGISTER = RegisterCandidate(
    candidate_id="C1",
    intermediary=Intermediary.REFUGEE_SERVICE,
    name="Karim Testesen",
    national_id=NATIONAL_ID,
    at=AT,
    phone="+4791234567",
    email="karim@example.org",
    synthetic=True,
)
MAP = MapCandidate(mapped_on=TODAY, municipality="3312", hours_per_week=37.5, at=AT)
QUALIFY = AddQualification(
    qualification_id="Q1",
    kind=QualificationKind.COURSE,
    occupation="2512",
    started_on=date(2024, 9, 1),
    completed_on=date(2024, 11, 30),
    title="Kveldskurs",
    provider="Voksenopplæringen",
    at=AT,
)
ASSESS = AssessCandidate(ready=True, assessed_on=TODAY, valid_until=date(2025, 7, 10), at=AT)
REVOKE = RevokeReadiness(RevokeReason.CIRCUMSTANCES_CHANGED, AT)
CONSENT = GiveConsent(ConsentScope.MATCHING, TODAY, AT)

REGISTERED = CandidateRegistered(
    candidate_id="C1",
    intermediary="refugee_service",
    registered_on=TODAY,
    sealed={
        "name": "Karim Testesen",
        "national_id": NATIONAL_ID,
        "birth_date": "1994-05-17",
        "phone": "+4791234567",
        "email": "karim@example.org",
    },
)
MAPPED = CandidateMapped(candidate_id="C1", mapped_on=TODAY, municipality="3312", hours_per_week=37.5)
ASSESSED = CandidateAssessed(
    candidate_id="C1",
    ready=True,
    assessed_on=TODAY,
    valid_until=date(2025, 7, 10),
    sealed={"reduced_work_capacity": False, "notes": None},
)
REVOKED = ReadinessRevoked(candidate_id="C1", reason="circumstances_changed")
CONSENTED = ConsentGiven(candidate_id="C1", scope="matching", given_on=TODAY)
PROTECTED = AddressProtectionChanged(candidate_id="C1", protected=True)


# --- registering


def test_who_a_person_is_goes_to_the_sealed_part_alone() -> None:
    given(evolve, None).when(decide, REGISTER).then(REGISTERED)
    public = str(REGISTERED.data())
    assert not any(str(value) in public for value in (REGISTERED.sealed or {}).values())


def test_a_national_id_is_kept_in_one_form_however_it_was_written() -> None:
    command = replace(REGISTER, national_id=f"{NATIONAL_ID[:6]} {NATIONAL_ID[6:]}")
    given(evolve, None).when(decide, command).then(REGISTERED)


def test_a_birth_date_that_agrees_with_the_national_id_is_taken() -> None:
    given(evolve, None).when(decide, replace(REGISTER, birth_date=BORN)).then(REGISTERED)


def test_a_birth_date_that_disagrees_with_the_national_id_is_refused() -> None:
    command = replace(REGISTER, birth_date=date(1994, 5, 18))
    given(evolve, None).when(decide, command).then_refused("birth_date_mismatch", ["/birth_date", "/national_id"])


@pytest.mark.parametrize("national_id", ["", "12345678901", NATIONAL_ID[:-1], NATIONAL_ID + "1", "abcdefghijk"])
def test_a_wrong_national_id_is_refused(national_id: str) -> None:
    command = replace(REGISTER, national_id=national_id)
    given(evolve, None).when(decide, command).then_refused("national_id_invalid", ["/national_id"], status=422)


def test_a_synthetic_national_id_counts_only_where_synthetic_ids_do() -> None:
    command = replace(REGISTER, synthetic=False)
    given(evolve, None).when(decide, command).then_refused("national_id_invalid", ["/national_id"])


def test_a_refusal_never_repeats_the_national_id() -> None:
    outcome = given(evolve, None).when(decide, replace(REGISTER, synthetic=False))
    assert outcome.refusal is not None
    assert NATIONAL_ID not in f"{outcome.refusal!r} {outcome.refusal.params}"


def test_the_sixteenth_birthday_is_old_enough() -> None:
    command = replace(REGISTER, national_id=nationalids.synthetic(date(2009, 1, 10), 0))
    outcome = given(evolve, None).when(decide, command)
    assert outcome.refusal is None


def test_the_day_before_the_sixteenth_birthday_is_too_young() -> None:
    command = replace(REGISTER, national_id=nationalids.synthetic(date(2009, 1, 11), 0))
    given(evolve, None).when(decide, command).then_refused("too_young", ["/national_id"], status=422)


def test_a_birth_date_in_the_future_is_impossible() -> None:
    command = replace(REGISTER, national_id=nationalids.synthetic(date(2025, 1, 11), 0))
    given(evolve, None).when(decide, command).then_refused("birth_date_impossible", ["/national_id"], status=422)


def test_a_candidate_is_registered_once() -> None:
    given(evolve, None, [REGISTERED]).when(decide, REGISTER).then_refused("candidate_already_registered", status=409)


@pytest.mark.parametrize(
    "command",
    [
        MAP,
        QUALIFY,
        ASSESS,
        REVOKE,
        CONSENT,
        WithdrawConsent(ConsentScope.MATCHING, AT),
        ChangeAddressProtection(True, AT),
    ],
)
def test_nothing_is_recorded_about_a_person_who_is_not_registered(command: CandidateCommand) -> None:
    given(evolve, None).when(decide, command).then_refused("candidate_unknown")


# --- mapping


def test_a_mapping_keeps_what_a_person_can_and_wants() -> None:
    command = replace(
        MAP,
        language=LanguageLevels(speaking="B1"),
        experience=(Experience(occupation="5223", months=30),),
        wished_occupations=("5223", "6113"),
        available_from=TOMORROW,
        licences=("B",),
        notes="Trives med kunder",
    )
    given(evolve, None, [REGISTERED]).when(decide, command).then(
        CandidateMapped(
            candidate_id="C1",
            mapped_on=TODAY,
            municipality="3312",
            language=LanguageLevels(speaking="B1"),
            experience=(Experience(occupation="5223", months=30),),
            wished_occupations=("5223", "6113"),
            hours_per_week=37.5,
            available_from=TOMORROW,
            licences=("B",),
            sealed={"notes": "Trives med kunder"},
        )
    )


def test_a_mapping_of_yesterday_happened_yesterday() -> None:
    given(evolve, None, [REGISTERED]).when(decide, replace(MAP, mapped_on=YESTERDAY)).then(
        MAPPED.model_copy(update={"mapped_on": YESTERDAY, "occurred": YESTERDAY_NOON})
    )


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"mapped_on": TOMORROW}, "date_in_future", "/mapped_on"),
        ({"municipality": "0000"}, "municipality_unknown", "/municipality"),
        ({"municipality": "3049"}, "municipality_changed", "/municipality"),
        ({"hours_per_week": -1}, "hours_per_week_out_of_range", "/hours_per_week"),
        (
            {"experience": (Experience(occupation="0000", months=1),)},
            "occupation_unknown",
            "/experience/0/occupation",
        ),
        ({"experience": (Experience(occupation="5223", months=0),)}, "months_out_of_range", "/experience/0/months"),
        ({"experience": (Experience(occupation="5223", months=1),) * 2}, "named_twice", "/experience"),
        ({"wished_occupations": ("5223", "1")}, "occupation_unknown", "/wished_occupations/1"),
        ({"wished_occupations": ("5223", "5223")}, "named_twice", "/wished_occupations"),
        ({"licences": ("B", "B")}, "named_twice", "/licences"),
    ],
)
def test_a_wrong_field_of_a_mapping_is_named(change: dict[str, object], code: str, field: str) -> None:
    command = replace(MAP, **change)  # type: ignore[arg-type]
    given(evolve, None, [REGISTERED]).when(decide, command).then_refused(code, [field], status=422)


# --- qualifications


def test_title_and_provider_of_a_qualification_are_sealed() -> None:
    given(evolve, None, [REGISTERED]).when(decide, QUALIFY).then(
        QualificationAdded(
            candidate_id="C1",
            qualification_id="Q1",
            kind="course",
            occupation="2512",
            started_on=date(2024, 9, 1),
            completed_on=date(2024, 11, 30),
            sealed={"title": "Kveldskurs", "provider": "Voksenopplæringen"},
        )
    )


def test_a_course_that_still_runs_may_be_recorded_with_its_planned_last_day() -> None:
    command = replace(QUALIFY, completed_on=date(2025, 2, 28))
    assert given(evolve, None, [REGISTERED]).when(decide, command).refusal is None


@pytest.mark.parametrize(
    ("change", "code", "fields"),
    [
        ({"completed_on": date(2024, 8, 31)}, "dates_out_of_order", ["/started_on", "/completed_on"]),
        ({"started_on": TOMORROW, "completed_on": TOMORROW}, "date_in_future", ["/started_on"]),
        ({"completed_on": date(2030, 1, 11)}, "completed_too_far_ahead", ["/completed_on"]),
        ({"occupation": "25"}, "occupation_unknown", ["/occupation"]),
    ],
)
def test_a_wrong_field_of_a_qualification_is_named(change: dict[str, object], code: str, fields: list[str]) -> None:
    command = replace(QUALIFY, **change)  # type: ignore[arg-type]
    given(evolve, None, [REGISTERED]).when(decide, command).then_refused(code, fields, status=422)


def test_there_is_an_end_to_the_qualifications_of_one_person() -> None:
    added = given(evolve, None, [REGISTERED]).when(decide, QUALIFY).events[0]
    many: list[Event] = [REGISTERED, *[added] * MOST_QUALIFICATIONS]
    given(evolve, None, many).when(decide, QUALIFY).then_refused("too_many_qualifications", status=409)


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
