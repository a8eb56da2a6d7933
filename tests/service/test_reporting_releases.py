"""Releases on real engines: sealed from positions, published at most twice, and the same bytes ever after."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from chassis.generations import Generations
from chassis.issuer import DevIssuer
from chassis.keyring import KeyDestroyed, KeyringUnavailable
from chassis.rebuild import Headway, Rebuild
from chassis.settings import Settings
from contracts import followup as fo
from contracts import intake as it
from contracts.days import promise_date
from contracts.registry import SOURCES
from services.reporting import views
from services.reporting.domain.disclosure.keys import Secrets
from services.reporting.domain.periods import Frequency
from services.reporting.domain.releases import Due, Schedule, Stage, Timetable, due, release_id
from services.reporting.domain.sealing import Outcome
from services.reporting.making import NEEDED, Releases
from services.reporting.origin import Cause
from services.reporting.releases import Damaged, Frozen, Manifest, ReleaseStore, stages_of
from tests.service.test_reporting_http import STARTED, World, declared, running

ORG = "315486892"
PERIOD = "2025M11"
SECRETS = Secrets(record=b"r" * 32, noise=b"n" * 32)
FIRST = {"ventetid": PERIOD, "mangfold": "2025M12"}
SCHEDULE = Schedule(
    version="test",
    day=15,
    timetables=(
        Timetable("ventetid", Frequency.MONTH, PERIOD, preliminary=3, final=9),
        Timetable("mangfold", Frequency.MONTH, FIRST["mangfold"], preliminary=2, final=8),
    ),
)
PRELIMINARY, FINAL = datetime(2026, 2, 16, tzinfo=UTC), datetime(2026, 8, 16, tzinfo=UTC)


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


def need(number: int, slots: int, municipality: str = "3312") -> it.NeedRegistered:
    return it.NeedRegistered(
        need_id=f"N{number}",
        org_number=ORG,
        municipality=municipality,
        occupation="5223",
        slot_ids=tuple(f"S{number}-{slot}" for slot in range(slots)),
        intermediary="nav",
        hours_per_week=37.5,
        registered_on=date(2025, 11, 10),
        promise_date=promise_date(date(2025, 11, 10)),
    )


def releases(world: World) -> Releases:
    service = world.writer
    return Releases(service.database("reporting"), service.settings, world.keys, SECRETS, SCHEDULE)


def silent(_: str, __: Headway) -> None:
    """Nobody looks on."""


def positions(world: World) -> dict[str, int]:
    return {source: world.written.get(source, 0) for source in SOURCES}


async def what_is_due(world: World, now: datetime) -> list[Due]:
    return due(SCHEDULE, now, stages_of(await releases(world).store.publications()))


async def sealed(world: World, now: datetime, table: str = "ventetid") -> Manifest:
    wanted = [each for each in await what_is_due(world, now) if (each.table, each.period) == (table, FIRST[table])]
    assert len(wanted) == 1
    name = f"{release_id(wanted[0].cutoff)}-{table}"
    manifest = await releases(world).seal(name, wanted, positions(world), silent)
    assert manifest is not None
    return manifest


async def public(world: World, table: str = "ventetid") -> Any:
    """What anybody is shown: values and symbols, as they come over the wire."""
    answer = await world.http.get(
        f"/api/v2/tables/{table}/data?outputFormat=json-stat2&valueCodes[Tid]=*"
        "&valueCodes[Region]=*&valueCodes[Tiltak]=*&valueCodes[ContentsCode]=*",
        headers={"Authorization": ""},
    )
    assert answer.status_code == 200, answer.text
    told = answer.json()
    return told["value"], told.get("status"), told["dimension"]["Tid"]["category"]["index"]


async def filled(world: World) -> None:
    """A hundred and twenty slots of November; on twelve of them the same person starts in December."""
    await world.happened(it.BACKGROUND_SOURCE, datetime(2025, 10, 1, tzinfo=UTC), declared())
    await world.happened(it.SOURCE, datetime(2025, 11, 10, tzinfo=UTC), need(1, 40), need(2, 80, "0301"))
    starts = [
        STARTED.model_copy(
            update={
                "need_id": "N1",
                "slot_id": f"S1-{n}",
                "org_number": ORG,
                "trial_id": f"T{n}",
                "agreement_id": f"A{n}",
            }
        )
        for n in range(12)
    ]
    await world.happened(fo.SOURCE, datetime(2025, 12, 1, tzinfo=UTC), *starts)
    await world.table("ventetid")


async def test_a_frozen_period_stays_as_it_is_through_late_events_erasures_and_rebuilds(world: World) -> None:
    await filled(world)
    made = releases(world)
    assert (await world.http.get("/api/v2/tables/ventetid")).status_code == 404, "nothing is published yet"
    preliminary = await sealed(world, PRELIMINARY)
    assert (await world.http.get("/api/v2/tables/ventetid")).status_code == 404, "sealed is not published"
    await made.store.publish(preliminary.release, PRELIMINARY)
    assert await made.store.keyed_of("ventetid", PERIOD) > 0
    first = await public(world)
    assert any(first[0])
    assert not {1, 2} & set(first[0])

    # 99 late records: the final figures are the preliminary ones, byte for byte.
    await world.happened(it.SOURCE, datetime(2026, 3, 2, tzinfo=UTC), need(3, 99))
    final = await sealed(world, FINAL)
    assert [(each.stage, each.outcome) for each in final.entries] == [(Stage.FINAL, Outcome.UNCHANGED)]
    assert final.entries[0].content == preliminary.entries[0].content
    await made.store.publish(final.release, FINAL)
    assert await public(world) == first
    told = (await world.http.get("/api/v2/tables/ventetid/metadata")).json()["extension"]["completeTo"]
    assert told == dict(preliminary.positions) != dict(final.positions), "the 99 are not in what is shown"
    assert await made.store.keyed_of("ventetid", PERIOD) == 0, "n and ks are destroyed with the final stage"
    assert PERIOD not in {each.period for each in await what_is_due(world, FINAL) if each.table == "ventetid"}

    # Later than final: whatever happens changes nothing, and nothing more can be published.
    await world.happened(it.SOURCE, datetime(2026, 9, 1, tzinfo=UTC), need(4, 300))
    again = replace(final, release="again")
    await made.store.seal(again)
    with pytest.raises(Frozen, match="is final: it is never published again"):
        await made.store.publish("again", FINAL)
    world.keys.raises = KeyDestroyed("C1")
    reporting = world.writer.database("reporting")
    for projection in NEEDED:
        await Rebuild(projection, reporting, world.writer.settings, "reporting").run(lambda _: None)
    assert await public(world) == first


async def test_a_hundred_changed_records_open_the_final_figures_once(world: World) -> None:
    await filled(world)
    made = releases(world)
    preliminary = await sealed(world, PRELIMINARY)
    await made.store.publish(preliminary.release, PRELIMINARY)
    first = await public(world)
    await world.happened(it.SOURCE, datetime(2026, 3, 2, tzinfo=UTC), need(3, 100))
    final = await sealed(world, FINAL)
    assert final.entries[0].outcome is Outcome.NEW
    await made.store.publish(final.release, FINAL)
    assert await public(world) != first
    with pytest.raises(Frozen, match="is published already"):
        await made.store.publish(final.release, FINAL)
    with pytest.raises(Frozen, match="never changes"):
        await made.seal(final.release, [Due(FINAL, "ventetid", PERIOD, Stage.FINAL)], positions(world), silent)


async def test_a_release_made_again_has_the_same_bytes_while_nobody_in_it_was_erased(world: World) -> None:
    await filled(world)
    made = releases(world)
    manifest = await sealed(world, PRELIMINARY, "mangfold")
    before = positions(world)
    await world.happened(it.SOURCE, datetime(2026, 4, 2, tzinfo=UTC), need(5, 30))
    remade = await made.reproduce(manifest, silent)
    assert ([each.same for each in remade.parts], remade.differences) == ([True], ())
    assert manifest.positions == before, "what came later is not in it"
    world.keys.raises = KeyDestroyed("C1")
    remade = await made.reproduce(manifest, silent)
    assert [each.same for each in remade.parts] == [False]
    assert [each.cause for each in remade.differences] == [Cause.LOG]
    assert "somebody in it was erased" in remade.differences[0].says
    world.keys.raises = None
    assert await made.store.publications() == [], "a remade release is never published"
    # Another program or other secrets would be found out too.
    other = Releases(
        world.writer.database("reporting"),
        world.writer.settings,
        world.keys,
        Secrets(record=b"x" * 32, noise=b"y" * 32),
        SCHEDULE,
    )
    remade = await other.reproduce(manifest, silent)
    assert [each.same for each in remade.parts] == [False]
    assert [(each.cause, "record` and `noise" in each.says) for each in remade.differences] == [(Cause.KEYS, True)]


async def test_a_release_of_an_earlier_version_is_published_shown_and_made_again_as_before(world: World) -> None:
    """Parts without the dates of code lists, and a manifest that says nothing of what made it."""
    await filled(world)
    made = releases(world)
    manifest = await sealed(world, PRELIMINARY, "mangfold")
    part = replace(await made.store.part(manifest.entries[0].content), codelists={})
    entry = replace(manifest.entries[0], content=await made.store.keep(part))
    assert entry.content != manifest.entries[0].content
    earlier = replace(manifest, release="earlier", entries=(entry,), made_by={})
    assert "made_by" not in earlier.document()
    await made.store.seal(earlier)
    await made.store.publish("earlier", PRELIMINARY)
    assert any((await public(world, "mangfold"))[0])
    told = (await world.http.get("/api/v2/tables/mangfold/metadata?lang=en")).json()["note"]
    assert f"The date of the country groups table was not kept for {FIRST['mangfold']}." in told
    stored = await made.store.manifest("earlier")
    assert stored == earlier
    assert [each.same for each in (await made.reproduce(stored, silent)).parts] == [True]
    final = await sealed(world, FINAL, "mangfold")
    assert (final.entries[0].outcome, final.entries[0].content) == (Outcome.UNCHANGED, entry.content)


async def test_an_unreachable_keyring_stops_a_release_and_leaves_nothing_behind(world: World) -> None:
    await filled(world)
    world.keys.raises = KeyringUnavailable("away")
    with pytest.raises(KeyringUnavailable):
        await sealed(world, PRELIMINARY)
    store = releases(world).store
    assert await store.manifests() == {}
    kept = await Generations(world.writer.database("reporting"), "placement", views.placement.version).all()
    assert [each.until for each in kept] == [None], "generations that were built for it are dropped"


async def test_bytes_that_were_tampered_with_are_never_published_nor_shown(world: World) -> None:
    await filled(world)
    made = releases(world)
    manifest = await sealed(world, PRELIMINARY)
    contents = world.writer.database("reporting")["release_contents"]
    found = await contents.find_one({"_id": manifest.entries[0].content})
    assert found is not None
    await contents.update_one({"_id": found["_id"]}, {"$set": {"bytes": found["bytes"].replace(b"0", b"9", 1)}})
    with pytest.raises(Damaged):
        await made.store.publish(manifest.release, PRELIMINARY)
    assert await made.store.publications() == []
    await contents.replace_one({"_id": found["_id"]}, found)
    await made.store.publish(manifest.release, PRELIMINARY)
    diversity = await sealed(world, PRELIMINARY, "mangfold")
    await made.store.publish(diversity.release, PRELIMINARY)
    await contents.delete_one({"_id": found["_id"]})
    # The manifest of a release that nothing of is shown is nobody's concern.
    await made.store.seal(replace(manifest, release="unpublished"))
    manifests = world.writer.database("reporting")["release_manifests"]
    await manifests.update_one({"_id": "unpublished"}, {"$set": {"schedule": "another"}})
    answer = await world.http.get("/api/v2/tables/ventetid/data")
    assert (answer.status_code, answer.json()["code"]) == (503, "table_unavailable")
    assert (await world.http.get("/api/v2/tables/mangfold/data")).status_code == 200, "one table takes no other with it"
    listed = (await world.http.get("/api/v2/tables")).json()["tables"]
    assert [each["id"] for each in listed] == ["ventetid", "mangfold"]
    assert (await world.http.get("/readyz")).status_code == 200
    operator = {"Authorization": f"Bearer {DevIssuer(world.service.settings).token('operator')}"}
    overview = (await world.http.get("/projections", headers=operator)).json()
    assert overview["faults"] == [f"the published table ventetid is not shown: the part {found['_id']} is gone"]


async def test_keys_that_a_killed_publication_left_are_destroyed_when_it_is_called_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(world)
    store = ReleaseStore(world.writer.database("reporting"))
    final = await sealed(world, FINAL)
    assert [each.stage for each in final.entries] == [Stage.FINAL]

    async def killed(_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(store, "destroy_keyed", killed)
        with pytest.raises(ConnectionError):
            await store.publish(final.release, FINAL)
    assert await store.keyed_of("ventetid", PERIOD) > 0
    with pytest.raises(Frozen, match="is published already"):
        await store.publish(final.release, FINAL)
    assert await store.keyed_of("ventetid", PERIOD) == 0


async def test_two_operators_cannot_publish_one_period_twice(world: World) -> None:
    await filled(world)
    store = ReleaseStore(world.writer.database("reporting"))
    manifest = await sealed(world, PRELIMINARY)
    await store.seal(replace(manifest, release="other"))
    await store.publish(manifest.release, PRELIMINARY)
    with pytest.raises(Frozen, match="is published as preliminary already"):
        await store.publish("other", PRELIMINARY)
    assert [each.release for each in await store.publications()] == [manifest.release]
