"""Tables as people and programs read them: labels put on, numbers written as the language writes them.

Invariant: a number is only ever written, never computed, here; every table carries the definitions it was made by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from chassis.formats import NBSP, Language, decimals, long_date, percent, whole
from chassis.texts import Texts
from contracts.days import OSLO
from services.reporting.domain import regions
from services.reporting.domain.table import Cell, Column, Kind, Table
from services.reporting.reading import Read


def table_title(texts: Texts, language: Language, table_id: str) -> str:
    """What a table is called."""
    return texts.say(language, f"table.{table_id}.title")


def body(read: Read, texts: Texts, language: Language) -> dict[str, Any]:
    """The answer of `GET /tables/{id}`: numbers as JSON numbers, unknown as null."""
    table = read.table
    return {
        "id": table.id,
        "title": table_title(texts, language, table.id),
        "language": language,
        "definitions": [
            {"name": each.name, "version": each.version, "text": texts.say(language, each.text_key)}
            for each in table.definitions
        ],
        "filters": dict(table.filters),
        "columns": [_column(table, column, texts, language) for column in table.columns],
        "rows": [{name: _number(cell) for name, cell in row.items()} for row in table.rows],
        "figures": [
            {
                "id": each.id,
                "label": texts.say(language, f"figure.{table.id}.{each.id}"),
                "kind": each.kind.value,
                "value": _number(each.value),
            }
            for each in table.figures
        ],
        "notes": [texts.say(language, f"note.{note.key}", **note.params) for note in table.notes],
        "complete_to": dict(read.complete_to),
    }


def _column(table: Table, column: Column, texts: Texts, language: Language) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": column.id,
        "label": texts.say(language, f"column.{column.id}"),
        "kind": column.kind.value,
    }
    if column.kind is Kind.CATEGORY:
        codes = dict.fromkeys(str(row[column.id]) for row in table.rows)
        told["categories"] = {code: texts.say(language, f"code.{column.id}.{code}") for code in codes}
    return told


def _number(cell: Cell) -> str | int | float | None:
    # One decimal: the shortest text of the double is the decimal again.
    return float(cell) if isinstance(cell, Decimal) else cell


@dataclass(frozen=True)
class ShownColumn:
    """`is_number`: its cells are numbers. `heads_rows`: its cells are headings of their rows."""

    label: str
    is_number: bool
    heads_rows: bool


@dataclass(frozen=True)
class ShownTable:
    """A table for the page: all text."""

    id: str
    title: str
    selection: str
    columns: list[ShownColumn]
    rows: list[list[str]]
    figures: list[tuple[str, str]]
    notes: list[str]
    empty: str | None
    missing: str | None
    """What the sign for a number that there is not means, where it stands in the table or among the figures."""


def shown(read: Read, texts: Texts, language: Language) -> ShownTable:
    """The same for the page."""
    table = read.table
    cells = [
        *(row[column.id] for row in table.rows for column in table.columns),
        *(each.value for each in table.figures),
    ]
    empty = f"report.empty_{table.id}" if f"report.empty_{table.id}" in texts else "report.empty"
    return ShownTable(
        id=table.id,
        title=table_title(texts, language, table.id),
        selection=selection(table.filters, texts, language),
        columns=[
            ShownColumn(
                texts.say(language, f"column.{column.id}"),
                is_number=column.kind not in (Kind.CATEGORY, Kind.TEXT),
                heads_rows=column.kind in (Kind.CATEGORY, Kind.TEXT) or column.id == "year",
            )
            for column in table.columns
        ],
        rows=[[written(row[column.id], column, texts, language) for column in table.columns] for row in table.rows],
        figures=[
            (
                texts.say(language, f"figure.{table.id}.{each.id}"),
                written(each.value, Column(each.id, each.kind), texts, language),
            )
            for each in table.figures
        ],
        notes=[texts.say(language, f"note.{note.key}", **note.params) for note in table.notes],
        empty=texts.say(language, empty) if table.is_empty else None,
        missing=texts.say(language, "report.missing_key") if None in cells else None,
    )


def selection(filters: Mapping[str, str], texts: Texts, language: Language) -> str:
    """What the table is about, in words: its caption."""
    words = []
    for name, value in filters.items():
        if name == "region":
            words.append(region_name(value, texts, language))
            continue
        keys = (f"code.{name}.{value}", f"column.{value}")
        words.append(next((texts.say(language, key) for key in keys if key in texts), value))
    return texts.say(language, "report.selection", what=", ".join(words) or texts.say(language, "report.everything"))


def region_name(code: str, texts: Texts, language: Language) -> str:
    """What people call a region of any year: the place of today that its figures are counted in."""
    if code not in regions.counties():
        code = regions.finest(code)
    name = regions.name(code)
    if name is None:
        return texts.say(language, f"code.region.{code}")
    return texts.say(language, "region.county", name=name) if code in regions.counties() else name


def complete_sentences(complete_to: Mapping[str, int], texts: Texts, language: Language) -> list[str]:
    """How fresh the figures are, a sentence per source."""
    return [
        texts.say(language, "report.complete_to", position=position, source=source)
        if position
        else texts.say(language, "report.nothing_yet", source=source)
        for source, position in complete_to.items()
    ]


def computed(at: datetime, texts: Texts, language: Language) -> str:
    """When the figures of a page were computed, on the clocks of Oslo: on paper nothing else tells."""
    local = at.astimezone(OSLO)
    time = local.strftime("%H.%M" if language == "nb" else "%H:%M")
    return texts.say(language, "report.computed", day=long_date(local, language), time=time)


def written(cell: Cell, column: Column, texts: Texts, language: Language) -> str:
    """A cell as text: `10,9 %`, `+49,3 %`, `24,5 dager`, `13 000`; unknown as two dots."""
    if cell is None:
        return texts.say(language, "report.unknown")
    match column.kind:
        case Kind.CATEGORY:
            return texts.say(language, f"code.{column.id}.{cell}")
        case Kind.TEXT | Kind.YEAR:
            return str(cell)
        case Kind.COUNT:
            return whole(int(cell), language)
        case Kind.PER_CENT:
            return percent(Decimal(cell), language)
        case Kind.CHANGE:
            sign = "+" if Decimal(cell) > 0 else ""
            return f"{sign}{percent(Decimal(cell), language)}"
        case Kind.DAYS:
            return texts.say(language, "report.days", days=decimals(Decimal(cell), 1, language)).replace(" ", NBSP)
