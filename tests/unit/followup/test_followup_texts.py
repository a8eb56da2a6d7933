"""Every refusal has its sentence in both languages, with parameters that the refusal gives."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from chassis.texts import Texts
from contracts import rulepacks, vocabulary
from services.followup import app
from services.followup.domain.guards import NOT_IN
from services.followup.forms import ACTIONS
from services.followup.steps import Group, Status, Step
from services.followup.views import CASES

TEXTS = Texts(app.HERE / "texts")
SOURCES = [*sorted(app.HERE.rglob("*.py")), Path(rulepacks.__file__)]


def refusals() -> Iterator[tuple[str, frozenset[str]]]:
    """Code and parameters of every `Refused(...)` in the service and in the rule packs."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refused":
                params = frozenset(each.arg or "" for each in node.keywords) - {"status", "fields"}
                for part in ast.walk(node.args[0]):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield part.value, params


def test_there_are_refusals_to_look_at() -> None:
    assert {"overlaps", "agreement_exists", "case_ended", "longer_than_allowed"} <= {code for code, _ in refusals()}


@pytest.mark.parametrize("code", sorted({code for code, _ in refusals()} | set(NOT_IN.values())))
def test_every_refusal_has_a_sentence_that_it_can_fill(code: str) -> None:
    assert f"refused.{code}" in TEXTS
    given = [params for name, params in refusals() if name == code] or [frozenset[str]()]
    for language in ("nb", "en"):
        sentence = TEXTS._sentences[language][f"refused.{code}"]
        wanted = {name for _, name, _, _ in string.Formatter().parse(sentence) if name}
        assert all(wanted <= params for params in given), f"{code} in {language} wants {wanted}"


def test_no_sentence_is_for_a_refusal_that_does_not_exist() -> None:
    known = {f"refused.{code}" for code in {code for code, _ in refusals()} | set(NOT_IN.values())}
    of_service = {key for key in TEXTS.keys() if key.startswith("refused.")}  # noqa: SIM118 - not a mapping
    assert of_service == known


def test_every_code_that_people_meet_has_words() -> None:
    lists = {
        "measure": vocabulary.Measure,
        "progress": vocabulary.Progress,
        "outcome": vocabulary.Outcome,
        "close_reason": vocabulary.CloseReason,
        "party": vocabulary.Party,
        "intermediary": vocabulary.Intermediary,
        "status": Status,
        "step": Step,
        "group": Group,
    }
    missing = [f"{name}.{each}" for name, listed in lists.items() for each in listed if f"{name}.{each}" not in TEXTS]
    events = [event.__name__ for event in CASES.reads if not event.__name__.startswith("Task")]
    missing += [f"event.{name}" for name in events if f"event.{name}" not in TEXTS]
    missing += [f"{part}.{name}" for part in ("action", "action_hint") for name in ACTIONS]
    assert [key for key in missing if key not in TEXTS] == []
