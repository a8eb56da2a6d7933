"""`pxwebpy`, `pyjstat` and `pxstatspy` as they come from their registry, against a running service."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import requests
from pxstatspy import OutputFormat, OutputFormatParam, PxAPI, PxAPIConfig, PxAPIError
from pxweb import PxApi
from pyjstat import pyjstat

from services.reporting.pxweb.jsonstat import plain
from services.reporting.pxweb.source import Table
from tests.clients.conftest import Served

MONTHS = ["2024M02", "2024M03"]
QUESTION: dict[str, Any] = {"Region": ["0", "33"], "ContentsCode": ["slots", "needs"], "Tid": MONTHS}


def expected(served: Served) -> list[Any]:
    """Region by contents by month, of the cells themselves."""
    cube = served.tables["trakt"].select(
        {
            "Region": ("0", "33"),
            "Tiltak": ("total",),
            "Formidler": ("total",),
            "ContentsCode": ("needs", "slots"),
            "Tid": tuple(MONTHS),
        }
    )
    assert any(cube.values)
    return [plain(value) for value in cube.values]


def test_pxwebpy_lists_searches_and_reads_metadata(served: Served) -> None:
    api = PxApi(served.public, language="en")
    assert api.number_of_tables == 6
    assert {each["id"] for each in api.all_tables()} == set(served.tables)
    assert [each["id"] for each in api.search(query="waiting")["tables"]] == ["ventetid"]
    assert [each["id"] for each in api.tables_on_path("dugnad")] == [each["id"] for each in api.all_tables()]
    variables = api.get_table_variables("trakt")
    assert (variables["Region"]["elimination"], variables["Tid"]["elimination"]) == (True, False)
    lists = {"vs_landet", "vs_fylker", "vs_fylker_og_ukjent", "vs_kommuner"}
    assert {each["id"] for each in variables["Region"]["codelists"]} == lists
    assert api.get_code_list("vs_landet")["values"][0]["label"] == "The whole country"


def test_pxwebpy_gets_the_cells_by_choice_by_code_list_by_default_and_in_parts(served: Served) -> None:
    api = PxApi(served.public)
    rows = api.get_table_data("trakt", value_codes=QUESTION, show="code")
    assert [row["value"] for row in rows] == expected(served)
    assert list(rows[0]) == ["Region", "Statistikkvariabel", "Måned", "value"]
    counties = api.get_table_data(
        "trakt",
        value_codes={"Region": ["3*"], "ContentsCode": ["slots"], "Tid": MONTHS},
        code_list={"Region": "vs_fylker"},
    )
    assert {row["Region"] for row in counties} == {
        f"{name} fylke" for name in ("Østfold", "Akershus", "Buskerud", "Innlandet", "Vestfold")
    }
    assert len(api.get_table_data("trakt")) == 9 * 13
    # 19 by 10 by 2 contents by every month is more than the service sends at once: the client asks in parts.
    every_month = api.get_table_data(
        "mangfold", value_codes={"Kjennetegn": ["*"], "Tiltak": ["*"], "ContentsCode": ["*"], "Tid": ["*"]}
    )
    table = served.tables["mangfold"]
    assert len(every_month) > 2_000
    assert sum(
        row["value"] for row in every_month if row["Tiltak"] == "Alle tiltak" and row["Kjennetegn"] == "I alt"
    ) == (sum(plain(v) or 0 for v in _totals(table)))
    whole = api.get_table_data_all("arbeidsstyrke", show="code")
    assert len(whole) == len(served.tables["arbeidsstyrke"].select({}).values)


def _totals(table: Table) -> Any:
    return table.select({"Region": ("0",), "Tiltak": ("total",), "Kjennetegn": ("total",)}).values


def test_pyjstat_reads_a_table_into_a_data_frame_and_writes_it_back(served: Served) -> None:
    query = "&".join(f"valueCodes[{name}]={','.join(codes)}" for name, codes in QUESTION.items())
    dataset = pyjstat.Dataset.read(f"{served.public}/tables/trakt/data?lang=en&{query}")
    frame = dataset.write("dataframe")
    assert list(frame.columns) == ["Region", "Contents", "Month", "value"]
    assert list(frame["value"]) == expected(served)
    by_code = dataset.write("dataframe", naming="id")
    assert list(by_code["Tid"].unique()) == MONTHS
    again = pyjstat.Dataset.read(frame)
    assert list(again.write("dataframe")["value"]) == expected(served)


def test_pyjstat_keeps_missing_cells_as_missing(served: Served) -> None:
    frame = pyjstat.Dataset.read(f"{served.public}/tables/arbeidsstyrke/data").write("dataframe")
    assert frame["value"].isna().sum() == len(served.tables["arbeidsstyrke"].select({}).status)


def test_pxstatspy_reads_configuration_tables_and_metadata(served: Served) -> None:
    api = PxAPI(PxAPIConfig(base_url=served.public, language="en"))
    assert (api.max_data_cells, api.rate_limiter.max_calls) == (2_000, 10_000)
    frame = api.find_tables_as_dataframe(all_pages=True)
    assert set(frame["id"]) == set(served.tables)
    api.find_tables(query="funnel", display=True)
    assert api.get_table_by_id("TRAKT")["label"].startswith("From need to job")
    api.print_table_variables("trakt")
    assert api.get_table_metadata("trakt", default_selection=True)["id"][-1] == "Tid"


def test_pxstatspy_gets_data_frames_in_whole_and_in_parts(served: Served) -> None:
    api = PxAPI(PxAPIConfig(base_url=served.public, language="en"))
    frame = api.get_data_as_dataframe("trakt", value_codes=QUESTION, output_format_param=OutputFormatParam.USE_CODES)
    needs, slots = frame["needs"], frame["slots"]
    assert [*needs[:2], *slots[:2], *needs[2:], *slots[2:]] == expected(served)
    assert list(frame["region_code"]) == ["0", "0", "33", "33"]
    large = api.get_data_as_dataframe("trakt", value_codes={"Region": ["*"], "ContentsCode": ["*"], "Tid": MONTHS})
    assert len(large) == len(served.tables["trakt"].dimension("Region").codes) * len(MONTHS)


def test_pxstatspy_gets_every_format_with_its_parameters(served: Served) -> None:
    api = PxAPI(PxAPIConfig(base_url=served.public, language="en"))

    def got(kind: OutputFormat, *more: OutputFormatParam) -> Any:
        return api.get_table_data("trakt", QUESTION, output_format=kind, output_format_params=list(more) or None)

    csv = got(OutputFormat.CSV, OutputFormatParam.USE_CODES, OutputFormatParam.SEPARATOR_SEMICOLON)
    assert csv.splitlines()[0] == '"Region";"ContentsCode";"2024M02";"2024M03"'
    assert b'TITLE="From need to job' in got(OutputFormat.PX)
    assert "<table>" in got(OutputFormat.HTML, OutputFormatParam.USE_TEXTS)
    assert "needs" in {each["code"] for each in got(OutputFormat.JSON_PX)["columns"]}
    sheet = pd.read_excel(BytesIO(got(OutputFormat.XLSX)))
    assert list(sheet.columns) == ["Region", "Contents", *MONTHS]
    assert pq.read_table(BytesIO(got(OutputFormat.PARQUET))).num_rows == 4


def test_pxstatspy_tells_what_was_refused(served: Served) -> None:
    api = PxAPI(PxAPIConfig(base_url=served.public, language="en"))
    with pytest.raises(PxAPIError, match="Choose codes of Tid"):
        api._make_single_request("trakt", {"ContentsCode": ["slots"]})
    with pytest.raises(PxAPIError, match="API error"):
        api.get_table_metadata("no-such-table")


def test_the_live_path_is_read_with_a_token(served: Served) -> None:
    api = PxAPI(PxAPIConfig(base_url=served.live, api_key=served.token, language="en"))
    assert api.max_data_cells == 2_000
    frame = api.get_data_as_dataframe("trakt", value_codes=QUESTION)
    assert len(frame) == 4
    text = requests.get(
        f"{served.live}/tables/trakt/data", headers={"Authorization": f"Bearer {served.token}"}, timeout=10
    ).text
    assert len(pyjstat.Dataset.read(text).write("dataframe")) == 9 * 13
    assert requests.get(f"{served.live}/tables", timeout=10).status_code == 401
