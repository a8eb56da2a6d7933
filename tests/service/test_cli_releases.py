"""`dugnad release` and `dugnad export` on real engines, called as from a shell."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from chassis.keyring import KeyringUnavailable
from chassis.settings import Settings
from deploy.cli import release
from deploy.cli.__main__ import main
from deploy.cli.context import Context
from tests.service.test_reporting_http import World, running
from tests.service.test_reporting_releases import filled, positions

Dugnad = Callable[..., Awaitable[tuple[int, str, str]]]
RECORD, NOISE = "a1" * 32, "b2" * 32
SCHEDULE = """
version = "test"
day = 15
public_bodies = []
[tables.ventetid]
since = "2025M11"
preliminary = 3
final = 200
"""
AT = ("--at", "2026-02-20T09:00:00Z")
RELEASE = "2026-02-15"


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        await filled(world)
        yield world


@pytest.fixture
def dugnad(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Dugnad:
    """Runs a command; gives exit code, standard output and standard error."""
    settings = world.writer.settings
    (tmp_path / "keys").write_text(f"record={RECORD}\nnoise={NOISE}\n")
    (tmp_path / "keys").chmod(0o600)
    (tmp_path / "schedule.toml").write_text(SCHEDULE)
    variables = {
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "MONGODB_URI": settings.mongodb_uri,
        "DUGNAD_ENVIRONMENT": "development",
        "DUGNAD_PREFIX": settings.prefix,
        "DUGNAD_DEV_ISSUER_KEY": "test",
        "DUGNAD_RELEASE_KEYS_FILE": str(tmp_path / "keys"),
        "DUGNAD_RELEASE_SCHEDULE": str(tmp_path / "schedule.toml"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    # The services whose heads and keys are asked for over HTTP do not run here.
    async def heads(_: Context, __: Sequence[str], ___: datetime) -> dict[str, int]:
        return positions(world)

    class Keys:
        def __init__(self, *_: object) -> None: ...

        async def keys(self, persons: Sequence[str]) -> dict[str, bytes]:
            return await world.keys.keys(persons)

        async def destroyed(self, persons: Sequence[str]) -> set[str]:
            return await world.keys.destroyed(persons)

        async def aclose(self) -> None: ...

    monkeypatch.setattr(release, "positions_at", heads)
    monkeypatch.setattr(release, "RemoteKeyring", Keys)

    async def run(*argv: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = await asyncio.to_thread(main, argv)
        printed = capsys.readouterr()
        assert RECORD not in printed.out + printed.err
        assert NOISE not in printed.out + printed.err
        return code, printed.out, printed.err

    return run


async def test_a_release_is_planned_sealed_published_listed_and_made_again(world: World, dugnad: Dugnad) -> None:
    code, out, _ = await dugnad("release", "plan", *AT, "--json")
    assert code == 0
    assert json.loads(out)["due"] == [
        {
            "release": RELEASE,
            "cutoff": "2026-02-14T23:00:00+00:00",
            "table": "ventetid",
            "period": "2025M11",
            "stage": "preliminary",
            "sealed": False,
        }
    ]
    code, out, err = await dugnad("release", "seal", *AT, "--json")
    assert code == 0, err
    sealed = json.loads(out)
    assert (sealed["release"], [each["outcome"] for each in sealed["entries"]]) == (RELEASE, ["new"])
    assert sealed["definitions"]["waiting_time"] == 1
    code, out, err = await dugnad("release", "seal", *AT)
    assert (code, out) == (2, "")
    assert "nothing is due that is not sealed" in err
    code, out, err = await dugnad("release", "publish", RELEASE)
    assert code == 2
    assert "add --yes" in err
    assert (await world.http.get("/api/v2/tables/ventetid")).status_code == 404
    assert (await dugnad("release", "publish", RELEASE, "--yes"))[0] == 0
    assert (await world.http.get("/api/v2/tables/ventetid")).status_code == 200
    code, _, err = await dugnad("release", "publish", RELEASE, "--yes")
    assert code == 1
    assert "is published already" in err
    code, out, _ = await dugnad("release", "list", "--json")
    listed = json.loads(out)["releases"]
    assert [(each["release"], each["published"] is not None) for each in listed] == [(RELEASE, True)]
    code, out, _ = await dugnad("release", "reproduce", RELEASE, "--json")
    assert (code, json.loads(out)["same"], json.loads(out)["differences"]) == (0, True, [])
    code, out, _ = await dugnad("release", "plan", *AT)
    assert (code, out) == (0, "nothing is due\n")


async def test_a_release_that_is_not_made_the_same_again_says_in_a_line_what_differs(
    dugnad: Dugnad, tmp_path: Path
) -> None:
    assert (await dugnad("release", "seal", *AT))[0] == 0
    (tmp_path / "keys").write_text(f"record={RECORD}\nnoise={'c3' * 32}\n")
    code, out, _ = await dugnad("release", "reproduce", RELEASE)
    assert code == 1
    assert out.splitlines()[-3:] == [
        f"{RELEASE}: 0 of 1 parts have the same bytes",
        "others: ventetid/2025M11/preliminary",
        "keys: `noise`: not those of the release are given here",
    ]
    code, out, _ = await dugnad("release", "reproduce", RELEASE, "--json")
    assert code == 1
    assert [each["cause"] for each in json.loads(out)["differences"]] == ["keys"]


async def test_a_damaged_manifest_stops_its_own_release_and_no_other(world: World, dugnad: Dugnad) -> None:
    assert (await dugnad("release", "seal", *AT))[0] == 0
    assert (await dugnad("release", "seal", *AT, "--again"))[0] == 0
    manifests = world.writer.database("reporting")["release_manifests"]
    await manifests.update_one({"_id": RELEASE}, {"$set": {"schedule": "another"}})
    code, _, err = await dugnad("release", "publish", RELEASE, "--yes")
    assert (code, err) == (1, f"dugnad: the manifest of {RELEASE} is not what was sealed\n")
    assert (await dugnad("release", "plan", *AT))[0] == 0
    assert (await dugnad("release", "publish", f"{RELEASE}.2", "--yes"))[0] == 0


async def test_the_list_of_releases_names_a_manifest_that_is_damaged_or_gone_and_shows_the_others(
    world: World, dugnad: Dugnad
) -> None:
    for again in ((), ("--again",), ("--again",)):
        assert (await dugnad("release", "seal", *AT, *again))[0] == 0
    assert (await dugnad("release", "publish", f"{RELEASE}.3", "--yes"))[0] == 0
    manifests = world.writer.database("reporting")["release_manifests"]
    await manifests.update_one({"_id": RELEASE}, {"$set": {"schedule": "another"}})
    await manifests.delete_one({"_id": f"{RELEASE}.3"})
    said = f"the manifest of {RELEASE} is not what was sealed; the manifest of {RELEASE}.3 is gone"
    code, out, err = await dugnad("release", "list")
    assert (code, err) == (1, f"dugnad: {said}\n")
    rows = [line.split() for line in out.splitlines()[1:]]
    assert [(row[0], row[1], row[2] == "no", "damaged" in row) for row in rows] == [
        (RELEASE, "?", True, True),
        (f"{RELEASE}.2", "1", True, False),
        (f"{RELEASE}.3", "?", False, True),
    ]
    code, out, _ = await dugnad("release", "list", "--json")
    listed = json.loads(out)
    assert (code, [each["release"] for each in listed["releases"]]) == (1, [f"{RELEASE}.2"])
    assert [each["release"] for each in listed["damaged"]] == [RELEASE, f"{RELEASE}.3"]


async def test_a_release_with_nothing_in_it_does_not_stand_in_the_way_of_the_next(
    dugnad: Dugnad, tmp_path: Path
) -> None:
    yearly = '[tables.arbeidsstyrke]\nsince = "2023"\npreliminary = 1\nfinal = 200\n'
    of_a_body = SCHEDULE.replace("public_bodies = []", 'public_bodies = ["889640782"]')
    (tmp_path / "schedule.toml").write_text(of_a_body + yearly)
    code, out, _ = await dugnad("release", "seal", "2024-01-15", *AT)
    assert (code, out.splitlines()[-1]) == (0, "2024-01-15: there is nothing to publish yet")
    code, out, err = await dugnad("release", "seal", *AT)
    assert code == 0, err
    assert [line for line in out.splitlines() if "ETA" not in line] == [
        "2024-01-15: there is nothing to publish yet",
        "2025-01-15: there is nothing to publish yet",
        "2026-01-15: there is nothing to publish yet",
        "ventetid 2025M11: preliminary, new",
        f"{RELEASE} is sealed: publish it, or leave it",
    ]
    code, _, err = await dugnad("release", "seal", "2026-02-16", *AT)
    assert (code, err) == (2, "dugnad: 2026-02-16 is not due: `dugnad release plan` says what is\n")


async def test_what_a_release_lacks_is_said_before_anything_is_made(
    world: World, dugnad: Dugnad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").chmod(0o644)
    code, _, err = await dugnad("release", "seal", *AT)
    assert code == 2
    assert "chmod 600" in err
    (tmp_path / "keys").chmod(0o600)
    world.keys.raises = KeyringUnavailable("C1 cannot be asked for")
    code, _, err = await dugnad("release", "seal", *AT)
    assert code == 3
    assert "the keyring gives no key (KeyringUnavailable)" in err
    assert "C1" not in err
    (tmp_path / "schedule.toml").write_text("day = 31")
    code, _, err = await dugnad("release", "plan")
    assert code == 2
    assert "is missing" in err
    monkeypatch.delenv("DUGNAD_RELEASE_SCHEDULE")
    code, out, _ = await dugnad("release", "list", "--json")
    assert (code, json.loads(out)) == (0, {"releases": [], "damaged": []}), "nothing was sealed"
    code, _, err = await dugnad("release", "reproduce", "2020-01-15")
    assert (code, err) == (2, "dugnad: 2020-01-15 is not sealed; these are: none\n")


async def test_an_export_holds_live_facts_and_published_tables(world: World, dugnad: Dugnad, tmp_path: Path) -> None:
    await dugnad("release", "seal", *AT)
    await dugnad("release", "publish", RELEASE, "--yes")
    folder = tmp_path / "exported"
    code, out, _ = await dugnad("export", str(folder), "--json")
    assert code == 0
    assert {path.name for path in folder.iterdir()} == set(json.loads(out)["files"])
    with duckdb.connect() as connection:
        slots, tables = f"{folder}/facts_slots.parquet", f"{folder}/published_ventetid.parquet"
        facts = connection.execute("select count(*), count(started_on) from read_parquet(?)", [slots]).fetchone()
        shown = connection.execute("select count(*), max(slots) from read_parquet(?)", [tables]).fetchone()
    assert facts == (120, 12)
    assert shown is not None
    assert shown[0] > 100
    assert 115 <= shown[1] <= 125
    code, _, err = await dugnad("export", str(folder))
    assert code == 2
    assert "is not empty" in err
    only = tmp_path / "only"
    assert (await dugnad("export", str(only), "--only", "facts"))[0] == 0
    assert all(path.name.startswith(("facts_", "dictionary.")) for path in only.iterdir())
    await world.writer.database("reporting")["release_contents"].delete_many({})
    code, _, err = await dugnad("export", str(tmp_path / "lacking"))
    assert code == 1
    assert "ventetid is not exported: the part " in err
    assert not (tmp_path / "lacking").exists(), "no export that lacks a table without saying so"
