"""Who may ask, from where, how often, and what the API says of itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from chassis.issuer import DevIssuer
from services.reporting.pxweb.older import OLDER
from services.reporting.pxweb.router import LIVE, PUBLIC
from tests.tables import app_of, simulated
from tests.webapp import settings

FOUND = simulated()
SETTINGS = settings(tables_calls=10_000)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app_of(FOUND, SETTINGS))
    async with httpx.AsyncClient(transport=transport, base_url="http://tables") as client:
        yield client


async def test_the_live_path_needs_the_scope_and_the_published_one_nothing(http: httpx.AsyncClient) -> None:
    assert (await http.get(f"{LIVE}/tables")).status_code == 401
    employer = DevIssuer(SETTINGS).token("employer-nav")
    assert (await http.get(f"{LIVE}/config", headers={"Authorization": f"Bearer {employer}"})).status_code == 403
    analyst = DevIssuer(SETTINGS).token("analyst")
    live = await http.get(f"{LIVE}/tables", headers={"Authorization": f"Bearer {analyst}"})
    assert (live.status_code, live.headers["cache-control"]) == (200, "no-store")
    assert "access-control-allow-origin" not in live.headers
    assert live.json()["tables"][0]["category"] == "internal"


async def test_browsers_of_any_origin_may_read_what_is_published_errors_too(http: httpx.AsyncClient) -> None:
    for path, status in (("tables", 200), ("tables/none", 404)):
        answer = await http.get(f"{PUBLIC}/{path}", headers={"Origin": "https://elsewhere.example"})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, "*")
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    preflight = await http.options(f"{PUBLIC}/tables/trakt/data", headers={"Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 204
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in preflight.headers


@pytest.mark.parametrize(
    ("path", "served"),
    [
        (f"{PUBLIC}/tables/trakt/data", "GET, HEAD, POST, OPTIONS"),
        (f"{PUBLIC.upper()}/Tables/trakt/data/", "GET, HEAD, POST, OPTIONS"),
        (f"{PUBLIC}/tables", "GET, HEAD, OPTIONS"),
        (f"{LIVE}/tables/trakt/data", "GET, HEAD, POST"),
        (f"{OLDER}/no/table/trakt", "GET, HEAD, POST, OPTIONS"),
        (f"{OLDER}/no/table", "GET, HEAD, OPTIONS"),
    ],
)
async def test_another_method_is_405_with_every_method_that_is_served_there(
    http: httpx.AsyncClient, path: str, served: str
) -> None:
    answer = await http.delete(path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == served
    # What is named is served: 401 on the live path, whatever else on the others.
    for method in served.split(", "):
        assert (await http.request(method, path)).status_code != 405, method


async def test_too_many_calls_are_429_with_whole_seconds_and_config_is_free() -> None:
    app = app_of(FOUND, settings(tables_calls=3, tables_window_seconds=60))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tables") as http:
        for _ in range(3):
            assert (await http.get(f"{PUBLIC}/tables/trakt")).status_code == 200
        full = await http.get(f"{PUBLIC}/tables/trakt", headers={"Accept-Language": "en"})
        assert (full.status_code, full.json()["code"]) == (429, "too_many_calls")
        assert 1 <= int(full.headers["retry-after"]) <= 20
        assert (await http.get(f"{PUBLIC}/config")).status_code == 200


async def test_the_description_of_the_api_names_the_parameters_and_who_may_ask(http: httpx.AsyncClient) -> None:
    paths = (await http.get("/openapi.json")).json()["paths"]
    asked = paths[f"{PUBLIC}/tables/{{table_id}}/data"]["get"]
    assert {each["name"] for each in asked["parameters"]} == {
        "table_id",
        "valueCodes[Tid]",
        "codelist[Region]",
        "heading",
        "stub",
        "outputFormat",
        "outputFormatParams",
        "lang",
    }
    assert asked["security"] == []
    assert paths[f"{LIVE}/tables"]["get"]["security"] == [{"bearer": ["tables:read"]}]
    assert (await http.get("/docs")).status_code == 200
