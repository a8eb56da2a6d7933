"""Scoring everybody at once says what the explained ranking says."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from contracts.intake import LanguageLevels
from services.matching.domain.columns import Columns
from services.matching.domain.facts import CandidateFacts, NeedFacts, Practice
from services.matching.domain.ranking import guards, rank, reasons, total
from services.matching.domain.scoring import Scorer
from services.matching.rules import all_weights
from tests.unit.matching.matching_facts import NEED, TODAY, WEIGHTS, candidate

LEVELS = st.sampled_from([None, "A1", "A2", "B1", "B2", "C1", "C2", "a level of a newer writer"])
CODES = st.sampled_from(["5223", "5222", "5211", "5120", "2512", "9329", "of a newer list"])
PLACES = st.sampled_from(["3312", "0626", "3301", "0301", "9999"])
LANGUAGES = st.builds(LanguageLevels, listening=LEVELS, reading=LEVELS, speaking=LEVELS, writing=LEVELS)
DAYS = st.dates(date(2025, 1, 1), date(2025, 3, 31))
LICENCES = st.lists(st.sampled_from(["B", "C1", "C", "D"]), unique=True, max_size=2).map(tuple)
CERTIFICATES = st.lists(st.sampled_from([f"certificate_{n}" for n in range(70)]), unique=True, max_size=3).map(tuple)
INTERMEDIARIES = st.sampled_from(["nav", "refugee_service", "adult_education"])


def several(codes: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(codes, max_size=4).map(tuple)


PEOPLE = st.builds(
    CandidateFacts,
    candidate_id=st.text("ABC0123", min_size=1, max_size=4),
    ready=st.integers(0, 9).map(bool),
    valid_until=st.none() | DAYS,
    consent=st.integers(0, 9).map(bool),
    protected=st.integers(0, 9).map(lambda n: n == 0),
    placed=st.integers(0, 9).map(lambda n: n == 0),
    proposed=st.booleans(),
    intermediary=st.none() | INTERMEDIARIES,
    municipality=st.none() | PLACES,
    language=LANGUAGES,
    experience=several(st.builds(Practice, CODES, st.integers(0, 40))),
    qualifications=several(st.builds(Practice, CODES)),
    wished_occupations=several(CODES),
    wished_municipalities=several(PLACES),
    hours_per_week=st.floats(0.5, 40),
    available_from=st.none() | DAYS,
    available_to=st.none() | DAYS,
    travel_minutes=st.none() | st.integers(5, 180),
    licences=LICENCES,
    certificates=CERTIFICATES,
)
NEEDS = st.builds(
    lambda **fields: replace(NEED, **fields),
    municipality=PLACES,
    occupation=CODES,
    hours_per_week=st.floats(1, 40),
    language=LANGUAGES,
    start_from=st.none() | DAYS,
    start_to=st.none() | DAYS,
    licences=LICENCES,
    certificates=CERTIFICATES.map(lambda each: each[:1]),
)
CROWD = st.lists(PEOPLE, max_size=12, unique_by=lambda each: each.candidate_id)
VERSIONS = st.sampled_from(all_weights())


def columns_of(people: list[CandidateFacts]) -> Columns:
    columns = Columns()
    for each in people:
        columns.put(each)
    return columns


@given(CROWD, NEEDS, VERSIONS, DAYS)
def test_the_score_of_the_columns_is_the_sum_of_the_explained_reasons(
    people: list[CandidateFacts], need: NeedFacts, weights: Any, today: date
) -> None:
    columns = columns_of(people)
    scored = Scorer(columns, weights, today).of(need)
    for row, each in enumerate(people):
        assert columns.ids[row] == each.candidate_id
        assert scored.scores[row] == total(reasons(need, each, weights)), reasons(need, each, weights)
        assert bool(scored.free[row]) == (not guards(need, each, today))


@given(CROWD, NEEDS, VERSIONS, st.integers(1, 13))
def test_the_best_of_the_columns_are_the_first_of_the_explained_ranking(
    people: list[CandidateFacts], need: NeedFacts, weights: Any, count: int
) -> None:
    columns = columns_of(people)
    scored = Scorer(columns, weights, TODAY).of(need)
    found = [columns.ids[row] for row in columns.best(scored.scores, scored.free, count)]
    assert found == [each.candidate_id for each in rank(need, people, weights, TODAY).ranked][:count]


@given(CROWD, CROWD, st.data(), NEEDS)
def test_columns_that_were_changed_are_those_that_were_made_anew(
    before: list[CandidateFacts], after: list[CandidateFacts], data: st.DataObject, need: NeedFacts
) -> None:
    columns = columns_of(before)
    # What is kept of this need has to follow the changes.
    Scorer(columns, WEIGHTS, TODAY).of(need)
    gone = set(data.draw(st.lists(st.sampled_from([each.candidate_id for each in before] or ["X"]))))
    for name in gone:
        columns.drop(name)
    for each in after:
        columns.put(each)
    known = {each.candidate_id: each for each in before if each.candidate_id not in gone}
    people = list({**known, **{each.candidate_id: each for each in after}}.values())
    assert len(columns) == len(people)
    scored = Scorer(columns, WEIGHTS, TODAY).of(need)
    listed = columns.listed_for("nav")
    told = {columns.ids[row]: int(scored.scores[row]) for row in range(len(columns.ids)) if listed[row]}
    own = [each for each in people if not each.protected and (each.consent or each.intermediary == "nav")]
    assert told == {each.candidate_id: total(reasons(need, each, WEIGHTS)) for each in own}


@given(CROWD, NEEDS, st.randoms())
def test_a_copy_of_some_rows_scores_like_the_whole(people: list[CandidateFacts], need: NeedFacts, chance: Any) -> None:
    columns = columns_of(people)
    Scorer(columns, WEIGHTS, TODAY).of(need)
    for each in people[:2]:
        columns.put(replace(each, wished_occupations=("5223",), experience=()))
    mask = columns.having()
    mask &= np.array([chance.random() < 0.5 for _ in mask], np.bool_)
    copy = columns.only(mask)
    scored = Scorer(columns, WEIGHTS, TODAY).of(need)
    assert copy.ids == sorted(columns.ids[row] for row in range(len(mask)) if mask[row])
    again = Scorer(copy, WEIGHTS, TODAY).of(need)
    by_id = {name: (int(scored.scores[row]), bool(scored.free[row])) for row, name in enumerate(columns.ids)}
    assert [by_id[name] for name in copy.ids] == [
        (int(score), bool(free)) for score, free in zip(again.scores, again.free, strict=True)
    ]


def test_the_columns_of_many_people_cost_little() -> None:
    columns = columns_of([candidate(f"C{number:06d}") for number in range(5_000)])
    assert columns.bytes / len(columns) < 200
