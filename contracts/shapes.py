"""What an event's data may be, field by field, for readers that are not written in Python.

Invariant: whatever is of this shape, `contracts.parsing` reads; a class of which types do not say all has none.
"""

from __future__ import annotations

from datetime import date
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from contracts.event import Event
from contracts.parsing import Unknown, resolved_fields

Shape = dict[str, Any]
"""`name`, `kind` (text, integer, number, boolean, day, object, list), `optional`, `of`: fields, or what an item is."""

_KINDS: dict[Any, str] = {str: "text", int: "integer", float: "number", bool: "boolean", date: "day"}


def shapes_of(known: type[Event]) -> list[Shape] | None:
    """The fields of an event's data in the order in which they are written; None where types do not say all."""
    try:
        return _fields(known)
    except Unknown:
        return None


def _fields(model: type[BaseModel]) -> list[Shape]:
    return [{"name": name, **_shape(type_)} for name, type_ in resolved_fields(model).items()]


def _shape(type_: Any) -> Shape:
    if get_origin(type_) is tuple:
        return {"kind": "list", "of": [_shape(get_args(type_)[0])]}
    if type(None) in (of := get_args(type_)):
        return {**_shape(of[0]), "optional": True}
    if isinstance(type_, type) and issubclass(type_, BaseModel):
        return {"kind": "object", "of": _fields(type_)}
    return {"kind": _KINDS[of[0] if of else type_]}
