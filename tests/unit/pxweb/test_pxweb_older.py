"""PxWebApi 1 over HTTP, without engines: older clients get the cells of version 2, and refusals that say why."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pyjstat import pyjstat

from services.reporting.domain.cube import CONTENTS
from services.reporting.pxweb.older import FORMATS, OLDER
from services.reporting.pxweb.router import LIVE, PUBLIC
from tests.tables import app_of, simulated
from tests.webapp import settings

FOUND = simulated()
TABLES = {each.id: each for each in FOUND}
SETTINGS = settings(tables_calls=10_000, tables_max_cells=30_000)
CHOSEN = [
    ("Region", "item", ["0", "33"]),
    ("Tid", "top", ["3"]),
    (CONTENTS, "all", ["s*"]),
]
SAME = "valueCodes[Region]=0,33&valueCodes[Tid]=top(3)&valueCodes[ContentsCode]=s*"


def question(*chosen: tuple[str, str, list[str]], form: str = "json-stat2") -> dict[str, Any]:
    query = [{"code": code, "selection": {"filter": kind, "values": values}} for code, kind, values in chosen]
    return {"query": query, "response": {"format": form}}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app_of(FOUND, SETTINGS))
    async with httpx.AsyncClient(transport=transport, base_url="http://tables") as client:
        yield client


async def ask(http: httpx.AsyncClient, table: str, body: Any, language: str = "no") -> httpx.Response:
    answer = await http.post(f"{OLDER}/{language}/table/{table}", json=body)
    assert answer.status_code == 200, answer.text
    return answer


async def test_the_limits_are_told_wherever_config_is_asked_for(http: httpx.AsyncClient) -> None:
    for path in ("/no", "/en/", "/no/table", "/en/table/trakt"):
        config = (await http.get(f"{OLDER}{path}?config")).json()
        limits = {"maxValues": 30_000, "maxCells": 30_000, "maxCalls": 10_000, "timeWindow": 10}
        assert config == {**limits, "CORS": True}


async def test_the_tables_are_found_from_the_root_and_by_words(http: httpx.AsyncClient) -> None:
    (database,) = (await http.get(f"{OLDER}/en")).json()
    listed = (await http.get(f"{OLDER}/en/{database['dbid']}/")).json()
    assert [each["id"] for each in listed] == list(TABLES)
    assert {each["type"] for each in listed} == {"t"}
    assert listed[0]["updated"] == "2026-01-15T08:30:00"
    found = (await http.get(f"{OLDER}/en/table", params={"query": "need job"})).json()
    assert [(each["id"], each["path"]) for each in found] == [("trakt", "/")]
    assert found[0]["title"].startswith("From need to job")


@pytest.mark.parametrize("table", list(TABLES))
async def test_metadata_name_every_variable_with_its_codes_and_words(http: httpx.AsyncClient, table: str) -> None:
    told = (await http.get(f"{OLDER}/no/table/{table.upper()}")).json()
    newer = (await http.get(f"{PUBLIC}/tables/{table}/metadata?lang=nb")).json()
    assert told["title"] == newer["label"]
    assert [each["code"] for each in told["variables"]] == newer["id"]
    for each in told["variables"]:
        of = newer["dimension"][each["code"]]
        assert each["text"] == of["label"]
        assert dict(zip(each["values"], each["valueTexts"], strict=True)) == of["category"]["label"]
        assert each.get("elimination", False) is of["extension"]["elimination"]
        assert each.get("time", False) is (each["code"] in newer["role"]["time"])


async def test_the_same_choice_gives_the_same_cells_as_version_2(http: httpx.AsyncClient) -> None:
    older = (await ask(http, "trakt", question(*CHOSEN))).json()
    newer = (await http.get(f"{PUBLIC}/tables/trakt/data?lang=nb&{SAME}")).json()
    assert older == newer
    assert older["size"] == [2, 2, 3], "two places, two contents with an s, three months"


@pytest.mark.parametrize("table", list(TABLES))
async def test_a_variable_that_is_not_named_is_at_its_total_or_whole(http: httpx.AsyncClient, table: str) -> None:
    told = (await ask(http, table, question())).json()
    whole = [each for each in TABLES[table].dimensions if not each.eliminated]
    assert told["id"] == [each.id for each in whole]
    assert told["size"] == [len(each.codes) for each in whole]


async def test_nothing_at_all_is_everything_as_px(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{OLDER}/no/table/trakt", headers={"Content-Type": "application/json"})
    assert answer.content.startswith(b"CHARSET=")
    assert answer.headers["content-disposition"] == 'attachment; filename="trakt.px"'


async def test_a_code_list_names_the_codes_among_which_is_chosen(http: httpx.AsyncClient) -> None:
    region = TABLES["trakt"].dimension("Region")
    codelist = region.codelists[0]
    within = (await ask(http, "trakt", question(("Region", f"vs:{codelist.id}", [])))).json()
    assert list(within["dimension"]["Region"]["category"]["index"]) == list(codelist.codes)
    one = (await ask(http, "trakt", question(("region", f"agg:{codelist.id}", [codelist.codes[0]])))).json()
    assert list(one["dimension"]["Region"]["category"]["index"]) == [codelist.codes[0]]


@pytest.mark.parametrize("form", ["json-stat", "json-stat2"])
async def test_both_kinds_of_json_stat_are_read_by_a_client_of_their_time(http: httpx.AsyncClient, form: str) -> None:
    text = (await ask(http, "trakt", question(*CHOSEN, form=form), "en")).text
    read = pyjstat.from_json_stat(pyjstat.json.loads(text, object_pairs_hook=pyjstat.OrderedDict))[0]
    expected = (await http.get(f"{PUBLIC}/tables/trakt/data?lang=en&{SAME}")).json()
    assert read["value"].tolist() == expected["value"]
    assert set(read["Region"]) == set(expected["dimension"]["Region"]["category"]["label"].values())


async def test_json_has_a_key_and_values_per_cell(http: httpx.AsyncClient) -> None:
    told = (await ask(http, "trakt", question(*CHOSEN, form="json"))).json()
    assert {each["type"] for each in told["columns"]} <= {"d", "t", "c"}
    assert all(each["key"] and each["values"] for each in told["data"])


@pytest.mark.parametrize(("form", "width"), [("csv", 2 + 3), ("csv2", 4), ("csv3", 4)])
async def test_csv_has_time_across_or_one_number_a_line(http: httpx.AsyncClient, form: str, width: int) -> None:
    answer = await ask(http, "trakt", question(*CHOSEN, form=form), "en")
    first, *lines = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert {len(line) for line in lines} == {width}
    assert "Region" in first
    assert ("0" in {line[0] for line in lines}) is (form == "csv3")
    assert len(lines) == (4 if form == "csv" else 12)


async def test_every_format_is_sent(http: httpx.AsyncClient) -> None:
    for form in FORMATS:
        assert (await ask(http, "oppfolging", question(("Tid", "top", ["1"]), form=form))).content, form


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (question(("Farge", "item", ["rød"])), 400, "unknown_variable"),
        (question(("Region", "item", ["9999"])), 400, "unknown_value"),
        (question(("Region", "item", ["*"])), 400, "unknown_value"),
        (question(("Region", "item", [])), 400, "unknown_value"),
        (question(("Region", "all", ["x*"])), 400, "wildcard_without_hit"),
        (question(("Region", "vs:nothing", [])), 400, "unknown_codelist"),
        (question(("Region", "item:nothing", ["0"])), 400, "unknown_filter"),
        (question(("Region", "some", ["0"])), 400, "unknown_filter"),
        (question(("Tid", "top", ["1", "2"])), 400, "unknown_filter"),
        (question(("Tid", "top", ["many"])), 400, "bad_expression"),
        (question(form="sdmx"), 400, "unknown_format"),
        ({"query": "all"}, 400, "bad_older_query"),
        ({"query": [{"code": "Tid"}]}, 400, "bad_older_query"),
        ([], 400, "bad_older_query"),
    ],
)
async def test_what_cannot_be_answered_is_refused_with_its_reason(
    http: httpx.AsyncClient, body: Any, status: int, code: str
) -> None:
    answer = await http.post(f"{OLDER}/en/table/trakt", json=body)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "text/plain", None])
async def test_json_is_taken_whatever_an_older_client_calls_it(http: httpx.AsyncClient, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    body = json.dumps(question(*CHOSEN))
    answer = await http.post(f"{OLDER}/no/table/trakt", content=body, headers=headers)
    assert answer.json()["size"] == [2, 2, 3]
    malformed = await http.post(f"{OLDER}/no/table/trakt", content="query=all", headers=headers)
    assert (malformed.status_code, malformed.json()["code"]) == (400, "malformed_json")


async def test_too_many_cells_are_refused_as_in_version_2() -> None:
    transport = httpx.ASGITransport(app_of(FOUND, settings(tables_max_cells=10)))
    async with httpx.AsyncClient(transport=transport, base_url="http://tables") as http:
        answer = await http.post(f"{OLDER}/no/table/trakt", json=question(("Region", "all", ["*"])))
    assert (answer.status_code, answer.json()["code"]) == (400, "too_many_cells")


async def test_there_are_only_these_languages_and_tables(http: httpx.AsyncClient) -> None:
    for path in ("/de", "/de/table/trakt", "/no/table/nothing", "/no/folder"):
        answer = await http.get(f"{OLDER}{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert (await http.post(f"{OLDER}/no/table/nothing", json=question())).status_code == 404


async def test_both_versions_share_one_budget_of_calls_and_the_limits_are_free() -> None:
    transport = httpx.ASGITransport(app_of(FOUND, settings(tables_calls=2)))
    async with httpx.AsyncClient(transport=transport, base_url="http://tables") as http:
        assert (await http.get(f"{PUBLIC}/tables/trakt")).status_code == 200
        assert (await http.get(f"{OLDER}/no/table/trakt")).status_code == 200
        full = await http.get(f"{OLDER}/no/table/trakt")
        assert full.status_code == 429
        assert int(full.headers["retry-after"]) >= 1
        assert (await http.get(f"{OLDER}/no?config")).status_code == 200


async def test_pages_elsewhere_may_read_it_and_what_is_live_is_not_there(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{OLDER}/no/table/trakt", headers={"Origin": "https://elsewhere.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert (await http.get(f"{LIVE.replace('v2', 'v0')}/no/table/trakt")).status_code == 404
