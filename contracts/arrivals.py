"""Records whose headers have the form that Dugnad's relays write, read in one step.

Invariant: what is read here, `contracts.envelope.decode` reads alike; for everything else, it decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import combinations
from typing import NamedTuple

from contracts import envelope
from contracts.envelope import Undecodable, instant
from contracts.event import TYPE_PATTERN, Event
from contracts.parsing import Parser, parser_of
from contracts.registry import class_of

_OPTIONAL = envelope.OPTIONAL_HEADERS
_BEFORE = tuple(name for name in envelope.REQUIRED_HEADERS if name != envelope.CONTENT_TYPE)
_SHAPES = {
    (*_BEFORE, *there, envelope.CONTENT_TYPE): (
        there.index(envelope.CORRELATION) if envelope.CORRELATION in there else None,
        there.index(envelope.TRACEPARENT) if envelope.TRACEPARENT in there else None,
    )
    for count in range(len(_OPTIONAL) + 1)
    for there in combinations(_OPTIONAL, count)
}
"""The names in the order that `encode_stored` writes them, with where the optional ones that are read stand."""
_REMEMBERED = 4_096
_AS_ZERO = bytes.maketrans(b"123456789", b"000000000")
_OWN_FORM = b"0000-00-00T00:00:00.000Z"

_Kind = tuple[type[Event], Parser | None, str, str]
_kinds: dict[tuple[bytes, ...], _Kind] = {}


class Arrived(NamedTuple):
    """What the headers of a record say."""

    known: type[Event]
    parser: Parser | None
    """Reads its data in one step, where they are of the version that `known` describes."""
    type: str
    source: str
    subject: str
    partition_key: str
    position: int
    id: str
    occurred: datetime
    recorded: datetime
    correlation: str | None
    traceparent: str | None


def arrived(key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> Arrived | None:
    """What a record's headers say; None where `decode` must look at it: another form, an unknown or newer type.

    In a fifth of the time of `decode`: for readers of very many. Never raises.
    """
    if not headers or value is None:
        return None
    names, values = zip(*headers, strict=True)
    shape = _SHAPES.get(names)
    if shape is None:
        return None
    spec, event_id, source, type_name, subject, partition_key, time, recorded, sequence, schema, *more, content = values
    try:
        # What few values recur in, is looked at once.
        kind = _kinds.get((spec, source, type_name, content)) or _kind(spec, source, type_name, content)
        if kind is None or key != partition_key or len(sequence) != 20 or not sequence.isdigit():
            return None
        known, parser, type_text, source_text = kind
        number = int(sequence)
        identity = event_id.decode("ascii")
        if number < 1 or identity != f"{source_text}#{number}" or not schema.isascii():
            return None
        others = [each.decode("ascii") for each in more]
        correlation, traceparent = shape
        return _new(
            Arrived,
            (
                known,
                parser,
                type_text,
                source_text,
                subject.decode("ascii"),
                partition_key.decode("ascii"),
                number,
                identity,
                _instant(envelope.TIME, time),
                _instant(envelope.RECORDED, recorded),
                None if correlation is None else others[correlation],
                None if traceparent is None else others[traceparent],
            ),
        )
    except (Undecodable, UnicodeDecodeError, AttributeError, TypeError):
        # The last two: a header without a value.
        return None


_new = tuple.__new__


def _kind(spec: bytes, source: bytes, type_name: bytes, content_type: bytes) -> _Kind | None:
    if spec != b"1.0" or content_type != b"application/json":
        return None
    text = type_name.decode("ascii")
    known, match = class_of(text), TYPE_PATTERN.match(text)
    if known is None or match is None or int(match["version"]) > known.VERSION:
        return None
    if len(_kinds) >= _REMEMBERED:
        _kinds.clear()
    parser = parser_of(known) if int(match["version"]) == known.VERSION else None
    kind = known, parser, text, source.decode("ascii")
    _kinds[spec, source, type_name, content_type] = kind
    return kind


def _instant(name: str, raw: bytes) -> datetime:
    # The form that relays write, found without a regular expression: a record has two of them, and no two are the same.
    if raw.translate(_AS_ZERO) == _OWN_FORM:
        try:
            return datetime.fromisoformat(raw.decode("ascii"))
        except ValueError:
            pass
    return instant(name, raw.decode("ascii"))
