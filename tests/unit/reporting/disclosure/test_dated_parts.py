"""Parts that were counted by a dated code list say which; parts of an earlier version stay what they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from chassis.formats import LANGUAGES, Language
from contracts.codelists import COUNTRY_GROUP_VERSION
from services.reporting.domain.diversity import GROUP_VERSION, MANGFOLD
from services.reporting.domain.parts import Part, assembled, read, written, written_in_all_forms
from services.reporting.domain.publications import FREQUENCIES, Facts
from services.reporting.domain.releases import Due, Stage
from services.reporting.domain.sealing import made, shape
from services.reporting.domain.workforce import YearFigures
from services.reporting.pxweb.labels import Labels
from tests.tables import TEXTS
from tests.unit.reporting.disclosure.population import secrets
from tests.unit.reporting.disclosure.test_publishing import FIGURES
from tests.unit.reporting.simulation import simulate
from tests.unit.reporting.test_reporting_recomputed import declared_at_start, slots_of

CUTOFF = datetime(2026, 1, 15, tzinfo=UTC)
ORG = "315486892"
NOW = date.fromisoformat(COUNTRY_GROUP_VERSION)
THEN = date(2025, 1, 1)


@pytest.fixture(scope="module")
def facts() -> Facts:
    records = simulate(3, 120).records()
    slots = slots_of(records)
    workforce = [YearFigures(ORG, 2024, FIGURES)]
    return Facts(slots, declared_at_start(records, slots), workforce, date(2026, 1, 15))


def part_of(facts: Facts, table: str, period: str) -> Part:
    found = made(Due(CUTOFF, table, period, Stage.FINAL), facts, secrets(1), (ORG,))
    assert found is not None
    return found.part


def as_sealed_before(part: Part) -> bytes:
    """The bytes as an earlier version wrote them, put together here, so that no change of the program changes them."""
    return json.dumps(
        {
            "form": 1,
            "table": part.table,
            "version": part.version,
            "period": part.period,
            "stage": part.stage.value,
            "dimensions": [[name, list(codes)] for name, codes in part.dimensions.items()],
            "definitions": {
                content: [[each.name, each.version] for each in definitions]
                for content, definitions in part.definitions.items()
            },
            "values": [value if value is None or isinstance(value, int) else str(value) for value in part.values],
            "missing": {
                symbol: [place for place, each in sorted(part.status.items()) if each.value == symbol]
                for symbol in dict.fromkeys(each.value for _, each in sorted(part.status.items()))
            },
        },
        sort_keys=True,
        separators=(",", ":"),
    ).encode()


@pytest.mark.parametrize("table", FREQUENCIES)
def test_a_part_has_the_bytes_that_it_always_had_unless_it_says_by_which_code_lists(facts: Facts, table: str) -> None:
    part = part_of(facts, table, "2024" if table == "arbeidsstyrke" else "2024M05")
    before = as_sealed_before(part)
    assert (written(part) == before) is (table != "mangfold")
    assert before in written_in_all_forms(part), "a release of an earlier version can be made again, byte for byte"
    assert written(read(before)) == before, "and what was sealed then is never written anew as something else"
    assert read(written(part)) == replace(part, values=list(part.values))


def test_a_newer_form_is_not_read_as_if_it_were_known(facts: Facts) -> None:
    newer = json.loads(written(part_of(facts, "mangfold", "2024M05"))) | {"form": 3}
    with pytest.raises(ValueError, match="a newer version made them"):
        read(json.dumps(newer).encode())


def notes(parts: Sequence[Part], language: Language = "en") -> list[str]:
    return Labels(TEXTS, language).notes(assembled(shape("mangfold"), parts, updated=CUTOFF, complete_to={}))


@pytest.mark.parametrize("language", LANGUAGES)
def test_published_diversity_says_as_the_live_one_does_by_which_country_groups_it_was_counted(
    facts: Facts, language: Language
) -> None:
    (sentence,) = [
        TEXTS.say(language, f"note.{note.key}", **note.params) for note in MANGFOLD.notes if note == GROUP_VERSION
    ]
    sealed = [read(written(part_of(facts, "mangfold", period))) for period in ("2024M05", "2024M06")]
    assert sentence in notes(sealed, language)
    assert [each.codelists for each in sealed] == [{"country_group": NOW}] * 2
    for table in set(FREQUENCIES) - {"mangfold"}:
        assert not shape(table).dated, "of which no content is counted by country groups here"


def test_periods_that_were_counted_by_another_table_of_country_groups_or_do_not_tell_are_named(facts: Facts) -> None:
    periods = [f"2024M{month:02d}" for month in range(3, 9)]
    whole = part_of(facts, "mangfold", "2024M05")
    day_of = dict(zip(periods, (None, None, THEN, THEN, NOW, THEN), strict=True))
    parts = [
        replace(whole, period=period, codelists={} if day is None else {"country_group": day})
        for period, day in day_of.items()
    ]
    said = notes(parts)
    assert "Country groups after the table of 1 January 2025: 2024M05–2024M06, 2024M08." in said
    assert any(each.startswith("Country groups after the table of ") and each.endswith(": 2024M07.") for each in said)
    assert "The date of the country groups table was not kept for 2024M03–2024M04." in said
    assert sum("ountry groups" in each for each in said) == 3
