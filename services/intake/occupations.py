"""Finding an occupation as somebody types.

Invariant: pure, and the same for the API, the page and a browser without JavaScript; æ, ø and å are found by whoever
has no key for them, and who has them finds no less. A slip of the hand finds what was meant, but never beside what was
written rightly.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from typing import TypeAlias

from contracts.codelists import Occupation, occupations

Names: TypeAlias = tuple[tuple[str, ...], ...]
_WORD = re.compile(r"[^\W_]+")
_WIDE = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa", "ä": "ae", "ö": "oe"})
_NARROW = str.maketrans({"æ": "a", "ø": "o", "å": "a", "ä": "a", "ö": "o"})
SHORTEST_INSIDE = 4
"""Fewer letters are not looked for in the middle of a word: nearly everything would be found."""
SHORTEST_SLIP, LONG = 5, 8
"""From so many letters on one may be wrong, missing, too many or two of them swapped; from so many on, two."""


def search(query: str, limit: int = 20) -> tuple[Occupation, ...]:
    """Occupations that have every word of the query in their code or one of their names, the best first.

    A name that begins with the query comes before one with a word that begins so, and that before one with a word
    that holds it ("selger" in "telefonselgere"). Where nothing has them, what is meant with a slip of the hand in a
    word ("butikmedarbieder"). Nothing for a query without a letter or digit.
    """
    asked = [_forms(word) for word in _WORD.findall(_plain(query))]
    if not asked:
        return ()
    whole = _forms(" ".join(_WORD.findall(_plain(query))))
    return (_found(asked, whole, _rank) or _found(asked, whole, _rank_of_slip))[:limit]


def _found(
    asked: Sequence[frozenset[str]], whole: frozenset[str], rank: Callable[[frozenset[str], Names], int | None]
) -> tuple[Occupation, ...]:
    found = []
    for occupation, names in _index():
        ranks = [rank(word, names) for word in asked]
        if None not in ranks:
            begins = any(name.startswith(form) for form in whole for names_of in names for name in names_of[:1])
            found.append((0 if begins else 1, max(rank or 0 for rank in ranks), occupation.code, occupation))
    return tuple(each[-1] for each in sorted(found))


def _rank(word: frozenset[str], names: Names) -> int | None:
    """0: a word begins so, 1: a word holds it, None: not there."""
    entries = [entry for each in names for entry in each[1:]]
    if any(entry.startswith(form) for form in word for entry in entries):
        return 0
    if any(len(form) >= SHORTEST_INSIDE and form in entry for form in word for entry in entries):
        return 1
    return None


def _rank_of_slip(word: frozenset[str], names: Names) -> int | None:
    """0: there all the same, 1: a word begins nearly so, None: not there. The first letter is mostly right."""
    if _rank(word, names) is not None:
        return 0
    entries = {entry for each in names for entry in each[1:]}
    return 1 if any(_slips(form, entry) for form in word for entry in entries if entry[0] == form[0]) else None


@lru_cache(50_000)
def _slips(word: str, entry: str) -> bool:
    """Whether few enough slips make the word the beginning of the entry."""
    if len(word) < SHORTEST_SLIP or not word.isalpha():
        return False
    most = 1 if len(word) < LONG else 2
    before: list[int] = []
    row = list(range(len(entry) + 1))
    for i, letter in enumerate(word, start=1):
        earlier, before, row = before, row, [i]
        for j, other in enumerate(entry, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and (letter, word[i - 2]) == (entry[j - 2], other):
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return False
    return min(row) <= most


@cache
def _index() -> tuple[tuple[Occupation, Names], ...]:
    """Per occupation, per form of a name: the whole name, then its words, in each spelling."""
    return tuple((each, tuple(_names(each))) for each in occupations().values())


def _names(occupation: Occupation) -> Iterator[tuple[str, ...]]:
    for name in (occupation.code, occupation.name_nb, occupation.name_en):
        words = _WORD.findall(_plain(name))
        for spelling in ("plain", "wide", "narrow"):
            spelled = [_spelled(word, spelling) for word in words]
            yield (" ".join(spelled), *spelled)


def _forms(word: str) -> frozenset[str]:
    return frozenset(_spelled(word, spelling) for spelling in ("plain", "wide", "narrow"))


def _spelled(word: str, spelling: str) -> str:
    return word if spelling == "plain" else word.translate(_WIDE if spelling == "wide" else _NARROW)


def _plain(text: str) -> str:
    """Case and accents folded; æ, ø, å stay letters of their own, which decomposing would take from å."""
    letters = []
    for letter in unicodedata.normalize("NFC", text).casefold():
        kept = letter in "æøåäö"
        letters.append(letter if kept else unicodedata.normalize("NFD", letter)[0])
    return "".join(letters)
