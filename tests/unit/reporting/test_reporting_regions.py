"""Regions in live and published tables: one id of a list is one list, and what is in no municipality is said."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest

from chassis.formats import LANGUAGES, Language
from services.reporting.domain import regions
from services.reporting.domain.counting import tally
from services.reporting.domain.cube import CONTENTS
from services.reporting.domain.periods import months
from services.reporting.domain.placements import TRAKT, funnel
from services.reporting.domain.publications import FREQUENCIES, PUBLICATIONS, Facts, units
from services.reporting.domain.sealing import shape
from services.reporting.exporting import dictionary
from services.reporting.pxweb.labels import Labels
from tests.overviews import aggregated
from tests.tables import TEXTS, simulated
from tests.unit.reporting.test_reporting_diversity import slot

LIVE = simulated()
PUBLISHED = [shape(table) for table in FREQUENCIES]
SAID = {"nb": "ikke i noen kommune", "en": "in no municipality"}
DIVIDED, ITS_COUNTY = "1507", "15"
"""Ålesund as it was until Haram left it: what happened there is known by its county."""


def test_one_id_of_a_code_list_stands_for_the_same_codes_in_every_table_live_and_published() -> None:
    lists: dict[str, set[tuple[str, ...]]] = {}
    for of in (*LIVE, *PUBLISHED):
        for dimension in of.dimensions:
            for each in dimension.codelists:
                lists.setdefault(each.id, set()).add(each.codes)
    assert {name for name, found in lists.items() if len(found) > 1} == set()
    assert lists["vs_fylker"] == {tuple(regions.counties())}, "the counties alone, as the guide says"
    assert lists["vs_fylker_og_ukjent"] == {(*regions.counties(), regions.UNKNOWN)}
    assert set(lists) >= {"vs_landet", "vs_kommuner", "vs_country_group"}


def test_counties_and_the_unknown_place_are_all_of_the_country() -> None:
    whole = next(each for each in regions.codelists() if each.id == "vs_fylker_og_ukjent")
    for code in (*regions.dimension().codes, regions.UNKNOWN):
        above = Counter(set(regions.parents(code)) & set(whole.codes))
        assert sum(above.values()) == (0 if code == regions.COUNTRY else 1), code


def test_what_is_known_only_by_its_county_is_in_none_of_its_municipalities_and_every_such_table_says_so() -> None:
    assert regions.finest(DIVIDED) == ITS_COUNTY
    divided = [replace(slot("1", date(2025, 1, 20)), region=regions.finest(DIVIDED))]
    cube = tally(TRAKT, aggregated(funnel(divided), TRAKT.variables), months).select(
        {"ContentsCode": ["slots"], "Tid": ["2025M01"]}
    )
    counted = {
        code for code in regions.dimension().codes if cube.value(Region=code, ContentsCode="slots", Tid="2025M01")
    }
    assert counted == {regions.COUNTRY, ITS_COUNTY}
    facts = Facts(divided, {}, [], date(2026, 1, 1))
    by_municipality = PUBLICATIONS["trakt_kommune"]
    found = {
        each.at[0]
        for each in by_municipality.counted(units(by_municipality, facts), "2025M01")
        if each.content == "slots"
    }
    (axis,) = (axis for axis in by_municipality.axes if axis.dimension.id == "Region")
    assert {code for finest in found for code in axis.above(finest)} == {regions.COUNTRY}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_note_on_municipalities_stands_with_all_tables_that_have_them_and_with_no_others(
    language: Language,
) -> None:
    labels = Labels(TEXTS, language)
    for live in LIVE:
        has = any(each.id == "Region" for each in live.dimensions)
        assert any(SAID[language] in note for note in labels.notes(live)) is has, live.id
    for published in PUBLISHED:
        said = " ".join(labels.say(f"note.{note.key}", **note.params) for note in published.notes)
        assert (SAID[language] in said) is published.table.endswith("_kommune"), published.table
    cubes = [each.select({CONTENTS: each.dimension(CONTENTS).codes[:1]}) for each in LIVE if each.id == "trakt"]
    assert SAID[language] in dictionary(language, TEXTS, cubes, facts=False), "and with the files of an export"
