"""What pages with forms share: reading what was typed, and saying what is wrong beside its field.

Invariant: what was typed is shown again beside what is wrong, and a warning is shown before anything is saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request

from chassis.auth import NotFound
from chassis.errors import IdempotencyMismatch, Stale
from chassis.formats import decimals
from chassis.problems import Problem
from chassis.webstate import language_of, web_of
from contracts.refused import Refused
from services.intake.domain.content import WarningsUnseen
from services.intake.forms import Errors
from services.intake.inputs import Input, number, occupation_code, several, without_gaps
from services.intake.occupations import search

WAIT_SECONDS = 2.0
"""How long a form waits for its place in the log, so that the next page shows it."""
FORM_ERRORS = (ValidationError, Refused, Problem, Stale, IdempotencyMismatch)
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
    stale: bool = False
    """What it is about has changed since, by others or by the form itself; it stands beside what was typed."""
    now: Errors = field(default_factory=dict)
    """Of a stale form, per field what stands there now where something else was typed."""


async def typed_in(request: Request, inputs: Sequence[Input]) -> dict[str, str]:
    """What stands in the fields."""
    form = await request.form()
    typed = {name: value for name, value in form.items() if isinstance(value, str)}
    many = {name: " ".join(each for each in form.getlist(name) if isinstance(each, str)) for name in several(inputs)}
    return without_gaps(inputs, {**typed, **many})


def form_again(request: Request, typed: Mapping[str, str], error: Exception, named: Callable[[str], str]) -> Shown:
    """A form with what is wrong. Raises the error itself where that is nothing about the form."""
    if isinstance(error, NotFound) or (isinstance(error, Problem) and not error.errors and error.status != 409):
        raise error
    return shown_again(request, typed, error, named)


def status_of(error: Exception) -> int:
    """409 where others were faster; everything else is something about the fields."""
    return 409 if isinstance(error, Stale) else 422


def beside_now(request: Request, form: Shown | None, inputs: Sequence[Input], now: Mapping[str, str]) -> Shown | None:
    """A stale form with what stands now in each field that its author wrote something else in."""
    if form is None or not form.stale:
        return form
    language, texts = language_of(request), web_of(request).texts
    said = {}
    for each in inputs:
        if each.name != "accept_warnings" and _plain(each, form.typed) != _plain(each, now):
            names = dict(each.options(language, texts) if each.options is not None else ())
            codes = now.get(each.name, "").split() if each.kind == "checks" else [now.get(each.name, "")]
            value = ", ".join(names.get(code, code).removeprefix("– ") for code in codes if code)
            if value:
                told = decimals(float(value), 1, language) if each.kind == "number" else value
                said[each.name] = texts.say(language, "input.now", value=told)
    return replace(form, now=said)


def _plain(each: Input, typed: Mapping[str, str]) -> object:
    text = " ".join(typed.get(each.name, "").split())
    match each.kind:
        case "occupation":
            return occupation_code(text)
        case "number":
            return number(text) if text else ""
        case "checks":
            return frozenset(text.split())
        case _:
            # Licence classes are written small and stored large.
            return text.casefold()


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
        wrong = {"form": problems.of_form(located, language)}
    fitting: list[tuple[str, str]] = []
    if "occupation" in wrong:
        found = search(typed.get("occupation", ""))
        fitting = [(each.code, (each.name_en if language == "en" else "") or each.name_nb) for each in found]
        # Who wrote a word does not know that four digits are wanted, so "at most 4 characters" helps nobody.
        wrong["occupation"] = texts.say(language, "input.occupation_several" if fitting else "input.occupation_choose")
    return Shown(typed, wrong, fitting=fitting, stale=isinstance(error, Stale | IdempotencyMismatch))


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
            "row": each.row,
        }
        for each in inputs
    ]
