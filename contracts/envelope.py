"""Events as Kafka records: CloudEvents 1.0, binary mode.

Invariant: the id of an event is its source and position, for ever, also when it is sent again; the record's key is the
partition key; a record that does not say all this is refused and never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import msgspec
from pydantic import ValidationError

from contracts.event import TYPE_PATTERN, Event
from contracts.parsing import parse
from contracts.registry import BY_TYPE, class_of
from contracts.upcasters import upcast

# The header names are a public contract: `asyncapi.yaml` lists the same.
SPEC_VERSION = "ce_specversion"
ID = "ce_id"
SOURCE = "ce_source"
TYPE = "ce_type"
SUBJECT = "ce_subject"
PARTITION_KEY = "ce_partitionkey"
TIME = "ce_time"
RECORDED = "ce_recordedtime"
SEQUENCE = "ce_sequence"
DATA_SCHEMA = "ce_dataschema"
CORRELATION = "ce_correlationid"
CAUSATION = "ce_causationid"
TRACEPARENT = "traceparent"
CONTENT_TYPE = "content-type"

REQUIRED_HEADERS = (
    SPEC_VERSION,
    ID,
    SOURCE,
    TYPE,
    SUBJECT,
    PARTITION_KEY,
    TIME,
    RECORDED,
    SEQUENCE,
    DATA_SCHEMA,
    CONTENT_TYPE,
)
OPTIONAL_HEADERS = (CORRELATION, CAUSATION, TRACEPARENT)
_REQUIRED = frozenset(REQUIRED_HEADERS)

_JSON = "application/json"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
_OWN_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_SEQUENCE = re.compile(r"[0-9]{20}")

Headers = Iterable[tuple[str, bytes | None]]
E = TypeVar("E", bound=Event)


class Undecodable(Exception):
    """A record that is not an event of the contracts. `reason` says what is wrong, without any value of the data."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownType(Undecodable):
    """A well-formed event of a type that this version of the contracts does not have."""

    def __init__(self, type_name: str) -> None:
        super().__init__(f"no event type {type_name!r} in this version of the contracts")
        self.type_name = type_name


class KafkaRecord(NamedTuple):
    """What a producer sends."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


@dataclass(frozen=True)
class Envelope:
    """A record that has been checked, its data still as bytes until somebody asks for the event."""

    id: str
    source: str
    type: str
    subject: str
    partition_key: str
    time: datetime
    """When it happened (business time)."""
    recorded: datetime
    """When the ledger took it; never goes back within a source."""
    sequence: int
    """The position in the ledger of its source: 1, 2, 3 … without holes."""
    dataschema: str
    correlation: str | None
    causation: str | None
    traceparent: str | None
    data: bytes

    @cached_property
    def event(self) -> Event:
        """The event, parsed once. Raises UnknownType and Undecodable."""
        known = class_of(self.type)
        if known is None:
            raise UnknownType(self.type)
        return read_event(known, self.data, occurred=self.time, type_name=self.type)


def encode(
    event: Event,
    *,
    source: str,
    position: int,
    recorded: datetime,
    correlation: str | None,
    causation: str | None,
    traceparent: str | None,
    schema_base_url: str,
) -> KafkaRecord:
    """An event as a Kafka record. Raises ValueError without `occurred`, or where a header would not be plain ASCII."""
    if event.occurred is None:
        raise ValueError(f"{event.type_name()} has no time: it is stamped when it is appended")
    return encode_stored(
        type_name=event.type_name(),
        subject=event.subject,
        partition_key=event.partition_key,
        occurred=event.occurred,
        data=event.data(),
        source=source,
        position=position,
        recorded=recorded,
        correlation=correlation,
        causation=causation,
        traceparent=traceparent,
        schema_base_url=schema_base_url,
    )


def encode_stored(
    *,
    type_name: str,
    subject: str,
    partition_key: str,
    occurred: datetime,
    data: Mapping[str, Any],
    source: str,
    position: int,
    recorded: datetime,
    correlation: str | None,
    causation: str | None,
    traceparent: str | None,
    schema_base_url: str,
) -> KafkaRecord:
    """The same from the parts that a commit stores, without building the model again."""
    if position < 1:
        raise ValueError("positions begin at 1")
    texts = (
        (SPEC_VERSION, "1.0"),
        (ID, event_id(source, position)),
        (SOURCE, source),
        (TYPE, type_name),
        (SUBJECT, subject),
        (PARTITION_KEY, partition_key),
        (TIME, instant_text(occurred)),
        (RECORDED, instant_text(recorded)),
        (SEQUENCE, f"{position:020d}"),
        (DATA_SCHEMA, schema_url(type_name, schema_base_url)),
        (CORRELATION, correlation),
        (CAUSATION, causation),
        (TRACEPARENT, traceparent),
        (CONTENT_TYPE, _JSON),
    )
    headers = [(name, _ascii(name, text)) for name, text in texts if text is not None]
    return KafkaRecord(_ascii(PARTITION_KEY, partition_key), msgspec.json.encode(data), headers)


def decode(key: bytes | None, value: bytes | None, headers: Headers) -> Envelope:
    """Check a record's envelope. The data is parsed when `Envelope.event` is asked for. Raises Undecodable."""
    texts = _texts(headers)
    if not texts.keys() >= _REQUIRED:
        missing = next(name for name in REQUIRED_HEADERS if name not in texts)
        raise Undecodable(f"header {missing} is missing")
    if texts[SPEC_VERSION] != "1.0":
        raise Undecodable(f"{SPEC_VERSION} is not 1.0")
    if texts[CONTENT_TYPE].partition(";")[0].strip().lower() != _JSON:
        raise Undecodable(f"{CONTENT_TYPE} is not {_JSON}")
    if texts[TYPE] not in BY_TYPE and TYPE_PATTERN.match(texts[TYPE]) is None:
        raise Undecodable(f"{TYPE} is not of the form dugnad.Name.v1")
    sequence = _sequence(texts[SEQUENCE])
    if texts[ID] != event_id(texts[SOURCE], sequence):
        raise Undecodable(f"{ID} is not {SOURCE}#{SEQUENCE}")
    if key != texts[PARTITION_KEY].encode():
        raise Undecodable(f"the record's key is not {PARTITION_KEY}")
    if value is None:
        raise Undecodable("the record has no value")
    return Envelope(
        id=texts[ID],
        source=texts[SOURCE],
        type=texts[TYPE],
        subject=texts[SUBJECT],
        partition_key=texts[PARTITION_KEY],
        time=instant(TIME, texts[TIME]),
        recorded=instant(RECORDED, texts[RECORDED]),
        sequence=sequence,
        dataschema=texts[DATA_SCHEMA],
        correlation=texts.get(CORRELATION),
        causation=texts.get(CAUSATION),
        traceparent=texts.get(TRACEPARENT),
        data=value,
    )


def header(headers: Headers, name: str) -> str | None:
    """One header's text by scanning, without decoding the others or the value; None where it is missing.

    For the hot path: a reader looks at `ce_type`, `ce_source`, `ce_sequence` and `ce_subject` of every record, and
    decodes only what it reads. Raises Undecodable where the header is not ASCII.
    """
    for found, raw in headers:
        if found == name:
            return None if raw is None else _text(name, raw)
    return None


def position(headers: Headers) -> int:
    """The position from `ce_sequence`, by scanning. Raises Undecodable where it is missing or malformed."""
    text = header(headers, SEQUENCE)
    if text is None:
        raise Undecodable(f"header {SEQUENCE} is missing")
    return _sequence(text)


def read_event(known: type[E], data: bytes, *, occurred: datetime, type_name: str | None = None) -> E:
    """The event of a class chosen by `ce_type`; data of an older version are brought up to date. Raises Undecodable."""
    # What is up to date and says only what its types ask needs no more than one step.
    if type_name in (None, known.type_name()) and (event := parse(known, data, occurred)) is not None:
        return event
    try:
        parsed = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(f"the value of {known.type_name()} is not JSON") from error
    if not isinstance(parsed, dict):
        raise Undecodable(f"the value of {known.type_name()} is not a JSON object")
    try:
        return known.from_data(upcast(type_name or known.type_name(), parsed), occurred=occurred)
    except ValidationError as error:
        # Only where and what: pydantic's own text repeats the input, which would end up in logs.
        wrong = "; ".join(f"/{'/'.join(map(str, e['loc']))} {e['type']}" for e in error.errors(include_input=False))
        raise Undecodable(f"the value is not {known.type_name()}: {wrong}") from None


def event_id(source: str, sequence: int) -> str:
    """CloudEvents `id`: the same for ever, also when the event is sent again."""
    return f"{source}#{sequence}"


def schema_file(type_name: str) -> str:
    """`dugnad.NeedRegistered.v1` is described by `NeedRegistered.v1.json`."""
    return f"{type_name.removeprefix('dugnad.')}.json"


def schema_url(type_name: str, base_url: str) -> str:
    """CloudEvents `dataschema`: an absolute URI under the configured base."""
    return f"{base_url.rstrip('/')}/{schema_file(type_name)}"


def instant_text(instant: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`. Raises ValueError for an instant without offset."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs an offset")
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(name: str, text: str) -> datetime:
    """An RFC 3339 instant as milliseconds of UTC; `name` is the header it is from. Raises Undecodable."""
    try:
        # The form that `instant_text` writes needs no conversion; a record has two instants.
        if _OWN_INSTANT.fullmatch(text):
            return datetime.fromisoformat(text)
        # fromisoformat alone would also take week dates and local times.
        utc = datetime.fromisoformat(text).astimezone(UTC) if _INSTANT.fullmatch(text) else None
    except (ValueError, OverflowError):
        # Overflow: in the first or last hours that there are, on the other side of the world.
        utc = None
    if utc is None:
        raise Undecodable(f"{name} is not an RFC 3339 instant")
    # MongoDB keeps milliseconds: anything finer would differ between a record and its stored copy.
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def _sequence(text: str) -> int:
    if _SEQUENCE.fullmatch(text) is None or int(text) < 1:
        raise Undecodable(f"{SEQUENCE} is not a position of 20 digits")
    return int(text)


def _texts(headers: Headers) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, raw in headers:
        if name in texts and name.startswith("ce_"):
            raise Undecodable(f"header {name} comes twice")
        if raw is not None:
            texts[name] = _text(name, raw)
    return texts


def _text(name: str, raw: bytes) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        raise Undecodable(f"header {name} is not ASCII") from None


def _ascii(name: str, text: str) -> bytes:
    # A control character or a name with æ, ø or å in a header is a mistake in a subject template or a leak of text.
    if not text or not text.isascii() or not text.isprintable():
        raise ValueError(f"header {name} would not be plain ASCII")
    return text.encode("ascii")
