"""Background facts are voluntary, checked, and encrypted before they become an event."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from contracts.intake import BackgroundDeclared, BackgroundWithdrawn
from contracts.refused import Refused
from contracts.vocabulary import Background
from services.intake.domain.background import (
    Declaration,
    DeclareBackground,
    DeclineBackground,
    Facts,
    Gender,
    YesNo,
    check,
    decide,
    evolve,
)
from tests.gwt import given

AT = datetime(2025, 1, 10, 9, 0, tzinfo=UTC)
TODAY = date(2025, 1, 10)
FACTS = Facts(immigrant_background=Background.IMMIGRANT, country_of_birth="SY", year_of_birth=1994)
DECLARED = BackgroundDeclared(candidate_id="C1", declared_on=TODAY, ciphertext="Zm9v")
WITHDRAWN = BackgroundWithdrawn(candidate_id="C1", withdrawn_on=TODAY)


def test_a_declaration_is_recorded_as_ciphertext() -> None:
    given(evolve, Declaration()).when(decide, DeclareBackground("C1", "Zm9v", AT)).then(DECLARED)


def test_a_later_declaration_replaces_an_earlier_one() -> None:
    given(evolve, Declaration(), [DECLARED]).when(decide, DeclareBackground("C1", "Zm9v", AT)).then(DECLARED)


@pytest.mark.parametrize("history", [[], [DECLARED]])
def test_a_person_may_say_no_before_and_after(history: list[BackgroundDeclared]) -> None:
    given(evolve, Declaration(), history).when(decide, DeclineBackground("C1", AT)).then(WITHDRAWN)


def test_a_no_is_said_once() -> None:
    given(evolve, Declaration(), [DECLARED, WITHDRAWN]).when(decide, DeclineBackground("C1", AT)).then_refused(
        "background_already_declined", status=409
    )


def test_a_no_may_be_followed_by_a_declaration() -> None:
    given(evolve, Declaration(), [WITHDRAWN]).when(decide, DeclareBackground("C1", "Zm9v", AT)).then(DECLARED)
    assert given(evolve, Declaration(), [WITHDRAWN, DECLARED]).state == Declaration(declined=False)


def test_what_was_not_answered_is_unknown() -> None:
    assert FACTS.values() == {
        "immigrant_background": "immigrant",
        "country_of_birth": "SY",
        "reduced_functional_ability": "unknown",
        "cv_gap": "unknown",
        "gender": "unknown",
        "year_of_birth": 1994,
    }


@pytest.mark.parametrize(
    "facts",
    [
        FACTS,
        Facts(country_of_birth="XX"),
        Facts(cv_gap=YesNo.NO),
        Facts(gender=Gender.FEMALE),
        Facts(reduced_functional_ability=YesNo.YES),
    ],
)
def test_a_single_answer_is_enough(facts: Facts) -> None:
    check(facts, TODAY)


@pytest.mark.parametrize(
    ("facts", "code", "field"),
    [
        (Facts(), "nothing_declared", None),
        (replace(FACTS, country_of_birth="QQ"), "country_unknown", "/country_of_birth"),
        (replace(FACTS, year_of_birth=2026), "year_of_birth_impossible", "/year_of_birth"),
        (replace(FACTS, year_of_birth=1899), "year_of_birth_impossible", "/year_of_birth"),
    ],
)
def test_a_wrong_answer_is_named(facts: Facts, code: str, field: str | None) -> None:
    with pytest.raises(Refused) as raised:
        check(facts, TODAY)
    assert (raised.value.code, raised.value.fields, raised.value.status) == (
        code,
        () if field is None else (field,),
        422,
    )
