"""Occupations are found as people type, in both languages, with and without Norwegian letters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codelists import occupations
from services.intake.occupations import search


def found(query: str) -> list[str]:
    return [each.code for each in search(query, 50)]


@pytest.mark.parametrize("query", ["butikkmedarb", "BUTIKKMEDARBEIDERE", "shop sales", "sales shop", "5223", "522"])
def test_the_florists_occupation_is_found(query: str) -> None:
    assert "5223" in found(query)


def test_a_code_is_found_alone_and_its_beginning_with_all_below_it() -> None:
    assert found("2512") == ["2512"]
    assert set(found("251")) == {code for code in occupations() if code.startswith("251")}


@pytest.mark.parametrize("query", ["sjåfør", "sjafør", "sjafor", "sjaafoer", "SJÅFØR", "sja\u030afør"])
def test_norwegian_letters_are_found_by_whoever_has_no_key_for_them(query: str) -> None:
    assert {"8331", "8332"} <= set(found(query))


def test_a_word_within_a_word_is_found_after_those_that_begin_so() -> None:
    sellers = found("selger")
    assert sellers[0] == "3322"
    assert "5230" in sellers[1:]


@pytest.mark.parametrize(
    "query", ["butikmedarb", "butikkmedarbiedere", "buttikkmedarbeider", "butikkmedarbedere", "5223 butikmedarb"]
)
def test_a_slip_of_the_hand_finds_what_was_meant(query: str) -> None:
    assert "5223" in found(query)
    assert len(found(query)) < 5


def test_what_is_written_rightly_is_not_mixed_with_what_is_nearly_so() -> None:
    assert found("selgere") == [code for code in found("selgere") if "selger" in occupations()[code].name_nb.lower()]
    assert found("kokk") == [code for code in found("kokk") if "kokk" in occupations()[code].name_nb.lower()]


@pytest.mark.parametrize("query", ["", " ", "--", "trollmann", "butikk trollmann", "(", ".*"])
def test_what_fits_nothing_finds_nothing(query: str) -> None:
    assert found(query) == []


@given(st.sampled_from(sorted(occupations())), st.integers(3, 12), st.booleans())
def test_every_occupation_is_found_by_the_beginning_of_its_name(code: str, letters: int, english: bool) -> None:
    name = (occupations()[code].name_en if english else "") or occupations()[code].name_nb
    assert code in [each.code for each in search(name[:letters], len(occupations()))]


@given(st.text(max_size=100), st.integers(1, 50))
def test_any_text_is_a_query_and_the_limit_holds(query: str, limit: int) -> None:
    listed = search(query, limit)
    assert len(listed) <= limit
    assert len({each.code for each in listed}) == len(listed)
