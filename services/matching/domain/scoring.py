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

Scores: TypeAlias = npt.NDArray[np.uint8]
"""Points, added up or not: all that a version of the weights can give together fits into a byte."""
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

    def of(self, need: NeedFacts, out: Scores | None = None) -> Scored:
        """Points and guards of everybody for one need; the points are written into `out` where it is given."""
        weights, language = self._weights, need.language
        held = weights.licence.held if need.licences else 0
        if need.certificates and weights.certificate is not None:
            held += weights.certificate.held
        place = self._once(("place", need.municipality), self._place)
        scores: Scores = np.add(place, self._kept("occupation", need.occupation, _occupation_points), out=out)
        if required := tuple((skill, level) for skill in SKILLS if (level := LEVELS.get(getattr(language, skill)))):
            scores += self._once(("language", *required), self._language)
        scores += self._once(("days", need.hours_per_week, need.begins, need.promise_date, held), self._days)
        free = self._once(("free", need.begins, need.start_to, need.licences, need.certificates), self._free)
        return Scored(scores, free)

    def _once(self, key: tuple[Hashable, ...], make: Callable[..., Array]) -> Array:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = make(*key[1:])
        return found

    def _kept(self, what: str, wanted: str, points: Callable[..., Scores]) -> Scores:
        """Points that outlast this scorer, by a code of the need and facts of the candidates alone."""

        def make(rows: Array) -> Scores:
            return points(self._columns, wanted, self._weights, rows)

        return self._columns.derived((self._weights.version, what, wanted), make)

    def _place(self, wanted: str) -> Scores:
        return self._kept("place", wanted, _place_points)

    def _language(self, *required: tuple[str, int]) -> Scores:
        first, *others = (self._once(("skill", *each), self._skill) for each in required)
        return np.asarray(sum(others, start=first))

    def _skill(self, skill: str, least: int) -> Scores:
        points = self._weights.language
        by_level = [
            points.met if level >= least else points.one_below if level == least - 1 else points.below
            for level in LEVELS.values()
        ]
        return np.array([points.not_mapped, *by_level], np.uint8)[self._columns.of(skill)]

    def _days(self, wanted: float, begins: date, promised: date, held: int) -> Scores:
        """Hours and start together, with the points of what all who are free hold."""
        hours, start = self._once(("hours", wanted), self._hours), self._once(("start", begins, promised), self._start)
        return np.asarray(hours + start + np.uint8(held))

    def _hours(self, wanted: float) -> Scores:
        hours, points = self._columns.of("hours"), self._weights.hours
        nearly = hours * 100 >= wanted * points.nearly_percent
        fewer = np.where(nearly, np.uint8(points.nearly), np.uint8(points.fewer))
        return np.where(hours >= wanted, np.uint8(points.enough), fewer)

    def _start(self, begins: date, promised: date) -> Scores:
        day, points = self._columns.of("available_from"), self._weights.start
        later = np.where(day <= promised.toordinal(), np.uint8(points.within_promise), np.uint8(points.late))
        return np.where(day <= begins.toordinal(), np.uint8(points.in_time), later)

    def _free(
        self, begins: date, latest: date | None, licences: tuple[str, ...], certificates: tuple[str, ...]
    ) -> Mask:
        held = self._once(("held", licences, certificates), self._holding)
        free = held & (self._columns.of("available_to") >= begins.toordinal())
        if latest is not None:
            free &= self._columns.of("available_from") <= latest.toordinal()
        return np.asarray(free)

    def _holding(self, licences: tuple[str, ...], certificates: tuple[str, ...]) -> Mask:
        columns, held = self._columns, self._ready.copy()
        for name, codes, wanted in (("licences", LICENCES, licences), ("certificates", CERTIFICATES, certificates)):
            words = codes.words(wanted)
            columns.widen(name, len(words))
            for word, has in zip(words, columns.all_of(name), strict=False):
                held &= (has & word) == word
        return held


@lru_cache(1024)
def _near(wanted: str, _: int) -> npt.NDArray[np.uint8]:
    return OCCUPATIONS.table(lambda code: NEARNESS.index(nearness(wanted, code)))


@lru_cache(1024)
def _far(wanted: str, _: int) -> npt.NDArray[np.uint8]:
    return MUNICIPALITIES.table(lambda code: FARNESS.index(distance(wanted, code)))


def _by(points: object, names: tuple[str, ...]) -> Scores:
    return np.array([getattr(points, name) for name in names], np.uint8)


def _place_points(columns: Columns, wanted: str, weights: Weights, rows: Array) -> Scores:
    """Place and journey together, of some rows."""
    table = _far(wanted, len(MUNICIPALITIES))
    far = table[columns.of("municipality")[rows]]
    points = _by(weights.place, FARNESS)[far]
    if (wished := weights.place.wished) is not None:
        nearest = table[columns.all_of("places")[:, rows]].max(axis=0)
        wishes = np.where(nearest == FARNESS.index("same_municipality"), np.uint8(wished), np.uint8(0))
        np.maximum(points, wishes, out=points)
    if (travel := weights.travel) is not None:
        longest, assumed = columns.of("travel")[rows], np.array([getattr(travel, f"{how}_minutes") for how in FARNESS])
        known = np.where(longest >= assumed[far], travel.covers, travel.short)
        points += np.where(longest < 0, travel.unknown, known).astype(np.uint8)
    return points


def _occupation_points(columns: Columns, wanted: str, weights: Weights, rows: Array) -> Scores:
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
