"""The compiled fold of declared projections: whole batches of records at once (`fold.zig`).

Invariant: what is folded here, the reader and the fold in Python make the same of. Where the library was not built
(`python -m deploy.native`), everything is folded in Python, and slower.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from bson.raw_bson import RawBSONDocument

LIBRARY = Path(__file__).with_name("libfold.so")
FORM = 1
"""Of what is given to the library and taken from it: a library of another form is of no use."""


class _Outcome(ctypes.Structure):
    _fields_ = (
        ("at", ctypes.c_uint64),
        ("next", ctypes.c_uint64),
        ("done", ctypes.c_uint64),
        ("folded", ctypes.c_uint64),
        ("dropped", ctypes.c_uint64),
        ("ignored", ctypes.c_uint64),
        ("status", ctypes.c_uint32),
    )


_DONE, _NOT_PLAIN = 0, 1
_PARTS = 5


class Reached(NamedTuple):
    """How far a batch is folded."""

    passed: int
    """Records that are done."""
    refused: tuple[int, int] | None
    """Where the first one that is not plain begins and ends; None where all are done."""


@cache
def library() -> Any:
    """The compiled library; None where it was not built, or for another machine or from other sources than these."""
    try:
        found = ctypes.CDLL(str(LIBRARY))
    except OSError:
        return None
    if found.fold_form() != FORM:
        return None
    size, pointer = ctypes.c_size_t, ctypes.c_void_p
    number, outcome = ctypes.c_int64, ctypes.POINTER(_Outcome)
    for name, result, arguments in (
        ("fold_new", pointer, (ctypes.c_char_p, size, ctypes.c_char_p, size)),
        ("fold_free", None, (pointer,)),
        ("fold_batch", None, (pointer, ctypes.c_char_p, size, number, number, number, outcome)),
        ("fold_record", None, (pointer, ctypes.c_char_p * _PARTS, size * _PARTS, number, outcome)),
        ("fold_size", size, (pointer,)),
        ("fold_documents", pointer, (pointer, size, ctypes.POINTER(size))),
        ("fold_positions", ctypes.c_bool, (pointer, size, *[ctypes.POINTER(each) for each in (pointer, size) * 2])),
    ):
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found


class NativeFold:
    """Documents in memory, none of which was there before. Not for two threads at once.

    Every method raises MemoryError where there is none left; the fold is of no use then.
    """

    def __init__(self, program: bytes, until: Mapping[str, int] | None = None) -> None:
        """`program` is a projection's; with `until`, only positions up to these are folded, and of no other source."""
        self._library = library()
        limits = msgspec.json.encode(
            until if until is None else [{"source": each, "position": until[each]} for each in until]
        )
        self._fold = self._library.fold_new(program, len(program), limits, len(limits))
        if not self._fold:
            raise MemoryError
        self._outcome = _Outcome()

    def __del__(self) -> None:
        if getattr(self, "_fold", None):
            self._library.fold_free(self._fold)
            self._fold = None

    def batch(self, data: bytes, start: int, end: int, base: int, first: int, last: int) -> Reached:
        """Fold the records in `data[start:end]`, of a batch whose first offset is `base`, up to one that is not plain.

        Only those with offsets from `first` to before `last`; the others are passed over.
        """
        outcome = self._outcome
        outcome.at, before = start, outcome.done
        self._library.fold_batch(self._fold, data, end, base, first, last, outcome)
        whole = self._check()
        return Reached(outcome.done - before, None if whole else (outcome.at, outcome.next))

    def record(self, source: str, type_name: str, subject: str, recorded: str, position: int, data: bytes) -> bool:
        """Fold one record that Python has read, with its data in the form of relays. False where it is not plain."""
        parts = [source.encode(), type_name.encode(), subject.encode(), recorded.encode(), data]
        self._library.fold_record(
            self._fold,
            (ctypes.c_char_p * _PARTS)(*parts),
            (ctypes.c_size_t * _PARTS)(*map(len, parts)),
            position,
            self._outcome,
        )
        return self._check()

    def _check(self) -> bool:
        if self._outcome.status not in (_DONE, _NOT_PLAIN):
            raise MemoryError
        return bool(self._outcome.status == _DONE)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Folded into a document, known to one before, of no document."""
        return int(self._outcome.folded), int(self._outcome.dropped), int(self._outcome.ignored)

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return int(self._library.fold_size(self._fold))

    def documents(self, most: int) -> Iterator[list[RawBSONDocument]]:
        """All documents in the form in which they are stored, `most` at a time. Nothing can be folded after that."""
        length = ctypes.c_size_t()
        while True:
            start = self._library.fold_documents(self._fold, most, length)
            if start is None:
                raise MemoryError
            if not length.value:
                return
            yield list(_each(ctypes.string_at(start, length.value)))

    def positions(self) -> dict[str, array[int]]:
        """The positions that were handled, by source."""
        found: dict[str, array[int]] = {}
        name, name_size, first, count = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_void_p(), ctypes.c_size_t()
        while self._library.fold_positions(self._fold, len(found), name, name_size, first, count):
            source = ctypes.string_at(name.value or 0, name_size.value).decode("ascii")
            found[source] = array("q", ctypes.string_at(first.value or 0, count.value * 8))
        return found


def _each(encoded: bytes) -> Iterator[RawBSONDocument]:
    """The documents that stand one behind the other: each begins with its length."""
    start = 0
    while start < len(encoded):
        end = start + int.from_bytes(encoded[start : start + 4], "little")
        yield RawBSONDocument(encoded[start:end])
        start = end
