"""Reporting on real engines: events of all four sources on their topics, tables, journeys and the page over HTTP."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from chassis.commands import Answer, CommandContext, Decision
from chassis.issuer import NAV_DIRECTORATE, DevIssuer
from chassis.keyring import KeyDestroyed, KeyringUnavailable, seal
from chassis.service import Service
from chassis.settings import Settings
from contracts import followup as fo
from contracts import intake as it
from contracts import matching as ma
from contracts.days import promise_date
from contracts.event import Event
from contracts.registry import SOURCES
from services.reporting.app import create_app
from services.reporting.live import LiveTables
from services.reporting.reading import Reading

TOPICS = {
    it.SOURCE: it.TOPIC,
    it.BACKGROUND_SOURCE: it.BACKGROUND_TOPIC,
    ma.SOURCE: ma.TOPIC,
    fo.SOURCE: fo.TOPIC,
}
KEY = bytes(range(32))
CASE = {"match_id": "M1", "need_id": "N1", "slot_id": "S1", "candidate_id": "C1", "org_number": NAV_DIRECTORATE}
TRIAL = {**CASE, "agreement_id": "A1", "trial_id": "T1"}
REGISTERED = it.NeedRegistered(
    need_id="N1",
    org_number=NAV_DIRECTORATE,
    municipality="0301",
    occupation="2512",
    slot_ids=("S1", "S2"),
    intermediary="nav",
    hours_per_week=37.5,
    registered_on=date(2025, 11, 3),
    promise_date=promise_date(date(2025, 11, 3)),
)
STARTED = fo.TrialStarted(
    **TRIAL,
    on=date(2025, 12, 1),
    confirmed_by="employer",
    measure="temporary_wage_subsidy",
    end_on=date(2026, 5, 31),
    days_from_need=28,
    within_promise=True,
    rule_version="1",
)


class Keys:
    """A keyring with one person, who may be erased or out of reach."""

    def __init__(self) -> None:
        self.raises: Exception | None = None

    async def keys(self, persons: Sequence[str]) -> dict[str, bytes]:
        gone = await self.destroyed(persons)
        assert set(persons) <= {"C1"}
        return {person: KEY for person in persons if person not in gone}

    async def destroyed(self, persons: Sequence[str]) -> set[str]:
        if self.raises is not None and not isinstance(self.raises, KeyDestroyed):
            raise self.raises
        return set(persons) if self.raises is not None else set()


@dataclass
class World:
    """The other services' logs, and reporting behind HTTP."""

    writer: Service
    http: httpx.AsyncClient
    keys: Keys
    written: dict[str, int]
    app: FastAPI
    """Reporting's own."""

    @property
    def service(self) -> Service:
        service: Service = self.app.state.web.service
        return service

    async def happened(self, source: str, at: datetime, *events: Event) -> None:
        """Append events to a source's log, and wait until reporting has folded them."""
        self.writer.clock.set(at)
        log = next(each for each in self.writer._logs if each.source == source)
        context = CommandContext(
            claim=f"command:{uuid4().hex}", body=b"{}", actor="test", correlation="test", wait=10.0
        )
        answer = Answer({}, "/", events[0].subject)
        subjects = sorted({event.subject for event in events})
        done = await self.writer.commands(log).run(context, subjects, lambda _: Decision(events, answer))
        assert done.position is not None
        self.written[source] = done.position

    async def table(self, table_id: str, **query: Any) -> dict[str, Any]:
        """A table that has counted everything that happened."""
        least = [f"{source.removeprefix('dugnad/')}:{position}" for source, position in self.written.items()]
        answer = await self.http.get(f"/tables/{table_id}", params={**query, "min_position": least})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        assert all(self.written.get(source, 0) <= position for source, position in found["complete_to"].items())
        return found


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[World]:
    settings = settings.model_copy(update={"dev_issuer_key": SecretStr("test")})
    writer = Service("writer", settings)
    for source, topic in TOPICS.items():
        writer.log(source, topic, SOURCES[source])
    keys = Keys()
    app = create_app(settings, keys)
    token = DevIssuer(settings).token("analyst")
    await writer.start()
    try:
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://reporting",
                headers={"Authorization": f"Bearer {token}", "Accept-Language": "nb"},
            ) as http,
        ):
            yield World(writer, http, keys, {}, app)
    finally:
        await writer.stop()


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


def declared() -> it.BackgroundDeclared:
    facts = {"immigrant_background": "immigrant", "country_of_birth": "SY", "cv_gap": "yes"}
    ciphertext = base64.b64encode(seal(KEY, facts, "C1")).decode()
    return it.BackgroundDeclared(candidate_id="C1", declared_on=date(2025, 10, 1), ciphertext=ciphertext)


def at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 9, tzinfo=UTC)


async def a_started_trial(world: World) -> None:
    await world.happened(it.BACKGROUND_SOURCE, at(2025, 10, 1), declared())
    await world.happened(it.SOURCE, at(2025, 11, 3), REGISTERED)
    presented = ma.CandidatePresented(**CASE, presented_on=date(2025, 11, 7))
    await world.happened(ma.SOURCE, at(2025, 11, 7), presented)
    await world.happened(fo.SOURCE, at(2025, 12, 1), STARTED)


def counted(table: dict[str, Any], category: str, number: str) -> dict[str, Any]:
    return {row[category]: row[number] for row in table["rows"] if row[number]}


async def test_events_of_all_sources_become_tables_and_a_journey(world: World) -> None:
    await a_started_trial(world)
    waiting = await world.table("ventetid")
    assert counted(waiting, "waiting", "slots") == {"15_28": 1, "not_started": 1, "total": 2}
    assert {each["id"]: each["value"] for each in waiting["figures"]}["median"] == 28.0
    assert waiting["definitions"][0]["name"] == "waiting_time"
    assert waiting["definitions"][0]["text"].startswith("Kalenderdager i Oslo-tid")
    funnel = await world.table("trakt", period="2025M11")
    assert counted(funnel, "stage", "number") == {"needs": 1, "slots": 2, "presented": 1}
    assert funnel["filters"] == {"period": "2025M11"}
    answer = await world.http.get("/journeys/need:N1?min_position=followup:1&min_position=matching:1")
    assert answer.json()["events"] == [
        {"type": "NeedRegistered", "day": "2025-11-03"},
        {"type": "CandidatePresented", "day": "2025-11-07"},
        {"type": "TrialStarted", "day": "2025-12-01"},
    ]


async def test_a_background_is_opened_with_the_persons_key_and_erased_only_when_that_is_destroyed(world: World) -> None:
    await a_started_trial(world)
    assert counted(await world.table("mangfold"), "immigrant_background", "starts") == {"immigrant": 1, "total": 1}
    by_group = await world.table("mangfold", by="country_group")
    assert counted(by_group, "country_group", "starts") == {"2": 1, "total": 1}
    world.keys.raises = KeyDestroyed("C1")
    assert counted(await world.table("mangfold"), "immigrant_background", "starts") == {"unknown": 1, "total": 1}
    world.keys.raises = KeyringUnavailable("away")
    answer = await world.http.get("/tables/mangfold")
    assert (answer.status_code, answer.json()["code"]) == (503, "keyring_unavailable")


async def test_workforce_figures_give_shares_and_change_since_the_base_year(world: World) -> None:
    for day, year, head_count, immigrants in ((2012, 2011, 13_000, 949), (2018, 2017, 14_000, 1_526)):
        report = it.WorkforceReported(
            org_number=NAV_DIRECTORATE,
            year=year,
            reported_on=date(day, 1, 15),
            head_count=head_count,
            immigrant_background=immigrants,
        )
        await world.happened(it.SOURCE, at(day, 1, 15), report)
    table = await world.table("arbeidsstyrke", org_number=NAV_DIRECTORATE, base_year=2011)
    row = next(row for row in table["rows"] if row["year"] == 2017 and row["characteristic"] == "immigrant_background")
    assert (row["share"], row["share_change"], row["number_change"]) == (10.9, 49.3, 60.8)


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


async def test_the_page_has_language_headings_captions_and_scopes(world: World) -> None:
    await a_started_trial(world)
    await world.table("ventetid")
    answer = await world.http.get("/", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    page = Page(answer.text)
    assert page.all("html")[0]["lang"] == "nb"
    assert len(page.all("h1")) == 1
    assert len(page.all("table")) == len(page.all("caption")) == len(page.all("svg")) == 8
    assert {cell.get("scope") for cell in page.all("th")} == {"col", "row"}
    assert "28,0\u00a0dager" in answer.text
    assert "Ingen har rapportert ennå" in answer.text
    english = await world.http.get("/", headers={"Accept": "text/html", "Accept-Language": "en"})
    assert 'lang="en"' in english.text
    assert "28.0\u00a0days" in english.text


async def test_an_empty_system_says_what_to_do(world: World) -> None:
    answer = await world.http.get("/", headers={"Accept": "text/html"})
    assert answer.text.count('class="empty"') == 6
    assert "Registrer et behov" in answer.text
    assert not Page(answer.text).all("table")


async def test_what_cannot_be_asked_is_refused_and_who_may_not_ask_too(world: World) -> None:
    for path, status, code in (
        ("/tables/ventetid?period=2025M13", 422, "bad_period"),
        ("/tables/trakt?region=331", 422, "bad_region"),
        ("/tables/trakt?regon=3312", 422, "unknown_parameter"),
        ("/tables/mangfold?by=religion", 422, "unknown_characteristic"),
        ("/tables/arbeidsstyrke?org_number=123456789", 422, "org_number_invalid"),
        ("/tables/arbeidsstyrke?base_year=x", 422, "invalid"),
        ("/tables/trakt?min_position=intake", 422, "invalid"),
        ("/tables/trakt?min_position=intake:9", 503, "view_behind"),
        ("/tables/nothing", 404, "not_found"),
        ("/journeys/need:nobody", 404, "not_found"),
    ):
        answer = await world.http.get(path)
        assert (answer.status_code, answer.json()["code"]) == (status, code), path
    page = await world.http.get("/?period=x", headers={"Accept": "text/html"})
    assert page.status_code == 422
    assert 'role="alert"' in page.text
    employer = DevIssuer(world.writer.settings).token("employer-nav")
    forbidden = await world.http.get("/tables/trakt", headers={"Authorization": f"Bearer {employer}"})
    assert forbidden.status_code == 403
    del world.http.headers["Authorization"]
    assert (await world.http.get("/tables/trakt")).status_code == 401
    to_login = await world.http.get("/", headers={"Accept": "text/html"})
    assert (to_login.status_code, to_login.headers["location"]) == (303, "/login?next=%2F")


async def test_the_live_tables_are_the_cells_of_what_happened_and_say_up_to_where(world: World) -> None:
    await a_started_trial(world)
    await world.table("mangfold")
    tables = (await world.http.get("/live/api/v2/tables")).json()["tables"]
    assert [each["id"] for each in tables] == ["ventetid", "trakt", "utfall", "mangfold", "oppfolging"]
    query = {"valueCodes[Tid]": "*", "valueCodes[ContentsCode]": "started", "valueCodes[Region]": "03*"}
    data = (await world.http.get("/live/api/v2/tables/trakt/data", params=query)).json()
    assert list(data["dimension"]["Region"]["category"]["index"]) == ["03", "0301"]
    assert list(data["dimension"]["Tid"]["category"]["index"]) == ["2025M11", "2025M12"]
    assert data["value"] == [0, 1, 0, 1]
    assert data["extension"]["completeTo"] == {"dugnad/intake": 1, "dugnad/matching": 1, "dugnad/followup": 1}
    query = {
        "valueCodes[Tid]": "2025M12",
        "valueCodes[ContentsCode]": "starts",
        "codelist[Kjennetegn]": "vs_country_group",
    }
    by_group = (await world.http.get("/live/api/v2/tables/mangfold/data", params=query)).json()
    assert by_group["value"] == [0, 1, 0]
    assert by_group["extension"]["completeTo"]["dugnad/background"] == 1


async def test_live_tables_are_computed_again_after_some_seconds_and_never_with_an_unreachable_keyring(
    world: World,
) -> None:
    await a_started_trial(world)
    await world.table("mangfold")
    seconds = 0.0
    live = LiveTables(Reading(world.service, world.keys), world.writer.clock, lambda: seconds)

    async def starts_of_immigrants() -> Any:
        table = await live.table("mangfold")
        assert table is not None
        return table.select(
            {
                "Region": ("0",),
                "Tiltak": ("total",),
                "Kjennetegn": ("immigrant_background_immigrant",),
                "ContentsCode": ("starts",),
                "Tid": ("2025M12",),
            }
        ).values

    assert await starts_of_immigrants() == [1]
    world.keys.raises = KeyDestroyed("C1")
    assert await starts_of_immigrants() == [1]
    seconds = 5.0
    assert await starts_of_immigrants() == [0]
    world.keys.raises = KeyringUnavailable("away")
    seconds = 10.0
    with pytest.raises(KeyringUnavailable):
        await live.table("mangfold")
    funnel = await live.table("trakt")
    seconds = 15.0
    assert await live.table("trakt") is funnel
    presented = ma.CandidatePresented(
        **{**CASE, "match_id": "M2", "candidate_id": "C2"}, presented_on=date(2025, 11, 8)
    )
    await world.happened(ma.SOURCE, at(2025, 12, 1), presented)
    world.keys.raises = None
    await world.table("mangfold")
    seconds = 20.0
    again = await live.table("trakt")
    assert again is not None
    assert again.complete_to["dugnad/matching"] == 2
    assert await live.table("nothing") is None
