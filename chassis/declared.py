"""Projections that are rules and no code: what each event says, and where in its document that stands.

Invariant: a rule is said once. The fold here and the compiled one (`chassis.native`) follow the same rules and make the
same documents; a rule that one of them could not follow is refused when it is declared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any

import msgspec

from chassis.projection import Document, Projection, Record
from contracts.event import TYPE_PATTERN, Event
from contracts.registry import SOURCES, topic_of
from contracts.shapes import Shape, shapes_of


class Of(Enum):
    """What can be said of an event besides its fields."""

    RECORDED = "recorded"
    """When the log recorded it: UTC with milliseconds, which sorts as text in the order of time."""
    POSITION = "position"
    NOTHING = "nothing"
    YES = "yes"
    NO = "no"


Said = str | Of
"""A field of the event by its name (a day as ISO 8601 text), or what else can be said of it."""


@dataclass(frozen=True)
class Also:
    """The name holds a list, and this is one more item of it. Items stay in the order of their subject's events."""

    what: Said | Mapping[str, Said]


@dataclass(frozen=True)
class Under:
    """The name holds an object, in which this stands under what the field `key` is."""

    key: str
    what: Said


@dataclass(frozen=True)
class UnderEach:
    """The same under each item of the list that the field `key` is; where it is empty, nothing is said."""

    key: str
    what: Of


Says = Mapping[str, Said | Also | Under | UnderEach]
"""What stands under each name, in their order."""


@dataclass(frozen=True)
class Section:
    """The section is this and nothing else."""

    section: str
    says: Says


@dataclass(frozen=True)
class Entry:
    """Of the section's entries, the one that the field `entry` names; what is not said of it stays."""

    section: str
    entry: str
    says: Says


@dataclass(frozen=True)
class Item:
    """One more item of the section, which is a list."""

    section: str
    says: Says


Rule = Section | Entry | Item


@dataclass(frozen=True)
class Rules:
    """For each event, the field that names its documents (a text, or a list of texts), and what it says of them."""

    of: Mapping[type[Event], tuple[str, Rule]]

    def keys(self, record: Record) -> Sequence[str]:
        """The documents that a record belongs to."""
        named = getattr(record.event, self.of[record.kind][0])
        return named if isinstance(named, tuple) else (named,)

    def fold(self, _: str, document: Document | None, record: Record) -> Document:
        """The document after one more record."""
        before = document or {}
        rule = self.of[record.kind][1]
        there = before.get(rule.section)
        match rule:
            case Section(says=says):
                return {**before, rule.section: _after({}, says, record)}
            case Item(says=says):
                return {**before, rule.section: [*(there or ()), _after({}, says, record)]}
            case Entry(entry=field, says=says):
                entries, name = there or {}, _name(getattr(record.event, field))
                return {**before, rule.section: {**entries, name: _after(entries.get(name, {}), says, record)}}

    def program(self, topics: Sequence[str]) -> bytes:
        """The same as JSON, for `chassis/native/fold.zig`; events of the topics that have no rule are named as such.

        Raises ValueError for a rule that cannot be followed.
        """
        _check_sections(self.of)
        read = [_of_type(known, key, rule) for known, (key, rule) in self.of.items()]
        others = [
            {"type": TYPE_PATTERN.sub(rf"dugnad.\g<name>.v{version}", known.type_name()), "ignored": True}
            for source, events in SOURCES.items()
            if topic_of(source) in topics
            for known in events
            if known not in self.of
            for version in range(1, known.VERSION + 1)
        ]
        return msgspec.json.encode([*read, *others])


def declared(
    name: str,
    topics: tuple[str, ...],
    rules: Mapping[type[Event], tuple[str, Rule]],
    *,
    version: int = 1,
    by_case: bool = False,
) -> Projection:
    """A projection of these rules. Raises ValueError for one that cannot be followed."""
    of = Rules(rules)
    return Projection(
        name=name,
        topics=topics,
        reads=tuple(rules),
        keys=of.keys,
        fold=of.fold,
        version=version,
        by_case=by_case,
        slim=True,
        program=of.program(topics),
    )


def instant_text(instant: datetime) -> str:
    """UTC with milliseconds: sorts as text in the order of time."""
    return (instant if instant.tzinfo is UTC else instant.astimezone(UTC)).isoformat(timespec="milliseconds")


# --- the fold -------------------------------------------------------------------------------------------------------


def _after(before: Mapping[str, Any], says: Says, record: Record) -> dict[str, Any]:
    after = {**before}
    for name, said in says.items():
        match said:
            case Also(what=what):
                after[name] = [*after.get(name, ()), _said(what, record)]
            case Under(key=key, what=what):
                after[name] = {**after.get(name, {}), _name(getattr(record.event, key)): _said(what, record)}
            case UnderEach(key=key, what=what):
                for each in getattr(record.event, key):
                    after[name] = {**after.get(name, {}), _name(each): _said(what, record)}
            case _:
                after[name] = _said(said, record)
    return after


def _said(what: Said | Mapping[str, Said], record: Record) -> Any:
    if isinstance(what, str):
        value = getattr(record.event, what)
        return value.isoformat() if isinstance(value, date) else value
    match what:
        case Of.RECORDED:
            return instant_text(record.recorded)
        case Of.POSITION:
            return record.position
        case Of.NOTHING:
            return None
        case Of.YES | Of.NO:
            return what is Of.YES
        case _:
            return {name: _said(each, record) for name, each in what.items()}


def _name(value: Any) -> str:
    # An exact type first: most names are texts, and this is asked for every event.
    if type(value) is str:
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


# --- the program ----------------------------------------------------------------------------------------------------


_KEPT = ("text", "day", "integer", "boolean")
_NAMES = ("text", "day", "integer")
_OF_THE_PLATFORM = ("_id", "at", "gone", "rev")


def _of_type(known: type[Event], key: str, rule: Rule) -> dict[str, Any]:
    shapes = shapes_of(known)
    if shapes is None:
        raise ValueError(f"{known.__name__} is not said by its types alone")
    fields = _Fields(known, shapes)
    return {
        "type": known.type_name(),
        "fields": shapes,
        "keys": fields.named(key, ("text", "texts")),
        "section": rule.section,
        "into": type(rule).__name__.lower(),
        "entry": fields.named(rule.entry, _NAMES) if isinstance(rule, Entry) else 0,
        "says": [_saying(name, said, fields) for name, said in rule.says.items()],
    }


@dataclass(frozen=True)
class _Fields:
    known: type[Event]
    shapes: Sequence[Shape]

    def named(self, name: str, kinds: Sequence[str]) -> int:
        """The number of a field that names something: it has to be there, and to be of such a kind."""
        number = self.kept(name, kinds)
        shape = self.shapes[number]
        if any(each.get("optional") for each in (shape, *shape.get("of", ()))):
            raise ValueError(f"{self.known.__name__}.{name} need not name anything")
        return number

    def kept(self, name: str, kinds: Sequence[str] = _KEPT) -> int:
        """The number of a field of such a kind."""
        for number, shape in enumerate(self.shapes):
            kind = f"{shape['of'][0]['kind']}s" if shape["kind"] == "list" else shape["kind"]
            if shape["name"] == name and kind in kinds:
                return number
        raise ValueError(f"{self.known.__name__} has no {name} that is one of {', '.join(kinds)}")


def _saying(name: str, said: Said | Also | Under | UnderEach | Mapping[str, Said], fields: _Fields) -> dict[str, Any]:
    match said:
        case Also(what=what):
            return {**_saying(name, what, fields), "how": "also"}
        case Under(key=key, what=what):
            return {**_saying(name, what, fields), "how": "under", "key": fields.named(key, _NAMES)}
        case UnderEach(key=key, what=what):
            return {**_saying(name, what, fields), "how": "under_each", "key": fields.named(key, ("texts", "days"))}
        case Of():
            return {"name": name, "how": "is", "from": said.value}
        case str():
            return {"name": name, "how": "is", "from": "field", "field": fields.kept(said)}
        case _:
            of = [_saying(inner, each, fields) for inner, each in said.items()]
            return {"name": name, "how": "is", "from": "object", "of": of}


def _check_sections(rules: Mapping[type[Event], tuple[str, Rule]]) -> None:
    """What one rule takes for a list, no other may take for something else; the platform's names are its own."""
    forms: dict[tuple[str, ...], str] = {}
    for path, form in _forms(rule for _, rule in rules.values()):
        if path[0] in _OF_THE_PLATFORM:
            raise ValueError(f"{path[0]} is kept in every document by the platform")
        if forms.setdefault(path, form) != form:
            raise ValueError(f"{'.'.join(path)} is held in two ways: {form} and {forms[path]}")


def _forms(rules: Iterator[Rule]) -> Iterator[tuple[tuple[str, ...], str]]:
    for rule in rules:
        yield (rule.section,), type(rule).__name__
        for name, said in rule.says.items():
            form = "one" if isinstance(said, str | Of) else "list" if isinstance(said, Also) else "object"
            yield (rule.section, name), form
