"""All seven formats hold the same cells, and say what a symbol means."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO, StringIO
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest

from chassis.formats import LANGUAGES, Language
from services.reporting.domain.cube import CONTENTS, Content, Cube, Dimension, Role
from services.reporting.domain.periods import Frequency
from services.reporting.domain.table import Kind
from services.reporting.pxweb.formats import Format, output, rendered
from services.reporting.pxweb.jsonstat import plain
from services.reporting.pxweb.labels import Labels
from services.reporting.pxweb.selection import Selection, Wanted, select
from tests.tables import TEXTS, simulated

TABLES = {each.id: each for each in simulated()}
WANTED = Wanted(
    {
        "region": ["0", "33", "5501"],
        "contentscode": ["slots", "median", "within_promise_share"],
        "tid": ["range(2025M06,2025M08)"],
    }
)


def selected() -> tuple[Selection, Cube]:
    selection = select(TABLES["ventetid"], WANTED)
    return selection, selection.of(TABLES["ventetid"])


def written(name: str, *parameters: str, language: Language = "nb", of: tuple[Selection, Cube] | None = None) -> bytes:
    selection, cube = of or selected()
    return rendered(
        cube,
        Labels(TEXTS, language),
        output(name, parameters),
        stub=selection.stub,
        heading=selection.heading,
        codelist_url="https://tall.example/codelists",
    )


def numbers(cube: Cube) -> list[Any]:
    return [".." if value is None else plain(value) for value in cube.values]


def test_the_sample_has_numbers_decimals_and_missing_cells() -> None:
    _, cube = selected()
    assert cube.size == (3, 3, 3)
    assert cube.status
    assert any(isinstance(value, int) and value for value in cube.values)


def test_csv_holds_the_cells_row_by_row() -> None:
    rows = list(csv.reader(StringIO(written("csv").decode())))
    assert rows[0] == ["Region", "Statistikkvariabel", "2025M06", "2025M07", "2025M08"]
    assert rows[1][:2] == ["Hele landet", "Plasser i alt"]
    _, cube = selected()
    assert [cell for row in rows[1:] for cell in row[2:]] == [str(number) for number in numbers(cube)]


def test_csv_writes_codes_texts_or_both_with_the_separator_and_the_title_asked_for() -> None:
    codes = list(csv.reader(StringIO(written("csv", "UseCodes").decode())))
    assert (codes[0][:2], codes[1][:2]) == (["Region", "ContentsCode"], ["0", "slots"])
    both = list(csv.reader(StringIO(written("csv", "usecodesandtexts,SeparatorSemicolon").decode()), delimiter=";"))
    assert both[1][:3] == ["0 Hele landet", "slots Plasser i alt", str(numbers(selected()[1])[0])]
    titled = list(csv.reader(StringIO(written("csv", "IncludeTitle", "SeparatorTab").decode()), delimiter="\t"))
    assert titled[0] == ["Ventetid fra behov til oppstart, etter region, statistikkvariabel og måned"]
    assert titled[2][0] == "Region"


class _Table(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.scopes: list[str | None] = []
        self._in = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in = tag == "td"
        if tag == "th":
            self.scopes.append(dict(attrs).get("scope"))

    def handle_data(self, data: str) -> None:
        if self._in:
            self.cells.append(data)
            self._in = False


def test_html_is_one_table_whose_headings_have_scopes() -> None:
    page = _Table(written("html", language="en").decode())
    assert page.cells == [str(number) for number in numbers(selected()[1])]
    assert page.scopes.count("col") == 5
    assert page.scopes.count("row") == 18


def test_px_has_its_keywords_and_the_cells_with_a_symbol_for_each_missing_one() -> None:
    text = written("px").decode("utf-8").replace("\r\n", "\n")
    keywords = dict(re.findall(r"^([A-Z0-9-]+)=(.*?);$", text, re.MULTILINE | re.DOTALL))
    assert keywords["AXIS-VERSION"] == '"2013"'
    assert keywords["AGGREGALLOWED"] == "NO"
    assert keywords["STUB"] == '"Region","Statistikkvariabel"'
    assert keywords["HEADING"] == '"Måned"'
    cells = text.split("DATA=\n")[1].rstrip(";\n").split()
    assert [cell.strip('"') for cell in cells] == [str(number) for number in numbers(selected()[1])]
    assert 'ELIMINATION("Region")="Hele landet";' in text
    # A reader shows counts without decimals, and more of them only where a content asks for more.
    assert (keywords["DECIMALS"], keywords["SHOWDECIMALS"]) == ("1", "0")
    assert 'PRECISION("Statistikkvariabel","Median ventetid")=1;' in text
    assert ")=0;" not in text


def _px_of(time: Dimension, chosen: Sequence[str]) -> str:
    """A table of one content in these periods."""
    cube = Cube(
        id="trakt",
        dimensions=(Dimension(CONTENTS, Role.CONTENTS, ("slots",)), replace(time, codes=tuple(chosen))),
        contents=(Content("slots", Kind.COUNT, ()),),
        version=1,
        values=[0] * len(chosen),
    )
    return written("px", of=(Selection({}, (CONTENTS,), (time.id,)), cube)).decode()


@pytest.mark.parametrize(
    ("name", "frequency", "periods", "expected"),
    [
        ("Tid", Frequency.MONTH, ["2025M11", "2025M12", "2026M01"], '("Måned")=TLIST(M1),"202511","202512","202601";'),
        ("Tid", Frequency.QUARTER, ["2025K4", "2026K1"], '("Kvartal")=TLIST(Q1),"20254","20261";'),
        ("Aar", Frequency.YEAR, ["2025", "2026"], '("År")=TLIST(A1),"2025","2026";'),
        ("Tid", Frequency.MONTH, ["2026M01"], '("Måned")=TLIST(M1),"202601";'),
    ],
)
def test_px_says_which_variable_is_time_and_of_when_its_values_are_between_values_and_codes(
    name: str, frequency: Frequency, periods: list[str], expected: str
) -> None:
    text = _px_of(Dimension(name, Role.TIME, (), labels=frequency), periods)
    assert f"\r\nTIMEVAL{expected}\r\n" in text
    # The format wants it after the values of the variable.
    assert text.rindex("\r\nVALUES(") < text.index("\r\nTIMEVAL(") < text.index("\r\nCODES(")


@pytest.mark.parametrize("periods", [["2025M10", "2025M12"], ["2025M12", "2025M11"]])
def test_px_does_not_call_periods_consecutive_that_are_not(periods: list[str]) -> None:
    text = _px_of(Dimension("Tid", Role.TIME, (), labels=Frequency.MONTH), periods)
    assert "TIMEVAL" not in text
    assert f'CODES("Måned")="{periods[0]}","{periods[1]}";' in text


def test_xlsx_holds_numbers_as_numbers_and_the_notes_on_a_sheet_of_their_own() -> None:
    book = openpyxl.load_workbook(BytesIO(written("xlsx", "IncludeTitle")))
    rows = list(book["ventetid"].iter_rows(values_only=True))
    assert str(rows[0][0]).startswith("Ventetid")
    assert [cell for row in rows[3:] for cell in row[2:]] == numbers(selected()[1])
    notes = [str(cell) for row in book["Info"].iter_rows(values_only=True) for cell in row]
    assert any("To punktum" in note for note in notes)
    assert any("waiting_time" in note for note in notes)


def test_json_px_has_a_key_and_text_values_per_row() -> None:
    document = json.loads(written("json-px"))
    assert [each["code"] for each in document["columns"]] == [
        "Region",
        "Tid",
        "slots",
        "within_promise_share",
        "median",
    ]
    _, cube = selected()
    found = {
        (*row["key"][:1], content, *row["key"][1:]): value
        for row in document["data"]
        for content, value in zip(("slots", "within_promise_share", "median"), row["values"], strict=True)
    }
    for region in ("0", "33", "5501"):
        value = cube.value(Region=region, ContentsCode="median", Tid="2025M07")
        assert found[region, "median", "2025M07"] == (".." if value is None else str(value))


def test_parquet_has_a_column_per_content_and_one_for_its_symbols() -> None:
    table = pq.read_table(BytesIO(written("parquet")))
    assert table.column_names[:4] == ["Region", "Region_text", "Tid", "Tid_text"]
    rows = table.to_pylist()
    _, cube = selected()
    for row in rows:
        for content in ("slots", "median"):
            value = cube.value(Region=row["Region"], ContentsCode=content, Tid=row["Tid"])
            assert (row[content], row[f"{content}_symbol"]) == (plain(value), ".." if value is None else None)
    about = {key.decode(): text.decode() for key, text in table.schema.metadata.items()}
    assert about["title"].startswith("Ventetid")
    assert "median_wait" in about["definitions"]
    codes = pq.read_table(BytesIO(written("parquet", "UseCodes")))
    assert "Region_text" not in codes.column_names
    texts = pq.read_table(BytesIO(written("parquet", "UseTexts")))
    assert {"Region_text", "Median ventetid"} <= set(texts.column_names)


@pytest.mark.parametrize("name", list(Format))
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("table_id", TABLES)
def test_every_table_can_be_written_in_every_format_and_twice_the_same(
    table_id: str, language: Language, name: str
) -> None:
    table = TABLES[table_id]
    selection = select(table, Wanted())
    cube = selection.of(table)
    once = written(name, language=language, of=(selection, cube))
    assert once == written(name, language=language, of=(selection, cube))


@pytest.mark.parametrize("name", [each for each in Format if each is not Format.JSON_STAT2])
def test_a_table_without_heading_or_without_stub_can_be_written(name: str) -> None:
    table = TABLES["trakt"]
    some = {"contentscode": ["slots", "needs"], "tid": ["top(2)"]}
    for wanted in (Wanted(some, stub=[CONTENTS, "Tid"]), Wanted(some, heading=[CONTENTS, "Tid"], stub=[])):
        selection = select(table, wanted)
        assert written(name, of=(selection, selection.of(table)))
