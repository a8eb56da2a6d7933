"""An event from its JSON in one step, where the class says no more than types.

Invariant: whatever is read here, validation reads into an equal event; whatever is refused here, validation decides.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from typing import Annotated, Any, TypedDict, TypeVar, Union, cast, get_args, get_origin

import msgspec
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from contracts.event import Event

E = TypeVar("E", bound=Event)

_OF_THE_ENVELOPE = ("sealed", "occurred")
# Beyond these, one parser gives an int and the other a float.
_INT = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_PLAIN: dict[Any, Any] = {str: str, int: _INT, float: float, bool: bool, date: date, type(None): None}


class Unknown(Exception):
    """A type that only validation knows all about."""


Parser = Callable[[bytes, datetime], Event | None]
SlimParser = Callable[[bytes, datetime], msgspec.Struct | None]


def parse(known: type[E], data: bytes, occurred: datetime) -> E | None:
    """The event that these data of its current version say; None where validation must look at them. Never raises."""
    parser = parser_of(known)
    event: Any = None if parser is None else parser(data, occurred)
    return cast(E | None, event)


@cache
def parser_of(known: type[Event]) -> Parser | None:
    """`parse` for one class, in a third of validation's time; None where validation does more than compare types."""
    try:
        fields, types_ = _fields(known), resolved_fields(known)
        required = {name: types_[name] for name, each in fields.items() if each.is_required()}
        others = {name: types_[name] for name, each in fields.items() if not each.is_required()}
    except Unknown:
        return None
    base = TypedDict("base", required)  # type: ignore[misc]  # made from the class's fields
    shape = types.new_class(known.__name__, (base,), {"total": False}, lambda body: body.update(__annotations__=others))
    decoder: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(shape, dec_hook=_nested)
    blank = {name: None if each.is_required() else each.default for name, each in known.model_fields.items()}
    return _parser(known, decoder.decode, blank)


def _parser(known: type[Event], decode: Callable[[bytes], dict[str, Any]], blank: dict[str, Any]) -> Parser:
    new, setting, names = known.__new__, object.__setattr__, set(blank)

    def parsed(data: bytes, occurred: datetime) -> Event | None:
        try:
            # All fields in their order, with their defaults.
            fields = {**blank, **decode(data)}
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        fields["occurred"] = occurred
        event = new(known)
        # As `model_construct` does, with fields that have been checked.
        setting(event, "__dict__", fields)
        setting(event, "__pydantic_fields_set__", names)
        setting(event, "__pydantic_extra__", None)
        setting(event, "__pydantic_private__", None)
        return event

    return parsed


@cache
def slim_parser_of(known: type[Event]) -> SlimParser | None:
    """The same in half of that time, into a struct with the event's fields in place of the event.

    For whoever looks at fields and at nothing else: a struct has no methods, and is of no class of the contracts.
    """
    try:
        decode = msgspec.json.Decoder(_struct(known)).decode
    except Unknown:
        return None

    def parsed(data: bytes, _: datetime) -> msgspec.Struct | None:
        try:
            return decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None

    return parsed


def _struct(model: type[BaseModel]) -> type[msgspec.Struct]:
    fields = [
        (name, type_) if each.is_required() else (name, type_, each.default)
        for name, each in _fields(model).items()
        for type_ in (_type(each.annotation, _struct),)
    ]
    # Nothing in one refers back to it: the garbage collector need not look at them.
    return msgspec.defstruct(model.__name__, fields, frozen=True, kw_only=True, gc=False)


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The public ones. Raises Unknown where something more than their types is looked at."""
    decorated = model.__pydantic_decorators__
    if decorated.field_validators or decorated.model_validators or decorated.root_validators or decorated.validators:
        raise Unknown
    fields = {name: field for name, field in model.model_fields.items() if name not in _OF_THE_ENVELOPE}
    if any(field.metadata or field.default_factory or field.alias for field in fields.values()):
        raise Unknown
    return fields


def resolved_fields(model: type[BaseModel]) -> dict[str, Any]:
    """The type of each public field of an event or of a value in one, in their order. Raises Unknown."""
    return {name: _type(each.annotation, _model) for name, each in _fields(model).items()}


def _model(model: type[BaseModel]) -> type[BaseModel]:
    return model


def _type(annotation: Any, nested: Callable[[type[BaseModel]], type]) -> Any:
    """What the parser makes of a type; `nested`, of a class of values."""
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return nested(annotation)
    origin, of = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        if all(isinstance(each, FieldInfo) and not each.metadata for each in of[1:]):
            return _type(of[0], nested)
    elif origin is tuple and len(of) == 2 and of[1] is Ellipsis:
        return tuple[_type(of[0], nested), ...]  # type: ignore[misc]  # made from the class's fields
    elif origin in (Union, types.UnionType) and len(of) == 2 and type(None) in of:
        return _type(of[0] if of[1] is type(None) else of[1], nested) | None
    raise Unknown


def _nested(of: type[BaseModel], value: Any) -> BaseModel:
    return of.model_validate(value)
