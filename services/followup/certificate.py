"""The certificate: a PDF made from facts, in Norwegian or English.

Invariant: it says nothing that is not in the case's document but the name; the fonts are in the file, so that æ, ø and
å are printed anywhere. The same facts give the same bytes.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Self

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from chassis.formats import Language, decimals, long_date
from chassis.texts import Texts
from contracts.codelists import municipalities, occupations
from services.followup.showing import hours_on
from services.followup.tagging import TaggedPage

TEXT, STRONG = "Vera", "VeraBd"
"""Bitstream Vera, which comes with the library and may be embedded."""
LEFT, RIGHT, TOP, LINE = 25 * mm, 20 * mm, 250 * mm, 9 * mm
VALUE_AT = LEFT + 62 * mm
_LANGUAGES: Mapping[Language, str] = {"nb": "nb-NO", "en": "en-GB"}
"""As a PDF says its language (BCP 47)."""


@dataclass(frozen=True)
class Facts:
    """What is certified."""

    name: str
    org_number: str
    occupation: str
    municipality: str
    measure: str
    intermediary: str
    from_on: str
    to_on: str
    hours_per_week: float
    issued_on: str
    certificate_id: str

    @classmethod
    def of(cls, case: Mapping[str, Any], trial_id: str, name: str) -> Self:
        """The facts of a closed trial whose certificate has been issued."""
        trial = case["trials"][trial_id]
        return cls(
            name=name,
            org_number=case["org_number"],
            occupation=case["match"]["occupation"],
            municipality=case["match"]["municipality"],
            measure=trial["measure"],
            intermediary=case["intermediary"],
            from_on=trial["on"],
            to_on=trial["closed"]["on"],
            # A change that was agreed for a day after the closing was never worked.
            hours_per_week=hours_on(case, trial["agreement_id"], date.fromisoformat(trial["closed"]["on"])),
            issued_on=trial["certificate"]["issued_on"],
            certificate_id=trial["certificate"]["certificate_id"],
        )


def certificate_pdf(facts: Facts, texts: Texts, language: Language) -> bytes:
    """One page, A4, tagged: a reader that speaks it finds a heading, sentences and a table with named rows."""

    def say(key: str, **params: object) -> str:
        return texts.say(language, f"certificate.{key}", **params)

    _fonts()
    written = io.BytesIO()
    canvas = Canvas(written, pagesize=A4, invariant=True, lang=_LANGUAGES[language], initialFontName=TEXT)
    canvas.setTitle(say("title"))
    canvas.setSubject(say("title"))
    page = TaggedPage(canvas)

    def line(kind: str, font: str, size: int, y: float, text: str, x: float = LEFT, **attributes: str) -> float:
        """Draw at a height; what is too wide for the page goes on below. The height of the last line."""
        canvas.setFont(font, size)
        lines, leading = _lines(printable(text), font, size, A4[0] - RIGHT - x), 1.4 * size
        page.text(kind, x, y, lines, leading, **attributes)
        return y - (len(lines) - 1) * leading

    line("H1", STRONG, 24, TOP, say("title"))
    place = line("P", STRONG, 15, TOP - 2 * LINE, facts.name)
    line("P", TEXT, 11, place - LINE, say("has_taken_part"))
    place -= 3 * LINE
    with page.within("Table"):
        for name, value in _rows(facts, texts, language):
            with page.within("TR"):
                line("TH", TEXT, 11, place, say(name), Scope="Row")
                place = line("TD", STRONG, 11, place, value, VALUE_AT) - LINE
    line("P", TEXT, 11, place - LINE, say("issued", day=long_date(facts.issued_on, language)))
    line("P", TEXT, 8, 20 * mm, say("number", number=facts.certificate_id))
    page.finish()
    canvas.save()
    return written.getvalue()


def _rows(facts: Facts, texts: Texts, language: Language) -> list[tuple[str, str]]:
    occupation = occupations().get(facts.occupation)
    municipality = municipalities().get(facts.municipality)
    work = "" if occupation is None else (occupation.name_en if language == "en" else "") or occupation.name_nb
    return [
        ("employer", facts.org_number),
        ("work", work or facts.occupation),
        ("municipality", facts.municipality if municipality is None else municipality.name),
        ("measure", _word(texts, language, "measure", facts.measure)),
        ("from", long_date(facts.from_on, language)),
        ("to", long_date(facts.to_on, language)),
        ("hours", decimals(facts.hours_per_week, 1, language)),
        ("by", _word(texts, language, "intermediary", facts.intermediary)),
    ]


def _lines(text: str, font: str, size: int, width: float) -> list[str]:
    """The text in lines of that width, broken between words, and within one that alone is too wide."""
    lines: list[str] = []
    for part in simpleSplit(text, font, size, width) or [""]:
        rest = part
        while (fits := _fitting(rest, font, size, width)) < len(rest):
            lines.append(rest[:fits])
            rest = rest[fits:]
        lines.append(rest)
    return lines


def _fitting(text: str, font: str, size: int, width: float) -> int:
    """How many signs of a text are within the width; at least one."""
    return next(
        (count for count in range(len(text), 1, -1) if pdfmetrics.stringWidth(text[:count], font, size) <= width), 1
    )


def _word(texts: Texts, language: Language, listed: str, code: str) -> str:
    key = f"{listed}.{code}"
    return texts.say(language, key) if key in texts else code


def printable(text: str) -> str:
    """The text in signs that the font has: an accent that it lacks is left out, a sign that it lacks is a hyphen."""
    known = _fonts()
    return "".join(sign if ord(sign) in known else _without_accent(sign, known) for sign in text)


def _without_accent(sign: str, known: frozenset[int]) -> str:
    plain = "".join(part for part in unicodedata.normalize("NFD", sign) if not unicodedata.combining(part))
    return plain if plain and all(ord(part) in known for part in plain) else "-"


@cache
def _fonts() -> frozenset[int]:
    """The signs that both fonts have, once these are known to the library."""
    found = []
    for name in (TEXT, STRONG):
        font = TTFont(name, f"{name}.ttf")
        pdfmetrics.registerFont(font)
        found.append(frozenset(font.face.charToGlyph))
    return found[0] & found[1]
