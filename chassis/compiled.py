"""Whole batches of the broker's records into the compiled fold, with what it cannot read alone.

Invariant: a record that is not in the form that relays write is read in Python and given on in that form; one that
Python refuses is not folded, and nothing after it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from itertools import islice

import msgspec
from aiokafka.errors import CorruptRecordException
from bson.raw_bson import RawBSONDocument

from chassis import native
from chassis.fetching import Batch, Fetched
from chassis.generations import belongs
from chassis.projection import Projection
from contracts.arrivals import arrived
from contracts.envelope import instant_text
from contracts.parsing import parser_of

_HEADER_BYTES = 61
"""Of a batch in the present form, before its first record; the last four say how many records it has."""
_LAST = 2**63 - 1
"""Position: what documents can hold."""


def can_fold(projection: Projection) -> bool:
    """Whether there is a compiled fold for this projection."""
    return projection.program is not None and native.library() is not None


class Compiled:
    """Documents of one partition, none of which is stored, of a generation that may end at positions (`until`)."""

    def __init__(self, projection: Projection, until: Mapping[str, int] | None) -> None:
        assert projection.program is not None, "asked before (`can_fold`)"
        self._fold, self._until = native.NativeFold(projection.program, until), until
        self._readers = {each: parser_of(each) for each in projection.reads}
        self._given = False

    def fold(self, batch: Batch) -> int | None:
        """Fold what a batch has of its span. The offset of the first record that Python must look at, if there is one.

        Raises CorruptRecordException, MemoryError.
        """
        assert not self._given, "the documents have been given"
        try:
            if batch.plain:
                return self._fold_plain(batch)
            return next((each.offset for each in batch.records() if not self._read(each)), None)
        except UnicodeDecodeError as error:
            # The client's: of a header's name.
            raise _corrupt(batch) from error

    def _fold_plain(self, batch: Batch) -> int | None:
        span, start, done = batch.span, batch.start + _HEADER_BYTES, 0
        # The client's batch may be asked for its records only once, and `islice` asks whatever it is given.
        records = (each for each in batch.content)
        if not start <= batch.end <= len(batch.data):
            raise _corrupt(batch)
        count = int.from_bytes(batch.data[start - 4 : start], "big", signed=True)
        while True:
            reached = self._fold.batch(batch.data, start, batch.end, batch.content.base_offset, span.start, span.end)
            done += reached.passed
            if reached.refused is None:
                break
            record = next(islice(records, reached.passed, None), None)
            begins, start = reached.refused
            if record is None or begins == start:
                raise _corrupt(batch)
            if span.start <= record.offset < span.end and not self._read(record):
                return int(record.offset)
            done += 1
        if done != count:
            raise _corrupt(batch)
        return None

    def _read(self, raw: Fetched) -> bool:
        """Whether Python reads a record and it is folded, if it belongs to the generation."""
        if not belongs(raw.headers, self._until):
            return True
        try:
            record = arrived(raw.key, raw.value, raw.headers, self._readers)
            if record is None or record.position > _LAST:
                return False
            if record.event is None:
                type_name, data = record.type, b""
            else:
                type_name, data = record.kind.type_name(), msgspec.json.encode(record.event.data())
        except Exception:  # an upcaster is the contracts' code: whatever it raises, the reader parks the event
            return False
        recorded = instant_text(record.recorded)
        return self._fold.record(record.source, type_name, record.subject, recorded, record.position, data)

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return self._fold.size

    @property
    def counts(self) -> tuple[int, int, int]:
        """Folded into a document, known to one before, of no document."""
        return self._fold.counts

    def positions(self) -> Mapping[str, array[int]]:
        """The positions that were handled, by source."""
        return self._fold.positions()

    def documents(self, most: int) -> Iterator[list[RawBSONDocument]]:
        """The first revision of every document, `most` at a time. Nothing can be folded after that."""
        self._given = True
        return self._fold.documents(most)


def _corrupt(batch: Batch) -> CorruptRecordException:
    return CorruptRecordException(f"{batch.span.partition} has a batch that cannot be taken apart")
