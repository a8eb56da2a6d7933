"""How dates, numbers and names look to people, and how names sort.

Invariant: a Norwegian reader never meets an ISO date or a decimal point; æ, ø, å come last, in that order.
"""

from __future__ import annotations

import unicodedata
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from contracts.days import OSLO

Language = Literal["nb", "en"]
LANGUAGES: tuple[Language, ...] = ("nb", "en")
NBSP = "\u00a0"
_MINUS = "\u2212"

_MONTHS: dict[Language, str] = {
    "nb": "januar februar mars april mai juni juli august september oktober november desember",
    "en": "January February March April May June July August September October November December",
}


def long_date(day: date | str, language: Language) -> str:
    """`13. januar 2025` or `13 January 2025`; ISO text is taken too, an instant is shown as its Oslo day."""
    if isinstance(day, str):
        day = datetime.fromisoformat(day) if "T" in day else date.fromisoformat(day)
    if isinstance(day, datetime):
        day = day.astimezone(OSLO).date()
    point = "." if language == "nb" else ""
    return f"{day.day}{point} {_MONTHS[language].split()[day.month - 1]} {day.year}"


def decimals(value: float | Decimal, places: int, language: Language) -> str:
    """`1 234,5` or `1,234.5`, rounded half up, with a real minus sign."""
    rounded = Decimal(str(value)).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    text = f"{abs(rounded):,.{places}f}"
    if language == "nb":
        text = text.replace(",", NBSP).replace(".", ",")
    return f"{_MINUS}{text}" if rounded < 0 else text


def whole(value: int, language: Language) -> str:
    """`13 000` or `13,000`."""
    return decimals(value, 0, language)


def percent(value: float | Decimal | None, language: Language, places: int = 1) -> str:
    """A number of percent as text: `10,9 %` (with a space that does not break) or `10.9%`; None is a dash."""
    if value is None:
        return "–"
    return f"{decimals(value, places, language)}{NBSP if language == 'nb' else ''}%"


_LAST = {"æ": "{1", "ä": "{1", "ø": "{2", "ö": "{2", "å": "{3"}


def sort_key(name: str) -> tuple[str, str]:
    """Key of Norwegian alphabetical order: æ (ä), ø (ö), å (aa) after z; case and accents only break ties."""
    folded = unicodedata.normalize("NFC", name).casefold().replace("aa", "å")
    letters = []
    for letter in folded:
        if letter in _LAST:
            letters.append(_LAST[letter])
        else:
            plain = unicodedata.normalize("NFD", letter)
            letters.append("".join(part for part in plain if not unicodedata.combining(part)))
    return "".join(letters), name
