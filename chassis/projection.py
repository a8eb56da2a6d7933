"""Projections: pure folds of events into documents.

Invariant: a document is the same whatever the order between subjects, and however often an event comes: an event at or
below what the document has folded of its subject is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from contracts.arrivals import Record as Record
from contracts.event import Event

Document = dict[str, Any]


@dataclass(frozen=True)
class Projection:
    """A key function and a fold.

    `keys(record)` names the documents that a record belongs to (none: ignored). `fold(key, document, record)` gives the
    new document, or None when it is gone for good. It must not change its argument and may assume no order between
    subjects or topics: keep what each subject says in fields of its own, and derive when queried.
    """

    name: str
    topics: tuple[str, ...]
    reads: tuple[type[Event], ...]
    keys: Callable[[Record], Sequence[str]]
    fold: Callable[[str, Document | None, Record], Document | None]
    indexes: tuple[tuple[str, ...], ...] = ()
    version: int = 1
    """Of the fold. With another version than what is served, a new generation is built beside it, and then served."""
    by_case: bool = False
    """Whether all events of a document have one partition key: then a rebuild may fold partitions side by side."""
    slim: bool = False
    """Whether `keys` and `fold` look at nothing of an event but its fields, and at `record.kind` for what it is: then
    a rebuild reads structs in place of events, in half the time."""
    program: bytes | None = None
    """The same as rules that the compiled fold follows (`chassis.declared`); None where `fold` is code alone."""


def fold_all(projection: Projection, records: Iterable[Record]) -> dict[str, Document]:
    """What the projection shows after these records (without tombstones), for tests and small rebuilds."""
    states: dict[str, Document | None] = {}
    for record in records:
        for key in projection.keys(record) if issubclass(record.kind, projection.reads) else ():
            states[key] = fold_one(projection, key, states.get(key), record)
    return {key: visible(state) for key, state in states.items() if state is not None and not state.get("gone")}


def at_key(record: Record) -> str:
    """Where a document remembers how far it has folded a subject. Positions count per source, hence the source."""
    return f"{record.source} {record.subject}"


@dataclass(slots=True)
class Folding:
    """A document while events are folded into it, live, in a rebuild or in memory alone: the one place that does."""

    document: Document | None
    at: dict[str, int]
    gone: bool = False
    rev: int = 0
    """The revision that was read; 0 where none is stored."""
    changed: bool = False

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Self:
        """From the stored form; it is not changed."""
        if stored is None:
            return cls(None, {})
        return cls(visible(stored), dict(stored["at"]), bool(stored.get("gone")), stored.get("rev", 0))

    def after(self, projection: Projection, key: str, record: Record) -> Document | None:
        """What the fold makes of one more record; None when it is gone. For `take`. Raises what the fold raises."""
        # A tombstone stays one: a late event must not bring an erased person back.
        return None if self.gone else projection.fold(key, self.document, record)

    def knows(self, record: Record, subject: str) -> bool:
        """Whether the record came before; `subject` is its `at_key`."""
        return record.position <= self.at.get(subject, 0)

    def take(self, after: Document | None, record: Record, subject: str) -> None:
        """Be what `after` gave."""
        self.document, self.gone = after, after is None
        self.at[subject] = record.position
        self.changed = True

    def stored(self) -> Document:
        """The stored form, without `_id` and `rev`."""
        return {"at": self.at, "gone": True} if self.gone else {**(self.document or {}), "at": self.at}


def fold_one(projection: Projection, key: str, stored: Mapping[str, Any] | None, record: Record) -> Document:
    """The stored form (`at`, `gone`, fields) after one more record; the same fields where it was a duplicate."""
    folding, subject = Folding.of(stored), at_key(record)
    if folding.knows(record, subject):
        return dict(stored or {})
    folding.take(folding.after(projection, key, record), record, subject)
    kept = {} if stored is None else {name: stored[name] for name in ("_id", "rev") if name in stored}
    return {**folding.stored(), **kept}


def visible(state: Mapping[str, Any]) -> Document:
    """The document without what the platform keeps in it."""
    return {name: value for name, value in state.items() if name not in ("_id", "rev", "at", "gone")}
