"""The scenario files hold the facts of the two cases, and what they lead to is consistent in itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.issuer import PERSONAS
from contracts import nationalids, orgnumbers
from contracts.codelists import municipalities, occupations
from contracts.days import OSLO, last_day, promise_date
from contracts.registry import BY_TYPE
from deploy.local.demo import TABLES, render
from deploy.local.player_scenario import NAMES, Scenario, Step, expected, filled, in_time_order, load, pointed
from deploy.local.processes import LocalFault

CASES = {scenario.name: scenario for scenario in load()}


def step(case: str, step_id: str) -> Step:
    return next(step for step in CASES[case].steps if step.id == step_id)


def bodies() -> Iterator[tuple[str, Any]]:
    def walk(name: str, value: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(value, dict):
            for key, part in value.items():
                yield from walk(key, part)
        elif isinstance(value, list):
            for part in value:
                yield from walk(name, part)
        else:
            yield name, value

    for scenario in CASES.values():
        for each in scenario.steps:
            yield from walk("", each.body)


def test_numbers_of_people_and_places_are_valid_and_people_are_synthetic() -> None:
    for name, value in bodies():
        if name == "national_id":
            found = nationalids.parse(value)
            assert found is not None
            assert found.synthetic
            assert found.first_control_digit_valid
            assert 81 <= int(value[2:4]) <= 92
        elif name in ("occupation", "wished_occupations"):
            assert value in occupations()
        elif name == "municipality":
            assert value in municipalities()
    document: Any = expected()
    for row in document["tables"]["arbeidsstyrke"]["rows"]:
        assert orgnumbers.is_valid(row["org_number"], synthetic_allowed=True)


def test_every_persona_exists() -> None:
    for _, each in in_time_order(list(CASES.values())):
        for persona in (each.persona, *(until.persona for until in each.until)):
            assert persona.partition(":")[0] in PERSONAS


def test_lier_is_told_with_its_dates() -> None:
    need = step("lier", "need")
    assert need.at == datetime(2025, 1, 13, 10, tzinfo=OSLO)
    assert (need.body["occupation"], need.body["municipality"]) == ("5223", "3312")
    assert (need.body["slots"], need.body["intermediary"]) == (1, "refugee_service")
    assert step("lier", "start").body["on"] == "2025-02-03"
    assert date(2025, 2, 3) - date(2025, 1, 13) == timedelta(days=21)
    assert step("lier", "draft").body["end_on"] == last_day(date(2025, 2, 3), 3).isoformat() == "2025-05-02"
    assert sum(each.id.startswith("check-in") for each in CASES["lier"].steps) == 2
    closing = step("lier", "close").body
    assert (closing["on"], closing["outcome"]) == ("2025-05-02", "hired")


def test_nav_is_told_with_its_dates() -> None:
    need = step("nav", "need")
    assert need.at.astimezone(OSLO).date() == date(2025, 11, 3)
    assert (need.body["occupation"], need.body["slots"], need.body["intermediary"]) == ("2512", 1, "nav")
    for candidate in "ab":
        course = step("nav", f"qualify-{candidate}").body
        assert (course["started_on"], course["completed_on"]) == ("2025-09-01", "2025-11-30")
        assert step("nav", f"interview-{candidate}").body["held_on"] == "2025-11-12"
    assert step("nav", "confirm").at.date() == date(2025, 11, 14)
    assert step("nav", "start").body["on"] == promise_date(date(2025, 11, 3)).isoformat() == "2025-12-01"
    draft = step("nav", "draft").body
    assert (draft["end_on"], draft["wage_subsidy_percent"]) == ("2026-05-31", 40)
    assert draft["end_on"] == last_day(date(2025, 12, 1), 6).isoformat()
    extension = step("nav", "extend")
    assert extension.at.date() == date(2026, 5, 18)
    assert (extension.body["end_on"], extension.body["wage_subsidy_percent"]) == ("2026-11-30", 30)


def test_the_workforce_is_told_with_its_counts() -> None:
    counts = {each.body["year"]: each.body for each in CASES["workforce"].steps}
    assert (counts[2011]["head_count"], counts[2011]["immigrant_background"]) == (13_000, 949)
    assert (counts[2017]["head_count"], counts[2017]["immigrant_background"]) == (14_000, 1_526)
    assert counts[2017]["country_group_2"] == 1_021


def test_what_is_expected_names_real_events_and_days_in_order() -> None:
    journeys: Any = expected()["journeys"]
    assert journeys.keys() == set(NAMES)
    known = {event.__name__ for event in BY_TYPE.values()}
    for case, told in journeys.items():
        assert told.keys() == CASES[case].journeys.keys()
        for lines in told.values():
            assert {line.split()[1] for line in lines} <= known
            assert [line.split()[0] for line in lines] == sorted(line.split()[0] for line in lines)


def test_what_is_expected_can_be_printed_in_norwegian() -> None:
    document: Any = expected()
    assert tuple(document["tables"]) == TABLES
    text = render(document)
    assert "10,9\u00a0%" in text
    assert "+49,3\u00a0%" in text
    assert "66,9\u00a0%" in text
    assert "24,5 dager" in text
    assert "3. februar 2025     DeadlineApproaching, TrialStarted, TaskCompleted" in text


def test_steps_of_all_cases_are_one_history() -> None:
    times = [each.at for _, each in in_time_order(list(CASES.values()))]
    assert times == sorted(times)
    keys = [f"{scenario.name}/{each.id}" for scenario, each in in_time_order(list(CASES.values()))]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Invalid JSON"),
        ('{"name": "x", "title": "x", "steps": [{"id": "a"}]}', "steps/0/at"),
        ('{"name": "x", "title": "x", "steps": [], "colour": 1}', "colour"),
    ],
)
def test_a_file_that_is_no_scenario_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(LocalFault) as fault:
        load(["x"], tmp_path)
    assert said in fault.value.message
    assert "\n" not in fault.value.message


def test_a_missing_scenario_and_steps_that_go_back_in_time_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalFault, match=r"lier\.json is missing"):
        load(["lier"], tmp_path)
    lier = json.loads(CASES["lier"].model_dump_json())
    lier["steps"].reverse()
    with pytest.raises(ValueError, match="forward in time"):
        Scenario.model_validate(lier)


def test_names_are_put_in_wherever_they_stand() -> None:
    assert filled({"a": ["{x}", 1, None, {"b": "x{x}"}]}, {"x": "1"}) == {"a": ["1", 1, None, {"b": "x1"}]}
    assert pointed({"slot_ids": ["S1"]}, "/slot_ids/0") == "S1"
    for pointer in ("/nothing", "/slot_ids/x", "/slot_ids/0/deeper"):
        with pytest.raises(LookupError):
            pointed({"slot_ids": ["S1"]}, pointer)
