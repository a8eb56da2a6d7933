"""`asyncapi.yaml` says what the code does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from contracts import envelope
from contracts.registry import BY_TYPE, SOURCES, class_of, topic_of
from contracts.schemas import published
from tests.unit.contracts.examples import EXAMPLES, record

CONTRACTS = Path(envelope.__file__).parent
# The file keeps to the JSON subset of YAML.
DOCUMENT: dict[str, Any] = json.loads((CONTRACTS / "asyncapi.yaml").read_text("utf-8"))
HEADERS = DOCUMENT["components"]["messageTraits"]["cloudEvent"]["headers"]


def follow(reference: dict[str, str]) -> Any:
    found: Any = DOCUMENT
    for name in reference["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


def test_every_source_has_a_channel_with_exactly_its_events() -> None:
    channels = {
        channel["address"]: {follow(message)["name"] for message in channel["messages"].values()}
        for channel in DOCUMENT["channels"].values()
    }
    # Older versions stay on the topic for ever, so they stay described.
    older = {name for name in published() if name not in BY_TYPE}
    described = {
        topic_of(source): {event.type_name() for event in events} | {name for name in older if class_of(name) in events}
        for source, events in SOURCES.items()
    }
    assert channels == described


def test_every_message_leads_to_the_checked_in_schema_of_its_type() -> None:
    for message in DOCUMENT["components"]["messages"].values():
        path = CONTRACTS / message["payload"]["schema"]["$ref"]
        assert json.loads(path.read_text("utf-8"))["x-type"] == message["name"]
        assert follow(message["traits"][0])["headers"] is HEADERS
    assert len(DOCUMENT["components"]["messages"]) == len(published())


def test_header_names_are_those_that_the_envelope_writes() -> None:
    assert set(HEADERS["required"]) == set(envelope.REQUIRED_HEADERS)
    assert set(HEADERS["properties"]) == {*envelope.REQUIRED_HEADERS, *envelope.OPTIONAL_HEADERS}
    written = [name for name, _ in record(EXAMPLES["dugnad.NeedRegistered.v2"]).headers]
    assert sorted(written) == sorted(HEADERS["properties"])


@pytest.mark.parametrize("type_name", sorted(EXAMPLES))
def test_the_headers_of_a_record_are_as_described(type_name: str) -> None:
    as_text = {name: raw.decode() for name, raw in record(EXAMPLES[type_name]).headers}
    Draft202012Validator(HEADERS).validate(as_text)


def test_every_channel_can_be_published_to_and_subscribed_to() -> None:
    pairs = {(operation["action"], operation["channel"]["$ref"]) for operation in DOCUMENT["operations"].values()}
    assert pairs == {(action, f"#/channels/{name}") for action in ("send", "receive") for name in DOCUMENT["channels"]}
