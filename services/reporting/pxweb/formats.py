"""Which formats there are, what may be asked of each, and the answer in it.

Invariant: a parameter that a format does not know is refused, never passed over: the answer would look right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from chassis.problems import Problem
from services.reporting.domain.cube import Cube
from services.reporting.pxweb import documents, files, jsonstat
from services.reporting.pxweb.expressions import split
from services.reporting.pxweb.grid import Grid, Words
from services.reporting.pxweb.labels import Labels


class Format(StrEnum):
    """In the order in which `config` lists them."""

    JSON_STAT2 = "json-stat2"
    CSV = "csv"
    PX = "px"
    XLSX = "xlsx"
    HTML = "html"
    JSON_PX = "json-px"
    PARQUET = "parquet"


DEFAULT = Format.JSON_STAT2
_SEPARATORS = {"SeparatorTab": "\t", "SeparatorSpace": " ", "SeparatorSemicolon": ";"}
_TITLE = "IncludeTitle"
_WORDS = tuple(each.value for each in Words)
PARAMETERS: dict[Format, tuple[str, ...]] = {
    Format.CSV: (*_WORDS, _TITLE, *_SEPARATORS),
    Format.HTML: (*_WORDS, _TITLE),
    Format.XLSX: (*_WORDS, _TITLE),
    Format.PARQUET: _WORDS,
}
"""What `outputFormatParams` may say; nothing for the others."""
_MEDIA = {
    Format.JSON_STAT2: ("application/json", None),
    Format.CSV: ("text/csv; charset=utf-8", "csv"),
    Format.PX: ("application/octet-stream", "px"),
    Format.XLSX: ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    Format.HTML: ("text/html; charset=utf-8", None),
    Format.JSON_PX: ("application/json", None),
    Format.PARQUET: ("application/vnd.apache.parquet", "parquet"),
}


@dataclass(frozen=True)
class Output:
    """A format with what was asked of it."""

    format: Format = DEFAULT
    words: Words = Words.TEXTS
    separator: str = ","
    with_title: bool = False

    @property
    def media_type(self) -> str:
        """Of the answer."""
        return _MEDIA[self.format][0]

    def headers(self, table_id: str) -> dict[str, str]:
        """A name for what is saved as a file."""
        ending = _MEDIA[self.format][1]
        return {} if ending is None else {"Content-Disposition": f'attachment; filename="{table_id}.{ending}"'}


def output(name: str | None, parameters: Sequence[str]) -> Output:
    """What `outputFormat` and `outputFormatParams` ask for. Raises Problem 400."""
    found = {each.value: each for each in Format}.get((name or DEFAULT).strip().lower())
    if found is None:
        raise Problem(400, "unknown_format", formats=", ".join(Format))
    allowed = {each.lower(): each for each in PARAMETERS.get(found, ())}
    asked = []
    for parameter in [part for text in parameters for part in split(text)]:
        if parameter.lower() not in allowed:
            raise Problem(400, "format_parameter", format=found.value, allowed=", ".join(allowed.values()) or "–")
        asked.append(allowed[parameter.lower()])
    words = {each for each in asked if each in _WORDS}
    separators = {each for each in asked if each in _SEPARATORS}
    if len(words) > 1 or len(separators) > 1:
        raise Problem(400, "format_parameters_differ", format=found.value)
    usual = Words.BOTH if found is Format.PARQUET else Words.TEXTS
    return Output(
        found,
        Words(words.pop()) if words else usual,
        _SEPARATORS[separators.pop()] if separators else ",",
        _TITLE in asked,
    )


def rendered(
    cube: Cube, labels: Labels, wanted: Output, *, stub: Sequence[str], heading: Sequence[str], codelist_url: str
) -> bytes:
    """The cells in a format. Pure, and for many cells slow: not for the event loop."""
    if wanted.format is Format.JSON_STAT2:
        return jsonstat.dataset(cube, labels, codelist_url, stub, heading)
    if wanted.format is Format.PARQUET:
        return files.as_parquet(cube, labels, wanted.words)
    by_name = {each.id: each for each in cube.dimensions}
    grid = Grid(
        cube, labels, wanted.words, tuple(by_name[name] for name in stub), tuple(by_name[name] for name in heading)
    )
    title = labels.title(cube) if wanted.with_title else None
    match wanted.format:
        case Format.CSV:
            return documents.as_csv(grid, separator=wanted.separator, title=title)
        case Format.HTML:
            return documents.as_html(grid, title=title)
        case Format.XLSX:
            return files.as_xlsx(grid, title=title)
        case Format.PX:
            return documents.as_px(grid)
        case Format.JSON_PX:
            return documents.as_json_px(grid)
