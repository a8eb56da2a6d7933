"""What is wrong with the fields of a request, in codes of our own.

Invariant: the codes of field errors do not change with the validation library; nothing that was sent is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Found:
    """One field that is wrong: a JSON pointer into the body, or the name of a query parameter or header.

    `code` has a sentence `field.<code>` in the catalogue.
    """

    pointer: str
    code: str
    params: Mapping[str, object] = field(default_factory=dict)
    parameter: str | None = None


_CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "string_type": "not_text",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
    "string_pattern_mismatch": "wrong_format",
    "string_unicode": "control_character",
    "int_type": "not_a_number",
    "int_parsing": "not_a_number",
    "int_parsing_size": "number_out_of_range",
    "int_from_float": "not_whole",
    "float_type": "not_a_number",
    "float_parsing": "not_a_number",
    "finite_number": "not_a_number",
    "decimal_type": "not_a_number",
    "decimal_parsing": "not_a_number",
    "bool_type": "not_a_boolean",
    "bool_parsing": "not_a_boolean",
    "date_type": "not_a_date",
    "date_parsing": "not_a_date",
    "date_from_datetime_parsing": "not_a_date",
    "date_from_datetime_inexact": "not_a_date",
    "datetime_type": "not_an_instant",
    "datetime_parsing": "not_an_instant",
    "datetime_from_date_parsing": "not_an_instant",
    "timezone_aware": "offset_missing",
    "greater_than": "more_than",
    "greater_than_equal": "at_least",
    "less_than": "less_than",
    "less_than_equal": "at_most",
    "too_long": "too_many",
    "too_short": "too_few",
    "enum": "not_in_list",
    "literal_error": "not_in_list",
    "list_type": "not_a_list",
    "tuple_type": "not_a_list",
    "set_type": "not_a_list",
    "frozen_set_type": "not_a_list",
    "dict_type": "not_an_object",
    "model_type": "not_an_object",
    "model_attributes_type": "not_an_object",
    "none_required": "unknown_field",
}
_PARAMS = {
    "too_short": {"min_length": "least"},
    "too_long": {"max_length": "most"},
    "too_few": {"min_length": "least"},
    "too_many": {"max_length": "most"},
    "more_than": {"gt": "least"},
    "at_least": {"ge": "least"},
    "less_than": {"lt": "most"},
    "at_most": {"le": "most"},
}
_OURS = re.compile(r"[a-z][a-z0-9_]{1,60}")
_LIBRARY_ONLY = frozenset({"value_error", "assertion_error"})


def pointer(path: Iterable[object]) -> str:
    """RFC 6901: `/slots/0/start_on`."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def found_in(errors: Sequence[Mapping[str, Any]]) -> tuple[Found, ...]:
    """Field errors of the validation library, translated."""
    return tuple(_found(error) for error in errors)


def _found(error: Mapping[str, Any]) -> Found:
    kind: str = error["type"]
    context: Mapping[str, Any] = error.get("ctx") or {}
    code = _CODES.get(kind)
    params: dict[str, object] = {}
    if code is None:
        # A validator of ours names its own code (PydanticCustomError); what only the library knows is "invalid".
        code = kind if _OURS.fullmatch(kind) and kind not in _LIBRARY_ONLY else "invalid"
        params = dict(context)
    elif code == "not_in_list":
        params = {"expected": str(context["expected"]).replace("'", "").replace(" or ", ", ")}
    else:
        params = {ours: _plain(context[theirs]) for theirs, ours in _PARAMS.get(code, {}).items()}
    place, *path = error["loc"] or ("body",)
    if place == "body":
        return Found(pointer(path), code, params)
    return Found("", code, params, parameter=str(path[0]) if path else str(place))


def _plain(value: Any) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
