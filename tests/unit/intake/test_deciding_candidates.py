"""A person is registered and mapped; qualifications are added."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from contracts import nationalids
from contracts.event import Event
from contracts.intake import (
    CandidateMapped,
    Experience,
    LanguageLevels,
    QualificationAdded,
)
from contracts.vocabulary import ConsentScope
from services.intake.domain.candidate_commands import (
    CandidateCommand,
    ChangeAddressProtection,
    WithdrawConsent,
)
from services.intake.domain.candidates import decide, evolve
from services.intake.domain.checks import MOST_QUALIFICATIONS
from tests.gwt import given
from tests.unit.intake.people import (
    ASSESS,
    AT,
    BORN,
    CONSENT,
    MAP,
    MAPPED,
    NATIONAL_ID,
    QUALIFY,
    REGISTER,
    REGISTERED,
    REVOKE,
    TODAY,
    TOMORROW,
    YESTERDAY,
    YESTERDAY_NOON,
)

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
