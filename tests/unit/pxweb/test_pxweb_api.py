"""The API over HTTP, without engines: every endpoint, every refusal, and that every answer is cells of the table."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import httpx
import pytest

from services.reporting.domain.cube import CONTENTS, Cube, Missing
from services.reporting.pxweb.jsonstat import plain
from services.reporting.pxweb.router import PUBLIC
from services.reporting.pxweb.source import Table
from tests.tables import app_of, simulated
from tests.webapp import settings

FOUND = simulated()
TABLES = {each.id: each for each in FOUND}
SETTINGS = settings(tables_calls=10_000, tables_max_cells=30_000, tables_url="https://tall.example/")


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app_of(FOUND, SETTINGS, ended={"oppfolging": True}))
    async with httpx.AsyncClient(transport=transport, base_url="http://tables") as client:
        yield client


async def read(http: httpx.AsyncClient, path: str, **query: str) -> Any:
    answer = await http.get(f"{PUBLIC}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(http: httpx.AsyncClient, path: str, **query: str) -> tuple[int, str]:
    answer = await http.get(f"{PUBLIC}/{path}", params=query)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


async def test_config_says_what_a_client_has_to_know(http: httpx.AsyncClient) -> None:
    config = await read(http, "config")
    assert config["apiVersion"] == "2.0.0"
    assert (config["maxDataCells"], config["maxCallsPerTimeWindow"], config["timeWindow"]) == (30_000, 10_000, 10)
    assert [each["id"] for each in config["languages"]] == ["nb", "en"]
    assert config["defaultLanguage"] == "nb"
    assert config["dataFormats"] == ["json-stat2", "csv", "px", "xlsx", "html", "json-px", "parquet"]
    assert {"appVersion", "license", "defaultDataFormat"} <= config.keys()


async def test_tables_come_in_pages_and_a_page_past_the_end_is_404(http: httpx.AsyncClient) -> None:
    first = await read(http, "tables", pageSize="2")
    assert [each["id"] for each in first["tables"]] == ["ventetid", "trakt"]
    assert {k: v for k, v in first["page"].items() if k != "links"} == {
        "pageNumber": 1,
        "pageSize": 2,
        "totalElements": 5,
        "totalPages": 3,
    }
    last = await read(http, "tables", pageSize="2", pageNumber="3")
    assert [each["id"] for each in last["tables"]] == ["arbeidsstyrke"]
    assert await refused(http, "tables", pageSize="2", pageNumber="4") == (404, "not_found")
    links = {link["rel"]: link["href"] for link in first["page"]["links"]}
    assert links["next"] == f"https://tall.example{PUBLIC}/tables?lang=nb&pageNumber=2&pageSize=2"
    assert "previous" not in links
    found = await read(http, "tables", pageSize="1", query="tiltak måned", includeDiscontinued="true")
    following = next(link["href"] for link in found["page"]["links"] if link["rel"] == "next")
    again = await http.get(following.removeprefix("https://tall.example"))
    assert again.json()["page"]["totalElements"] == found["page"]["totalElements"] == 5
    everything = await read(http, "tables", pageSize="1000", includeDiscontinued="True")
    assert (len(everything["tables"]), everything["page"]["pageSize"]) == (6, 1000)
    assert [each["id"] for each in everything["tables"] if each["discontinued"]] == ["oppfolging"]


async def test_no_string_of_a_listed_table_is_null_and_links_are_absolute(http: httpx.AsyncClient) -> None:
    for table in (await read(http, "tables"))["tables"]:
        assert None not in table.values()
        assert table["firstPeriod"] <= table["lastPeriod"]
        assert {link["rel"] for link in table["links"]} == {"self", "metadata", "data"}
        assert all(link["href"].startswith(f"https://tall.example{PUBLIC}/tables/") for link in table["links"])
        assert table == await read(http, f"tables/{table['id']}")


async def test_tables_are_found_by_their_words_and_by_when_they_were_updated(http: httpx.AsyncClient) -> None:
    assert [each["id"] for each in (await read(http, "tables", query="ventetid MEDIAN"))["tables"]] == ["ventetid"]
    assert (await read(http, "tables", query="no such thing"))["tables"] == []
    english = await read(http, "tables", query="funnel", lang="en")
    assert english["tables"] == []
    app = app_of(FOUND, SETTINGS)
    app.state.web.service.clock.set(datetime(2026, 1, 20, tzinfo=UTC))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tables") as later:
        assert len((await read(later, "tables", pastDays="5"))["tables"]) == 6
        assert (await read(later, "tables", pastDays="4"))["tables"] == []


async def test_names_codes_and_paths_match_in_any_case_and_unknown_parameters_are_nothing(
    http: httpx.AsyncClient,
) -> None:
    usual = await read(http, "tables/trakt/data", **{"valueCodes[Tid]": "top(2)", "valueCodes[ContentsCode]": "needs"})
    odd = await http.get(
        "/API/v2/Tables/TRAKT/Data/?VALUECODES[tid]=TOP(2)&valuecodes[CONTENTSCODE]=NEEDS&outputformat=JSON-Stat2&x=1"
    )
    assert odd.json() == usual
    for path in ("codelists/vs_fylker", "codeLists/VS_Fylker/"):
        assert (await read(http, path))["id"] == "vs_fylker"


def _document(table: Table, metadata: dict[str, Any], dimensions: list[str]) -> None:
    assert metadata["id"] == dimensions
    assert metadata["size"] == [len(table.dimension(name).codes) for name in dimensions]
    labels = [metadata["dimension"][name]["label"] for name in dimensions]
    assert len(set(labels)) == len(labels)
    assert "value" not in [label.lower() for label in labels]
    for name in dimensions:
        category = metadata["dimension"][name]["category"]
        assert list(category["index"]) == list(category["label"]) == list(table.dimension(name).codes)
        assert list(category["index"].values()) == list(range(len(category["index"])))
        assert all(category["label"].values())
        assert len(set(category["label"].values())) == len(category["label"]), f"{table.id} {name}"
        extension = metadata["dimension"][name]["extension"]
        assert extension["codelists"] == extension["codeLists"]
        assert extension["elimination"] == (table.dimension(name).total is not None)
        assert extension.get("eliminationValueCode") == table.dimension(name).total
        assert extension["show"] in ("code", "value", "code_value")
    assert metadata["version"] == "2.0"
    assert isinstance(metadata["note"], list)
    assert all(f"({symbol})" in " ".join(metadata["note"]) for symbol in (":", ".."))
    assert metadata["role"]["metric"] == [CONTENTS]
    px = metadata["extension"]["px"]
    assert (px["tableid"], px["aggregallowed"]) == (table.id, False)
    assert sorted([*px["heading"], *px["stub"]]) == sorted(dimensions)
    assert px["contents"]


@pytest.mark.parametrize("language", ["nb", "en"])
@pytest.mark.parametrize("table_id", TABLES)
async def test_metadata_describe_every_variable_and_code(http: httpx.AsyncClient, table_id: str, language: str) -> None:
    table = TABLES[table_id]
    metadata = await read(http, f"tables/{table_id}/metadata", lang=language)
    _document(table, metadata, [each.id for each in table.dimensions])
    assert "value" not in metadata
    units = metadata["dimension"][CONTENTS]["category"]["unit"]
    assert set(units) == set(table.dimension(CONTENTS).codes)
    assert [each["name"] for each in metadata["extension"]["definitions"]] == [each.name for each in table.definitions]
    assert metadata["extension"]["completeTo"] == dict(table.complete_to)


@pytest.mark.parametrize("table_id", TABLES)
async def test_without_a_choice_the_default_selection_is_sent(http: httpx.AsyncClient, table_id: str) -> None:
    default = await read(http, f"tables/{table_id}/defaultselection")
    chosen = {each["variableCode"]: each["valueCodes"] for each in default["selection"]}
    assert None not in default["placement"].values()
    data = await read(http, f"tables/{table_id}/data")
    assert {name: list(data["dimension"][name]["category"]["index"]) for name in data["id"]} == chosen
    posted = await http.post(f"{PUBLIC}/tables/{table_id}/data", json=default)
    assert posted.json() == data
    assert (await http.post(f"{PUBLIC}/tables/{table_id}/data")).json() == data


async def test_random_selections_are_all_cells_of_the_table(http: httpx.AsyncClient) -> None:
    rnd = random.Random(8)
    for _ in range(150):
        table = rnd.choice(FOUND)
        chosen = {
            each.id: rnd.sample(each.codes, min(len(each.codes), rnd.randint(1, 3)))
            for each in table.dimensions
            if each.total is None or rnd.random() < 0.7
        }
        body = {"selection": [{"variableCode": name, "valueCodes": codes} for name, codes in chosen.items()]}
        data = (await http.post(f"{PUBLIC}/tables/{table.id}/data", json=body)).json()
        assert sorted(data["id"]) == sorted(chosen)
        places = list(product(*(data["dimension"][name]["category"]["index"] for name in data["id"])))
        assert len(places) == len(data["value"])
        for place, (codes, value) in enumerate(zip(places, data["value"], strict=True)):
            cell = table.select(
                {
                    each.id: (dict(zip(data["id"], codes, strict=True)).get(each.id, str(each.total)),)
                    for each in table.dimensions
                }
            )
            assert value == plain(cell.values[0])
            assert (value is None) == (str(place) in data.get("status", {}))


async def test_a_variable_left_out_is_at_its_total_and_one_without_a_total_is_missed(http: httpx.AsyncClient) -> None:
    data = await read(
        http, "tables/trakt/data", **{"valueCodes[Tid]": "2024M02", "valueCodes[ContentsCode]": "slots,needs"}
    )
    assert data["id"] == [CONTENTS, "Tid"]
    whole = TABLES["trakt"].select(
        {
            "Region": ("0",),
            "Tiltak": ("total",),
            "Formidler": ("total",),
            CONTENTS: ("needs", "slots"),
            "Tid": ("2024M02",),
        }
    )
    assert list(data["dimension"][CONTENTS]["category"]["index"]) == ["needs", "slots"]
    assert data["value"] == list(whole.values)
    only_region = {"valueCodes[Region]": "33"}
    assert await refused(http, "tables/trakt/data", **only_region) == (400, "variable_missing")


async def test_a_code_list_chooses_among_the_codes_of_its_variable(http: httpx.AsyncClient) -> None:
    query = {"valueCodes[Tid]": "top(1)", "valueCodes[ContentsCode]": "slots", "codelist[Region]": "VS_fylker"}
    data = await read(http, "tables/trakt/data", **query)
    assert list(data["dimension"]["Region"]["category"]["index"])[:2] == ["03", "11"]
    assert len(data["value"]) == 15
    with_unknown = await read(http, "tables/trakt/data", **{**query, "codelist[Region]": "vs_fylker_og_ukjent"})
    assert list(with_unknown["dimension"]["Region"]["category"]["index"])[-2:] == ["56", "99"]
    both = await read(http, "tables/trakt/data", **query, **{"valueCodes[Region]": "3*"})
    assert list(both["dimension"]["Region"]["category"]["index"]) == ["31", "32", "33", "34", "39"]
    outside = {**query, "valueCodes[Region]": "3312"}
    assert await refused(http, "tables/trakt/data", **outside) == (400, "unknown_value")
    assert await refused(http, "tables/trakt/data", **{**query, "codelist[Region]": "x"}) == (400, "unknown_codelist")
    listed = await read(http, "codelists/vs_country_group", lang="en")
    assert listed["type"] == "Valueset"
    assert listed["values"][0] == {
        "code": "country_group_1",
        "label": "Country group: country group 1",
        "valueMap": ["country_group_1"],
    }
    assert await refused(http, "codelists/none") == (404, "not_found")


async def test_heading_and_stub_place_the_variables_and_the_cells_with_them(http: httpx.AsyncClient) -> None:
    query = {
        "valueCodes[Tid]": "2024M02,2024M03",
        "valueCodes[ContentsCode]": "slots,needs",
        "valueCodes[Region]": "0,33",
    }
    usual = await read(http, "tables/trakt/data", **query)
    turned = await read(http, "tables/trakt/data", **query, stub="tid", heading="ContentsCode")
    assert (usual["id"], turned["id"]) == (["Region", CONTENTS, "Tid"], ["Tid", "Region", CONTENTS])
    assert turned["extension"]["px"]["stub"] == ["Tid", "Region"]

    def cells(data: dict[str, Any]) -> dict[frozenset[str], Any]:
        places = product(*(data["dimension"][name]["category"]["index"] for name in data["id"]))
        return dict(zip((frozenset(codes) for codes in places), data["value"], strict=True))

    assert cells(usual) == cells(turned)
    assert await refused(http, "tables/trakt/data", **query, stub="Tid", heading="tid") == (400, "placed_twice")
    assert await refused(http, "tables/trakt/data", **query, stub="Nothing") == (400, "unknown_variable")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"valueCodes[Planet]": "*"}, "unknown_variable"),
        ({"valueCodes[Tid]": "1999M01", "valueCodes[ContentsCode]": "*"}, "unknown_value"),
        ({"valueCodes[Tid]": "zz*", "valueCodes[ContentsCode]": "*"}, "wildcard_without_hit"),
        ({"valueCodes[Tid]": "top(1,999)", "valueCodes[ContentsCode]": "slots"}, "unknown_value"),
        (
            {"valueCodes[Tid]": "*", "valueCodes[ContentsCode]": "slots", "valueCodes[Region]": "bottom(1,9999)"},
            "unknown_value",
        ),
        ({"outputFormat": "docx"}, "unknown_format"),
        ({"outputFormatParams": "UseCodes"}, "format_parameter"),
        ({"outputFormat": "px", "outputFormatParams": "UseCodes"}, "format_parameter"),
        ({"outputFormat": "xlsx", "outputFormatParams": "SeparatorTab"}, "format_parameter"),
        ({"outputFormat": "csv", "outputFormatParams": "UseCodes,UseTexts"}, "format_parameters_differ"),
        ({"outputFormat": "csv", "outputFormatParams": "SeparatorTab,SeparatorSpace"}, "format_parameters_differ"),
        ({"outputFormat": "csv", "outputFormatParams": "Loud"}, "format_parameter"),
    ],
)
async def test_what_cannot_be_answered_rightly_is_refused(
    http: httpx.AsyncClient, query: dict[str, str], code: str
) -> None:
    assert await refused(http, "tables/trakt/data", **query) == (400, code)


async def test_more_cells_than_the_limit_are_refused_before_one_is_counted(http: httpx.AsyncClient) -> None:
    everything = {f"valueCodes[{each.id}]": "*" for each in TABLES["trakt"].dimensions}
    answer = await http.get(f"{PUBLIC}/tables/trakt/data", params={**everything, "lang": "en"})
    assert (answer.status_code, answer.json()["code"]) == (400, "too_many_cells")
    assert "At most 30000" in answer.json()["detail"]


async def test_bad_pages_numbers_and_bodies_are_refused(http: httpx.AsyncClient) -> None:
    for query in ({"pageNumber": "0"}, {"pageSize": "x"}, {"pastDays": "-1"}):
        assert await refused(http, "tables", **query) == (400, "bad_number")
        problem = (await http.get(f"{PUBLIC}/tables", params=query)).json()
        assert problem["detail"].startswith(f"{next(iter(query))} "), "the parameter is called what it is called"
    for body in (b'{"selection": 3}', b"[1]", b'{"selection": [{"valueCodes": ["a"]}]}'):
        answer = await http.post(
            f"{PUBLIC}/tables/trakt/data", content=body, headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_query"), body
    assert await refused(http, "tables/nothing/data") == (404, "not_found")


async def test_answers_are_in_the_language_that_is_asked_for(http: httpx.AsyncClient) -> None:
    assert (await read(http, "tables/trakt"))["label"].startswith("Fra behov til jobb, etter region")
    assert (await read(http, "tables/trakt", lang="en"))["label"].startswith("From need to job, by region")
    assert (await read(http, "tables/trakt", lang="no"))["language"] == "nb"
    by_header = await http.get(f"{PUBLIC}/tables/trakt", headers={"Accept-Language": "en"})
    assert by_header.json()["language"] == by_header.headers["content-language"] == "en"
    problem = await http.get(f"{PUBLIC}/tables/nothing", headers={"Accept-Language": "en"})
    assert problem.json()["title"] == "Not there"


async def test_a_language_that_is_not_offered_is_refused_but_by_what_says_which_there_are(
    http: httpx.AsyncClient,
) -> None:
    for path in ("tables", "tables/trakt", "tables/trakt/metadata", "tables/trakt/data", "codelists/vs_fylker"):
        assert await refused(http, path, lang="sv") == (400, "unknown_language")
    posted = await http.post(f"{PUBLIC}/tables/trakt/data", params={"lang": "xx"})
    assert (posted.status_code, posted.json()["code"]) == (400, "unknown_language")
    told = await http.get(f"{PUBLIC}/tables", params={"lang": "de"}, headers={"Accept-Language": "en"})
    assert told.json()["detail"] == "Choose one of the languages nb, en, or leave lang out."
    assert [each["id"] for each in (await read(http, "config", lang="sv"))["languages"]] == ["nb", "en"]
    for asked, language in (("nn", "nb"), ("EN-gb", "en"), ("nb_NO", "nb"), ("", "nb")):
        assert (await read(http, "tables/trakt", lang=asked))["language"] == language


async def test_a_confidential_cell_is_a_colon_and_its_symbol_is_explained() -> None:
    cube = TABLES["arbeidsstyrke"]
    assert isinstance(cube, Cube)
    hidden = [None if place == 0 else value for place, value in enumerate(cube.values)]
    cube = replace(cube, values=hidden, status={**cube.status, 0: Missing.CONFIDENTIAL})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app_of([cube])), base_url="http://tables") as http:
        data = await read(http, "tables/arbeidsstyrke/data")
        assert (data["value"][0], data["status"]["0"]) == (None, ":")
        assert any("(:)" in note for note in data["note"])
