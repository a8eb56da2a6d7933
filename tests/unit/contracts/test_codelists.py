"""Code lists are the files that the README vouches for, and answer without guessing."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from contracts import codelists
from contracts.codelists import country_group, current_municipalities

DIRECTORY = Path(codelists.__file__).parent / "codelists"
ROW = re.compile(
    r"^\| (?P<file>\w+\.csv) \| (?P<columns>[\w,]+) \| (?P<rows>\d+) \| (?P<sha256>[0-9a-f]{64}) \|$", re.M
)
LISTED = [match.groupdict() for match in ROW.finditer((DIRECTORY / "README.md").read_text("utf-8"))]


def test_the_readme_lists_every_file() -> None:
    assert sorted(listed["file"] for listed in LISTED) == sorted(path.name for path in DIRECTORY.glob("*.csv"))


@pytest.mark.parametrize("listed", LISTED, ids=lambda listed: listed["file"])
def test_a_file_has_the_checksum_columns_and_rows_of_the_readme(listed: dict[str, str]) -> None:
    content = (DIRECTORY / listed["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == listed["sha256"]
    header, *rows = content.decode("utf-8").splitlines()
    assert (header, len(rows)) == (listed["columns"], int(listed["rows"]))


def test_no_row_is_lost_to_a_code_that_comes_twice() -> None:
    assert len(codelists.occupations()) == 406
    assert len(codelists.occupation_groups()) == 173
    assert len(codelists.municipalities()) == 357
    assert len(codelists.countries()) == 249


def test_the_occupations_of_both_cases_are_there() -> None:
    assert codelists.occupations()["5223"].name_nb == "Butikkmedarbeidere"
    assert codelists.occupations()["2512"].name_nb == "Programvareutviklere"


def test_every_occupation_has_its_three_groups() -> None:
    for code in codelists.occupations():
        assert {code[:1], code[:2], code[:3]} <= set(codelists.occupation_groups())


def test_lier_is_found_by_its_number_of_any_year() -> None:
    assert current_municipalities("0626") == ("3312",)
    assert current_municipalities("3049") == ("3312",)
    assert current_municipalities("3312") == ("3312",)
    assert codelists.municipalities()["3312"] == ("3312", "Lier", "33", "Buskerud")


def test_a_divided_municipality_stands_for_each_part() -> None:
    assert current_municipalities("1850") == ("1806", "1875")


def test_a_number_that_never_was_a_municipality_stands_for_none() -> None:
    assert current_municipalities("9999") == ()
    assert current_municipalities("312") == ()


def test_every_number_since_1972_leads_to_a_municipality_of_today() -> None:
    lines = (DIRECTORY / "municipality_changes.csv").read_text("utf-8").splitlines()[1:]
    for old_code in {line.partition(",")[0] for line in lines}:
        found = current_municipalities(old_code)
        assert found
        assert set(found) <= set(codelists.municipalities())


def test_countries_are_in_group_one_group_two_or_unknown() -> None:
    assert country_group("SY") == 2
    assert country_group("GB") == country_group("NO") == country_group("US") == country_group("NZ") == 1
    assert country_group("XX") is None
    assert country_group("") is None
    assert country_group("sy") is None
    assert sum(country.group == 1 for country in codelists.countries().values()) == 36


def test_every_adaptation_stands_below_one_that_came_before_it() -> None:
    seen = {""}
    for adaptation in codelists.adaptations().values():
        assert adaptation.parent in seen, adaptation
        assert adaptation.name_nb
        assert adaptation.name_en
        seen.add(adaptation.code)


def test_a_heading_of_adaptations_stands_for_all_below_it() -> None:
    assert codelists.adaptations_within("place") >= {"place", "step_free_access", "lift"}
    assert codelists.adaptations_within("lift") == {"lift"}
    assert codelists.adaptations_within("sauna") == frozenset()


def test_a_version_of_adaptations_that_never_was_is_an_error() -> None:
    with pytest.raises(KeyError):
        codelists.adaptations("1999-01-01")


def test_skills_and_certificates_have_names_in_both_languages() -> None:
    for term in (*codelists.skills().values(), *codelists.certificates().values()):
        assert re.fullmatch(r"[a-z0-9_]+", term.code)
        assert term.name_nb
        assert term.name_en
