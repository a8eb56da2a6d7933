"""Needs against everybody at once.

Invariant: score and guards are those that `ranking` explains, for everybody and under every version of the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from services.matching.domain.columns import (
    CERTIFICATES,
    CONSENT,
    LEVELS,
    LICENCES,
    MUNICIPALITIES,
    OCCUPATIONS,
    PLACED,
    PROTECTED,
    READY,
    Array,
    Columns,
    Mask,
)
from services.matching.domain.facts import NeedFacts
from services.matching.domain.ranking import NEARNESS, SKILLS, distance, nearness
from services.matching.domain.weights import Nearness, Weights

Scores: TypeAlias = npt.NDArray[np.int16]
FARNESS = ("elsewhere", "same_county", "same_municipality")


@dataclass(frozen=True)
class Scored:
    """One need against everybody, by row. Shared between needs that are alike: not to be changed."""

    scores: Scores
    free: Mask
    """No hard guard stands against this row."""


class Scorer:
    """Scores needs on one day. What several needs have in common is computed once."""

    def __init__(self, columns: Columns, weights: Weights, today: date) -> None:
        self._columns, self._weights = columns, weights
        self._known: dict[Hashable, Array] = {}
        valid = columns.of("valid_until") >= today.toordinal()
        self._ready = columns.having(READY, CONSENT, without=PROTECTED | PLACED) & valid

    def of(self, need: NeedFacts) -> Scored:
        """Points and guards of everybody for one need."""
        weights, language = self._weights, need.language
        scores = self._once(("place", need.municipality), self._place) + self._points_of(need.occupation)
        if required := tuple((skill, level) for skill in SKILLS if (level := LEVELS.get(getattr(language, skill)))):
            scores += self._once(("language", *required), self._language)
        scores += self._once(("days", need.hours_per_week, need.begins, need.promise_date), self._hours_and_start)
        if need.licences:
            scores += np.int16(weights.licence.held)
        if need.certificates and weights.certificate is not None:
            scores += np.int16(weights.certificate.held)
        free = self._once(("free", need.begins, need.start_to, need.licences, need.certificates), self._free)
        return Scored(scores, free)

    def _once(self, key: tuple[Hashable, ...], make: Callable[..., Array]) -> Array:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = make(*key[1:])
        return found

    def _points_of(self, wanted: str) -> Array:
        def points(rows: Array) -> npt.NDArray[np.uint8]:
            return _occupation_points(self._columns, wanted, self._weights, rows)

        return self._columns.derived((self._weights.version, wanted), points)

    def _place(self, wanted: str) -> Scores:
        table, columns = _far(wanted, len(MUNICIPALITIES)), self._columns
        scores = _by(self._weights.place, FARNESS)[table][columns.of("municipality")]
        if (wished := self._weights.place.wished) is not None:
            by_place = np.where(table == FARNESS.index("same_municipality"), np.int16(wished), np.int16(0))
            for places in columns.all_of("places"):
                np.maximum(scores, by_place[places], out=scores)
        if self._weights.travel is not None:
            by_journey = self._once(("points of journeys",), self._journey_points)[:, table].ravel()
            scores += by_journey[self._once(("journeys", len(table)), self._journeys)]
        return scores

    def _journeys(self, places: int) -> npt.NDArray[np.intp]:
        """Per person: which distances the longest journey covers, together with the municipality, as one number."""
        assert self._weights.travel is not None
        longest, covered = self._columns.of("travel"), np.ones(len(self._columns.ids), np.intp)
        for bit, how in enumerate(FARNESS):
            covered += (longest >= int(getattr(self._weights.travel, f"{how}_minutes"))).astype(np.intp) << bit
        covered[longest < 0] = 0
        return np.asarray(covered * places + self._columns.of("municipality"))

    def _journey_points(self) -> Scores:
        """Points by what a journey covers (0: unknown, else 1 + a bit for each distance) and by distance."""
        travel = self._weights.travel
        assert travel is not None
        known = [[travel.covers if bits >> far & 1 else travel.short for far in range(3)] for bits in range(8)]
        return np.array([[travel.unknown] * 3, *known], np.int16)

    def _language(self, *required: tuple[str, int]) -> Scores:
        scores, points = np.zeros(len(self._columns.ids), np.int16), self._weights.language
        for skill, least in required:
            by_level = [
                points.met if level >= least else points.one_below if level == least - 1 else points.below
                for level in LEVELS.values()
            ]
            scores += np.array([points.not_mapped, *by_level], np.int16)[self._columns.of(skill)]
        return scores

    def _hours_and_start(self, wanted: float, begins: date, promised: date) -> Scores:
        hours, points = self._columns.of("hours"), self._weights.hours
        nearly = hours * 100 >= wanted * points.nearly_percent
        fewer = np.where(nearly, np.int16(points.nearly), np.int16(points.fewer))
        day, start = self._columns.of("available_from"), self._weights.start
        later = np.where(day <= promised.toordinal(), np.int16(start.within_promise), np.int16(start.late))
        in_time = np.where(day <= begins.toordinal(), np.int16(start.in_time), later)
        return np.asarray(np.where(hours >= wanted, np.int16(points.enough), fewer) + in_time)

    def _free(
        self, begins: date, latest: date | None, licences: tuple[str, ...], certificates: tuple[str, ...]
    ) -> Mask:
        columns = self._columns
        free = self._ready & (columns.of("available_to") >= begins.toordinal())
        if latest is not None:
            free &= columns.of("available_from") <= latest.toordinal()
        for name, codes, wanted in (("licences", LICENCES, licences), ("certificates", CERTIFICATES, certificates)):
            words = codes.words(wanted)
            columns.widen(name, len(words))
            for word, has in zip(words, columns.all_of(name), strict=False):
                free &= (has & word) == word
        return np.asarray(free)


@lru_cache(1024)
def _near(wanted: str, _: int) -> npt.NDArray[np.uint8]:
    return OCCUPATIONS.table(lambda code: NEARNESS.index(nearness(wanted, code)))


@lru_cache(1024)
def _far(wanted: str, _: int) -> npt.NDArray[np.uint8]:
    return MUNICIPALITIES.table(lambda code: FARNESS.index(distance(wanted, code)))


def _by(points: object, names: tuple[str, ...]) -> Scores:
    return np.array([getattr(points, name) for name in names], np.int16)


def _occupation_points(columns: Columns, wanted: str, weights: Weights, rows: Array) -> npt.NDArray[np.uint8]:
    """Wish, experience and qualification together, of some rows."""
    near = _near(wanted, len(OCCUPATIONS))
    points = _nearest(columns.all_of("wishes")[:, rows], near, weights.wish)
    points += _nearest(columns.all_of("qualifications")[:, rows], near, weights.qualification)
    codes, months = near[columns.all_of("experience")[:, rows]], columns.all_of("months")[:, rows]
    best, full = np.full(len(rows), weights.experience.other), weights.experience_months.full
    for kind, how in enumerate(NEARNESS[1:], start=1):
        worked = np.where(codes == kind, months, 0).sum(axis=0)
        np.maximum(best, int(getattr(weights.experience, how)) * np.minimum(worked, full) // full, out=best)
    return np.asarray(points + best, np.uint8)


def _nearest(codes: Array, near: npt.NDArray[np.uint8], points: Nearness) -> Scores:
    return np.asarray(_by(points, NEARNESS)[near[codes].max(axis=0)])
