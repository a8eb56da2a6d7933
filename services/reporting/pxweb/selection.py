"""Which cells a request asks for, and where their variables are to stand.

Invariant: every variable is either chosen from or eliminated through its explicit total; the cells that are asked for
are counted before one of them is looked up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chassis.problems import Problem
from services.reporting.domain.cube import Cube, Described, Dimension, Role
from services.reporting.pxweb.expressions import matching, split
from services.reporting.pxweb.source import Table

_BRACKETED = re.compile(r"(?P<what>valuecodes|codelist)\[(?P<variable>[^\[\]]+)\]", re.IGNORECASE)
LATEST_PERIODS = 13
"""How many periods are shown where somebody has not chosen: a year and the same month of the year before."""


@dataclass(frozen=True)
class Wanted:
    """What was asked for, as it was written. Variable names are in small letters."""

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    codelists: Mapping[str, str] = field(default_factory=dict)
    heading: Sequence[str] | None = None
    stub: Sequence[str] | None = None


@dataclass(frozen=True)
class Selection:
    """What is meant: codes per variable, and the order of those that are shown; the others are eliminated."""

    chosen: Mapping[str, tuple[str, ...]]
    stub: tuple[str, ...]
    heading: tuple[str, ...]

    @property
    def cells(self) -> int:
        """How many numbers that is."""
        return prod(len(codes) for codes in self.chosen.values())

    def of(self, table: Table) -> Cube:
        """The cells, in the order of stub and heading."""
        return arranged(table.select(self.chosen), (*self.stub, *self.heading))


def from_query(parameters: Iterable[tuple[str, str]]) -> Wanted:
    """From `valueCodes[Tid]=…&codelist[Region]=…&heading=…&stub=…`; other parameters are nobody's business here."""
    values: dict[str, list[str]] = {}
    codelists: dict[str, str] = {}
    placed: dict[str, list[str]] = {}
    for name, value in parameters:
        found = _BRACKETED.fullmatch(name.strip())
        if found is None:
            if name.lower() in ("heading", "stub"):
                placed.setdefault(name.lower(), []).extend(split(value))
        elif found["what"].lower() == "codelist":
            codelists[found["variable"].strip().lower()] = value.strip()
        else:
            values.setdefault(found["variable"].strip().lower(), []).extend(split(value))
    return Wanted(values, codelists, placed.get("heading"), placed.get("stub"))


class _Chosen(BaseModel):
    model_config = ConfigDict(alias_generator=str.lower, populate_by_name=True)

    variable_code: str = Field(alias="variablecode", max_length=100)
    value_codes: list[str] | None = Field(default=None, alias="valuecodes")
    codelist: str | None = None


class _Placement(BaseModel):
    heading: list[str] | None = None
    stub: list[str] | None = None


class _Query(BaseModel):
    selection: list[_Chosen] | None = Field(default=None, max_length=100)
    placement: _Placement | None = None


def from_body(body: Any) -> Wanted:
    """From the JSON of a POST. Names match without regard to case. Raises Problem 400."""
    try:
        query = _Query.model_validate(_small(body or {}))
    except ValidationError as error:
        raise Problem(400, "bad_query") from error
    placement = query.placement or _Placement()
    values: dict[str, list[str]] = {}
    codelists: dict[str, str] = {}
    for each in query.selection or ():
        name = each.variable_code.strip().lower()
        # A variable that is named twice is chosen from twice, as in a query: the last one does not win.
        if found := [code.strip() for code in each.value_codes or () if code.strip()]:
            values.setdefault(name, []).extend(found)
        if each.codelist:
            codelists[name] = each.codelist
    return Wanted(values, codelists, placement.heading, placement.stub)


def _small(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name).lower(): _small(each) for name, each in value.items()}
    return [_small(each) for each in value] if isinstance(value, list) else value


def default_of(table: Described) -> dict[str, tuple[str, ...]]:
    """Totals, all contents, the latest periods; all codes where there is no total."""
    chosen = {}
    for each in table.dimensions:
        if each.role is Role.TIME:
            chosen[each.id] = each.codes[-LATEST_PERIODS:]
        else:
            chosen[each.id] = each.codes if each.total is None else (each.total,)
    return chosen


def select(table: Described, wanted: Wanted) -> Selection:
    """What a request means for a table. Raises Problem 400."""
    variables = {each.id.lower(): each for each in table.dimensions}
    for name in (*wanted.values, *wanted.codelists):
        if name not in variables:
            raise Problem(400, "unknown_variable", variables=", ".join(each.id for each in table.dimensions))
    if not wanted.values and not wanted.codelists:
        chosen = default_of(table)
        eliminated: frozenset[str] = frozenset()
    else:
        found = {each.id: _chosen(each, wanted) for name, each in variables.items()}
        eliminated = frozenset(name for name, codes in found.items() if codes is None)
        chosen = {
            name: (str(table.dimension(name).total),) if codes is None else codes for name, codes in found.items()
        }
    shown = [each.id for each in table.dimensions if each.id not in eliminated]
    stub, heading = _placed(table, shown, wanted)
    return Selection(chosen, stub, heading)


def _chosen(dimension: Dimension, wanted: Wanted) -> tuple[str, ...] | None:
    """The codes of a variable; None: eliminated. Raises Problem 400."""
    name = dimension.id.lower()
    expressions, codes = wanted.values.get(name), dimension.codes
    if name in wanted.codelists:
        asked = wanted.codelists[name].lower()
        codes = next((each.codes for each in dimension.codelists if each.id.lower() == asked), ())
        if not codes:
            raise Problem(400, "unknown_codelist", variable=dimension.id)
        expressions = expressions or ["*"]
    if expressions:
        return matching(expressions, codes, dimension.id, time=dimension.role is Role.TIME)
    if not dimension.eliminated:
        raise Problem(400, "variable_missing", variable=dimension.id)
    return None


def _placed(table: Described, shown: list[str], wanted: Wanted) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where the variables stand: as asked, else time in the heading and the others in the stub."""
    known = {each.id.lower(): each.id for each in table.dimensions}
    if wanted.heading is None and wanted.stub is None:
        heading = [name for name in shown if name == table.time.id]
        return tuple(name for name in shown if name not in heading), tuple(heading)
    asked = [*(wanted.stub or ()), *(wanted.heading or ())]
    if any(name.lower() not in known for name in asked):
        raise Problem(400, "unknown_variable", variables=", ".join(known.values()))
    if len({name.lower() for name in asked}) != len(asked):
        raise Problem(400, "placed_twice")
    stub = [known[name.lower()] for name in wanted.stub or ()]
    heading = [known[name.lower()] for name in wanted.heading or ()]
    rest = [name for name in shown if name not in (*stub, *heading)]
    # Where only the stub was named, the others are the heading.
    if wanted.heading is None:
        heading += rest
    else:
        stub += rest
    return tuple(name for name in stub if name in shown), tuple(name for name in heading if name in shown)


def arranged(cube: Cube, order: Sequence[str]) -> Cube:
    """The cells with their dimensions in another order; a dimension that is not named has one code, and goes."""
    strides: dict[str, int] = {}
    step = 1
    for each in reversed(cube.dimensions):
        strides[each.id] = step
        step *= len(each.codes)
    dimensions = tuple(cube.dimension(name) for name in order)
    if [each.id for each in cube.dimensions if each.id in order] == list(order):
        # What is left out has one code: without it the cells stand as they stood.
        return replace(cube, dimensions=dimensions)
    places = [0]
    for each in dimensions:
        stride = strides[each.id]
        places = [place + stride * at for place in places for at in range(len(each.codes))]
    return replace(
        cube,
        dimensions=dimensions,
        values=[cube.values[place] for place in places],
        status={new: cube.status[old] for new, old in enumerate(places) if old in cube.status},
    )
