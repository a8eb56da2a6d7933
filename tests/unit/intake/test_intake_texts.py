"""Every refusal has a sentence in both languages, and a form says what the API would be told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from chassis.formats import LANGUAGES
from chassis.texts import Texts
from contracts.intake import CandidateEvent, IntakeEvent, NeedEvent
from contracts.vocabulary import Intermediary, Measure
from services.intake.forms import NEW_NEED, WITHDRAWAL, content_of_form, named, need_of_form, typed_of_need
from services.intake.inputs import occupation_code, without_gaps
from services.intake.peopleforms import ACTIONS, FIRST_ROWS, PERSON, evidence_kept, mapping_of_form, typed_of_mapping
from services.intake.peopleforms import named as person_field

INTAKE = Path("services/intake")
TEXTS = Texts(INTAKE / "texts")
RULES = ("no_rules_for_day",)
"""Refusals of the rule packs that intake's own questions can meet."""


def test_every_refusal_has_a_sentence() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in INTAKE.rglob("*.py"))
    codes = set(re.findall(r'(?:wrong|Refused)\(\s*"([a-z_]+)"', sources)) | set(RULES)
    codes |= set(re.findall(r'check_listed\([^)]*\), "[^"]+", "([a-z_]+)"\)', sources))
    assert len(codes) > 40
    assert [code for code in sorted(codes) if f"refused.{code}" not in TEXTS] == []
    assert sorted(key for key in TEXTS.keys() if key.startswith("refused.") and key[8:] not in codes) == []  # noqa: SIM118 - no mapping


def test_every_event_of_a_need_or_candidate_has_words_for_whoever_finds_that_it_happened_meanwhile() -> None:
    events = (each for each in get_args(IntakeEvent) if issubclass(each, NeedEvent | CandidateEvent))
    # Nobody can have read what was not there before it was registered.
    later = {each.__name__ for each in events} - {"NeedRegistered", "CandidateRegistered"}
    assert {name for name in later if f"changed.{name}" not in TEXTS} == set()


@pytest.mark.parametrize(
    "word", [*(f"intermediary.{each}" for each in Intermediary), *(f"measure.{each}" for each in Measure)]
)
def test_every_choice_of_the_form_has_a_label(word: str) -> None:
    assert word in TEXTS


def test_an_employers_labels_are_short() -> None:
    labels = [TEXTS.say("nb", f"input.{each.name}") for each in (*NEW_NEED, *WITHDRAWAL, *PERSON)]
    labels += [TEXTS.say("nb", f"input.{each.said or each.name}") for act in ACTIONS.values() for each in act.inputs]
    assert [label for label in labels if len(label.split()) > 8] == []


def test_two_fields_are_enough() -> None:
    typed = {"occupation": "5223 Butikkmedarbeidere", "municipality": "3312", "slots": "", "start_from": ""}
    assert need_of_form(typed) == {"occupation": "5223", "municipality": "3312"}
    assert need_of_form({"occupation": " ", "municipality": ""}) == {}


def test_a_form_is_read_as_people_write() -> None:
    typed = {
        "occupation": "programvareutviklere",
        "municipality": "0301",
        "slots": "2",
        "hours_per_week": "30,5",
        "language_speaking": "B1",
        "licences": "b, c1",
        "start_from": "2025-11-03",
        "measure": "work_training",
        "intermediary": "nav",
    }
    assert need_of_form(typed) == {
        "occupation": "2512",
        "municipality": "0301",
        "slots": 2,
        "hours_per_week": 30.5,
        "language": {"speaking": "B1"},
        "licences": ["B", "C1"],
        "start_from": "2025-11-03",
        "measure": "work_training",
        "intermediary": "nav",
    }


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("5223", "5223"),
        (" 5223  Butikkmedarbeidere ", "5223"),
        ("Shop Sales Assistants", "5223"),
        ("blomsterdekoratør", "blomsterdekoratør"),
        ("", ""),
    ],
)
def test_an_occupation_is_a_code_or_a_name(typed: str, code: str) -> None:
    assert occupation_code(typed) == code


def test_what_cannot_be_read_stays_as_it_was_typed() -> None:
    read = need_of_form({"occupation": "x", "municipality": "y", "slots": "to", "hours_per_week": "full"})
    assert read == {"occupation": "x", "municipality": "y", "slots": "to", "hours_per_week": "full"}


@pytest.mark.parametrize(
    ("pointer", "field"),
    [
        ("/occupation", "occupation"),
        ("language/speaking", "language_speaking"),
        ("/licences/0", "licences"),
        ("", "occupation"),
    ],
)
def test_a_json_pointer_names_a_field_of_the_form(pointer: str, field: str) -> None:
    assert named(pointer) == field


def test_a_form_of_a_need_that_is_there_says_the_same_again() -> None:
    content = {
        "occupation": "5223",
        "measure": "work_training",
        "hours_per_week": 30.5,
        "start_from": "2025-02-01",
        "start_to": "2025-03-01",
        "expires_on": "2025-04-01",
        "language": {"listening": "B1", "speaking": "B1"},
        "licences": ["B", "C1"],
        "certificates": ["food_hygiene"],
        "adaptations": ["lift", "mentor"],
        "title": "Blomster",
        "description": "Binde buketter",
        "contact": {"name": "Kari Kontakt", "phone": "22 22 22 22"},
    }
    assert content_of_form(typed_of_need(content)) == content


def test_a_mapping_that_is_there_is_what_the_next_one_begins_with() -> None:
    mapping = {
        "municipality": "3312",
        "hours_per_week": 30.5,
        "language": {"speaking": "B1"},
        "experience": [{"occupation": code, "months": 12} for code in ("5223", "2512", "5221", "9112", "5120")],
        "wished_occupations": ["2512", "5223", "5221"],
        "wished_municipalities": ["0301", "3312"],
        "travel_minutes": 40,
        "skills": ["sales"],
        "certificates": [],
        "licences": ["B"],
        "education_level": "master",
        "available_from": None,
        "available_to": "2025-12-31",
    }
    typed = typed_of_mapping({"mapping": mapping, "mapping_notes": "Rask", "limits": None})
    kept = {name: value for name, value in mapping.items() if value not in (None, [])}
    assert mapping_of_form(typed) == {**kept, "notes": "Rask"}


def test_a_form_shows_one_row_more_than_are_filled() -> None:
    mapping = ACTIONS["mapping"]
    rows = {name: sum(each.rows == name for each in mapping.shown({})) for name in FIRST_ROWS}
    assert rows == {"experience": 6, "wished": 2, "wished_municipality": 1}, "of experience there are two fields a row"
    several = {"experience_months_5": "3", "wished_1": "x", "wished_2": "x", "wished_municipality_20": "0301"}
    rows = {name: sum(each.rows == name for each in mapping.shown(several)) for name in FIRST_ROWS}
    assert rows == {"experience": 12, "wished": 3, "wished_municipality": 20}


def test_rows_are_closed_up_so_that_what_is_wrong_stands_at_its_row() -> None:
    inputs = ACTIONS["mapping"].inputs
    typed = {
        "experience_2": "5223",
        "experience_months_2": "9",
        "experience_months_5": "4",
        "wished_2": "x",
        "notes": "N",
    }
    closed = without_gaps(inputs, typed)
    assert {name: value for name, value in closed.items() if value} == {
        "experience_1": "5223",
        "experience_months_1": "9",
        "experience_months_2": "4",
        "wished_1": "x",
        "notes": "N",
    }
    assert mapping_of_form(closed)["experience"] == [{"occupation": "5223", "months": 9}, {"months": 4}], "asked for"


def test_a_level_that_stays_keeps_its_source_and_one_that_is_named_anew_gets_the_new_one() -> None:
    old = {"level": "B1", "source": "official_test", "assessed_on": "2024-12-01"}
    before = {
        "language": {"listening": "B1", "reading": "B1", "speaking": "B1", "writing": None},
        "language_evidence": [{"skill": skill, **old} for skill in ("listening", "reading", "speaking")],
    }
    typed = {"language_listening": "B1", "language_reading": "B2", "language_speaking": "B1", "language_writing": "A2"}
    kept = evidence_kept(mapping_of_form(typed), {"mapping": before})["language_evidence"]
    assert [each["skill"] for each in kept] == ["listening", "speaking"], "of B2 nothing is known"
    proof = {"evidence_source": "counsellor", "evidence_on": "2025-01-10", "evidence_skills": "reading speaking"}
    told = evidence_kept(mapping_of_form({**typed, **proof}), {"mapping": before})["language_evidence"]
    assert [(each["skill"], each["level"], each["source"]) for each in told] == [
        ("listening", "B1", "official_test"),
        ("reading", "B2", "counsellor"),
        ("speaking", "B1", "counsellor"),
    ]
    assert evidence_kept({}, {"mapping": None}) == {}


@pytest.mark.parametrize(
    ("pointer", "field"),
    [
        ("/experience/0/months", "experience_months_1"),
        ("/experience/2/occupation", "experience_3"),
        ("/wished_occupations/1", "wished_2"),
        ("/wished_municipalities/0", "wished_municipality_1"),
        ("/wished_municipalities", "wished_municipality_1"),
        ("/wished_occupations", "wished_1"),
        ("/experience", "experience_1"),
        ("/language_evidence/0/source", "evidence_source"),
        ("/language_evidence/0/assessed_on", "evidence_on"),
        ("/language/reading", "language_reading"),
        ("/skills/3", "skills"),
        ("", "form"),
    ],
)
def test_a_json_pointer_names_a_field_of_a_counsellors_form(pointer: str, field: str) -> None:
    assert person_field(pointer) == field


def test_every_field_and_choice_of_every_form_has_words() -> None:
    for each in (*NEW_NEED, *WITHDRAWAL, *PERSON, *(each for action in ACTIONS.values() for each in action.inputs)):
        assert f"input.{each.said or each.name}" in TEXTS, each.name
        for language in LANGUAGES:
            options = [] if each.options is None else each.options(language, TEXTS)
            assert all(words for _, words in options)
    for name in ACTIONS:
        assert f"action.{name}" in TEXTS
        assert f"action_hint.{name}" in TEXTS
