"""The fields of intake's forms, and what they say, as the API would be told it.

Invariant: pure; what cannot be read is passed on as it was typed, so that the check names the field; a form sends what
the API takes and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

from chassis.formats import Language, sort_key
from chassis.texts import Texts
from contracts import codelists
from contracts.vocabulary import CefrLevel
from services.intake.occupations import search

Typed = Mapping[str, str]
"""What stands in the fields of a form; several choices of one field are joined by blanks."""
Options = Callable[[Language, Texts], list[tuple[str, str]]]
Kind = Literal["text", "date", "number", "note", "choice", "occupation", "checks", "yes_no"]

SKILLS = ("listening", "reading", "speaking", "writing")
_LEADING_CODE = re.compile(r"(\d{4})(?:\s.*)?")


@dataclass(frozen=True)
class Input:
    """One field. Its label is `input.<name>` of the catalogue, its hint `input_hint.<name>` where there is one."""

    name: str
    kind: Kind = "text"
    required: bool = False
    options: Options | None = None
    least: float = 0
    most: float | None = None
    step: str = "1"
    default: str = ""
    said: str = ""
    """The name in the catalogue where it is another: a course has a title too, and a level of one's own is no least."""
    rows: str = ""
    """What there may be several of; then `row` counts them from 1."""
    row: int = 0


def several(names: Sequence[Input]) -> tuple[str, ...]:
    """The fields with several choices."""
    return tuple(each.name for each in names if each.kind == "checks")


def in_rows(rows: str, inputs: Sequence[Input], most: int) -> tuple[Input, ...]:
    """The fields of one row, as often as there may be one: `experience` becomes `experience_1`, `experience_2` ..."""
    numbered = ((each, row) for row in range(1, most + 1) for each in inputs)
    return tuple(
        replace(each, name=f"{each.name}_{row}", said=each.said or each.name, rows=rows, row=row)
        for each, row in numbered
    )


def rows_needed(inputs: Sequence[Input], typed: Typed, first: Mapping[str, int]) -> list[Input]:
    """Without the rows that nobody needs yet: the first few are shown, and one more than are filled."""
    last = dict(first)
    for each in inputs:
        if each.row and typed.get(each.name, "").strip():
            last[each.rows] = max(last[each.rows], each.row + 1)
    return [each for each in inputs if not each.row or each.row <= last[each.rows]]


def without_gaps(inputs: Sequence[Input], typed: Typed) -> dict[str, str]:
    """What was typed with its rows closed up, so that the first one is the first of the list that is sent."""
    closed = dict(typed)
    for rows in dict.fromkeys(each.rows for each in inputs if each.row):
        names = [each for each in inputs if each.rows == rows]
        filled = sorted({each.row for each in names if closed.get(each.name, "").strip()})
        for each in names:
            stem = each.name.removesuffix(str(each.row))
            found = typed.get(f"{stem}{filled[each.row - 1]}") if each.row <= len(filled) else None
            closed.pop(each.name, None)
            if found is not None:
                closed[each.name] = found
    return closed


def of_enum(listed: type[StrEnum], words: str) -> Options:
    """The values of a closed list, in the words of the catalogue."""
    return lambda language, texts: [(each.value, texts.say(language, f"{words}.{each.value}")) for each in listed]


def levels(_: Language, __: Texts) -> list[tuple[str, str]]:
    """CEFR levels."""
    return [(each.value, each.value) for each in CefrLevel]


def municipality_options(_: Language, __: Texts) -> list[tuple[str, str]]:
    """All municipalities by name. Names that exist twice have their county already: Våler (Innlandet)."""
    listed = sorted(codelists.municipalities().values(), key=lambda each: sort_key(each.name))
    return [
        (each.code, each.name if each.name.endswith(")") else f"{each.name} ({each.county_name})") for each in listed
    ]


def certificate_options(language: Language, _: Texts) -> list[tuple[str, str]]:
    """Certificates by name."""
    return _by_name(codelists.certificates().values(), language)


def skill_options(language: Language, _: Texts) -> list[tuple[str, str]]:
    """Skills by name."""
    return _by_name(codelists.skills().values(), language)


def names_of(options: list[tuple[str, str]], chosen: Iterable[str]) -> list[str]:
    """The names of what was chosen, in the order of the list."""
    codes = frozenset(chosen)
    return [name.removeprefix("– ") for code, name in options if code in codes]


def adaptation_options(language: Language, _: Texts) -> list[tuple[str, str]]:
    """Adaptations below their headings; a heading stands for all below it."""
    listed = codelists.adaptations().values()
    return [(each.code, ("– " if each.parent else "") + _name(each, language)) for each in listed]


def occupation_code(typed: str) -> str:
    """The code of what was chosen (`5223 Butikkmedarbeidere`) or written: a code, a name, or the only one it fits."""
    text = " ".join(typed.split())
    if (code := _LEADING_CODE.fullmatch(text)) is not None:
        return code[1]
    wanted = text.casefold()
    for occupation in codelists.occupations().values():
        if wanted and wanted in (occupation.name_nb.casefold(), occupation.name_en.casefold()):
            return occupation.code
    fitting = search(text, 2)
    return fitting[0].code if len(fitting) == 1 else text


def occupation_name(code: str, language: Language) -> str:
    """The name of an occupation; the Norwegian one where there is no other, the code where it is not listed."""
    listed = codelists.occupations().get(code)
    return code if listed is None else _name(listed, language)


def municipality_name(code: str) -> str:
    """The name of a municipality; the number where it is not in force."""
    listed = codelists.municipalities().get(code)
    return code if listed is None else listed.name


def plain(typed: Typed, *names: str) -> dict[str, Any]:
    """Texts as they were typed; an empty field is left out."""
    return {name: value for name in names if (value := typed.get(name, "").strip())}


def numbers(typed: Typed, *names: str) -> dict[str, Any]:
    """Numbers, with a decimal comma or point; an empty field is left out."""
    return {name: number(value) for name, value in plain(typed, *names).items()}


def words(typed: Typed, *names: str) -> dict[str, Any]:
    """Lists of codes, apart by blanks, commas or semicolons; an empty field is left out."""
    found = {name: [each for each in re.split(r"[\s,;]+", typed.get(name, "")) if each] for name in names}
    return {name: listed for name, listed in found.items() if listed}


def capitals(listed: Mapping[str, list[str]]) -> dict[str, Any]:
    """The same in capital letters, as licence classes are written."""
    return {name: [each.upper() for each in given] for name, given in listed.items()}


def language_of_form(typed: Typed) -> dict[str, Any]:
    """The levels of `language_speaking` and the others."""
    given = {skill: level for skill in SKILLS if (level := typed.get(f"language_{skill}", "").strip())}
    return {"language": given} if given else {}


def number(text: str) -> float | int | str:
    """A number as JSON has it, or the text that is none."""
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return text
    return int(value) if value.is_integer() and re.fullmatch(r"\d+", text) else value


def _by_name(listed: Iterable[codelists.Term], language: Language) -> list[tuple[str, str]]:
    return sorted(((each.code, _name(each, language)) for each in listed), key=lambda each: sort_key(each[1]))


def _name(each: codelists.Term | codelists.Adaptation | codelists.Occupation, language: Language) -> str:
    return (each.name_en if language == "en" else "") or each.name_nb
