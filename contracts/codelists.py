"""Code lists: occupations, municipalities and countries as the authorities have them; three of our own.

Invariant: a code is text with its leading zeros; a code that is not in the list gives nothing, never a guess.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal, NamedTuple

COUNTRY_GROUP_VERSION = "2026-11-23"
"""The day of the table of country groups; a figure that uses the groups carries it."""

ADAPTATIONS_VERSION = "2025-01-01"
"""The newest version of the list of adaptations, its first day. A version is never changed; a new one is a new file."""


class Occupation(NamedTuple):
    """STYRK-08, four digits. `name_en` is empty where ISCO-08 has no occupation of the same meaning."""

    code: str
    name_nb: str
    name_en: str


class Term(NamedTuple):
    """A skill or a certificate, of this product's own closed lists."""

    code: str
    name_nb: str
    name_en: str


class Adaptation(NamedTuple):
    """What a workplace can adapt. `parent` is empty for a heading; whoever names a heading means all below it."""

    code: str
    parent: str
    name_nb: str
    name_en: str


class OccupationGroup(NamedTuple):
    """STYRK-08, one to three digits; the code is the beginning of its members' codes."""

    code: str
    name_nb: str
    name_en: str


class Municipality(NamedTuple):
    """A municipality of the division that has been in force since 2024-01-01."""

    code: str
    name: str
    county_code: str
    county_name: str


class Country(NamedTuple):
    """ISO 3166-1. Group 1: EU, EEA, EFTA, United Kingdom, USA, Canada, Australia, New Zealand; group 2: the others."""

    code: str
    name_en: str
    name_nb: str
    group: Literal[1, 2]


@cache
def occupations() -> Mapping[str, Occupation]:
    """All four-digit occupations by code, in the order of the codes."""
    return MappingProxyType({row["code"]: Occupation(**row) for row in _rows("occupations")})


@cache
def occupation_groups() -> Mapping[str, OccupationGroup]:
    """The groups of one, two and three digits, by code."""
    return MappingProxyType({row["code"]: OccupationGroup(**row) for row in _rows("occupation_groups")})


@cache
def skills() -> Mapping[str, Term]:
    """What a person can do, by code."""
    return MappingProxyType({row["code"]: Term(**row) for row in _rows("skills")})


@cache
def certificates() -> Mapping[str, Term]:
    """Certificates that work may need and people may hold, by code."""
    return MappingProxyType({row["code"]: Term(**row) for row in _rows("certificates")})


@cache
def adaptations(version: str = ADAPTATIONS_VERSION) -> Mapping[str, Adaptation]:
    """What a workplace can adapt, by code, parents before children. Raises KeyError for a version that never was."""
    name = f"adaptations_{version.replace('-', '_')}"
    if not files("contracts").joinpath("codelists", f"{name}.csv").is_file():
        raise KeyError(version)
    return MappingProxyType({row["code"]: Adaptation(**row) for row in _rows(name)})


def adaptations_within(code: str, version: str = ADAPTATIONS_VERSION) -> frozenset[str]:
    """A tag and everything below it; empty for a tag that is not in that version."""
    listed = adaptations(version)
    if code not in listed:
        return frozenset()
    below = (each.code for each in listed.values() if each.parent == code)
    return frozenset({code}).union(*(adaptations_within(each, version) for each in below))


@cache
def municipalities() -> Mapping[str, Municipality]:
    """The municipalities of today, by code."""
    return MappingProxyType({row["code"]: Municipality(**row) for row in _rows("municipalities")})


@cache
def countries() -> Mapping[str, Country]:
    """The countries by their two-letter code."""
    return MappingProxyType({country.code: country for country in map(_country, _rows("countries"))})


def country_group(code: str) -> Literal[1, 2] | None:
    """The group of a country; None (unknown) for the stateless and for a code that is not listed."""
    country = countries().get(code)
    return None if country is None else country.group


@cache
def current_municipalities(code: str) -> tuple[str, ...]:
    """The codes of today's division that a code of any year since 1972 stands for.

    One code for most (0626 and 3049 are 3312 Lier); several where the municipality was divided, since the number alone
    does not say which part; none for a code that never was one.
    """
    if code in municipalities():
        return (code,)
    return tuple(sorted({now for new in _successors().get(code, ()) for now in current_municipalities(new)}))


@cache
def _successors() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for row in _rows("municipality_changes"):
        found[row["old_code"]].append(row["new_code"])
    return {old: tuple(new) for old, new in found.items()}


def _country(row: Mapping[str, str]) -> Country:
    return Country(row["alpha2"], row["name_en"], row["name_nb"], 1 if row["group"] == "1" else 2)


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = files("contracts").joinpath("codelists", f"{name}.csv").read_text("utf-8")
    yield from csv.DictReader(text.splitlines())
