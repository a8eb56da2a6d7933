"""Schemas: checked in as the models say, valid, described, and never broken for a reader."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

from contracts import schemas
from contracts.compatibility import breaks, shape
from contracts.glossary import GLOSSARY
from contracts.registry import BY_TYPE
from tests.unit.contracts.examples import EXAMPLES, GOLDEN, golden_record

Schema = dict[str, Any]
NEED = "dugnad.NeedRegistered.v2"


def test_the_schemas_checked_in_are_what_the_models_say() -> None:
    assert list(schemas.differences()) == [], "run: python -m contracts.schemas --write"


def test_the_events_of_today_break_no_reader_of_those_published() -> None:
    assert breaks(schemas.published(), schemas.shapes()) == []


def test_everything_with_a_golden_file_has_been_published() -> None:
    assert {f"dugnad.{path.stem}" for path in GOLDEN.glob("*.json")} == set(schemas.published())


@pytest.mark.parametrize("path", sorted(schemas.DIRECTORY.glob("*.json")), ids=lambda path: path.stem)
def test_a_schema_is_valid_and_holds_for_its_golden_record(path: Path) -> None:
    schema = json.loads(path.read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    data = json.loads(golden_record(GOLDEN / path.name).value)
    validator.validate(data)
    validator.validate({**data, "a_field_of_tomorrow": 1})
    assert not validator.is_valid({})


def objects(schema: Schema) -> Iterator[Schema]:
    yield schema
    yield from schema.get("$defs", {}).values()


@pytest.mark.parametrize("event", BY_TYPE.values(), ids=BY_TYPE)
def test_every_field_is_described_and_unknown_ones_are_allowed(event: Any) -> None:
    for part in objects(schemas.schema_of(event)):
        assert part["additionalProperties"] is True
        assert part["description"]
        for name, field in part["properties"].items():
            assert field["description"].endswith((".", ")")), name


def test_the_glossary_has_no_word_that_no_event_uses() -> None:
    used = {
        name for event in BY_TYPE.values() for part in objects(schemas.schema_of(event)) for name in part["properties"]
    }
    assert set(GLOSSARY) <= used


def test_the_id_of_a_schema_follows_the_base_that_is_configured() -> None:
    found = schemas.schema_of(BY_TYPE[NEED], "https://events.example.org/v")
    assert found["$id"] == "https://events.example.org/v/NeedRegistered.v2.json"


def test_sealed_parts_and_times_are_in_no_schema() -> None:
    for event in BY_TYPE.values():
        assert not {"sealed", "occurred"} & set(schemas.schema_of(event)["properties"])


# Planted faults: each must be found, or the check above holds nothing.


def remove(schema: Schema) -> None:
    del schema["properties"]["hours_per_week"]
    schema["required"].remove("hours_per_week")


def rename(schema: Schema) -> None:
    schema["properties"]["hours_per_month"] = schema["properties"]["hours_per_week"]
    remove(schema)


def retype(schema: Schema) -> None:
    schema["properties"]["hours_per_week"]["type"] = "integer"


def make_nullable(schema: Schema) -> None:
    schema["properties"]["hours_per_week"] = {"anyOf": [{"type": "number"}, {"type": "null"}]}


def date_to_instant(schema: Schema) -> None:
    schema["properties"]["registered_on"]["format"] = "date-time"


def retype_items(schema: Schema) -> None:
    schema["properties"]["licences"]["items"] = {"type": "integer"}


def new_required(schema: Schema) -> None:
    schema["properties"]["colour"] = {"type": "string"}
    schema["required"].append("colour")


def become_required(schema: Schema) -> None:
    schema["required"].append("licences")


def change_default(schema: Schema) -> None:
    schema["properties"]["licences"]["default"] = ["B"]


def shrink_list(schema: Schema) -> None:
    schema["properties"]["intermediary"]["x-known-values"].remove("adult_education")


def shrink_list_in_a_part(schema: Schema) -> None:
    schema["$defs"]["LanguageLevels"]["properties"]["reading"]["anyOf"][0]["x-known-values"].remove("C2")


def remove_in_a_part(schema: Schema) -> None:
    del schema["$defs"]["LanguageLevels"]["properties"]["reading"]


def new_required_in_a_part(schema: Schema) -> None:
    schema["$defs"]["LanguageLevels"]["properties"]["singing"] = {"type": "string"}
    schema["$defs"]["LanguageLevels"]["required"] = ["singing"]


def move_case(schema: Schema) -> None:
    schema["x-partition-key"] = "employer:{org_number}"


def move_topic(schema: Schema) -> None:
    schema["x-topic"] = "dugnad.intake.v2"


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (remove, "hours_per_week was removed or renamed"),
        (rename, "hours_per_week was removed or renamed"),
        (retype, "hours_per_week was number and is integer"),
        (make_nullable, "hours_per_week was number and is number|null"),
        (date_to_instant, "registered_on was string:date and is string:date-time"),
        (retype_items, "licences was array of string and is array of integer"),
        (new_required, "colour is new and required"),
        (become_required, "licences has become required"),
        (change_default, 'licences had the default [] and has ["B"]'),
        (shrink_list, "intermediary has lost the known values adult_education"),
        (shrink_list_in_a_part, "language.reading has lost the known values C2"),
        (remove_in_a_part, "language.reading was removed or renamed"),
        (new_required_in_a_part, "language.singing is new and required"),
        (move_case, "partition-key was need:{need_id} and is employer:{org_number}"),
        (move_topic, "topic was dugnad.intake.v1 and is dugnad.intake.v2"),
    ],
)
def test_a_planted_fault_is_found(fault: Callable[[Schema], None], why: str) -> None:
    schema = copy.deepcopy(schemas.schema_of(BY_TYPE[NEED]))
    fault(schema)
    found = breaks(schemas.published(), {**schemas.shapes(), NEED: shape(schema)})
    assert any(line.startswith(f"{NEED}: {why}") for line in found), found


def test_an_event_that_is_gone_or_goes_back_a_version_is_found() -> None:
    published, today = schemas.published(), schemas.shapes()
    without = {name: found for name, found in today.items() if name != NEED}
    first = NEED.replace(".v2", ".v1")
    assert breaks(published, without) == [f"{each}: was published and is gone" for each in (first, NEED)]
    later = {**published, "dugnad.NeedRegistered.v3": published[NEED]}
    assert breaks(later, today) == ["dugnad.NeedRegistered.v3: was published, and only the older " + NEED + " is left"]


def allow_new_fields(schema: Schema) -> None:
    schema["properties"]["colour"] = {"type": "string", "default": "grey"}
    schema["properties"]["room"] = {"$ref": "#/$defs/Room", "default": {"floor": 0}}
    schema["$defs"]["Room"] = {"properties": {"floor": {"type": "integer"}}, "required": ["floor"]}
    schema["$defs"]["LanguageLevels"]["properties"]["singing"] = {"type": "string", "default": "A1"}
    schema["properties"]["intermediary"]["x-known-values"].append("county")
    schema["properties"]["hours_per_week"]["default"] = 37.5
    schema["required"].remove("hours_per_week")


def test_fields_with_defaults_and_longer_lists_break_nobody() -> None:
    schema = copy.deepcopy(schemas.schema_of(BY_TYPE[NEED]))
    allow_new_fields(schema)
    found = {**schemas.shapes(), NEED: shape(schema)}
    assert [line for line in breaks(schemas.published(), found) if "hours_per_week" not in line] == []


def test_a_newer_version_that_only_adds_takes_the_place_of_the_published_one() -> None:
    schema = copy.deepcopy(schemas.schema_of(BY_TYPE[NEED]))
    schema["properties"]["colour"] = {"type": "string", "default": "grey"}
    today = {name: found for name, found in schemas.shapes().items() if name != NEED}
    assert breaks(schemas.published(), {**today, "dugnad.NeedRegistered.v3": shape(schema)}) == []
    remove(schema)
    assert breaks(schemas.published(), {**today, "dugnad.NeedRegistered.v3": shape(schema)})


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checked-in files, copied to where a test may write."""
    directory = tmp_path / "schemas"
    directory.mkdir()
    for path in schemas.DIRECTORY.glob("*.json"):
        (directory / path.name).write_text(path.read_text("utf-8"), "utf-8")
    published = tmp_path / "published.json"
    published.write_text(schemas.PUBLISHED.read_text("utf-8"), "utf-8")
    monkeypatch.setattr(schemas, "DIRECTORY", directory)
    monkeypatch.setattr(schemas, "PUBLISHED", published)
    return tmp_path


def test_the_tool_writes_what_is_missing_and_names_what_is_strange(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "schemas" / "NeedRegistered.v2.json").unlink()
    (elsewhere / "schemas" / "Stranger.v1.json").write_text("{}", "utf-8")
    assert schemas.main(["--check"]) == 1
    assert "NeedRegistered.v2.json is missing\nStranger.v1.json belongs to no event" in capsys.readouterr().err
    (elsewhere / "schemas" / "Stranger.v1.json").unlink()
    assert schemas.main(["--write"]) == 0
    assert schemas.main(["--check"]) == 0
    assert schemas.main(["--frobnicate"]) == 2


def test_the_tool_writes_nothing_that_breaks_a_reader(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published = json.loads(schemas.PUBLISHED.read_text("utf-8"))
    published[NEED]["fields"]["colour"] = {"type": "string", "required": True}
    schemas.PUBLISHED.write_text(json.dumps(published), "utf-8")
    before = schemas.PUBLISHED.read_text("utf-8")
    assert schemas.main(["--write"]) == 1
    assert "colour was removed or renamed" in capsys.readouterr().err
    assert schemas.PUBLISHED.read_text("utf-8") == before


def test_examples_hold_every_field_so_that_golden_files_do() -> None:
    for type_name, event in EXAMPLES.items():
        assert set(event.data()) == set(schemas.schema_of(BY_TYPE[type_name])["properties"])
