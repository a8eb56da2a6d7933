"""What a request may hold: the base of all request models and the types of their fields.

Invariant: what gets past a request model is NFC, trimmed, free of control characters, bounded, and of the stated JSON
type; an instant has an offset, a field that nobody knows is refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from chassis.clock import milliseconds

DEFAULT_TEXT_LENGTH = 200
NOTE_LENGTH = 2000
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
"""Days outside are slips of the keyboard, and would overflow where months are added."""
_LARGEST = 2**53 - 1

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII)
# Marks that turn the direction of what follows: a name with one shows other text as its own.
_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Multiline:
    """Put in `Annotated` to a text that may have several lines."""


Note = Annotated[str, Multiline(), Field(max_length=NOTE_LENGTH)]
"""Free text of several lines. About a person it belongs in the sealed part of an event."""
Line = Annotated[str, Field(max_length=DEFAULT_TEXT_LENGTH)]
Id = Annotated[str, Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$", max_length=26)]
"""A ULID as this system gives them."""
Occupation = Annotated[str, Field(pattern=r"^[0-9]{4}$", max_length=4)]
"""STYRK-08, four digits."""
Municipality = Annotated[str, Field(pattern=r"^[0-9]{4}$", max_length=4)]
"""Municipality number, four digits."""


def clean_text(text: str, *, multiline: bool = False) -> str:
    """The text in NFC without blanks around it. Raises PydanticCustomError for control characters."""
    if multiline:
        text = text.replace("\r\n", "\n")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        # A lone surrogate from a JSON escape: no database and no broker takes it.
        raise PydanticCustomError("control_character", "half a surrogate pair") from error
    text = unicodedata.normalize("NFC", text).strip()
    for sign in text:
        allowed = multiline and sign in "\n\t"
        if not allowed and (unicodedata.category(sign) in ("Cc", "Zl", "Zp") or sign in _DIRECTION):
            raise PydanticCustomError("control_character", "control characters are not allowed")
    return text


def _leaves(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _leaves(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _leaves(part)
    elif origin is Literal:
        yield from (type(value) for value in get_args(annotation))
    else:
        yield origin or annotation


def _has_marker(annotation: Any) -> bool:
    return any(isinstance(part, Multiline) or _has_marker(part) for part in get_args(annotation))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _number(value: Any) -> Any:
    # Lax validation takes "37.5" and true for numbers.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PydanticCustomError("not_a_number", "not a JSON number")
    if abs(value) > _LARGEST:
        raise PydanticCustomError("number_out_of_range", "beyond what JSON readers agree on")
    return value


def _day(value: Any) -> Any:
    # Lax validation takes seconds since 1970 and instants at midnight for dates.
    if isinstance(value, datetime) or not isinstance(value, date):
        if not isinstance(value, str) or not _DATE.fullmatch(value):
            raise PydanticCustomError("not_a_date", "not an ISO date")
        try:
            value = date.fromisoformat(value)
        except ValueError as error:
            raise PydanticCustomError("not_a_date", "no such day") from error
    if not FIRST_DAY <= value <= LAST_DAY:
        raise PydanticCustomError("date_out_of_range", "no plausible day")
    return value


def _instant(value: Any) -> Any:
    if not isinstance(value, datetime):
        if not isinstance(value, str) or not _INSTANT.fullmatch(value):
            raise PydanticCustomError("not_an_instant", "not an ISO instant")
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise PydanticCustomError("not_an_instant", "no such instant") from error
    if value.tzinfo is None:
        raise PydanticCustomError("offset_missing", "an instant needs an offset")
    if not FIRST_DAY <= value.date() <= LAST_DAY:
        raise PydanticCustomError("date_out_of_range", "no plausible day")
    return milliseconds(value)


def _truth(value: Any) -> Any:
    if not isinstance(value, bool):
        raise PydanticCustomError("not_a_boolean", "not true or false")
    return value


_CHECKS = (({int, float}, _number), ({date}, _day), ({datetime}, _instant), ({bool}, _truth))


@cache
def _checks(model: type[BaseModel]) -> dict[str, tuple[Any, bool]]:
    checks = {}
    for name, field in model.model_fields.items():
        kinds = set(_leaves(field.annotation)) - {NoneType}
        check = next((check for types, check in _CHECKS if kinds and kinds <= types), None)
        multiline = any(isinstance(part, Multiline) for part in field.metadata) or _has_marker(field.annotation)
        checks[name] = (check, multiline)
    return checks


class StrictModel(BaseModel):
    """The base of every request model and of every model nested in one.

    Fields are declared with plain types (`str`, `int`, `float`, `bool`, `date`, `datetime`, enums, tuples): numbers and
    booleans are not taken from text, dates are `YYYY-MM-DD`, instants carry an offset and arrive in UTC milliseconds.
    A text is 1 to 200 characters unless its type says otherwise (`Note`: several lines, 2,000).
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        str_min_length=1,
        str_max_length=DEFAULT_TEXT_LENGTH,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for name, field in cls.model_fields.items():
            for nested in _models(field.annotation):
                if not issubclass(nested, StrictModel):
                    # A nested event value would let unknown fields through.
                    raise TypeError(f"{cls.__name__}.{name}: {nested.__name__} must be a StrictModel")

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any, info: ValidationInfo) -> Any:
        check, multiline = _checks(cls)[str(info.field_name)]
        if isinstance(value, str):
            value = clean_text(value, multiline=multiline)
        elif isinstance(value, (list, tuple)):
            value = [clean_text(item, multiline=multiline) if isinstance(item, str) else item for item in value]
        return value if check is None or value is None else check(value)
