"""A published table of which something cannot be read: it alone is not shown, and is again when it was mended."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any, cast

import httpx
import pytest
from structlog.testing import capture_logs

from chassis.metrics import TABLES_UNAVAILABLE
from chassis.web import create_app
from services.reporting.domain.parts import Part, written
from services.reporting.domain.publications import Facts
from services.reporting.domain.releases import Due, Stage
from services.reporting.domain.sealing import Outcome, made
from services.reporting.published import AGAIN_SECONDS, Away, PublishedTables, published
from services.reporting.pxweb import older
from services.reporting.pxweb.base import Base
from services.reporting.pxweb.older import OLDER
from services.reporting.pxweb.router import PUBLIC, prepare, router
from services.reporting.releases import Damaged, Entry, Manifest, Publication, ReleaseStore
from tests.tables import TEXTS
from tests.unit.reporting.disclosure.population import secrets
from tests.unit.reporting.simulation import simulate
from tests.unit.reporting.test_reporting_recomputed import slots_of
from tests.webapp import StillService, settings

CUTOFF = datetime(2026, 1, 15, tzinfo=UTC)
TABLES = ("ventetid", "trakt", "oppfolging")
PERIODS = ("2024M05", "2024M06")


class Kept:
    """What a store of releases has, in memory: parts and manifests may be gone, or somebody else's."""

    def __init__(self) -> None:
        slots = slots_of(simulate(5, 60).records())
        facts = Facts(slots, {}, [], date(2026, 1, 15))
        self.parts: dict[str, Part] = {}
        self.manifests: dict[str, Manifest] = {}
        self.published: list[Publication] = []
        self.reads = 0
        for number, period in enumerate(PERIODS, start=1):
            entries = []
            for table in TABLES:
                found = made(Due(CUTOFF, table, period, Stage.PRELIMINARY), facts, secrets(1), ())
                assert found is not None
                digest = hashlib.sha256(written(found.part)).hexdigest()
                self.parts[digest] = found.part
                entries.append(Entry(table, period, Stage.PRELIMINARY, Outcome.NEW, digest))
            release = f"of {period}"
            self.manifests[release] = Manifest(release, CUTOFF, {"dugnad/intake": 3}, "1", "c", {}, tuple(entries))
            keyed = {each.key: each.content for each in entries}
            self.published.append(Publication(number, release, CUTOFF, keyed))

    def of(self, table: str, period: str) -> str:
        return next(
            found[f"{table}/{period}/preliminary"]
            for found in (each.entries for each in self.published)
            if f"{table}/{period}/preliminary" in found
        )

    async def publications(self) -> list[Publication]:
        return self.published

    async def last_publication(self) -> int:
        return self.published[-1].number

    async def part(self, digest: str) -> Part:
        self.reads += 1
        await asyncio.sleep(0)
        if digest not in self.parts:
            raise Damaged(f"the part {digest} is not what was sealed")
        return self.parts[digest]

    async def manifest(self, release: str) -> Manifest | None:
        return self.manifests.get(release)


class Served:
    """The interface on such a store."""

    def __init__(self) -> None:
        self.store, self.seconds = Kept(), 0.0
        self.tables = PublishedTables(cast(ReleaseStore, self.store), lambda: self.seconds)
        chosen = settings(tables_calls=10_000)
        base = Base(self.tables, TEXTS, chosen, PUBLIC, scope=None)
        self.app = create_app(
            StillService(chosen), routers=[router(base), older.router(base)], texts=TEXTS, title="t", description="t"
        )
        prepare(self.app)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://tables")

    async def status(self, path: str) -> int:
        return (await self.http.get(path)).status_code

    async def statuses(self) -> dict[str, int]:
        return {table: await self.status(f"{PUBLIC}/tables/{table}/data") for table in TABLES}


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    found = Served()
    async with found.http:
        yield found


def _gone(store: Kept) -> None:
    del store.parts[store.of("trakt", PERIODS[0])]


def _of_another_table(store: Kept) -> None:
    store.parts[store.of("trakt", PERIODS[0])] = store.parts[store.of("ventetid", PERIODS[0])]


@pytest.mark.parametrize("damage", [_gone, _of_another_table])
async def test_an_unreadable_part_takes_its_own_table_and_no_other(served: Served, damage: Any) -> None:
    damage(served.store)
    assert await served.statuses() == {"ventetid": 200, "trakt": 503, "oppfolging": 200}
    for path in ("", "/metadata", "/defaultselection", "/data"):
        answer = await served.http.get(f"{PUBLIC}/tables/trakt{path}", headers={"Accept-Language": "en"})
        assert (answer.status_code, answer.json()["code"]) == (503, "table_unavailable"), path
        assert answer.headers["retry-after"] == str(AGAIN_SECONDS)
        assert answer.headers["content-type"] == "application/problem+json"
        assert "value" not in answer.json(), "not the period that can be read, either"
    assert await served.status(f"{OLDER}/no/table/trakt") == 503
    posted = await served.http.post(f"{OLDER}/no/table/trakt", json={"query": []})
    assert posted.status_code == 503


async def test_the_lists_go_on_naming_it_with_its_periods_and_code_lists_are_there(served: Served) -> None:
    whole = (await served.http.get(f"{PUBLIC}/tables")).json()["tables"]
    other = Served()
    _gone(other.store)
    async with other.http:
        assert (await other.http.get(f"{PUBLIC}/tables")).json()["tables"] == whole
        assert await other.status(f"{OLDER}/en/table") == 200
        assert await other.status(f"{PUBLIC}/codelists/vs_fylker") == 200
    assert [(each["id"], each["firstPeriod"], each["lastPeriod"]) for each in whole][1] == ("trakt", *PERIODS)


async def test_a_manifest_that_is_gone_takes_the_tables_whose_positions_it_holds(served: Served) -> None:
    del served.store.manifests[f"of {PERIODS[0]}"]
    assert set((await served.statuses()).values()) == {503}
    found = await published(cast(ReleaseStore, served.store))
    assert {each.why for each in found.values() if isinstance(each, Away)} == {
        f"the manifest of of {PERIODS[0]} is gone"
    }
    served.store.manifests["unpublished"] = cast(Manifest, None)
    assert await served.status(f"{PUBLIC}/tables") == 200


async def test_an_operator_is_told_and_the_process_stays_ready(served: Served) -> None:
    digest = served.store.of("trakt", PERIODS[0])
    _gone(served.store)
    with capture_logs() as lines:
        await served.statuses()
        await served.statuses()
    told = [(each["table"], each["why"]) for each in lines if each["log_level"] == "error"]
    assert told == [("trakt", f"the part {digest} is not what was sealed")], "once, not at every request"
    assert served.tables.faults() == [
        f"the published table trakt is not shown: the part {digest} is not what was sealed"
    ]
    assert [TABLES_UNAVAILABLE.labels(table)._value.get() for table in TABLES] == [0, 1, 0]
    assert await served.status("/readyz") == 200, "else whatever is in order would go with it"


async def test_what_was_mended_is_shown_after_a_minute_without_a_new_publication(served: Served) -> None:
    digest = served.store.of("trakt", PERIODS[0])
    part = served.store.parts.pop(digest)
    assert (await served.statuses())["trakt"] == 503
    served.store.parts[digest] = part
    reads = served.store.reads
    served.seconds = AGAIN_SECONDS - 1.0
    assert (await served.statuses())["trakt"] == 503
    assert served.store.reads == reads, "not at every request"
    served.seconds = AGAIN_SECONDS + 0.0
    assert set(await asyncio.gather(*(served.status(f"{PUBLIC}/tables/trakt") for _ in range(5)))) <= {200, 503}
    assert served.store.reads == reads + len(PERIODS), "one of them looked, at this table alone"
    assert set((await served.statuses()).values()) == {200}
    assert served.tables.faults() == []
    assert TABLES_UNAVAILABLE.labels("trakt")._value.get() == 0
