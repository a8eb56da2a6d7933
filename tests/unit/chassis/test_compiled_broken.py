"""Whatever a record or a batch says, the compiled fold ends in order, and makes nothing of it that Python does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from aiokafka.errors import CorruptRecordException
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.compiled import Compiled
from chassis.fetching import Span
from contracts.registry import BY_TYPE
from services.reporting.views import placement
from tests.unit.chassis.batches import ALL, HEADER, PARTITION, Sent, batch_of, same, sent, wrapped
from tests.unit.contracts.examples import EXAMPLES, spoilt
from tests.unit.contracts.test_parsing import JSON, ODD

READ = sorted(name for name in EXAMPLES if BY_TYPE[name] in placement.reads)
NEED = EXAMPLES["dugnad.NeedRegistered.v2"]
FIRST, LAST = sent(NEED, 1), sent(EXAMPLES["dugnad.CandidateMatched.v1"], 9)
SOME = [sent(EXAMPLES[name], position) for position, name in enumerate(READ, 1)]
CHECKSUM_AND_FORM = range(12, 23)
"""Bytes of a batch: what says how all others are to be read, and the checksum, which no one looks at here."""


def refused_whole(data: bytes, span: Span = ALL) -> bool:
    """Whether a batch cannot be taken apart; if it can, both folds make the same of it."""
    try:
        same(wrapped(data, span))
    except CorruptRecordException:
        return True
    return False


def varint(number: int) -> bytes:
    """In zigzag form."""
    bits, written = (number << 1) ^ (number >> 63), bytearray()
    while bits >= 0x80:
        written.append(bits & 0x7F | 0x80)
        bits >>= 7
    return bytes([*written, bits])


def framed(*bodies: bytes, base: int = 0) -> bytes:
    """A batch of records as they are written, each behind its length."""
    data = bytearray(batch_of([FIRST])[:HEADER])
    for body in bodies:
        data += varint(len(body)) + body
    data[:12] = base.to_bytes(8, "big") + (len(data) - 12).to_bytes(4, "big")
    data[57:61] = len(bodies).to_bytes(4, "big")
    # The last offset: further than any that is looked for.
    data[23:27] = (2**31 - 1).to_bytes(4, "big")
    return bytes(data)


def body(
    of: Sent, *, attributes: bytes = b"\0", time: bytes = b"\0", offset: bytes = b"\0", count: bytes | None = None
) -> bytes:
    """A record without its length."""
    key, value, headers = of
    assert key is not None
    assert value is not None
    written = b"".join(varint(len(n)) + n.encode() + varint(len(v or b"")) + (v or b"") for n, v in headers)
    sizes = varint(len(key)) + key + varint(len(value)) + value + (varint(len(headers)) if count is None else count)
    return attributes + time + offset + sizes + written


def test_a_record_that_is_written_here_is_what_the_client_writes() -> None:
    assert framed(body(FIRST))[HEADER:] == batch_of([FIRST])[HEADER:]
    assert not refused_whole(framed(body(FIRST), body(LAST, offset=varint(1))))


def test_a_batch_may_be_empty_as_compaction_leaves_it() -> None:
    found, refused = same([*wrapped(framed()), *wrapped(batch_of([FIRST], base=1))])
    assert (refused, found.counts) == (None, (1, 0, 0))


LONG = b"\xff" * 9
FRAMES: dict[str, bytes] = {
    "attributes": body(FIRST, attributes=b"\1"),
    "attributes of two bytes": body(FIRST, attributes=b"\x85\0"),
    "a time of ten bytes": body(FIRST, time=LONG + b"\1"),
    "an offset of ten bytes": body(FIRST, offset=LONG + b"\1"),
    "a time without end": body(FIRST, time=LONG + LONG),
    "an offset below zero": body(FIRST, offset=varint(-5)),
    "a far offset": body(FIRST, offset=varint(2**54)),
    "no headers": body(FIRST, count=b"\0"),
    "headers below zero": body(FIRST, count=varint(-1)),
    "very many headers": body(FIRST, count=varint(2**40)),
    "one header too many": body(FIRST, count=varint(len(FIRST.headers) + 1)),
    "one header too few": body(FIRST, count=varint(len(FIRST.headers) - 1)),
    "headers counted in ten bytes": body(FIRST, count=LONG + b"\1"),
    "a length with a byte too many": body(FIRST, count=bytes([len(FIRST.headers) * 2 | 0x80, 0])),
    "bytes behind it": body(FIRST) + b"\0",
    "its end missing": body(FIRST)[:-1],
    "nothing": b"",
    "one byte": b"\0",
}


@pytest.mark.parametrize("what", FRAMES)
@pytest.mark.parametrize("base", [0, 2**62, 2**63 - 3], ids=["low", "high", "highest"])
def test_a_record_in_an_odd_frame_never_ends_the_process(what: str, base: int) -> None:
    data = framed(body(LAST), FRAMES[what], body(LAST, offset=varint(1)), base=base)
    refused_whole(data)
    refused_whole(data, Span(PARTITION, base, base + 1))
    refused_whole(data, Span(PARTITION, base + 1, base + 2))


def test_a_frame_that_only_the_client_reads_is_given_to_python() -> None:
    data = framed(body(LAST), body(FIRST, time=LONG + b"\1", offset=varint(1)), body(SOME[0], offset=varint(2)))
    found, refused = same(wrapped(data))
    assert (refused, sum(found.counts)) == (None, 3)
    found, refused = same(wrapped(data, Span(PARTITION, 2, 3)))
    assert (refused, sum(found.counts)) == (None, 1), "what is outside of the span is passed over by Python too"


def test_a_header_whose_name_is_no_text_is_told_as_the_broken_batch_that_it_is() -> None:
    broken = body(FIRST, offset=varint(1)).replace(b"ce_type", b"ce_\xff\xfee")
    assert refused_whole(framed(body(LAST), broken))


def test_a_batch_whose_count_or_length_lies_cannot_be_taken_apart() -> None:
    data = batch_of([FIRST, LAST])
    for count in (0, 1, 3, 2**31, 2**32 - 1):
        assert refused_whole(data[:57] + count.to_bytes(4, "big") + data[61:])
    for end in (0, 30, 60, len(data) - 1, len(data) + 1, 2**32):
        (batch,) = wrapped(data)
        with pytest.raises(CorruptRecordException):
            Compiled(placement, None).fold(batch._replace(end=end))
    for length in (14, 48, 2**31 - 1, 2**31, 2**32 - 1):
        try:
            batches = wrapped(data[:8] + length.to_bytes(4, "big") + data[12:])
        except (CorruptRecordException, ValueError):  # the client's
            continue
        for batch in batches:
            with pytest.raises(CorruptRecordException):
                Compiled(placement, None).fold(batch)


def test_an_offset_beyond_the_last_number_never_ends_the_process() -> None:
    assert not refused_whole(framed(body(FIRST, offset=varint(2**40)), base=2**63 - 1))
    found, _ = same(wrapped(batch_of([FIRST, LAST], base=2**63 - 3)))
    assert found.counts == (2, 0, 0)


@settings(max_examples=300, deadline=None)
@given(
    type_name=st.sampled_from(READ),
    value=JSON,
    which=st.integers(0, 30),
    how=st.sampled_from(["change", "drop", "add", "move"]),
    last=st.booleans(),
)
def test_data_that_are_changed_are_read_as_python_reads_them(
    type_name: str, value: Any, which: int, how: str, *, last: bool
) -> None:
    between = sent(EXAMPLES[type_name], 5)
    data: dict[str, Any] = msgspec.json.decode(between.value)
    names = [*data, "unknown", "sealed", "occurred"]
    name = names[which % (len(data) if how != "add" else len(names))]
    match how:
        case "change" | "add":
            data[name] = value
        case "drop":
            del data[name]
        case _:
            data[name] = data.pop(name)
    between = between._replace(value=msgspec.json.encode(data))
    assert not refused_whole(batch_of([FIRST, between] if last else [FIRST, between, LAST]))


@settings(max_examples=300, deadline=None)
@given(
    which=st.integers(0, 10),
    value=ODD | st.text(max_size=4).map(str.encode),
    how=st.sampled_from(["change", "drop", "twice", "first", "name"]),
    optional=st.booleans(),
)
def test_headers_that_are_changed_are_read_as_python_reads_them(
    which: int, value: bytes | None, how: str, *, optional: bool
) -> None:
    key, data, written = sent(NEED, 5, correlation="01JHF3M0Q8R7ZV5X6T7B8C9D0E" if optional else None)
    headers = spoilt(written, which, value, how)
    assert not refused_whole(batch_of([FIRST, (key, data, headers), LAST]))


@settings(max_examples=300, deadline=None)
@given(
    position=st.integers(1, 10**20 - 1) | st.sampled_from([2**63 - 1, 2**63, 2**64, 2**64 + 1]),
    until=st.none() | st.integers(0, 2**63 - 1),
)
def test_any_position_is_folded_or_refused(position: int, until: int | None) -> None:
    batches = wrapped(batch_of([FIRST, sent(NEED, position), LAST]))
    same(batches, until=None if until is None else {"dugnad/intake": until})


FLIPS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=3)


def flipped(data: bytes, flips: Sequence[tuple[int, int]], begin: int = 0) -> bytes:
    changed = bytearray(data)
    for where, byte in flips:
        at = begin + where % (len(data) - begin)
        if at not in CHECKSUM_AND_FORM:
            changed[at] = byte
    return bytes(changed)


def ends_in_order(data: bytes) -> None:
    try:
        batches = wrapped(data)
    except (CorruptRecordException, ValueError):  # the client's, before anything is folded
        return
    for batch in batches:
        try:
            same([batch])
        except CorruptRecordException:
            continue


@settings(max_examples=600, deadline=None)
@given(flips=FLIPS)
def test_a_batch_in_which_bytes_are_changed_gives_what_python_makes_of_it_or_nothing(
    flips: list[tuple[int, int]],
) -> None:
    ends_in_order(flipped(batch_of([FIRST, SOME[3], LAST]), flips))


@settings(max_examples=300, deadline=None)
@given(flips=FLIPS, at=st.integers(0, len(SOME) - 1))
def test_data_in_which_bytes_are_changed_give_what_python_makes_of_them_or_nothing(
    flips: list[tuple[int, int]], at: int
) -> None:
    between = SOME[at]._replace(value=flipped(b"\0" * 23 + SOME[at].value, flips, 23)[23:])
    assert not refused_whole(batch_of([FIRST, between, LAST]))


@settings(max_examples=300, deadline=None)
@given(rest=st.binary(max_size=300), count=st.integers(0, 4), base=st.integers(-(2**63), 2**63 - 1))
def test_bytes_that_are_no_records_end_in_order(rest: bytes, count: int, base: int) -> None:
    data = bytearray(batch_of([FIRST])[:HEADER] + rest)
    data[:12] = base.to_bytes(8, "big", signed=True) + (len(data) - 12).to_bytes(4, "big")
    data[57:61] = count.to_bytes(4, "big")
    ends_in_order(bytes(data))


@pytest.mark.parametrize("cut", range(HEADER + 1, HEADER + 800, 7))
def test_a_batch_that_ends_anywhere_is_refused(cut: int) -> None:
    data = bytearray(batch_of([FIRST, LAST])[:cut])
    data[8:12] = (len(data) - 12).to_bytes(4, "big")
    assert refused_whole(bytes(data))
