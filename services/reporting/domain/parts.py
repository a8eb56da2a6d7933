"""Parts of a release: one table, one period, one stage, as bytes and as cells.

Invariant: the same part has the same bytes for ever (keys sorted, no spaces, no float), so its hash names it. Words,
roles and totals are not in it: they are put on when it is shown. A part that is counted by no dated code list has the
bytes that it has always had.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from math import prod
from typing import Any

from services.reporting.domain.cube import CONTENTS, Content, Cube, Dimension, Missing, Number, Role
from services.reporting.domain.definitions import Definition
from services.reporting.domain.releases import Stage
from services.reporting.domain.table import Note

_FORM, _DATED_FORM = 1, 2
"""The second one tells the dates of the code lists that were counted by; those sealed in the first do not know them."""
Codes = tuple[str, ...]
Dated = Mapping[str, date]
"""Code lists by their names (`country_group`), and which of their tables: that of a day."""


@dataclass(frozen=True)
class Part:
    """What is published of one period of one table."""

    table: str
    version: int
    """Of the table's shape."""
    period: str
    stage: Stage
    dimensions: Mapping[str, Codes]
    """Codes per variable, contents among them but not time, in the order of the values."""
    definitions: Mapping[str, tuple[Definition, ...]]
    """What each content was counted by."""
    values: Sequence[Number | None]
    """Dense and row-major."""
    status: Mapping[int, Missing] = field(default_factory=dict)
    codelists: Dated = field(default_factory=dict)
    """The dated code lists that it was counted by."""

    @property
    def key(self) -> str:
        """Which publication it is."""
        return f"{self.table}/{self.period}/{self.stage}"

    def places(self, dimensions: Sequence[Dimension]) -> Sequence[int | None]:
        """For each cell of a table with these dimensions (row-major) where it stands here; None where it does not."""
        if [(each.id, each.codes) for each in dimensions] == list(self.dimensions.items()):
            return range(len(self.values))
        strides, step = {}, 1
        for name, codes in reversed(list(self.dimensions.items())):
            strides[name] = step
            step *= len(codes)
        if set(strides) != {each.id for each in dimensions}:
            return [None] * prod(len(each.codes) for each in dimensions)
        places: list[int | None] = [0]
        for each in dimensions:
            index = {code: at * strides[each.id] for at, code in enumerate(self.dimensions[each.id])}
            ahead = [index.get(code) for code in each.codes]
            places = [None if at is None or more is None else at + more for at in places for more in ahead]
        return places


def written(part: Part) -> bytes:
    """Its bytes."""
    symbols: dict[str, list[int]] = {}
    for place, missing in sorted(part.status.items()):
        symbols.setdefault(missing.value, []).append(place)
    document: dict[str, Any] = {
        "form": _DATED_FORM if part.codelists else _FORM,
        "table": part.table,
        "version": part.version,
        "period": part.period,
        "stage": part.stage.value,
        "dimensions": [[name, list(codes)] for name, codes in part.dimensions.items()],
        "definitions": {
            content: [[each.name, each.version] for each in definitions]
            for content, definitions in part.definitions.items()
        },
        "values": [str(value) if isinstance(value, Decimal) else value for value in part.values],
        "missing": symbols,
    }
    if part.codelists:
        document["codelists"] = {name: day.isoformat() for name, day in part.codelists.items()}
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def written_in_all_forms(part: Part) -> tuple[bytes, ...]:
    """The bytes that it may have been sealed as, by this version or an earlier one."""
    return tuple(dict.fromkeys((written(part), written(replace(part, codelists={})))))


def read(content: bytes) -> Part:
    """The part again. Raises ValueError for bytes of another form."""
    document: dict[str, Any] = json.loads(content)
    if document["form"] not in (_FORM, _DATED_FORM):
        raise ValueError(f"parts of form {document['form']} are unknown here: a newer version made them")
    return Part(
        table=document["table"],
        version=document["version"],
        period=document["period"],
        stage=Stage(document["stage"]),
        dimensions={name: tuple(codes) for name, codes in document["dimensions"]},
        definitions={
            content: tuple(Definition(name, version) for name, version in definitions)
            for content, definitions in document["definitions"].items()
        },
        values=[Decimal(value) if isinstance(value, str) else value for value in document["values"]],
        status={place: Missing(symbol) for symbol, places in document["missing"].items() for place in places},
        codelists={name: date.fromisoformat(day) for name, day in document.get("codelists", {}).items()},
    )


@dataclass(frozen=True)
class Shape:
    """A table as it is shown today: what the cells of all its parts are laid out in."""

    table: str
    dimensions: tuple[Dimension, ...]
    """Without time; contents among them."""
    time: Dimension
    contents: tuple[Content, ...]
    version: int
    notes: tuple[Note, ...]
    dated: tuple[str, ...] = ()
    """The dated code lists that its figures are counted by: which ones, its parts say."""


def assembled(shape: Shape, parts: Iterable[Part], *, updated: datetime, complete_to: Mapping[str, int]) -> Cube:
    """The published cube: each period as it was sealed, side by side. `parts` has one part per period.

    A cell that a period was sealed without is not available; nothing is computed to fill it.
    """
    by_period = {part.period: part for part in sorted(parts, key=lambda part: part.period)}
    places = [(part, part.places(shape.dimensions)) for part in by_period.values()]
    values: list[Number | None] = []
    status: dict[int, Missing] = {}
    for row in range(prod(len(each.codes) for each in shape.dimensions)):
        for part, of_part in places:
            place = of_part[row]
            value = None if place is None else part.values[place]
            if value is None:
                status[len(values)] = Missing.NOT_AVAILABLE if place is None else part.status[place]
            values.append(value)
    return Cube(
        id=shape.table,
        dimensions=(*shape.dimensions, replace(shape.time, codes=tuple(by_period))),
        contents=tuple(_with_definitions(content, by_period.values()) for content in shape.contents),
        version=shape.version,
        notes=(*shape.notes, *(note for name in shape.dated for note in _dated_notes(name, by_period))),
        updated=updated,
        complete_to=complete_to,
        values=values,
        status=status,
    )


def _with_definitions(content: Content, parts: Iterable[Part]) -> Content:
    """With the definitions, and their versions, that the figures were counted by."""
    found = dict.fromkeys(each for part in parts for each in part.definitions.get(content.code, ()))
    return replace(content, definitions=tuple(found) or content.definitions)


_SAID = {"country_group": "mangfold_group_version"}
"""Under which note the date of a code list is said; `_of` some periods, `_untold` where their parts do not know it."""


def _dated_notes(codelist: str, parts: Mapping[str, Part]) -> Iterator[Note]:
    """By which tables of a code list the periods were counted: one note where it is the same for all."""
    key, periods = _SAID[codelist], sorted(parts)
    days = [parts[period].codelists.get(codelist) for period in periods]
    for day in sorted(set(days), key=lambda day: (day is None, day or date.min)):
        which = {"periods": _in_rows(periods, [each == day for each in days])}
        if day is None:
            yield Note(f"{key}_untold", which)
        elif set(days) == {day}:
            yield Note(key, {"version": day})
        else:
            yield Note(f"{key}_of", {"version": day, **which})


def _in_rows(periods: Sequence[str], chosen: Sequence[bool]) -> str:
    """The chosen ones; those that stand side by side as `2025M01–2025M06`."""
    found = []
    for is_chosen, group in groupby(zip(periods, chosen, strict=True), key=lambda each: each[1]):
        row = [period for period, _ in group]
        if is_chosen:
            found.append(row[0] if len(row) == 1 else f"{row[0]}–{row[-1]}")
    return ", ".join(found)


def shape_of(
    cube_dimensions: Sequence[Dimension],
    contents: tuple[Content, ...],
    *,
    table: str,
    version: int,
    notes: tuple[Note, ...],
    dated: tuple[str, ...] = (),
) -> Shape:
    """From dimensions with time among them."""
    time = next(each for each in cube_dimensions if each.role is Role.TIME)
    others = tuple(each for each in cube_dimensions if each.role is not Role.TIME)
    assert any(each.id == CONTENTS for each in others), "a table has contents"
    return Shape(table, others, time, contents, version, notes, dated)
