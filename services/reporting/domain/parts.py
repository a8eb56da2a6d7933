"""Parts of a release: one table, one period, one stage, as bytes and as cells.

Invariant: the same part has the same bytes for ever (keys sorted, no spaces, no float), so its hash names it. Words,
roles and totals are not in it: they are put on when it is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from math import prod
from typing import Any

from services.reporting.domain.cube import CONTENTS, Content, Cube, Dimension, Missing, Number, Role
from services.reporting.domain.definitions import Definition
from services.reporting.domain.releases import Stage
from services.reporting.domain.table import Note

_FORM = 1
Codes = tuple[str, ...]


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
    document = {
        "form": _FORM,
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
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def read(content: bytes) -> Part:
    """The part again. Raises ValueError for bytes of another form."""
    document: dict[str, Any] = json.loads(content)
    if document["form"] != _FORM:
        raise ValueError(f"parts of form {document['form']} are unknown")
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
        notes=shape.notes,
        updated=updated,
        complete_to=complete_to,
        values=values,
        status=status,
    )


def _with_definitions(content: Content, parts: Iterable[Part]) -> Content:
    """With the definitions, and their versions, that the figures were counted by."""
    found = dict.fromkeys(each for part in parts for each in part.definitions.get(content.code, ()))
    return replace(content, definitions=tuple(found) or content.definitions)


def shape_of(
    cube_dimensions: Sequence[Dimension],
    contents: tuple[Content, ...],
    *,
    table: str,
    version: int,
    notes: tuple[Note, ...],
) -> Shape:
    """From dimensions with time among them."""
    time = next(each for each in cube_dimensions if each.role is Role.TIME)
    others = tuple(each for each in cube_dimensions if each.role is not Role.TIME)
    assert any(each.id == CONTENTS for each in others), "a table has contents"
    return Shape(table, others, time, contents, version, notes)
