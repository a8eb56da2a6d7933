"""What may change in an event that has been published.

Invariant: fields are only added, with defaults; none is removed, renamed, given another type, default or unit; closed
lists only grow; subject, partition key, source and topic of a type never change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class FieldShape:
    """What a reader relies on in one field. A unit is part of the name (`hours_per_week`), so it is held too."""

    type: str
    """JSON type and format, alternatives in a fixed order: `string:date|null`."""
    required: bool
    default: str | None = None
    """As JSON text; None where there is none."""
    known_values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shape:
    """What a reader relies on in one event type. Fields by path: `language.speaking`, `reasons[].code`."""

    place: Mapping[str, str] = field(default_factory=dict)
    """Source, topic, subject and partition key."""
    fields: Mapping[str, FieldShape] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        listed = {
            path: {
                "type": found.type,
                **({"required": True} if found.required else {}),
                **({} if found.default is None else {"default": found.default}),
                **({"known_values": list(found.known_values)} if found.known_values else {}),
            }
            for path, found in self.fields.items()
        }
        return {"place": dict(self.place), "fields": listed}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Shape:
        """The shape again."""
        listed = {
            path: FieldShape(
                type=found["type"],
                required=found.get("required", False),
                default=found.get("default"),
                known_values=tuple(found.get("known_values", ())),
            )
            for path, found in value["fields"].items()
        }
        return cls(place=value["place"], fields=listed)


def shape(schema: Schema) -> Shape:
    """The shape of a schema as `contracts.schemas` makes them."""
    place = {name: schema[f"x-{name}"] for name in ("source", "topic", "subject", "partition-key")}
    return Shape(place=place, fields=dict(_fields(schema, schema.get("$defs", {}), prefix="")))


def breaks(published: Mapping[str, Shape], proposed: Mapping[str, Shape]) -> list[str]:
    """Every way in which the proposed events would break a reader of the published ones; empty when they are fine.

    A published type may be followed by a newer version of the same name, which then has to be compatible with it.
    """
    found: list[str] = []
    newest = {_name(type_name): type_name for type_name in sorted(proposed, key=_version)}
    for type_name, old in sorted(published.items()):
        current = type_name if type_name in proposed else newest.get(_name(type_name))
        if current is None:
            found.append(f"{type_name}: was published and is gone")
        elif _version(current) < _version(type_name):
            found.append(f"{type_name}: was published, and only the older {current} is left")
        else:
            found.extend(f"{type_name}: {why}" for why in _breaks(old, proposed[current]))
    return found


def _breaks(old: Shape, new: Shape) -> Iterator[str]:
    for name, value in old.place.items():
        if new.place.get(name) != value:
            yield f"{name} was {value} and is {new.place.get(name)}"
    for path, was in old.fields.items():
        now = new.fields.get(path)
        if now is None:
            yield f"{path} was removed or renamed"
            continue
        if now.type != was.type:
            yield f"{path} was {was.type} and is {now.type}"
        if now.required and not was.required:
            yield f"{path} has become required, which older events may not have"
        if not was.required and now.default != was.default:
            yield f"{path} had the default {was.default} and has {now.default}: older events would change their meaning"
        if gone := [value for value in was.known_values if value not in now.known_values]:
            yield f"{path} has lost the known values {', '.join(gone)}"
    for path, now in new.fields.items():
        # A required field inside a new optional part is fine: whoever writes the part writes the field.
        if path not in old.fields and now.required and not _inside_new(path, old):
            yield f"{path} is new and required, which older events do not have: give it a default"


def _inside_new(path: str, old: Shape) -> bool:
    parent, dot, _ = path.rpartition(".")
    parent = parent.removesuffix("[]")
    return bool(dot) and parent not in old.fields


def _fields(schema: Schema, parts: Schema, prefix: str) -> Iterator[tuple[str, FieldShape]]:
    required = set(schema.get("required", ()))
    for name, found in schema["properties"].items():
        path = f"{prefix}{name}"
        # The default of a part is made of its fields' defaults, which are held one by one.
        default = _json(found["default"]) if "default" in found and "$ref" not in found else None
        known = tuple(sorted(_known(found)))
        yield path, FieldShape(_type(found), required=name in required, default=default, known_values=known)
        yield from _inner(found, parts, path)


def _inner(found: Schema, parts: Schema, path: str) -> Iterator[tuple[str, FieldShape]]:
    for option in _options(found):
        if "$ref" in option:
            yield from _fields(parts[option["$ref"].rpartition("/")[2]], parts, f"{path}.")
        elif "items" in option:
            yield from _inner(option["items"], parts, f"{path}[]")


def _options(found: Schema) -> tuple[Schema, ...]:
    return tuple(found.get("anyOf", (found,)))


def _type(found: Schema) -> str:
    names = []
    for option in _options(found):
        if "$ref" in option:
            names.append("object")
        elif "items" in option:
            names.append(f"array of {_type(option['items'])}")
        else:
            names.append(":".join(filter(None, (option.get("type", "any"), option.get("format")))))
    return "|".join(sorted(names, key=lambda name: (name == "null", name)))


def _known(found: Schema) -> Iterator[str]:
    for option in _options(found):
        yield from option.get("x-known-values", ())
        if "items" in option:
            yield from _known(option["items"])


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _name(type_name: str) -> str:
    return type_name.rpartition(".v")[0]


def _version(type_name: str) -> int:
    match = re.search(r"\.v(\d+)$", type_name)
    return int(match[1]) if match else 0
