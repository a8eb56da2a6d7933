"""What pages with forms share: reading what was typed, and saying what is wrong beside its field.

Invariant: what was typed is shown again beside what is wrong, and a warning is shown before anything is saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request

from chassis.problems import Problem
from chassis.webstate import language_of, web_of
from contracts.refused import Refused
from services.intake.domain.content import WarningsUnseen
from services.intake.forms import Errors
from services.intake.inputs import Input, several
from services.intake.occupations import search

WAIT_SECONDS = 2.0
"""How long a form waits for its place in the log, so that the next page shows it."""
FORM_ERRORS = (ValidationError, Refused, Problem)
"""What a form is shown again for; a Problem only where it points at fields or says that something is there."""


@dataclass(frozen=True)
class Shown:
    """A form as it is shown: `accepts` are the codes of warnings that its author is asked to have seen."""

    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Errors = field(default_factory=dict)
    warnings: Errors = field(default_factory=dict)
    accepts: tuple[str, ...] = ()
    fitting: Sequence[tuple[str, str]] = ()
    """Occupations that fit what was typed, where that was not one of them."""


async def typed_in(request: Request, inputs: Sequence[Input]) -> dict[str, str]:
    """What stands in the fields."""
    form = await request.form()
    typed = {name: value for name, value in form.items() if isinstance(value, str)}
    many = {name: " ".join(each for each in form.getlist(name) if isinstance(each, str)) for name in several(inputs)}
    return {**typed, **many}


def shown_again(request: Request, typed: Mapping[str, str], error: Exception, named: Callable[[str], str]) -> Shown:
    """The form with what is wrong, or with what its author is warned about."""
    problems, texts, language = web_of(request).problems, web_of(request).texts, language_of(request)
    if isinstance(error, WarningsUnseen):
        said: Errors = {}
        for each in error.warnings:
            sentence = texts.say(language, f"field.{each.code}")
            name = named(each.pointer)
            said[name] = f"{said[name]} {sentence}" if name in said else sentence
        accepted = set(typed.get("accept_warnings", "").split()) | {each.code for each in error.warnings}
        return Shown(typed, {}, said, tuple(sorted(accepted)))
    located: Exception = error
    if isinstance(error, ValidationError):
        located = RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()])
    wrong = {named(name): sentence for name, sentence in problems.field_errors(located, language).items()}
    if not wrong:
        # A refusal of the whole: what is there already, or is too late.
        wrong = {"form": problems.write(located, language).detail}
    fitting: list[tuple[str, str]] = []
    if "occupation" in wrong:
        found = search(typed.get("occupation", ""))
        fitting = [(each.code, (each.name_en if language == "en" else "") or each.name_nb) for each in found]
        # Who wrote a word does not know that four digits are wanted, so "at most 4 characters" helps nobody.
        wrong["occupation"] = texts.say(language, "input.occupation_several" if fitting else "input.occupation_choose")
    return Shown(typed, wrong, fitting=fitting)


def fields(request: Request, inputs: Sequence[Input]) -> list[dict[str, Any]]:
    """The fields with their options in the reader's language."""
    language, texts = language_of(request), web_of(request).texts
    return [
        {
            "name": each.name,
            "said": each.said or each.name,
            "kind": each.kind,
            "required": each.required,
            "options": [] if each.options is None else each.options(language, texts),
            "least": each.least,
            "most": each.most,
            "step": each.step,
            "default": each.default,
        }
        for each in inputs
    ]
