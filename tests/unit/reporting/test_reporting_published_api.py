"""Published tables as clients meet them: every code has its words, every figure its definitions and its warning."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import httpx
import pytest

from services.reporting.domain.cube import Cube
from services.reporting.domain.parts import assembled
from services.reporting.domain.publications import FREQUENCIES, PUBLICATIONS, WORKFORCE, Facts
from services.reporting.domain.releases import Due, Stage
from services.reporting.domain.sealing import made, shape
from services.reporting.domain.workforce import YearFigures
from services.reporting.published import complete_through, latest
from services.reporting.pxweb.router import LIVE, PUBLIC
from services.reporting.releases import Publication, stages_of
from tests.tables import TEXTS, app_of
from tests.unit.reporting.disclosure.population import secrets
from tests.unit.reporting.disclosure.test_publishing import FIGURES
from tests.unit.reporting.simulation import simulate
from tests.unit.reporting.test_reporting_recomputed import declared_at_start, slots_of

CUTOFF = datetime(2026, 1, 15, tzinfo=UTC)
ORG = "315486892"


@pytest.fixture(scope="module")
def cubes() -> dict[str, Cube]:
    records = simulate(5, 300).records()
    slots = slots_of(records)
    workforce = [YearFigures(ORG, 2024, {**FIGURES, "cv_gap": 3})]
    facts = Facts(slots, declared_at_start(records, slots), workforce, date(2026, 1, 15))
    found = {}
    for table in FREQUENCIES:
        periods = ("2024",) if table == WORKFORCE else ("2024M05", "2024M06")
        parts = [made(Due(CUTOFF, table, period, Stage.FINAL), facts, secrets(1), (ORG,)) for period in periods]
        laid_out = shape(table, (ORG,) if table == WORKFORCE else ())
        found[table] = assembled(
            laid_out, [p.part for p in parts if p], updated=CUTOFF, complete_to={"dugnad/intake": 9}
        )
    return found


@pytest.fixture
async def http(cubes: dict[str, Cube]) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app_of(list(cubes.values())))
    async with httpx.AsyncClient(transport=transport, base_url="http://tables") as client:
        yield client


@pytest.mark.parametrize("language", ["nb", "en"])
@pytest.mark.parametrize("table", FREQUENCIES)
async def test_every_published_table_is_described_in_both_languages(
    http: httpx.AsyncClient, table: str, language: str
) -> None:
    answer = await http.get(f"{PUBLIC}/tables/{table}/metadata", params={"lang": language})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    for dimension in told["dimension"].values():
        labels = dimension["category"]["label"].values()
        assert all(labels)
        assert len(set(labels)) == len(labels)
    said = " ".join(told["note"])
    about = {WORKFORCE: "arbeidsstyrke_base"}.get(table, f"{table.partition('_')[0]}_period")
    basis = TEXTS.say("en" if language == "en" else "nb", f"note.{about}")
    assert basis.partition(". ")[0].rstrip(".") in said, "which period a figure belongs to"
    warned = "under 5" if table == WORKFORCE else {"nb": "tilfeldig endret", "en": "changed at random"}[language]
    assert warned in said
    figures = PUBLICATIONS[table].figures if table in PUBLICATIONS else {}
    units = told["dimension"]["ContentsCode"]["category"]["unit"]
    assert all(units[code]["decimals"] == 0 for code in figures)


@pytest.mark.parametrize("form", ["json-stat2", "csv", "px", "xlsx", "html", "json-px", "parquet"])
async def test_a_published_cut_is_given_in_every_format(http: httpx.AsyncClient, form: str) -> None:
    query = "valueCodes[ContentsCode]=slots,median&valueCodes[Tid]=*&valueCodes[Region]=0,3312"
    answer = await http.get(f"{PUBLIC}/tables/ventetid_kommune/data?outputFormat={form}&{query}")
    assert answer.status_code == 200, answer.text
    assert answer.content


async def test_published_tables_need_no_login_and_live_ones_do(http: httpx.AsyncClient) -> None:
    assert (await http.get(f"{PUBLIC}/tables")).status_code == 200
    assert (await http.get(f"{LIVE}/tables")).status_code == 401


def test_the_last_publication_of_each_period_is_shown() -> None:
    first = Publication(1, "a", CUTOFF, {"trakt/2025M01/preliminary": "x", "trakt/2025M02/preliminary": "y"})
    second = Publication(2, "b", CUTOFF, {"trakt/2025M01/final": "z"})
    assert [(each.period, each.stage, each.content, each.release) for each in latest([first, second])] == [
        ("2025M01", Stage.FINAL, "z", "b"),
        ("2025M02", Stage.PRELIMINARY, "y", "a"),
    ]
    unchanged = Publication(3, "c", CUTOFF, {"trakt/2025M02/final": "y"})
    assert [(each.release, each.made) for each in latest([first, second, unchanged])] == [("b", "b"), ("c", "a")]
    assert stages_of([first, second])["trakt", "2025M01"] == [Stage.PRELIMINARY, Stage.FINAL]


def test_periods_of_several_releases_are_complete_to_where_the_oldest_of_them_ends() -> None:
    older, newer = {"dugnad/intake": 100, "dugnad/matching": 7}, {"dugnad/intake": 900, "dugnad/matching": 7}
    assert complete_through([newer, older]) == older
    assert complete_through([newer, {"dugnad/intake": 5}]) == {"dugnad/intake": 5, "dugnad/matching": 0}
