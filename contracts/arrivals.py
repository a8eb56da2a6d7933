"""Records whose headers have the form that Dugnad's relays write, read in one step.

Invariant: what is read here, `contracts.envelope.decode` reads alike; for everything else, it decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import combinations
from typing import Any, NamedTuple

from contracts import envelope
from contracts.envelope import Undecodable, instant, read_event
from contracts.event import TYPE_PATTERN, Event
from contracts.parsing import Parser, SlimParser
from contracts.registry import class_of


class Record(NamedTuple):
    """One event as it came over the topic."""

    event: Any
    """Of the class `kind`; where a projection is slim and is rebuilt, a struct with the fields of that class."""
    kind: type[Event]
    type: str
    source: str
    subject: str
    partition_key: str
    position: int
    """Dense per source, 1, 2, 3 …"""
    id: str
    occurred: datetime
    recorded: datetime
    correlation: str | None = None
    traceparent: str | None = None


_OPTIONAL = envelope.OPTIONAL_HEADERS
_ALWAYS = tuple(name for name in envelope.REQUIRED_HEADERS if name != envelope.CONTENT_TYPE)
_SHAPES = {
    (*there, envelope.CONTENT_TYPE): (
        there.index(envelope.CORRELATION) if envelope.CORRELATION in there else None,
        there.index(envelope.TRACEPARENT) if envelope.TRACEPARENT in there else None,
    )
    for count in range(len(_OPTIONAL) + 1)
    for there in combinations(_OPTIONAL, count)
}
"""The names that `encode_stored` writes behind those that are always there, with where those stand that are read."""
_REMEMBERED = 4_096
_AS_ZERO = bytes.maketrans(b"123456789", b"000000000")
_OWN_FORM = b"0000-00-00T00:00:00.000Z"

_Kind = tuple[type[Event], str, str, bool]
_kinds: dict[tuple[bytes, bytes], _Kind] = {}


def arrived(
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, Any]],
    readers: Mapping[type[Event], Parser | SlimParser | None],
) -> Record | None:
    """A record, with its event where `readers` names its class, with None in the event's place where it does not.

    No record where `decode` must look at it: another form, an unknown or newer type, data that are refused. In a fifth
    of the time of `decode`: for readers of very many. Raises only what an upcaster raises.
    """
    if value is None:
        return None
    try:
        (
            (n0, spec), (n1, event_id), (n2, source), (n3, type_name), (n4, subject), (n5, partition_key), (n6, time),
            (n7, recorded), (n8, sequence), (n9, schema), *more,
        ) = headers  # fmt: skip
        # Each by its own name: a loop over all of them would take as long as everything else here.
        if (n0, n1, n2, n3, n4, n5, n6, n7, n8, n9) != _ALWAYS:
            return None
        shape = _SHAPES.get(tuple([name for name, _ in more]))
        if shape is None or spec != b"1.0" or more[-1][1] != b"application/json":
            return None
        # What few values recur in, is looked at once.
        of_kind = _kinds.get((source, type_name)) or _kind(source, type_name)
        if of_kind is None or key != partition_key or len(sequence) != 20 or not sequence.isdigit():
            return None
        kind, type_text, source_text, is_older = of_kind
        number = int(sequence)
        identity = f"{source_text}#{number}"
        if number < 1 or event_id != identity.encode() or not schema.isascii():
            return None
        occurred = _instant(envelope.TIME, time)
        event = None
        if kind in readers:
            reader = None if is_older else readers[kind]
            if reader is None or (event := reader(value, occurred)) is None:
                event = read_event(kind, value, occurred=occurred, type_name=type_text)
        others = [None if raw is None else raw.decode("ascii") for _, raw in more]
        correlation, traceparent = shape
        return _new(
            Record,
            (
                event,
                kind,
                type_text,
                source_text,
                subject.decode("ascii"),
                partition_key.decode("ascii"),
                number,
                identity,
                occurred,
                _instant(envelope.RECORDED, recorded),
                None if correlation is None else others[correlation],
                None if traceparent is None else others[traceparent],
            ),
        )
    except (Undecodable, UnicodeDecodeError, AttributeError, TypeError, ValueError):
        # The last three: a header without a value, or fewer headers than there are always.
        return None


_new = tuple.__new__


def _kind(source: bytes, type_name: bytes) -> _Kind | None:
    text = type_name.decode("ascii")
    known, match = class_of(text), TYPE_PATTERN.match(text)
    if known is None or match is None or int(match["version"]) > known.VERSION:
        return None
    if len(_kinds) >= _REMEMBERED:
        _kinds.clear()
    found = _kinds[source, type_name] = known, text, source.decode("ascii"), int(match["version"]) < known.VERSION
    return found


def _instant(name: str, raw: bytes) -> datetime:
    # The form that relays write, found without a regular expression: a record has two of them, and no two are the same.
    if raw.translate(_AS_ZERO) == _OWN_FORM:
        try:
            return datetime.fromisoformat(raw.decode("ascii"))
        except ValueError:
            pass
    return instant(name, raw.decode("ascii"))
