"""An employer reports how many people of which groups work there in a year."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from contracts.intake import WorkforceReported
from services.intake.domain.workforce import ReportWorkforce, Workforce, decide, evolve
from tests.gwt import given

AT = datetime(2025, 1, 10, 9, 0, tzinfo=UTC)
REPORT = ReportWorkforce(
    org_number="310000019",
    year=2017,
    head_count=14000,
    immigrant_background=1526,
    country_group_1=505,
    country_group_2=1021,
    reduced_functional_ability=None,
    cv_gap=0,
    at=AT,
    synthetic=True,
)
REPORTED = WorkforceReported(
    org_number="310000019",
    year=2017,
    reported_on=date(2025, 1, 10),
    head_count=14000,
    immigrant_background=1526,
    country_group_1=505,
    country_group_2=1021,
    reduced_functional_ability=None,
    cv_gap=0,
)


def test_the_figures_of_a_year_are_recorded_and_unknown_stays_unknown() -> None:
    given(evolve, Workforce()).when(decide, REPORT).then(REPORTED)


def test_a_later_report_restates_the_year() -> None:
    restated = given(evolve, Workforce(), [REPORTED]).when(decide, replace(REPORT, head_count=14100))
    restated.then(REPORTED.model_copy(update={"head_count": 14100}))
    assert given(evolve, Workforce(REPORTED), restated.events).state.current == restated.events[0]


def test_a_report_may_hold_nothing_but_the_head_count() -> None:
    command = ReportWorkforce(org_number="310000019", year=2025, head_count=1, at=AT, synthetic=True)
    assert given(evolve, Workforce()).when(decide, command).refusal is None


@pytest.mark.parametrize(
    ("change", "code", "fields"),
    [
        ({"org_number": "310000018"}, "org_number_invalid", ["/org_number"]),
        ({"synthetic": False}, "org_number_invalid", ["/org_number"]),
        ({"year": 2026}, "year_in_future", ["/year"]),
        ({"year": 1989}, "year_too_early", ["/year"]),
        ({"head_count": 0}, "head_count_out_of_range", ["/head_count"]),
        ({"cv_gap": -1}, "count_negative", ["/cv_gap"]),
        ({"cv_gap": 14001}, "count_above_head_count", ["/cv_gap"]),
        (
            {"head_count": 1000},
            "count_above_head_count",
            ["/immigrant_background", "/country_group_2"],
        ),
        ({"country_group_1": 506}, "groups_above_total", ["/country_group_1", "/country_group_2"]),
        ({"country_group_1": None, "country_group_2": 1527}, "groups_above_total", ["/country_group_2"]),
        ({"immigrant_background": None}, "total_needed_for_groups", ["/immigrant_background"]),
    ],
)
def test_a_wrong_count_is_named(change: dict[str, object], code: str, fields: list[str]) -> None:
    command = replace(REPORT, **change)  # type: ignore[arg-type]
    given(evolve, Workforce()).when(decide, command).then_refused(code, fields, status=422)


def test_people_of_unknown_country_group_may_remain() -> None:
    assert given(evolve, Workforce()).when(decide, replace(REPORT, country_group_1=500)).refusal is None


def test_the_year_of_new_years_eve_in_utc_is_the_one_in_oslo() -> None:
    midnight = datetime(2025, 12, 31, 23, 30, tzinfo=UTC)
    assert given(evolve, Workforce()).when(decide, replace(REPORT, year=2026, at=midnight)).refusal is None
