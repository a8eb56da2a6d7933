"""Message catalogues: every sentence that a person reads, in Norwegian (bokmål) and English.

Invariant: both languages have the same keys with the same parameters; a catalogue that does not is refused at start.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from chassis.formats import LANGUAGES, Language, decimals, long_date

CHASSIS_TEXTS = Path(__file__).parent / "texts"
_FORMATTER = string.Formatter()


class BrokenCatalogue(Exception):
    """The catalogues of the two languages differ, or a sentence cannot be filled. The message says where."""


def _flat(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        elif isinstance(value, str):
            yield f"{above}{key}", value
        else:
            raise BrokenCatalogue(f"{above}{key} is not text")


def _parameters(sentence: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in _FORMATTER.parse(sentence) if name is not None)


class Texts:
    """The catalogues of the chassis and of a service: `nb.toml` and `en.toml` in each directory.

    A table is a prefix (`[refused]` with `too_young` is `refused.too_young`); a later directory may not say a key anew.
    """

    def __init__(self, *directories: Path) -> None:
        self._sentences: dict[Language, dict[str, str]] = {language: {} for language in LANGUAGES}
        for directory in (CHASSIS_TEXTS, *directories):
            for language in LANGUAGES:
                path = directory / f"{language}.toml"
                found = self._sentences[language]
                for key, sentence in _flat(tomllib.loads(path.read_text(encoding="utf-8"))):
                    if key in found:
                        raise BrokenCatalogue(f"{path}: {key} is said twice; rename it")
                    found[key] = sentence
        self._compare()

    def _compare(self) -> None:
        nb, en = self._sentences["nb"], self._sentences["en"]
        if one_sided := sorted(nb.keys() ^ en.keys()):
            raise BrokenCatalogue(f"in one language only: {', '.join(one_sided)}")
        if differ := sorted(key for key in nb if _parameters(nb[key]) != _parameters(en[key])):
            raise BrokenCatalogue(f"other parameters in nb than in en: {', '.join(differ)}")

    def __contains__(self, key: str) -> bool:
        return key in self._sentences["nb"]

    def keys(self) -> frozenset[str]:
        """All keys."""
        return frozenset(self._sentences["nb"])

    def say(self, language: Language, key: str, **params: object) -> str:
        """The sentence under a key. Dates and numbers among the parameters are written as the language writes them."""
        shown = {name: _shown(value, language) for name, value in params.items()}
        try:
            return self._sentences[language][key].format_map(shown)
        except KeyError as missing:
            raise BrokenCatalogue(f"{key} ({language}): {missing} is missing") from missing


def _shown(value: object, language: Language) -> object:
    if isinstance(value, date):
        return long_date(value, language)
    if isinstance(value, float):
        return decimals(value, 0 if value.is_integer() else 1, language)
    return value


def chosen_language(accept_language: str | None, cookie: str | None = None) -> Language:
    """nb or en: the reader's own choice (cookie), else the best of `Accept-Language`, else nb."""
    if cookie in LANGUAGES:
        return "nb" if cookie == "nb" else "en"
    best: Language = "nb"
    weight = 0.0
    for part in (accept_language or "").split(",")[:20]:
        tag, _, options = part.strip().partition(";")
        primary = tag.strip().lower().split("-")[0]
        # nn and no read bokmål rather than English.
        language: Language | None = "nb" if primary in ("nb", "nn", "no", "*") else "en" if primary == "en" else None
        quality = _quality(options)
        if language is not None and quality > weight:
            best, weight = language, quality
    return best


def _quality(options: str) -> float:
    name, _, value = options.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
