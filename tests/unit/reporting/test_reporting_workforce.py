"""Shares and change of the work force: the figures of the known case, and what is unknown."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.projection import fold_all
from contracts import intake as it
from contracts.refused import Refused
from services.reporting.domain.rounding import median, relative_change, rounded, share
from services.reporting.domain.workforce import YearFigures, arbeidsstyrke
from services.reporting.views import workforce
from tests.gwt import records

ORG, OTHER = "315486892", "312345674"


def reported(year: int, head_count: int, immigrants: int | None, org: str = ORG, **more: int) -> it.WorkforceReported:
    return it.WorkforceReported(
        org_number=org,
        year=year,
        reported_on=date(2025, 1, 8),
        head_count=head_count,
        immigrant_background=immigrants,
        **more,
    )


def table_rows(*events: it.WorkforceReported, **chosen: Any) -> dict[tuple[int, str], dict[str, Any]]:
    documents = fold_all(workforce, records(it.SOURCE, events))
    table = arbeidsstyrke([YearFigures.of(document) for document in documents.values()], **chosen)
    return {(int(str(row["year"])), str(row["characteristic"])): dict(row) for row in table.rows}


KNOWN = (reported(2011, 13_000, 949), reported(2017, 14_000, 1_526, country_group_2=1_021))


def test_the_known_case_gives_the_known_shares() -> None:
    rows = table_rows(*KNOWN)
    first, last = rows[2011, "immigrant_background"], rows[2017, "immigrant_background"]
    assert (first["share"], first["share_change"]) == (Decimal("7.3"), None)
    assert last["share"] == Decimal("10.9")
    assert last["share_change"] == Decimal("49.3")
    assert last["number_change"] == Decimal("60.8")
    assert rows[2017, "country_group_2"]["share"] == Decimal("66.9")


def test_the_change_is_that_of_unrounded_shares() -> None:
    # 7.3 and 10.9 would give 49.3 by luck here; 1/300 and 2/300 rounded give 133.3 instead of 100.
    rows = table_rows(reported(2011, 300, 1), reported(2017, 300, 2))
    assert [rows[year, "immigrant_background"]["share"] for year in (2011, 2017)] == [Decimal("0.3"), Decimal("0.7")]
    assert rows[2017, "immigrant_background"]["share_change"] == Decimal("100.0")


def test_what_was_not_reported_is_unknown_and_never_zero() -> None:
    rows = table_rows(reported(2011, 13_000, None), reported(2017, 14_000, 1_526))
    assert rows[2011, "immigrant_background"]["share"] is None
    assert rows[2017, "immigrant_background"]["share_change"] is None
    assert rows[2017, "country_group_2"]["share"] is None


def test_no_share_of_nobody_and_no_change_from_none() -> None:
    rows = table_rows(reported(2011, 100, 0), reported(2017, 100, 5, country_group_2=5))
    assert rows[2011, "country_group_2"]["share"] is None
    assert rows[2017, "immigrant_background"]["share_change"] is None


def test_a_later_report_restates_the_year() -> None:
    rows = table_rows(*KNOWN, reported(2017, 14_000, 1_400))
    assert rows[2017, "immigrant_background"]["share"] == Decimal("10.0")


def test_the_base_year_can_be_chosen_and_earlier_years_have_no_change() -> None:
    rows = table_rows(*KNOWN, reported(2014, 13_500, 1_100), base_year=2014)
    assert rows[2011, "immigrant_background"]["share_change"] is None
    assert rows[2017, "immigrant_background"]["base_year"] == 2014


def test_a_base_year_that_nobody_reported_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        table_rows(*KNOWN, base_year=2012)
    assert refusal.value.code == "base_year_not_reported"


def test_employers_are_kept_apart() -> None:
    rows = table_rows(*KNOWN, reported(2016, 10, 1, OTHER), org_number=OTHER)
    assert {year for year, _ in rows} == {2016}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Fraction(1, 4), "0.3"),
        (Fraction(-1, 4), "-0.3"),
        (Fraction(1, 20), "0.1"),
        (Fraction(1, 21), "0.0"),
        (Fraction(100), "100.0"),
        (Fraction(9995, 100), "100.0"),
    ],
)
def test_half_is_rounded_away_from_zero(value: Fraction, shown: str) -> None:
    assert str(rounded(value)) == shown


@given(st.fractions(min_value=-1000, max_value=1000), st.integers(0, 4))
def test_rounding_is_never_off_by_more_than_half_a_step(value: Fraction, decimals: int) -> None:
    assert abs(Fraction(rounded(value, decimals)) - value) * 2 * 10**decimals <= 1


def test_the_median_of_an_even_number_lies_between_the_two_in_the_middle() -> None:
    assert median({28: 1, 21: 1}) == Fraction(49, 2)
    assert median({40: 1, 1: 1, 2: 1}) == 2
    assert median({21: 2, 28: 1, 40: 1}) == Fraction(49, 2)
    assert median({}) is None


def test_shares_and_changes_are_exact() -> None:
    assert share(1, 3) == Fraction(100, 3)
    assert relative_change(share(1526, 14000), share(949, 13000)) == 100 * (Fraction(1526 * 13000, 14000 * 949) - 1)
