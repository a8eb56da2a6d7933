"""Every code that people meet has a sentence in both languages."""

from __future__ import annotations

import re
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from chassis.texts import Texts
from contracts.matching import MatchingEvent
from contracts.vocabulary import CancelReason, DeclineReason, EmployerResponse, Measure, ResponseReason
from services.matching.domain.ranking import SKILLS, UNMET, Guard
from services.matching.domain.state import Stage

SERVICE = Path("services/matching")
TEXTS = Texts(SERVICE / "texts")
REFUSALS = re.compile(r"(?:Refused|wrong)\(\s*\"([a-z_]+)\"")
KEYS = TEXTS.keys()
NEARNESS = ("same", "same_group", "related", "same_field", "other")


def sources(pattern: str) -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted(SERVICE.rglob(pattern)))


def test_every_refusal_has_a_sentence_and_no_sentence_is_left_over() -> None:
    used = set(REFUSALS.findall(sources("*.py")))
    assert used
    # Requirements that are not met are named by the guard itself.
    used |= {guard.value for guard in UNMET}
    assert {f"refused.{code}" for code in used} == {key for key in KEYS if key.startswith("refused.")}


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("guard", Guard),
        ("stage", Stage),
        ("response", EmployerResponse),
        ("response_reason", ResponseReason),
        ("decline_reason", DeclineReason),
        ("cancel_reason", CancelReason),
        ("measure", Measure),
    ],
)
def test_every_code_of_a_closed_list_has_a_sentence(kind: str, codes: type[StrEnum]) -> None:
    assert {f"{kind}.{code}" for code in codes} <= KEYS


def test_every_event_of_a_match_has_words_for_whoever_finds_that_it_happened_meanwhile() -> None:
    assert {f"changed.{each.__name__}" for each in get_args(MatchingEvent)} | {"changed.other"} == {
        key for key in KEYS if key.startswith("changed.")
    }


def test_every_reason_of_a_score_has_a_sentence() -> None:
    codes = {f"{kind}_{near}" for kind, near in product(("wish", "experience", "qualification"), NEARNESS)}
    codes |= {f"language_{skill}_{how}" for skill, how in product(SKILLS, ("met", "one_below", "below", "not_mapped"))}
    codes |= {"place_same_municipality", "place_same_county", "place_elsewhere", "licence_held"}
    codes |= {"hours_enough", "hours_nearly", "hours_fewer", "start_in_time", "start_within_promise", "start_late"}
    codes |= {"place_wished", "travel_covers", "travel_unknown", "travel_short", "certificate_held"}
    assert {f"reason.{code}" for code in codes} == {key for key in KEYS if key.startswith("reason.")}


def test_every_sentence_that_a_page_names_is_there() -> None:
    named = re.findall(r'(?<![a-z])t\("([a-z_.]+[a-z_])"[,)]', sources("*.html"))
    assert named
    assert set(named) <= KEYS
