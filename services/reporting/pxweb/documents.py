"""The formats that are text: `csv`, `html`, `px`, `json-px`.

Invariant: every format holds the same cells; a cell without a number holds its symbol, never an empty string or zero.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from html import escape
from io import StringIO
from itertools import pairwise, product
from typing import Any

from services.reporting.domain.cube import Dimension, Role
from services.reporting.domain.periods import Frequency, Period
from services.reporting.pxweb.grid import Grid, cell
from services.reporting.pxweb.jsonstat import plain, px_language, stamp
from services.reporting.pxweb.labels import Labels

_KIND = {Role.TIME: "t", Role.CONTENTS: "c"}


def as_csv(grid: Grid, *, separator: str = ",", title: str | None = None) -> bytes:
    """UTF-8, CRLF, words in quotation marks and numbers without, a decimal point."""
    text = StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=csv.QUOTE_NONNUMERIC)
    if title is not None:
        writer.writerow([title])
        writer.writerow([])
    writer.writerow([*grid.names, *(" ".join(column) or "value" for column in grid.columns())])
    for stub, cells in grid.rows():
        writer.writerow([*stub, *(each if isinstance(each, str) else plain(each) for each in cells)])
    return text.getvalue().encode()


def as_html(grid: Grid, *, title: str | None = None) -> bytes:
    """A page of its own with one table, its headings scoped, and the notes below it."""
    language = grid.labels.language
    caption = grid.labels.title(grid.cube)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in grid.names)
    columns = [
        f'<th scope="col">{escape(" ".join(column) or grid.labels.name(grid.cube))}</th>' for column in grid.columns()
    ]
    rows = []
    for stub, cells in grid.rows():
        words = "".join(f'<th scope="row">{escape(word)}</th>' for word in stub)
        rows.append(f"<tr>{words}{''.join(f'<td>{each}</td>' for each in cells)}</tr>")
    notes = "".join(f"<li>{escape(note)}</li>" for note in grid.labels.notes(grid.cube))
    heading = "" if title is None else f"<h1>{escape(title)}</h1>\n"
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">\n'
        f"<title>{escape(caption)}</title></head>\n"
        f"<body>\n{heading}<table><caption>{escape(caption)}</caption>\n"
        f"<thead><tr>{head}{''.join(columns)}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody></table>\n"
        f"<ul>{notes}</ul>\n</body></html>\n"
    ).encode()


def as_json_px(grid: Grid) -> bytes:
    """The older JSON of PxWeb: columns, and per cell its key and its values as text, contents side by side."""
    cube, labels = grid.cube, grid.labels
    keyed = [each for each in cube.dimensions if each.role is not Role.CONTENTS]
    strides: dict[str, int] = {}
    step = 1
    for each in reversed(cube.dimensions):
        strides[each.id] = step
        step *= len(each.codes)
    contents = next(each for each in cube.dimensions if each.role is Role.CONTENTS)
    columns = [
        *({"code": each.id, "text": labels.dimension(each), "type": _KIND.get(each.role, "d")} for each in keyed),
        *({"code": code, "text": labels.content(cube, code), "type": "c"} for code in contents.codes),
    ]
    data = []
    for at in product(*(range(len(each.codes)) for each in keyed)):
        place = sum(strides[each.id] * index for each, index in zip(keyed, at, strict=True))
        values = [str(cell(cube, place + strides[contents.id] * number)) for number in range(len(contents.codes))]
        data.append({"key": [each.codes[index] for each, index in zip(keyed, at, strict=True)], "values": values})
    document: dict[str, Any] = {
        "columns": columns,
        "comments": [
            {"variable": contents.id, "value": each.code, "comment": " ".join(labels.definitions(each))}
            for each in cube.contents
        ],
        "data": data,
        "metadata": [
            {
                "infofile": "",
                "updated": stamp(cube),
                "label": labels.title(cube),
                "source": labels.say("px.source"),
                "note": labels.notes(cube),
            }
        ],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def as_px(grid: Grid) -> bytes:
    """A PC-Axis file: keywords, then the cells row by row. UTF-8, as its `CODEPAGE` says."""
    cube, labels = grid.cube, grid.labels
    updated = "" if cube.updated is None else cube.updated.strftime("%Y%m%d %H:%M")
    stored = max(each.decimals for each in cube.contents)
    # `PRECISION` only ever shows more decimals than this: with the most of them here a count would have a comma.
    shown = min(each.decimals for each in cube.contents)
    contents = next(each for each in cube.dimensions if each.role is Role.CONTENTS)
    name = labels.dimension(contents)
    lines = [
        _line("CHARSET", "ANSI"),
        _line("AXIS-VERSION", "2013"),
        _line("CODEPAGE", "utf-8"),
        _line("LANGUAGE", px_language(labels.language)),
        _line("CREATION-DATE", updated),
        f"DECIMALS={stored};",
        f"SHOWDECIMALS={shown};",
        _line("MATRIX", cube.id),
        "AGGREGALLOWED=NO;",
        _line("SUBJECT-CODE", "dugnad"),
        _line("SUBJECT-AREA", labels.say("px.subject")),
        _line("TITLE", labels.title(cube)),
        _line("CONTENTS", labels.name(cube)),
        *(
            _several(keyword, [labels.dimension(each) for each in dimensions])
            for keyword, dimensions in (("STUB", grid.stub), ("HEADING", grid.heading))
            if dimensions
        ),
        _line("CONTVARIABLE", name),
        *(
            _several("VALUES", list(labels.codes(cube, each).values()), labels.dimension(each))
            for each in cube.dimensions
        ),
        *_timeval(cube.dimensions, labels),
        *(_several("CODES", each.codes, labels.dimension(each)) for each in cube.dimensions),
        *(_line("VARIABLECODE", each.id, labels.dimension(each)) for each in cube.dimensions),
        *(
            _line("ELIMINATION", labels.code(cube, each, each.total), labels.dimension(each))
            for each in cube.dimensions
            if each.total is not None
        ),
    ]
    for each in cube.contents:
        text = labels.content(cube, each.code)
        lines += [
            _line("UNITS", labels.unit(each), text),
            _line("LAST-UPDATED", updated, text),
            *([f"PRECISION({_quoted(name)},{_quoted(text)})={each.decimals};"] if each.decimals > shown else []),
            f"VALUENOTE({_quoted(name)},{_quoted(text)})={_quoted(' '.join(labels.definitions(each)))};",
        ]
    lines += [
        _line("SOURCE", labels.say("px.source")),
        _line("DATASYMBOL1", ":"),
        _line("NOTE", "#".join(labels.notes(cube))),
    ]
    rows = (" ".join(_in_px(each) for each in cells) for _, cells in grid.rows())
    return ("\r\n".join([*lines, "DATA=", *rows]) + ";\r\n").encode()


_SCALES = {Frequency.MONTH: "M1", Frequency.QUARTER: "Q1", Frequency.YEAR: "A1"}


def _timeval(dimensions: Sequence[Dimension], labels: Labels) -> Iterator[str]:
    """`TIMEVAL("måned")=TLIST(M1),"202601","202602";`: which variable is time, and of when its values are.

    As the format writes them (CCYYMM, CCYYQ, CCYY); it wants consecutive periods, so others are left without.
    """
    for each in dimensions:
        if each.role is not Role.TIME:
            continue
        periods = [Period.parse(code) for code in each.codes]
        if all(before.months[1] + 1 == after.months[0] for before, after in pairwise(periods)):
            listed = ",".join(_quoted(re.sub("[MK]", "", code)) for code in each.codes)
            yield f"TIMEVAL({_quoted(labels.dimension(each))})=TLIST({_SCALES[periods[0].frequency]}),{listed};"


def _in_px(value: object) -> str:
    # A symbol stands in quotation marks; two dots are PX's own, the colon is the first symbol that the file explains.
    if isinstance(value, str):
        return '"."' if value == ":" else f'"{value}"'
    return str(value)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', "'") + '"'


def _line(keyword: str, text: str, of: str | None = None) -> str:
    return f"{keyword}{'' if of is None else f'({_quoted(of)})'}={_quoted(text)};"


def _several(keyword: str, texts: list[str] | tuple[str, ...], of: str | None = None) -> str:
    return f"{keyword}{'' if of is None else f'({_quoted(of)})'}={','.join(map(_quoted, texts))};"
