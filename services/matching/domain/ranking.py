"""Who fits a need, and why.

Invariant: the score is the sum of its reasons' points, made of competence, place and wishes alone; the same facts give
the same order, whatever order they come in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from contracts.codelists import current_municipalities
from contracts.intake import LanguageLevels
from contracts.matching import Reason
from contracts.vocabulary import CefrLevel
from services.matching.domain.facts import CandidateFacts, NeedFacts, Practice
from services.matching.domain.weights import HoursPoints, LanguagePoints, Nearness, StartPoints, Weights

SKILLS = ("listening", "reading", "speaking", "writing")
_LEVELS = tuple(CefrLevel)
NEARNESS = ("other", "same_field", "related", "same_group", "same")


class Guard(StrEnum):
    """Why somebody cannot be proposed at all. `not_available` says nothing more, and is never shown with a person."""

    NOT_READY = "not_ready"
    ASSESSMENT_EXPIRED = "assessment_expired"
    NO_CONSENT = "no_consent"
    NOT_AVAILABLE = "not_available"
    NOT_FREE = "not_free"
    LICENCE_MISSING = "licence_missing"
    CERTIFICATE_MISSING = "certificate_missing"
    OUTSIDE_WINDOW = "outside_window"
    """Cannot begin before the employer's start window ends, or is gone before it begins."""


UNMET = frozenset({Guard.LICENCE_MISSING, Guard.CERTIFICATE_MISSING, Guard.OUTSIDE_WINDOW})
"""What the work asks for and the candidate has not: may be named, since it tells nothing protected."""


@dataclass(frozen=True)
class Ranked:
    candidate_id: str
    rank: int
    score: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Excluded:
    candidate_id: str
    guards: tuple[Guard, ...]


@dataclass(frozen=True)
class Ranking:
    ranked: tuple[Ranked, ...]
    excluded: tuple[Excluded, ...]


def unavailable(candidate: CandidateFacts, today: date) -> tuple[Guard, ...]:
    """What stands against sharing this person with anybody on that day, apart from a place of his own."""
    guards = []
    if not candidate.ready:
        guards.append(Guard.NOT_READY)
    elif candidate.valid_until is not None and candidate.valid_until < today:
        guards.append(Guard.ASSESSMENT_EXPIRED)
    if not candidate.consent:
        guards.append(Guard.NO_CONSENT)
    if candidate.protected:
        guards.append(Guard.NOT_AVAILABLE)
    return tuple(guards)


def guards(need: NeedFacts, candidate: CandidateFacts, today: date) -> tuple[Guard, ...]:
    """All hard guards that hold; none means that the candidate may be ranked."""
    found = list(unavailable(candidate, today))
    if candidate.placed:
        found.append(Guard.NOT_FREE)
    return (*found, *unmet(need, candidate))


def unmet(need: NeedFacts, candidate: CandidateFacts) -> tuple[Guard, ...]:
    """Requirements of the work that the candidate does not meet."""
    found = []
    if not set(need.licences) <= set(candidate.licences):
        found.append(Guard.LICENCE_MISSING)
    if not set(need.certificates) <= set(candidate.certificates):
        found.append(Guard.CERTIFICATE_MISSING)
    late = need.start_to is not None and (candidate.available_from or need.start_to) > need.start_to
    if late or (candidate.available_to is not None and candidate.available_to < need.begins):
        found.append(Guard.OUTSIDE_WINDOW)
    return tuple(found)


def reasons(need: NeedFacts, candidate: CandidateFacts, weights: Weights) -> tuple[Reason, ...]:
    """Everything that speaks for or says nothing for the candidate, in a fixed order."""
    found = [
        _best("wish", need.occupation, [Practice(code) for code in candidate.wished_occupations], weights.wish),
        _experience(need.occupation, candidate.experience, weights),
        _best("qualification", need.occupation, candidate.qualifications, weights.qualification),
        *_language(need.language, candidate.language, weights.language),
        *_place(need.municipality, candidate, weights),
        _hours(need.hours_per_week, candidate.hours_per_week, weights.hours),
        _start(need, candidate.available_from, weights.start),
    ]
    if need.licences:
        found.append(Reason(code="licence_held", points=weights.licence.held))
    if need.certificates and weights.certificate is not None:
        found.append(Reason(code="certificate_held", points=weights.certificate.held))
    return tuple(found)


def total(found: Iterable[Reason]) -> int:
    return sum(reason.points for reason in found)


def rank(need: NeedFacts, candidates: Iterable[CandidateFacts], weights: Weights, today: date) -> Ranking:
    """Best first; equal scores by candidate id. Protected people appear in neither list."""
    scored: list[tuple[int, str, tuple[Reason, ...]]] = []
    excluded: list[Excluded] = []
    for candidate in candidates:
        against = guards(need, candidate, today)
        if Guard.NOT_AVAILABLE in against:
            continue
        if against:
            excluded.append(Excluded(candidate.candidate_id, against))
        else:
            found = reasons(need, candidate, weights)
            scored.append((total(found), candidate.candidate_id, found))
    scored.sort(key=lambda each: (-each[0], each[1]))
    excluded.sort(key=lambda each: each.candidate_id)
    ranked = tuple(Ranked(name, index, score, found) for index, (score, name, found) in enumerate(scored, start=1))
    return Ranking(ranked, tuple(excluded))


def nearness(wanted: str, occupation: str) -> str:
    """How near two occupations are in the hierarchy of STYRK-08: by the leading digits that they share."""
    shared = 0
    while shared < min(len(wanted), len(occupation), 4) and wanted[shared] == occupation[shared]:
        shared += 1
    return NEARNESS[shared]


def _points(table: Nearness, near: str) -> int:
    return int(getattr(table, near))


def _best(kind: str, wanted: str, practices: Iterable[Practice], table: Nearness) -> Reason:
    near = max((nearness(wanted, each.occupation) for each in practices), key=NEARNESS.index, default="other")
    return Reason(code=f"{kind}_{near}", points=_points(table, near))


def _experience(wanted: str, practices: Iterable[Practice], weights: Weights) -> Reason:
    months: dict[str, int] = {}
    for each in practices:
        near = nearness(wanted, each.occupation)
        # Two years in two shops are as much as two years in one.
        months[near] = months.get(near, 0) + (each.months or 0)
    full = weights.experience_months.full
    best = Reason(code="experience_other", points=weights.experience.other)
    for near in NEARNESS[1:]:
        points = _points(weights.experience, near) * min(months.get(near, 0), full) // full
        if points > best.points:
            best = Reason(code=f"experience_{near}", points=points)
    return best


def _language(wanted: LanguageLevels, has: LanguageLevels, points: LanguagePoints) -> Iterable[Reason]:
    for skill in SKILLS:
        required, level = getattr(wanted, skill), getattr(has, skill)
        if required in _LEVELS:
            if level not in _LEVELS:
                how = "not_mapped"
            else:
                below = _LEVELS.index(CefrLevel(required)) - _LEVELS.index(CefrLevel(level))
                how = "met" if below <= 0 else "one_below" if below == 1 else "below"
            yield Reason(code=f"language_{skill}_{how}", points=int(getattr(points, how)))


def distance(wanted: str, has: str | None) -> str:
    """`same_municipality`, `same_county` or `elsewhere`. Numbers of older divisions: 0626 and 3049 are today's Lier."""
    theirs, ours = set(current_municipalities(wanted)), set(current_municipalities(has or ""))
    if theirs & ours:
        return "same_municipality"
    return "same_county" if {code[:2] for code in theirs} & {code[:2] for code in ours} else "elsewhere"


def _place(wanted: str, candidate: CandidateFacts, weights: Weights) -> Iterable[Reason]:
    points, far = weights.place, distance(wanted, candidate.municipality)
    best = Reason(code=f"place_{far}", points=int(getattr(points, far)))
    wishes = any(distance(wanted, code) == "same_municipality" for code in candidate.wished_municipalities)
    if wishes and points.wished is not None and points.wished > best.points:
        best = Reason(code="place_wished", points=points.wished)
    yield best
    if weights.travel is not None:
        longest, assumed = candidate.travel_minutes, int(getattr(weights.travel, f"{far}_minutes"))
        how = "unknown" if longest is None else "covers" if longest >= assumed else "short"
        yield Reason(code=f"travel_{how}", points=int(getattr(weights.travel, how)))


def _hours(wanted: float, has: float, points: HoursPoints) -> Reason:
    if has >= wanted:
        return Reason(code="hours_enough", points=points.enough)
    if has * 100 >= wanted * points.nearly_percent:
        return Reason(code="hours_nearly", points=points.nearly)
    return Reason(code="hours_fewer", points=points.fewer)


def _start(need: NeedFacts, available_from: date | None, points: StartPoints) -> Reason:
    if available_from is None or available_from <= need.begins:
        return Reason(code="start_in_time", points=points.in_time)
    if available_from <= need.promise_date:
        return Reason(code="start_within_promise", points=points.within_promise)
    return Reason(code="start_late", points=points.late)
