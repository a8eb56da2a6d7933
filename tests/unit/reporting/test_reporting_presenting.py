"""What people and programs are shown: every code and definition has its words, numbers are written as they should."""

from __future__ import annotations

import ast
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

import services.reporting
from chassis.formats import LANGUAGES, Language
from chassis.texts import Texts
from contracts.vocabulary import Intermediary, Measure
from services.reporting.domain import definitions, diversity
from services.reporting.domain.filters import Filter
from services.reporting.domain.table import Cell, Column, Kind, Table
from services.reporting.domain.workforce import YearFigures, arbeidsstyrke
from services.reporting.presenting import body, shown, written
from services.reporting.reading import TABLE_IDS, Read
from tests import overviews as overview
from tests.overviews import trakt, utfall, ventetid
from tests.unit.reporting.simulation import simulate
from tests.unit.reporting.test_reporting_recomputed import slots_of

FOLDER = Path(services.reporting.__file__).parent
TEXTS = Texts(FOLDER / "texts")
FIGURES = [
    YearFigures(
        "315486890",
        year,
        {
            "head_count": 14_000,
            "immigrant_background": immigrants,
            "country_group_1": None,
            "country_group_2": 1_021,
            "reduced_functional_ability": 420,
            "cv_gap": 0,
        },
    )
    for year, immigrants in ((2016, 1_600), (2017, 1_526))
]


def tables() -> list[Table]:
    slots = slots_of(simulate(7, 60).records())
    return [
        ventetid(slots, Filter(), date(2026, 1, 1)),
        trakt(slots, Filter()),
        utfall(slots, Filter()),
        *(overview.mangfold(slots, Filter(), by, {}) for by in diversity.CHARACTERISTICS),
        arbeidsstyrke(FIGURES),
        overview.oppfolging(slots, Filter()),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_table_can_be_shown_and_sent_in_both_languages(language: Language) -> None:
    for table in tables():
        read = Read(table, {"dugnad/intake": 12, "dugnad/matching": 0})
        page, answer = shown(read, TEXTS, language), body(read, TEXTS, language)
        assert len(page.rows) == len(table.rows)
        assert all(len(row) == len(page.columns) for row in page.rows)
        assert [each["name"] for each in answer["definitions"]] == [each.name for each in table.definitions]
        assert answer["complete_to"] == {"dugnad/intake": 12, "dugnad/matching": 0}


def test_every_definition_code_and_filter_has_words() -> None:
    wanted = {each.text_key for each in definitions.ALL}
    wanted |= {f"definition_name.{each.name}" for each in definitions.ALL}
    wanted |= {f"code.measure.{code.value}" for code in Measure}
    wanted |= {f"code.intermediary.{code.value}" for code in Intermediary}
    wanted |= {f"table.{table_id}.title" for table_id in TABLE_IDS}
    assert wanted <= TEXTS.keys()


def test_every_refusal_has_a_sentence_in_both_languages() -> None:
    codes = set()
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused":
                code = node.args[0]
                assert isinstance(code, ast.Constant)
                assert isinstance(code.value, str)
                codes.add(f"refused.{code.value}")
    assert codes
    assert codes <= TEXTS.keys()


def test_sentences_are_short() -> None:
    for language in LANGUAGES:
        for key in sorted(TEXTS.keys()):
            if key.startswith(("definition.", "note.", "report.", "refused.")):
                for sentence in TEXTS.say(language, key, **_any_params(key)).replace(".", ". ").split(". "):
                    assert len(sentence.split()) <= 20, f"{language} {key}: {sentence}"
            if key.startswith(("column.", "code.", "figure.", "table.", "content.", "dimension.", "codelist.")):
                assert len(TEXTS.say(language, key).split()) <= 8, f"{language} {key}"


def _any_params(key: str) -> dict[str, object]:
    names = (
        "version base_year position source days what periods title part whole number org_number share year years name "
        "day time employer names"
    )
    return dict.fromkeys(names.split(), 1) if key else {}


@pytest.mark.parametrize(
    ("cell", "kind", "nb", "en"),
    [
        (Decimal("10.9"), Kind.PER_CENT, "10,9\u00a0%", "10.9%"),
        (Decimal("49.3"), Kind.CHANGE, "+49,3\u00a0%", "+49.3%"),
        (Decimal("-4.6"), Kind.CHANGE, "\u22124,6\u00a0%", "\u22124.6%"),
        (13_000, Kind.COUNT, "13\u00a0000", "13,000"),
        (2017, Kind.YEAR, "2017", "2017"),
        (Decimal("24.5"), Kind.DAYS, "24,5\u00a0dager", "24.5\u00a0days"),
        (None, Kind.COUNT, "..", ".."),
        (0, Kind.COUNT, "0", "0"),
    ],
)
def test_numbers_are_written_as_the_language_writes_them(cell: Cell, kind: Kind, nb: str, en: str) -> None:
    column = Column("any", kind)
    assert (written(cell, column, TEXTS, "nb"), written(cell, column, TEXTS, "en")) == (nb, en)


def test_decimals_reach_json_as_they_are_shown() -> None:
    answer = body(Read(arbeidsstyrke(FIGURES), {}), TEXTS, "nb")
    assert repr(answer["rows"][5]["share"]) == "10.9"


def test_a_table_without_figures_says_what_to_do() -> None:
    assert shown(Read(trakt([], Filter()), {}), TEXTS, "nb").empty == TEXTS.say("nb", "report.empty")
    assert shown(Read(arbeidsstyrke([]), {}), TEXTS, "nb").empty == TEXTS.say("nb", "report.empty_arbeidsstyrke")
    assert shown(Read(arbeidsstyrke(FIGURES), {}), TEXTS, "nb").empty is None
