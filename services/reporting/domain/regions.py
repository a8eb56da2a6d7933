"""Regions: the whole country, counties and municipalities of the division in force, under today's codes.

Invariant: a place keeps its figures when its number changes. What an ended number does not tell (of a divided place)
is unknown below the county, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from contracts.codelists import current_municipalities, municipalities
from services.reporting.domain.cube import Codelist, Dimension, Role
from services.reporting.domain.table import Note

_NUMBER = re.compile(r"[0-9]+(?=\s|$)")
COUNTRY = "0"
UNKNOWN = "99"
"""Neither a county nor a municipality: counted in the country alone."""
COUNTY_ONLY = Note("region_county_only")
"""Why municipalities need not add up to their county: where a number was divided, only the county may be known."""


@cache
def counties() -> dict[str, str]:
    """Names of the counties by their codes, in the order of the codes."""
    return dict(sorted({each.county_code: each.county_name for each in municipalities().values()}.items()))


@cache
def finest(code: str) -> str:
    """The finest region that a municipality number of any year is known to lie in: a municipality, a county or `99`."""
    current = current_municipalities(code)
    if len(current) == 1:
        return current[0]
    above = {municipalities()[each].county_code for each in current}
    return above.pop() if len(above) == 1 else UNKNOWN


@cache
def parents(code: str) -> tuple[str, ...]:
    """A finest region and all that it lies in."""
    municipality = municipalities().get(code)
    if municipality is not None:
        return (code, municipality.county_code, COUNTRY)
    return (code, COUNTRY)


@cache
def codelists() -> tuple[Codelist, ...]:
    """The lists of regions, live and published: an id stands for the same codes wherever a table has them."""
    return (
        Codelist("vs_landet", (COUNTRY,)),
        Codelist("vs_fylker", tuple(counties())),
        # All that the country is made of: what `99` holds is in no county.
        Codelist("vs_fylker_og_ukjent", (*counties(), UNKNOWN)),
        Codelist("vs_kommuner", tuple(sorted(municipalities()))),
    )


def dimension_of(codes: Iterable[str]) -> Dimension:
    """The country, these regions, and what is unknown; with the lists of which it has every code."""
    codes = (COUNTRY, *codes, UNKNOWN)
    lists = tuple(each for each in codelists() if set(each.codes) <= set(codes))
    return Dimension(id="Region", role=Role.REGION, codes=codes, total=COUNTRY, codelists=lists)


@cache
def dimension() -> Dimension:
    """All regions, also those without a single figure: which there are must not tell where something happened."""
    codes: list[str] = []
    by_county: dict[str, list[str]] = {code: [] for code in counties()}
    for code, municipality in municipalities().items():
        by_county[municipality.county_code].append(code)
    for county, members in by_county.items():
        codes += [county, *sorted(members)]
    return dimension_of(codes)


def name(code: str) -> str | None:
    """The official name; None for the country and for what is unknown, whose names are in the catalogues."""
    municipality = municipalities().get(code)
    return counties().get(code) if municipality is None else municipality.name


@cache
def _named() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for code, county in counties().items():
        # Oslo is both: the municipality is asked for by its name, the county, which holds the same, by its number.
        for text in (f"{county} fylke", f"{county} county", county):
            found.setdefault(text.casefold(), set()).add(code)
    for code, municipality in municipalities().items():
        plain = municipality.name.partition(" (")[0]
        called = (municipality.name, plain, f"{plain} kommune", f"{plain} municipality")
        for text in {*called, f"{plain} ({municipality.county_name})"}:
            found.setdefault(text.casefold(), set()).add(code)
    return {text: frozenset(codes - {code[:2] for code in codes if len(code) == 4}) for text, codes in found.items()}


def codes_of(text: str) -> frozenset[str]:
    """The codes that somebody may mean who writes a name, a number, or both (`3312 Lier`), in any case.

    A number is taken as it is, whether there is such a place or not. Two or more codes: the name alone does not tell.
    """
    number = _NUMBER.match(text.strip())
    if number is not None:
        return frozenset({number[0]})
    return _named().get(" ".join(text.split()).casefold(), frozenset())
