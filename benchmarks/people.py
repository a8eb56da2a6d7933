"""Invented candidates and needs for the benchmarks of matching: the same ones in every run.

Invariant: spread evenly over all occupations and over the municipalities of a large region, so that nearness is as rare
as it is in them.
"""

from __future__ import annotations

import random
from datetime import date, timedelta

from contracts.codelists import municipalities, occupations
from contracts.days import promise_date
from contracts.intake import LanguageLevels
from contracts.vocabulary import CefrLevel, Intermediary
from services.matching.domain.columns import Columns
from services.matching.domain.facts import CandidateFacts, NeedFacts, Practice

TODAY = date(2026, 11, 23)
COUNTIES = ("03", "31", "32", "33", "34", "39", "40")
REGION = tuple(code for code, each in municipalities().items() if each.county_code in COUNTIES)
"""A large region: Oslo and the six counties around it."""
_LEVELS = [None, *(level.value for level in CefrLevel)]
_LICENCES = ("B", "BE", "C1", "C", "D1")
_CERTIFICATES = ("forklift", "hygiene", "crane")


def _language(chance: random.Random) -> LanguageLevels:
    skills = ("listening", "reading", "speaking", "writing")
    return LanguageLevels(**{skill: chance.choice(_LEVELS) for skill in skills})


def _some(chance: random.Random, values: tuple[str, ...], most: int) -> tuple[str, ...]:
    return tuple(chance.sample(values, chance.randint(0, most)))


def candidates(count: int, seed: int = 1) -> Columns:
    """So many ready, consenting candidates, as columns."""
    chance = random.Random(seed)
    codes, places = tuple(occupations()), REGION
    columns = Columns()
    for number in range(count):
        columns.put(
            CandidateFacts(
                candidate_id=f"C{number:025d}",
                ready=True,
                consent=True,
                valid_until=TODAY + timedelta(days=chance.randint(0, 200)),
                intermediary=chance.choice(list(Intermediary)).value,
                municipality=chance.choice(places),
                language=_language(chance),
                experience=tuple(Practice(code, chance.randint(1, 60)) for code in _some(chance, codes, 3)),
                qualifications=tuple(Practice(code) for code in _some(chance, codes, 2)),
                wished_occupations=_some(chance, codes, 4),
                wished_municipalities=_some(chance, places, 3),
                hours_per_week=chance.choice([15.0, 22.5, 30.0, 37.5]),
                available_from=chance.choice([None, TODAY + timedelta(days=chance.randint(-30, 60))]),
                travel_minutes=chance.choice([None, 30, 45, 60, 90]),
                licences=_some(chance, _LICENCES, 2),
                certificates=_some(chance, _CERTIFICATES, 1),
            )
        )
    return columns


def needs(count: int, slots: int = 1, seed: int = 2) -> list[NeedFacts]:
    """So many needs with so many places each."""
    chance = random.Random(seed)
    codes, places = tuple(occupations()), REGION
    found = []
    for number in range(count):
        registered = TODAY - timedelta(days=chance.randint(0, 27))
        found.append(
            NeedFacts(
                need_id=f"N{number:025d}",
                org_number="999999999",
                slot_ids=tuple(f"S{number:020d}{slot:05d}" for slot in range(slots)),
                withdrawn_slots=frozenset(),
                intermediary="nav",
                municipality=chance.choice(places),
                occupation=chance.choice(codes),
                measure=None,
                hours_per_week=chance.choice([20.0, 30.0, 37.5]),
                start_from=None,
                language=LanguageLevels(speaking=chance.choice(_LEVELS), reading=chance.choice(_LEVELS)),
                licences=_some(chance, _LICENCES[:1], 1),
                registered_on=registered,
                promise_date=promise_date(registered),
            )
        )
    return found
