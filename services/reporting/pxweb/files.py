"""The formats that are files: `xlsx` and `parquet`.

Invariant: numbers are numbers in them, and a cell without one says why in words or in a column of its own.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from itertools import product
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from services.reporting.domain.cube import Cube, Dimension, Role
from services.reporting.pxweb.grid import Grid, Words
from services.reporting.pxweb.jsonstat import plain, stamp
from services.reporting.pxweb.labels import Labels

_FIRST = datetime(2000, 1, 1, tzinfo=UTC)


def as_xlsx(grid: Grid, *, title: str | None = None) -> bytes:
    """One sheet with the table, and one with the notes and definitions."""
    written = BytesIO()
    book = xlsxwriter.Workbook(written, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    # The same cells give the same bytes: no clock of the machine in the file.
    book.set_properties({"title": grid.labels.title(grid.cube), "created": grid.cube.updated or _FIRST})
    bold = book.add_format({"bold": True})
    whole, decimal = book.add_format({"num_format": "#,##0"}), book.add_format({"num_format": "#,##0.0"})
    sheet = book.add_worksheet(grid.cube.id[:31])
    at = 0
    if title is not None:
        sheet.write_string(0, 0, title, bold)
        at = 2
    for column, name in enumerate([*grid.names, *(" ".join(each) for each in grid.columns())]):
        sheet.write_string(at, column, name, bold)
    for row, (stub, cells) in enumerate(grid.rows(), start=at + 1):
        for column, word in enumerate(stub):
            sheet.write_string(row, column, word)
        for column, value in enumerate(cells, start=len(stub)):
            if isinstance(value, str):
                sheet.write_string(row, column, value)
            else:
                sheet.write_number(row, column, float(value), decimal if isinstance(value, Decimal) else whole)
    sheet.set_column(0, max(0, len(grid.stub) - 1), 28)
    _notes(book, grid)
    book.close()
    return written.getvalue()


def _notes(book: Any, grid: Grid) -> None:
    sheet = book.add_worksheet("Info")
    lines = [(grid.labels.title(grid.cube), stamp(grid.cube))]
    lines += [(note, "") for note in grid.labels.notes(grid.cube)]
    lines += [
        (grid.labels.content(grid.cube, each.code), " ".join(grid.labels.definitions(each)))
        for each in grid.cube.contents
    ]
    for row, line in enumerate(lines):
        for column, text in enumerate(line):
            sheet.write_string(row, column, text)
    sheet.set_column(0, 1, 60)


def as_parquet(cube: Cube, labels: Labels, words: Words) -> bytes:
    """A row per combination of the variables, a column per content; beside each its symbols where a number is missing.

    Variables as codes in columns of their ids, as texts in columns `<id>_text`. Title, notes and definitions are in the
    metadata of the file.
    """
    keyed = [each for each in cube.dimensions if each.role is not Role.CONTENTS]
    contents = next(each for each in cube.dimensions if each.role is Role.CONTENTS)
    columns: dict[str, Any] = {}
    for each, spread in zip(keyed, _spread(keyed), strict=True):
        if words is not Words.TEXTS:
            columns[each.id] = pa.array([each.codes[at] for at in spread]).dictionary_encode()
        if words is not Words.CODES:
            texts = list(labels.codes(cube, each).values())
            columns[f"{each.id}_text"] = pa.array([texts[at] for at in spread]).dictionary_encode()
    for content in cube.contents:
        places = [*_places(cube, contents, content.code)]
        name = labels.content(cube, content.code) if words is Words.TEXTS else content.code
        numbers = [plain(cube.values[place]) for place in places]
        columns[name] = pa.array(numbers, pa.float64() if content.decimals else pa.int64())
        columns[f"{name}_symbol"] = pa.array(
            [cube.status[place].value if place in cube.status else None for place in places], pa.string()
        )
    about = {
        "title": labels.title(cube),
        "updated": stamp(cube),
        "notes": json.dumps(labels.notes(cube), ensure_ascii=False),
        "definitions": json.dumps({each.code: labels.definitions(each) for each in cube.contents}, ensure_ascii=False),
    }
    table = pa.table(columns).replace_schema_metadata(about)
    written = BytesIO()
    pq.write_table(table, written, compression="zstd")
    return written.getvalue()


def _spread(dimensions: list[Dimension]) -> list[list[int]]:
    """Per variable the place of its code in each row."""
    rows = list(product(*(range(len(each.codes)) for each in dimensions)))
    return [[row[number] for row in rows] for number in range(len(dimensions))]


def _places(cube: Cube, contents: Dimension, code: str) -> list[int]:
    """Where the cells of one content stand, in the order of the rows."""
    strides, step = {}, 1
    for each in reversed(cube.dimensions):
        strides[each.id] = step
        step *= len(each.codes)
    places = [strides[contents.id] * contents.codes.index(code)]
    for each in cube.dimensions:
        if each.role is not Role.CONTENTS:
            places = [place + strides[each.id] * at for place in places for at in range(len(each.codes))]
    return places
