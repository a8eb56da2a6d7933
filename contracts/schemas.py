"""The JSON Schemas of the events, for subscribers in every language.

Invariant: what is checked in under `contracts/schemas/` is what the models say (`python -m contracts.schemas --check`),
and a schema that has been published is only replaced by one that its readers can live with.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from contracts.compatibility import Shape, breaks, shape
from contracts.envelope import schema_file, schema_url
from contracts.event import Event
from contracts.glossary import GLOSSARY
from contracts.registry import BY_TYPE, source_of, topic_of

BASE_URL = "https://dugnad.example/schemas/"
"""The base of `$id` in the checked-in files; a deployment that serves them elsewhere says so in `ce_dataschema`."""

DIRECTORY = Path(__file__).parent / "schemas"
PUBLISHED = Path(__file__).parent / "published.json"
"""The shape of everything ever published, a line per field. A line that goes away breaks a reader, and
`--write` refuses to do that."""

Schema = dict[str, Any]


def schema_of(event: type[Event], base_url: str = BASE_URL) -> Schema:
    """The JSON Schema (2020-12) of an event's data. Unknown fields are allowed: readers ignore them."""
    generated = event.model_json_schema(mode="serialization")
    source = source_of(event)
    head = {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": schema_url(event.type_name(), base_url),
        "title": event.__name__,
        "description": generated.get("description", f"{event.__name__}, one fact; see the fields."),
        "x-type": event.type_name(),
        "x-source": source,
        "x-topic": topic_of(source),
        "x-subject": event.SUBJECT,
        "x-partition-key": event.PARTITION_KEY,
        **_object(generated),
    }
    parts = {name: _part(part) for name, part in sorted(generated.get("$defs", {}).items())}
    return {**head, "$defs": parts} if parts else head


def files() -> dict[str, str]:
    """Every schema file by its name, as it should be checked in."""
    return {schema_file(event.type_name()): _text(schema_of(event)) for event in BY_TYPE.values()}


def shapes() -> dict[str, Shape]:
    """The shape of every event today, by type."""
    return {event.type_name(): shape(schema_of(event)) for event in BY_TYPE.values()}


def published() -> dict[str, Shape]:
    """The shape of every event that has ever been published, by type."""
    return {name: Shape.from_json(found) for name, found in json.loads(PUBLISHED.read_text("utf-8")).items()}


def differences() -> Iterator[str]:
    """Where the checked-in files are not what the models say. A schema of an older version stays as it was."""
    kept = {schema_file(name) for name in published()}
    expected = {DIRECTORY / name: text for name, text in files().items()}
    expected[PUBLISHED] = _published_text({**published(), **shapes()})
    for path, text in sorted(expected.items()):
        if not path.exists():
            yield f"{path.name} is missing"
        elif path.read_text("utf-8") != text:
            yield f"{path.name} is not what the models say"
    for path in sorted(DIRECTORY.glob("*.json")):
        if path not in expected and path.name not in kept:
            yield f"{path.name} belongs to no event"


def write() -> list[str]:
    """Write the files of today; what would break a reader of what has been published, and then nothing is written."""
    broken = breaks(published(), shapes())
    if not broken:
        for name, text in files().items():
            (DIRECTORY / name).write_text(text, "utf-8")
        PUBLISHED.write_text(_published_text({**published(), **shapes()}), "utf-8")
    return broken


def main(arguments: Sequence[str]) -> int:
    """`--check` compares; `--write` writes what is new."""
    if list(arguments) == ["--check"]:
        found = list(differences())
    elif list(arguments) == ["--write"]:
        found = [f"{broken}. A breaking change is a new topic beside the old one." for broken in write()]
    else:
        print("usage: python -m contracts.schemas --check | --write", file=sys.stderr)
        return 2
    print("\n".join(found) or "schemas: as the models say", file=sys.stderr if found else sys.stdout)
    return 1 if found else 0


def _object(schema: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {name: _field(name, field) for name, field in schema["properties"].items()},
        "required": schema.get("required", []),
        "additionalProperties": True,
    }


def _part(schema: Schema) -> Schema:
    return {"title": schema["title"], "description": schema["description"], **_object(schema)}


def _field(name: str, field: Schema) -> Schema:
    described = {key: value for key, value in field.items() if key not in ("title", "description")}
    return {"description": field.get("description") or GLOSSARY[name], **described}


def _text(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _published_text(found: dict[str, Shape]) -> str:
    """JSON with a line per field, so that a change reads as one line in a review."""
    blocks = []
    for name in sorted(found):
        value = found[name].to_json()
        fields = ",\n".join(f"   {_line(path)}: {_line(held)}" for path, held in value["fields"].items())
        blocks.append(f' {_line(name)}: {{\n  "place": {_line(value["place"])},\n  "fields": {{\n{fields}\n  }}\n }}')
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
