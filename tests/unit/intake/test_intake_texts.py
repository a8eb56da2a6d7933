"""Every refusal has a sentence in both languages, and a form says what the API would be told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chassis.texts import Texts
from contracts.vocabulary import Intermediary, Measure
from services.intake.forms import NEW_NEED, WITHDRAWAL, named, need_of_form
from services.intake.inputs import occupation_code
from services.intake.peopleforms import ACTIONS, PERSON

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


@pytest.mark.parametrize(
    "word", [*(f"intermediary.{each}" for each in Intermediary), *(f"measure.{each}" for each in Measure)]
)
def test_every_choice_of_the_form_has_a_label(word: str) -> None:
    assert word in TEXTS


def test_an_employers_labels_are_short() -> None:
    labels = [TEXTS.say("nb", f"input.{each.name}") for each in (*NEW_NEED, *WITHDRAWAL, *PERSON)]
    labels += [TEXTS.say("nb", f"input.{each.name}") for action in ACTIONS.values() for each in action.inputs]
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
