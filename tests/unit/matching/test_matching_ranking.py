"""Who fits a need, and why."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.intake import LanguageLevels
from services.matching.domain.facts import CandidateFacts, Practice
from services.matching.domain.ranking import Guard, guards, nearness, rank, reasons, total
from services.matching.domain.weights import MOST_POINTS, Weights
from services.matching.rules import all_weights, weights_on
from tests.unit.matching.matching_facts import NEED, TODAY, WEIGHTS, candidate

LEVELS = st.sampled_from([None, "A1", "A2", "B1", "B2", "C1", "C2", "a level of a newer writer"])
CODES = st.sampled_from(["5223", "5222", "5211", "5120", "2512", "9329"])
LANGUAGES = st.builds(LanguageLevels, listening=LEVELS, reading=LEVELS, speaking=LEVELS, writing=LEVELS)
DAYS = st.dates(date(2025, 1, 1), date(2025, 12, 31))
PEOPLE = st.builds(
    CandidateFacts,
    candidate_id=st.text("ABC0123", min_size=1, max_size=4),
    ready=st.booleans(),
    valid_until=st.none() | DAYS,
    consent=st.booleans(),
    protected=st.booleans(),
    placed=st.booleans(),
    municipality=st.none() | st.sampled_from(["3312", "0626", "3301", "0301", "9999"]),
    language=LANGUAGES,
    experience=st.lists(st.builds(Practice, CODES, st.integers(0, 500)), max_size=3).map(tuple),
    qualifications=st.lists(st.builds(Practice, CODES), max_size=3).map(tuple),
    wished_occupations=st.lists(CODES, max_size=3).map(tuple),
    hours_per_week=st.floats(0.5, 40),
    available_from=st.none() | DAYS,
    licences=st.lists(st.sampled_from(["B", "C"]), unique=True).map(tuple),
)
NEEDS = st.builds(
    lambda language, start_from, licences: replace(NEED, language=language, start_from=start_from, licences=licences),
    LANGUAGES,
    st.none() | DAYS,
    st.lists(st.sampled_from(["B", "C"]), unique=True).map(tuple),
)


def points(changes: dict[str, Any], code: str) -> int:
    found = {reason.code: reason.points for reason in reasons(NEED, candidate(**changes), WEIGHTS)}
    assert code in found, found
    return found[code]


@pytest.mark.parametrize(
    ("occupation", "near"),
    [("5223", "same"), ("5222", "same_group"), ("5211", "related"), ("5120", "same_field"), ("2512", "other")],
)
def test_occupations_are_near_by_the_hierarchy_of_styrk(occupation: str, near: str) -> None:
    assert nearness("5223", occupation) == near


@pytest.mark.parametrize(
    ("changes", "code", "expected"),
    [
        ({"wished_occupations": ("2512", "5223")}, "wish_same", 15),
        ({"wished_occupations": ()}, "wish_other", 0),
        ({"experience": (Practice("5223", 24),)}, "experience_same", 20),
        ({"experience": (Practice("5223", 12),)}, "experience_same", 10),
        ({"experience": (Practice("5223", 1),)}, "experience_other", 0),
        ({"experience": (Practice("5223", 12), Practice("5223", 12))}, "experience_same", 20),
        ({"experience": (Practice("5223", 2), Practice("5222", 24))}, "experience_same_group", 14),
        ({"qualifications": (Practice("5211"),)}, "qualification_related", 8),
        ({"language": LanguageLevels(speaking="C1")}, "language_speaking_met", 5),
        ({"language": LanguageLevels(speaking="A1")}, "language_speaking_one_below", 2),
        ({"language": LanguageLevels()}, "language_speaking_not_mapped", 0),
        ({"municipality": "0626"}, "place_same_municipality", 15),
        ({"municipality": "3301"}, "place_same_county", 8),
        ({"municipality": "0301"}, "place_elsewhere", 0),
        ({"municipality": None}, "place_elsewhere", 0),
        ({"hours_per_week": 40.0}, "hours_enough", 10),
        ({"hours_per_week": 30.0}, "hours_nearly", 5),
        ({"hours_per_week": 29.5}, "hours_fewer", 0),
        ({"available_from": date(2025, 1, 13)}, "start_in_time", 10),
        ({"available_from": date(2025, 2, 10)}, "start_within_promise", 5),
        ({"available_from": date(2025, 2, 11)}, "start_late", 0),
    ],
)
def test_each_reason_has_its_points(changes: dict[str, Any], code: str, expected: int) -> None:
    assert points(changes, code) == expected


def test_a_level_far_below_gives_nothing() -> None:
    need = replace(NEED, language=LanguageLevels(writing="B2"))
    (reason,) = [
        each
        for each in reasons(need, candidate(language=LanguageLevels(writing="A2")), WEIGHTS)
        if each.code.startswith("language")
    ]
    assert (reason.code, reason.points) == ("language_writing_below", 0)


def test_a_skill_without_a_requirement_is_no_reason() -> None:
    codes = [reason.code for reason in reasons(NEED, candidate(), WEIGHTS)]
    assert [code for code in codes if code.startswith("language")] == ["language_speaking_met"]


@pytest.mark.parametrize(
    ("changes", "against"),
    [
        ({}, ()),
        ({"ready": False}, (Guard.NOT_READY,)),
        ({"valid_until": TODAY - timedelta(days=1)}, (Guard.ASSESSMENT_EXPIRED,)),
        ({"valid_until": TODAY}, ()),
        ({"consent": False}, (Guard.NO_CONSENT,)),
        ({"protected": True}, (Guard.NOT_AVAILABLE,)),
        ({"placed": True}, (Guard.NOT_FREE,)),
        ({"ready": False, "consent": False}, (Guard.NOT_READY, Guard.NO_CONSENT)),
    ],
)
def test_hard_guards_are_named(changes: dict[str, Any], against: tuple[Guard, ...]) -> None:
    assert guards(NEED, candidate(**changes), TODAY) == against


def test_every_licence_is_needed() -> None:
    need = replace(NEED, licences=("B", "C"))
    assert guards(need, candidate(licences=("B",)), TODAY) == (Guard.LICENCE_MISSING,)
    assert guards(need, candidate(licences=("C", "B")), TODAY) == ()
    assert reasons(need, candidate(licences=("C", "B")), WEIGHTS)[-1].code == "licence_held"


def test_equal_scores_are_ordered_by_id() -> None:
    ranking = rank(NEED, [candidate("C3"), candidate("C1"), candidate("C2")], WEIGHTS, TODAY)
    assert [(each.rank, each.candidate_id) for each in ranking.ranked] == [(1, "C1"), (2, "C2"), (3, "C3")]


@given(st.lists(PEOPLE, max_size=8, unique_by=lambda each: each.candidate_id), NEEDS, st.randoms())
def test_the_ranking_is_the_same_in_any_order_and_its_scores_are_the_sums_of_their_reasons(
    people: list[CandidateFacts], need: Any, chance: Any
) -> None:
    ranking = rank(need, people, WEIGHTS, TODAY)
    shuffled = list(people)
    chance.shuffle(shuffled)
    assert rank(need, shuffled, WEIGHTS, TODAY) == ranking
    assert all(each.score == total(each.reasons) and each.score >= 0 for each in ranking.ranked)
    scores = [each.score for each in ranking.ranked]
    assert scores == sorted(scores, reverse=True)
    by_id = {each.candidate_id: each for each in people}
    assert all(not guards(need, by_id[each.candidate_id], TODAY) for each in ranking.ranked)


@given(st.lists(PEOPLE, max_size=8, unique_by=lambda each: each.candidate_id), NEEDS)
def test_protected_people_are_in_no_list_and_all_others_in_one(people: list[CandidateFacts], need: Any) -> None:
    ranking = rank(need, people, WEIGHTS, TODAY)
    listed = [each.candidate_id for each in ranking.ranked] + [each.candidate_id for each in ranking.excluded]
    assert sorted(listed) == sorted(each.candidate_id for each in people if not each.protected)
    assert all(Guard.NOT_AVAILABLE not in each.guards for each in ranking.excluded)


NOW = weights_on(date(2026, 11, 23))


@pytest.mark.parametrize(
    ("changes", "code", "expected"),
    [
        ({"municipality": "0301", "wished_municipalities": ("3312",)}, "place_wished", 12),
        ({"municipality": "3301", "wished_municipalities": ("0626",)}, "place_wished", 12),
        ({"municipality": "3312", "wished_municipalities": ("3312",)}, "place_same_municipality", 15),
        ({"municipality": "3301", "wished_municipalities": ("0301",)}, "place_same_county", 8),
        ({"municipality": "3312", "travel_minutes": 30}, "travel_covers", 5),
        ({"municipality": "3312", "travel_minutes": 29}, "travel_short", 0),
        ({"municipality": "3301", "travel_minutes": 59}, "travel_short", 0),
        ({"municipality": "0301", "travel_minutes": 120}, "travel_covers", 5),
        ({"travel_minutes": None}, "travel_unknown", 2),
    ],
)
def test_places_and_journeys_have_points_in_the_newest_version(
    changes: dict[str, Any], code: str, expected: int
) -> None:
    found = {reason.code: reason.points for reason in reasons(NEED, candidate(**changes), NOW)}
    assert found.get(code) == expected, found


def test_an_older_version_goes_on_giving_what_it_gave() -> None:
    far = candidate(municipality="0301", wished_municipalities=("3312",), travel_minutes=10, certificates=("forklift",))
    codes = [each.code for each in reasons(replace(NEED, certificates=("forklift",)), far, WEIGHTS)]
    assert "place_elsewhere" in codes
    assert not [code for code in codes if code.startswith(("travel", "certificate", "place_wished"))]
    assert reasons(replace(NEED, certificates=("forklift",)), far, NOW)[-1].code == "certificate_held"


@pytest.mark.parametrize(
    ("need", "person", "against"),
    [
        ({"certificates": ("forklift",)}, {}, (Guard.CERTIFICATE_MISSING,)),
        ({"certificates": ("forklift",)}, {"certificates": ("forklift", "hygiene")}, ()),
        ({"start_to": date(2025, 2, 1)}, {"available_from": date(2025, 2, 2)}, (Guard.OUTSIDE_WINDOW,)),
        ({"start_to": date(2025, 2, 1)}, {"available_from": date(2025, 2, 1)}, ()),
        ({"start_to": date(2025, 2, 1)}, {}, ()),
        ({}, {"available_to": NEED.registered_on}, ()),
        ({}, {"available_to": NEED.registered_on - timedelta(days=1)}, (Guard.OUTSIDE_WINDOW,)),
    ],
)
def test_requirements_of_the_work_are_guards(
    need: dict[str, Any], person: dict[str, Any], against: tuple[Guard, ...]
) -> None:
    assert guards(replace(NEED, **need), candidate(**person), TODAY) == against


def test_what_a_ranking_knows_of_a_person_is_this_and_no_more() -> None:
    """A trait that is to be scored has to be added here first: protected ones are not."""
    assert {field.name for field in fields(CandidateFacts)} == {
        *("candidate_id", "ready", "valid_until", "consent", "protected", "intermediary", "proposed", "placed"),
        *("municipality", "language", "experience", "qualifications", "wished_occupations", "hours_per_week"),
        *("available_from", "available_to", "licences", "certificates", "wished_municipalities", "travel_minutes"),
        "absorbed",
    }


@given(PEOPLE, NEEDS, st.sampled_from(all_weights()))
def test_protection_intermediary_and_other_proposals_are_worth_no_point(person: Any, need: Any, weights: Any) -> None:
    other = replace(person, protected=not person.protected, intermediary="nav", proposed=True, absorbed=("C9",))
    assert reasons(need, other, weights) == reasons(need, person, weights)


@given(st.sampled_from(all_weights()), st.data())
def test_no_score_is_above_the_most_that_a_version_says_it_gives(weights: Weights, data: st.DataObject) -> None:
    found = reasons(data.draw(NEEDS), data.draw(PEOPLE), weights)
    assert total(found) <= weights.most <= MOST_POINTS


def test_a_version_whose_points_do_not_fit_into_a_byte_is_refused() -> None:
    told = NOW.model_dump()
    told["wish"]["same"] += MOST_POINTS - NOW.most
    assert Weights.model_validate(told).most == MOST_POINTS
    told["wish"]["same"] += 1
    with pytest.raises(ValidationError, match=f"more than {MOST_POINTS}"):
        Weights.model_validate(told)


def test_weights_are_dated_and_days_before_the_first_set_use_it() -> None:
    assert weights_on(date(2025, 1, 1)).version == "ranking-2025-01"
    assert weights_on(date(2024, 6, 1)) is all_weights()[0]
