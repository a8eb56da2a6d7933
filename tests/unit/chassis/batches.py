"""Batches of records as a broker keeps them, folded twice: by the library, and by Python record after record.

Invariant: `same` compares bytes of BSON, hence also the order of names and the width of numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import bson
from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from chassis.compiled import Compiled
from chassis.fetching import Batch, Fetched, Span, _batches
from chassis.generations import belongs
from chassis.projection import Folding, Projection, Record, at_key
from contracts.arrivals import arrived
from contracts.envelope import KafkaRecord, encode
from contracts.event import Event
from contracts.parsing import parser_of
from contracts.registry import source_of
from services.reporting.views import placement
from tests.unit.contracts.examples import OCCURRED, RECORDED

PARTITION = TopicPartition("dugnad.of.tests", 0)
ALL = Span(PARTITION, -(2**63), 2**63 - 1)
NO_CODEC, GZIP = 0, 1
HEADER = 61

Sent = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]
"""Key, value and headers."""


def batch_of(
    records: Iterable[Sent], *, base: int = 0, offsets: Sequence[int] | None = None, codec: int = NO_CODEC
) -> bytes:
    """A batch with its header; `offsets` are distances from `base`, 0, 1, 2 … if none are given."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 2**30)
    for number, (key, value, headers) in enumerate(records):
        offset = number if offsets is None else offsets[number]
        assert builder.append(offset, 1_736_758_800_000 + number, key, value, [*headers]) is not None
    # The broker gives the first offset; the checksum does not cover it.
    return base.to_bytes(8, "big") + bytes(builder.build())[8:]


def wrapped(data: bytes, span: Span = ALL) -> list[Batch]:
    """As they come from the broker. Raises CorruptRecordException."""
    return list(_batches(span, data))


def sent(event: Event, position: int = 43, **other: Any) -> KafkaRecord:
    """An event as relays send it."""
    said: dict[str, Any] = {"source": source_of(type(event)), "recorded": RECORDED, "correlation": None}
    occurred = event.model_copy(update={"occurred": event.occurred or OCCURRED})
    return encode(
        occurred,
        position=position,
        causation=None,
        traceparent=None,
        schema_base_url="https://dugnad.example/schemas/",
        **{**said, **other},
    )


def sent_again(record: Record) -> KafkaRecord:
    """A record of a simulation as relays send it."""
    event = record.event.model_copy(update={"occurred": record.occurred})
    return sent(event, record.position, source=record.source, recorded=record.recorded, correlation=record.correlation)


class Folded(NamedTuple):
    """What a fold has come to."""

    documents: list[bytes]
    positions: dict[str, list[int]]
    counts: tuple[int, int, int]

    @property
    def shown(self) -> list[dict[str, Any]]:
        """The documents as Python has them."""
        return [bson.decode(each) for each in self.documents]


@dataclass
class InPython:
    """The fold of a partition as Python does it."""

    projection: Projection = placement
    until: Mapping[str, int] | None = None
    documents: dict[str, Folding] = field(default_factory=dict)
    positions: dict[str, list[int]] = field(default_factory=dict)
    folded: int = 0
    dropped: int = 0
    ignored: int = 0

    def take(self, raw: Fetched) -> bool:
        """Whether one more record is read and folded; nothing is changed where it is not."""
        if not belongs(raw.headers, self.until):
            return True
        readers = {each: parser_of(each) for each in self.projection.reads}
        record = arrived(raw.key, raw.value, raw.headers, readers)
        if record is None:
            return False
        if record.event is None:
            self.ignored += 1
        for key in () if record.event is None else self.projection.keys(record):
            folding = self.documents.setdefault(key, Folding(None, {}))
            if folding.knows(record, at_key(record)):
                self.dropped += 1
                continue
            folding.take(folding.after(self.projection, key, record), record, at_key(record))
            self.folded += 1
        self.positions.setdefault(record.source, []).append(record.position)
        return True

    def result(self) -> Folded:
        """What has been folded so far."""
        documents = [
            bson.encode({"_id": key, **each.stored(), "rev": 1}) for key, each in self.documents.items() if each.changed
        ]
        return Folded(documents, self.positions, (self.folded, self.dropped, self.ignored))


def result_of(fold: Compiled) -> Folded:
    """What the compiled fold has come to; it is at its end."""
    positions = {source: list(found) for source, found in fold.positions().items()}
    return Folded([bytes(each.raw) for some in fold.documents(3) for each in some], positions, fold.counts)


def same(
    batches: Iterable[Batch], projection: Projection = placement, until: Mapping[str, int] | None = None
) -> tuple[Folded, int | None]:
    """What both folds make of batches, and the offset of the record at which the compiled one ended, if it did.

    Fails where they differ. Raises CorruptRecordException where the library cannot take a batch apart.
    """
    fold, python = Compiled(projection, until), InPython(projection, until)
    for batch in batches:
        refused = fold.fold(batch)
        (again,) = wrapped(batch.data[batch.start : batch.end], batch.span)
        # Not `records`, which believes what a batch says of its offsets.
        records = (each for each in again.content if batch.span.start <= each.offset < batch.span.end)
        if refused is not None:
            found = result_of(fold)
            assert any(found == each for each in _before(python, records, refused)), "not what was folded before"
            return found, refused
        assert all(python.take(each) for each in records), "the library takes what Python refuses"
    found = result_of(fold)
    assert found == python.result()
    return found, None


def _before(python: InPython, records: Iterable[Fetched], refused: int) -> Iterator[Folded]:
    # A broken batch may have several records of one offset.
    for each in records:
        if each.offset == refused:
            yield python.result()
        if not python.take(each):
            return
