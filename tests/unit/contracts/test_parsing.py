"""Events and headers that are read in one step are what the long way makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from contracts.arrivals import arrived
from contracts.envelope import Headers, Undecodable, decode
from contracts.event import Event
from contracts.parsing import Parser, SlimParser, parse, parser_of, slim_parser_of
from contracts.registry import BY_TYPE
from contracts.upcasters import upcast
from tests.unit.contracts.examples import EXAMPLES, GOLDEN, OCCURRED, golden_record, record, spoilt

NEED = "dugnad.NeedRegistered.v2"
DAYS = st.dates().map(str)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text() | DAYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


PARSERS = {each: parser_of(each) for each in BY_TYPE.values()}
SLIM_PARSERS = {each: slim_parser_of(each) for each in BY_TYPE.values()}


def validated(known: type[Event], data: bytes) -> Event | None:
    try:
        return known.from_data(upcast(known.type_name(), msgspec.json.decode(data)), occurred=OCCURRED)
    except (ValidationError, TypeError, msgspec.DecodeError):
        return None


@pytest.mark.parametrize("type_name", sorted(EXAMPLES))
def test_every_event_of_the_contracts_is_read_in_one_step(type_name: str) -> None:
    known = BY_TYPE[type_name]
    data = record(EXAMPLES[type_name]).value
    parsed, expected = parse(known, data, OCCURRED), validated(known, data)
    assert parsed is not None, "validation had to look at it"
    assert parsed == expected == EXAMPLES[type_name].model_copy(update={"sealed": None})
    # Documents take fields over in this order.
    assert list(parsed.data().items()) == list(EXAMPLES[type_name].data().items())
    assert parsed.model_copy(update={"occurred": None}).occurred is None


@given(type_name=st.sampled_from(sorted(EXAMPLES)), value=JSON, which=st.integers(0, 30), drop=st.booleans())
def test_what_is_read_in_one_step_validation_reads_alike(type_name: str, value: Any, which: int, *, drop: bool) -> None:
    known, data = BY_TYPE[type_name], EXAMPLES[type_name].data()
    names = [*data, "unknown", "sealed", "occurred"]
    name = names[which % len(names)]
    data[name] = value
    if drop:
        del data[name]
    written = msgspec.json.encode(data)
    parsed = parse(known, written, OCCURRED)
    assert parsed is None or parsed == validated(known, written)


def fields_of(value: Any) -> Any:
    """An event or a struct, and what it holds, as plain values."""
    if isinstance(value, BaseModel):
        return {name: fields_of(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, msgspec.Struct):
        return {name: fields_of(getattr(value, name)) for name in value.__struct_fields__}
    return tuple(map(fields_of, value)) if isinstance(value, tuple) else value


@given(type_name=st.sampled_from(sorted(EXAMPLES)), value=JSON, which=st.integers(0, 30), drop=st.booleans())
def test_a_struct_has_the_fields_of_the_event_and_takes_nothing_that_validation_refuses(
    type_name: str, value: Any, which: int, *, drop: bool
) -> None:
    known, data = BY_TYPE[type_name], EXAMPLES[type_name].data()
    name = [*data, "unknown"][which % (len(data) + 1)]
    data[name] = value
    if drop:
        del data[name]
    written = msgspec.json.encode(data)
    parser, event = slim_parser_of(known), validated(known, written)
    assert parser is not None
    struct = parser(written, OCCURRED)
    if struct is None:
        assert event is None or parse(known, written, OCCURRED) is None, "a struct is refused no more than an event"
    else:
        assert event is not None
        assert {**fields_of(struct), "sealed": None, "occurred": OCCURRED} == fields_of(event)


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b'{"need_id": NaN}', b"\xff", b'{"a":' * 5_000])
def test_what_is_no_event_is_left_to_validation(data: bytes) -> None:
    assert parse(BY_TYPE[NEED], data, OCCURRED) is None


def test_a_class_whose_fields_say_more_than_their_types_is_left_to_validation() -> None:
    class Narrow(Event):
        count: int = Field(ge=1)

    assert parser_of(Narrow) is None
    assert slim_parser_of(Narrow) is None


@pytest.mark.parametrize("type_name", sorted(EXAMPLES))
def test_headers_as_relays_write_them_are_read_in_one_step(type_name: str) -> None:
    found, expected = arrived(*record(EXAMPLES[type_name]), PARSERS), decode(*record(EXAMPLES[type_name]))
    assert found is not None, "the long way had to look at them"
    assert found == (
        expected.event, BY_TYPE[type_name],
        expected.type, expected.source, expected.subject, expected.partition_key, expected.sequence, expected.id,
        expected.time, expected.recorded, expected.correlation, expected.traceparent,
    )  # fmt: skip
    assert arrived(*record(EXAMPLES[type_name]), {}) == (None, *found[1:])


@pytest.mark.parametrize("readers", [PARSERS, SLIM_PARSERS], ids=["events", "structs"])
def test_an_older_version_arrives_brought_up_to_date(readers: Mapping[type[Event], Parser | SlimParser | None]) -> None:
    older = golden_record(GOLDEN / "NeedRegistered.v1.json")
    found = arrived(*older, readers)
    assert found is not None
    assert (found.kind, found.event) == (BY_TYPE[NEED], decode(*older).event)


ODD = st.binary(max_size=30) | st.none() | st.sampled_from(
    [b"1.0", b"dugnad/intake#43", b"2025-13-13T09:00:00.123Z", b"2025-W01-1T09:00:00.123Z", b"2025-01-13T09:00:00,123Z",
     b"00000000000000000044", b"00000000000000000000", b"dugnad.NeedRegistered.v3", b"dugnad.Nothing.v1", b"a\nb",
     b"dugnad.NeedRegistered.v1", b"application/json; charset=utf-8", b"2025-01-13T09:00:00.123Z"]
)  # fmt: skip


@given(which=st.integers(0, 13), value=ODD, how=st.sampled_from(["change", "drop", "twice", "first"]))
def test_what_arrives_in_one_step_the_long_way_reads_alike(which: int, value: bytes | None, how: str) -> None:
    key, data, written = record(EXAMPLES[NEED])
    headers = spoilt(written, which, value, how)
    found = arrived(key, data, headers, PARSERS)
    expected = long_way(key, data, headers)
    if found is not None:
        assert expected is not None
        assert found[2:] == expected


def long_way(key: bytes | None, value: bytes | None, headers: Headers) -> tuple[Any, ...] | None:
    try:
        found = decode(key, value, headers)
    except Undecodable:
        return None
    return (
        found.type, found.source, found.subject, found.partition_key, found.sequence, found.id,
        found.time, found.recorded, found.correlation, found.traceparent,
    )  # fmt: skip


@pytest.mark.parametrize(("key", "value"), [(None, b"{}"), (b"other", b"{}"), (None, None)])
def test_a_record_with_another_key_or_without_value_is_left_to_the_long_way(
    key: bytes | None, value: bytes | None
) -> None:
    assert arrived(key, value, record(EXAMPLES[NEED]).headers, PARSERS) is None
