"""Projections: pure folds of events into documents.

Invariant: a document is the same whatever the order between subjects, and however often an event comes: an event at or
below what the document has folded of its subject is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.event import Event

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """One event as it came over the topic."""

    event: Event
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


def fold_all(projection: Projection, records: Iterable[Record]) -> dict[str, Document]:
    """What the projection shows after these records (without tombstones), for tests and small rebuilds."""
    states: dict[str, Document | None] = {}
    for record in records:
        for key in projection.keys(record) if isinstance(record.event, projection.reads) else ():
            states[key] = fold_one(projection, key, states.get(key), record)
    return {key: visible(state) for key, state in states.items() if state is not None and not state.get("gone")}


def at_key(record: Record) -> str:
    """Where a document remembers how far it has folded a subject. Positions count per source, hence the source."""
    return f"{record.source} {record.subject}"


def fold_one(projection: Projection, key: str, stored: Mapping[str, Any] | None, record: Record) -> Document:
    """The stored form (`at`, `gone`, fields) after one more record; the same object where it was a duplicate."""
    state: Document = dict(stored) if stored is not None else {"at": {}}
    if record.position <= state["at"].get(at_key(record), 0):
        return state
    at = {**state["at"], at_key(record): record.position}
    if state.get("gone"):
        # A tombstone stays one: a late event must not bring an erased person back.
        return {**state, "at": at}
    folded = projection.fold(key, None if stored is None else visible(state), record)
    kept: Document = {name: state[name] for name in ("_id", "rev") if name in state}
    return {**kept, "at": at, "gone": True} if folded is None else {**folded, **kept, "at": at}


def visible(state: Mapping[str, Any]) -> Document:
    """The document without what the platform keeps in it."""
    return {name: value for name, value in state.items() if name not in ("_id", "rev", "at", "gone")}
