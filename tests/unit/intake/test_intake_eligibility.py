"""Other services learn whether, until when and by which rules; never how old a person is."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date

import pytest

from contracts.refused import Refused
from contracts.vocabulary import Measure
from services.intake.domain.candidates import Candidate
from services.intake.domain.eligibility import Eligibility, Period, answer

TODAY = date(2026, 1, 1)
PERSON = Candidate("C1", "nav", birth_date=date(1990, 2, 3))
TRAINING = Period(Measure.WORK_TRAINING, date(2026, 1, 1), date(2026, 6, 30))


def test_an_adult_may_take_part_for_twelve_months() -> None:
    assert answer(TRAINING, PERSON, TODAY) == Eligibility(
        old_enough=True,
        not_too_old=True,
        eligible=True,
        longest_end=date(2026, 12, 31),
        subsidy_class="ordinary",
        rule_version="2024-01-01",
    )


def test_with_reduced_work_capacity_it_may_last_longer() -> None:
    reduced = answer(TRAINING, replace(PERSON, reduced_work_capacity=True), TODAY)
    assert (reduced.longest_end, reduced.subsidy_class) == (date(2027, 6, 30), "reduced_work_capacity")


def test_a_measure_without_a_limit_has_no_longest_end() -> None:
    asked = replace(TRAINING, measure=Measure.PERMANENT_WAGE_SUBSIDY)
    assert answer(asked, PERSON, TODAY).longest_end is None


@pytest.mark.parametrize(("born", "old_enough"), [(date(2010, 1, 1), True), (date(2010, 1, 2), False)])
def test_the_sixteenth_birthday_on_the_day_of_drafting_is_old_enough(born: date, old_enough: bool) -> None:
    told = answer(TRAINING, replace(PERSON, birth_date=born), TODAY)
    assert (told.old_enough, told.eligible) == (old_enough, old_enough)


@pytest.mark.parametrize(("born", "not_too_old"), [(date(1954, 7, 1), True), (date(1954, 6, 30), False)])
def test_nobody_is_seventy_two_on_the_last_day(born: date, not_too_old: bool) -> None:
    told = answer(TRAINING, replace(PERSON, birth_date=born), TODAY)
    assert (told.not_too_old, told.eligible) == (not_too_old, not_too_old)


def test_the_answer_holds_nothing_that_it_was_computed_from() -> None:
    told = asdict(answer(TRAINING, PERSON, TODAY))
    assert set(told) == {"old_enough", "not_too_old", "eligible", "longest_end", "subsidy_class", "rule_version"}
    assert "1990" not in str(told)


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(Refused) as raised:
        answer(replace(TRAINING, end=date(2025, 12, 31)), PERSON, TODAY)
    assert (raised.value.code, raised.value.fields) == ("dates_out_of_order", ("/start", "/end"))


def test_nothing_is_said_about_an_erased_person() -> None:
    with pytest.raises(Refused) as raised:
        answer(TRAINING, replace(PERSON, birth_date=None), TODAY)
    assert raised.value.code == "candidate_erased"
