"""Free text in a need: what must not be there, and what its author should think twice about.

Invariant: a national id never gets in, however it is written; a warning names the field and the reason, never the words
that were found, and the same text always leads to the same warnings.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from contracts.codelists import telling_words
from contracts.nationalids import find
from services.intake.domain.rules import wrong

WarningCode = Literal[
    "email_in_text", "phone_in_text", "origin_in_text", "subsidy_in_text", "benefit_in_text", "health_in_text"
]
_EMAIL = re.compile(r"[\w.+-]+\s?@\s?[\w-]+(?:\.[\w-]+)+")
# Eight digits as people group them, with or without 47 or 0047 before them, and not part of a longer number.
_PHONE = re.compile(r"(?<![\d.,])(?:(?:\+|00)\s?47[\s.\-]?)?[2-9](?:[\s.\-]?\d){7}(?!\d|[.,]\d)")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, order=True)
class TextWarning:
    """Something to think about before it is saved. `pointer` is the field, as a JSON pointer."""

    pointer: str
    code: WarningCode


def warnings_about(texts: Mapping[str, str | None]) -> tuple[TextWarning, ...]:
    """What to warn about in free texts by the JSON pointer of their field. Raises Refused for a national id."""
    found: set[TextWarning] = set()
    held = {pointer: text for pointer, text in texts.items() if text}
    if numbered := [pointer for pointer, text in held.items() if find(text)]:
        raise wrong("national_id_in_text", *numbered)
    for pointer, text in held.items():
        if _EMAIL.search(text):
            found.add(TextWarning(pointer, "email_in_text"))
        if _PHONE.search(text):
            found.add(TextWarning(pointer, "phone_in_text"))
        found |= {TextWarning(pointer, code) for code in _told(text, in_title=pointer == "/title")}
    return tuple(sorted(found))


def _told(text: str, *, in_title: bool) -> set[WarningCode]:
    words = [word.casefold() for word in _WORD.findall(unicodedata.normalize("NFC", text))]
    listed = [each for each in telling_words() if in_title or each.in_description]
    # Norwegian joins words: "lønnstilskuddsplass" begins with the stem, "kvoteflyktning" ends with it.
    return {
        _CODES[each.category]
        for each in listed
        if any(word.startswith(each.stem) or (len(each.stem) > 5 and each.stem in word) for word in words)
    }


_CODES: Mapping[str, WarningCode] = {
    "origin": "origin_in_text",
    "subsidy": "subsidy_in_text",
    "benefit": "benefit_in_text",
    "health": "health_in_text",
}
