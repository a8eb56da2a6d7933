"""Catalogues, and how dates, numbers and names look."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from chassis import problems, validation
from chassis.formats import decimals, long_date, percent, sort_key, whole
from chassis.issuer import PERSONAS
from chassis.texts import BrokenCatalogue, Texts

CHASSIS = Path(problems.__file__).parent


def catalogue(directory: Path, nb: str, en: str) -> Path:
    (directory / "nb.toml").write_text(nb, encoding="utf-8")
    (directory / "en.toml").write_text(en, encoding="utf-8")
    return directory


def test_both_languages_have_the_same_sentences_with_the_same_parameters() -> None:
    Texts()


def test_a_catalogue_with_one_language_less_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenCatalogue, match=r"in one language only: a\.two"):
        Texts(catalogue(tmp_path, '[a]\none = "x"\ntwo = "y"', '[a]\none = "x"'))


def test_a_catalogue_with_other_parameters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenCatalogue, match=r"other parameters in nb than in en: a\.one"):
        Texts(catalogue(tmp_path, '[a]\none = "{day}"', '[a]\none = "{date}"'))


def test_a_service_may_not_say_anew_what_the_chassis_says(tmp_path: Path) -> None:
    with pytest.raises(BrokenCatalogue, match="said twice"):
        Texts(catalogue(tmp_path, '[field]\nmissing = "x"', '[field]\nmissing = "x"'))


def test_a_sentence_is_filled_in_the_language_of_the_reader(tmp_path: Path) -> None:
    texts = Texts(catalogue(tmp_path, '[a]\none = "Frist {day}, {share}."', '[a]\none = "By {day}, {share}."'))
    assert texts.say("nb", "a.one", day=date(2025, 1, 13), share=10.9) == "Frist 13. januar 2025, 10,9."
    assert texts.say("en", "a.one", day=date(2025, 1, 13), share=7.0) == "By 13 January 2025, 7."
    with pytest.raises(BrokenCatalogue):
        texts.say("nb", "a.one", day=date(2025, 1, 13))
    with pytest.raises(BrokenCatalogue):
        texts.say("nb", "a.nothing")


def test_every_problem_field_code_and_persona_has_its_sentence() -> None:
    texts = Texts()
    codes: set[str] = set()
    for path in CHASSIS.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        codes.update(re.findall(r'Problem\(\s*\d{3}, "(\w+)"', source))
        codes.update(re.findall(r'busy\("(\w+)"', source))
    assert {"stale", "malformed_json", "forbidden", "busy"} <= codes
    codes.update(problems._OF_STATUS.values())
    for code in codes:
        assert f"problem.{code}.title" in texts, code
        assert f"problem.{code}.detail" in texts, code
    fields = set(validation._CODES.values())
    fields.update(re.findall(r'PydanticCustomError\("(\w+)"', (CHASSIS / "requests.py").read_text(encoding="utf-8")))
    assert {f"field.{code}" for code in fields} <= texts.keys()
    assert {f"persona.{name}" for name in PERSONAS} <= texts.keys()


def test_sentences_are_short() -> None:
    texts = Texts()
    for language in ("nb", "en"):
        for key in sorted(texts.keys()):
            if key.startswith(("field.", "problem.")):
                said = texts._sentences[language][key]
                for sentence in re.split(r"(?<=[.?!:])\s", said):
                    assert len(sentence.split()) <= 20, f"{key}: {sentence}"


def test_dates_are_written_out() -> None:
    assert long_date(date(2025, 1, 13), "nb") == "13. januar 2025"
    assert long_date(date(2025, 1, 13), "en") == "13 January 2025"
    assert long_date("2025-05-01", "nb") == "1. mai 2025"
    assert long_date(datetime(2026, 3, 1, 23, 30, tzinfo=UTC), "nb") == "2. mars 2026"
    assert long_date("2026-03-01T23:30:00Z", "nb") == "2. mars 2026"


def test_numbers_have_a_decimal_comma_in_norwegian() -> None:
    assert percent(10.9, "nb") == "10,9\u00a0%"
    assert percent(10.9, "en") == "10.9%"
    assert percent(None, "nb") == "–"
    assert percent(-3.25, "nb") == "\u22123,3\u00a0%"
    assert whole(13000, "nb") == "13\u00a0000"
    assert whole(13000, "en") == "13,000"
    assert decimals(0.05, 1, "nb") == "0,1"
    assert decimals(-0.04, 1, "nb") == "0,0"


def test_names_sort_with_ae_oe_aa_last() -> None:
    names = ["Åse", "Zara", "Østen", "Ærlend", "aase", "Anne", "Émile", "Erik", "Aasta", "anna"]
    assert sorted(names, key=sort_key) == [
        "anna",
        "Anne",
        "Émile",
        "Erik",
        "Zara",
        "Ærlend",
        "Østen",
        "aase",
        "Åse",
        "Aasta",
    ]
