"""What ranking knows of everybody, as columns of numbers, so that a need is scored against all of them in one pass.

Invariant: a row says the same as the facts it was made of; what has changed since a point in time can be asked for.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from contracts.intake import LanguageLevels
from contracts.vocabulary import CefrLevel
from services.matching.domain.facts import CandidateFacts, Practice
from services.matching.domain.ranking import SKILLS

Mask: TypeAlias = npt.NDArray[np.bool_]
Array: TypeAlias = npt.NDArray[Any]
READY, CONSENT, PROTECTED, PLACED, PROPOSED, LISTED = (1 << bit for bit in range(6))
NO_DAY, LAST = 0, np.iinfo(np.int32).max
LEVELS = {level.value: number for number, level in enumerate(CefrLevel, start=1)}
_FIRST_ROWS = 1024
SINGLE: dict[str, type[np.generic]] = {
    "flags": np.uint8,
    "intermediary": np.int16,
    "valid_until": np.int32,
    "municipality": np.intp,
    "hours": np.float64,
    "available_from": np.int32,
    "available_to": np.int32,
    "travel": np.int32,
    **dict.fromkeys(SKILLS, np.intp),
}
_SEVERAL: dict[str, type[np.generic]] = {
    "wishes": np.int16,
    "experience": np.int16,
    "months": np.int32,
    "qualifications": np.int16,
    "places": np.intp,
    "licences": np.int64,
    "certificates": np.int64,
}
"""Several values per person, each value a row of its own; as many rows as whoever has most needs."""
MOST_DERIVED = 1024
"""More than there are occupations and municipalities: a byte per person each."""


class Codes:
    """Small numbers for codes, in the order in which they were met; 0 stands for none."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers) + 1

    def number(self, code: str | None) -> int:
        return 0 if code is None else self._numbers.setdefault(code, len(self._numbers) + 1)

    def numbers(self, codes: Iterable[str]) -> list[int]:
        return [self.number(code) for code in codes]

    def words(self, codes: Iterable[str]) -> list[int]:
        """A set of codes as bits, 62 to a word."""
        words: list[int] = []
        for word, bit in (divmod(self.number(code), 62) for code in codes):
            words.extend([0] * (word + 1 - len(words)))
            words[word] |= 1 << bit
        return words

    def table(self, value: Callable[[str], int]) -> npt.NDArray[np.uint8]:
        """A small number per code; 0 for none."""
        return np.array([0, *map(value, tuple(self._numbers))], np.uint8)


# The hierarchy and the map are the same for everybody: numbers of codes are the process's.
OCCUPATIONS, MUNICIPALITIES, LICENCES, CERTIFICATES, _INTERMEDIARIES = (Codes() for _ in range(5))


class Columns:
    """Everybody, a row each; rows of those who left are reused. `bytes` says how much it holds."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._rows: dict[str, int] = {}
        self._unused: list[int] = []
        self._single = {name: np.zeros(_FIRST_ROWS, kind) for name, kind in SINGLE.items()}
        self._several = {name: np.zeros((1, _FIRST_ROWS), kind) for name, kind in _SEVERAL.items()}
        self._derived: dict[tuple[str, ...], tuple[int, npt.NDArray[np.uint8]]] = {}
        self._changed: list[int] = []

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def bytes(self) -> int:
        """Of the arrays, without ids."""
        derived = [values for _, values in self._derived.values()]
        return sum(each.nbytes for each in (*self._single.values(), *self._several.values(), *derived))

    def derived(self, key: tuple[str, ...], make: Callable[[Array], npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
        """What `make` says of rows, kept: made once for everybody, and again for the rows that have changed since."""
        seen, values = self._derived.pop(key, (0, np.zeros(0, np.uint8)))
        size = len(self.ids)
        if len(values) < size:
            seen, values = len(self._changed), np.empty(len(self._single["flags"]), np.uint8)
            values[:size] = make(np.arange(size))
        elif seen < len(self._changed):
            rows = np.unique(np.array(self._changed[seen:], np.intp))
            seen, values[rows] = len(self._changed), make(rows)
        self._derived[key] = seen, values
        if len(self._derived) > MOST_DERIVED:
            del self._derived[next(iter(self._derived))]
        return values[:size]

    def put(self, person: CandidateFacts) -> None:
        """Enter somebody, or what is new of them."""
        row = self._rows.get(person.candidate_id)
        if row is None:
            row = self._unused.pop() if self._unused else self._more()
            self._rows[person.candidate_id] = row
            self.ids[row] = person.candidate_id
        flags = (READY * person.ready) | (CONSENT * person.consent) | (PROTECTED * person.protected)
        single = {
            "flags": flags | (PLACED * person.placed) | (PROPOSED * person.proposed) | LISTED,
            "intermediary": _INTERMEDIARIES.number(person.intermediary),
            "valid_until": _ordinal(person.valid_until, LAST),
            "municipality": MUNICIPALITIES.number(person.municipality),
            "hours": person.hours_per_week,
            "available_from": _ordinal(person.available_from, NO_DAY),
            "available_to": _ordinal(person.available_to, LAST),
            "travel": -1 if person.travel_minutes is None else person.travel_minutes,
            **_levels(person.language),
        }
        for name, value in single.items():
            self._single[name][row] = value
        several = {
            "wishes": OCCUPATIONS.numbers(person.wished_occupations),
            "experience": OCCUPATIONS.numbers(_codes(person.experience)),
            "months": [each.months or 0 for each in person.experience],
            "qualifications": OCCUPATIONS.numbers(_codes(person.qualifications)),
            "places": MUNICIPALITIES.numbers(person.wished_municipalities),
            "licences": LICENCES.words(person.licences),
            "certificates": CERTIFICATES.words(person.certificates),
        }
        for name, values in several.items():
            self.widen(name, len(values))
            self._several[name][:, row] = 0
            self._several[name][: len(values), row] = values
        self._note(row)

    def drop(self, candidate_id: str) -> None:
        """Nobody finds this person any more; the row is given to the next one."""
        row = self._rows.pop(candidate_id, None)
        if row is not None:
            self._single["flags"][row] = 0
            self._unused.append(row)

    def only(self, rows: Mask) -> Columns:
        """A copy of some rows, in the order of their ids."""
        chosen = sorted(np.flatnonzero(rows).tolist(), key=self.ids.__getitem__)
        copy = Columns()
        copy.ids = [self.ids[row] for row in chosen]
        copy._rows = {name: row for row, name in enumerate(copy.ids)}
        copy._single = {name: each[chosen] for name, each in self._single.items()}
        copy._several = {name: np.ascontiguousarray(each[:, chosen]) for name, each in self._several.items()}
        moments = {row: moment for moment, row in enumerate(self._changed)}
        latest = max((moments.get(row, -1) for row in chosen), default=-1)
        copy._derived = {key: (0, values[chosen]) for key, (seen, values) in self._derived.items() if seen > latest}
        return copy

    def having(self, *wanted: int, without: int = 0) -> Mask:
        """The rows with these flags and none of those."""
        flags, mask = self.of("flags"), sum(wanted)
        return np.asarray((flags & (mask | without | LISTED)) == (mask | LISTED))

    def listed_for(self, intermediary: str) -> Mask:
        """Whom the counsellors of an intermediary meet in a ranking: by consent, or as their own; nobody protected."""
        own = self.of("intermediary") == _INTERMEDIARIES.number(intermediary)
        return np.asarray(self.having(without=PROTECTED) & (own | self.having(CONSENT)))

    def best(self, scores: Array, among: Mask, count: int) -> list[int]:
        """At most so many rows, best first; equal scores by candidate id."""
        rows = np.flatnonzero(among)
        if len(rows) > count > 0:
            least = np.partition(scores[rows], len(rows) - count)[len(rows) - count]
            above, equal = rows[scores[rows] > least], rows[scores[rows] == least]
            ties = heapq.nsmallest(count - len(above), equal.tolist(), key=self.ids.__getitem__)
            rows = np.concatenate([above, np.array(ties, rows.dtype)])
        return sorted(rows[:count].tolist(), key=lambda row: (-int(scores[row]), self.ids[row]))

    def of(self, name: str) -> Array:
        """A column."""
        return self._single[name][: len(self.ids)]

    def all_of(self, name: str) -> Array:
        """The columns of what somebody may have several of, one below the other."""
        return self._several[name][:, : len(self.ids)]

    def widen(self, name: str, wanted: int) -> None:
        """Make room for so many values per person."""
        missing = wanted - len(self._several[name])
        if missing > 0:
            each = self._several[name]
            self._several[name] = np.vstack([each, np.zeros((missing, each.shape[1]), each.dtype)])

    def _note(self, row: int) -> None:
        self._changed.append(row)
        if len(self._changed) > max(len(self.ids), _FIRST_ROWS):
            # To make everything anew costs no more than to look through a longer list.
            self._changed.clear()
            self._derived.clear()

    def _more(self) -> int:
        row = len(self.ids)
        self.ids.append("")
        if row == len(self._single["flags"]):
            for columns in (self._single, self._several):
                for name, each in columns.items():
                    columns[name] = np.concatenate([each, np.zeros_like(each)], axis=-1)
        return row


def _ordinal(day: date | None, unknown: int) -> int:
    return int(unknown) if day is None else day.toordinal()


def _codes(practices: Iterable[Practice]) -> list[str]:
    return [each.occupation for each in practices]


def _levels(language: LanguageLevels) -> dict[str, int]:
    return {skill: LEVELS.get(getattr(language, skill), 0) for skill in SKILLS}
