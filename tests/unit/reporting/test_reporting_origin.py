"""Why a release that is made again has other bytes: what can be known is said, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.reporting.domain.disclosure.keys import Secrets
from services.reporting.domain.releases import Schedule, Stage
from services.reporting.domain.sealing import Outcome
from services.reporting.origin import Cause, Difference, Watched, code_version, differences, origin
from services.reporting.releases import Damaged, Entry, Manifest

SECRETS = Secrets(record=b"r" * 32, noise=b"n" * 32)
SCHEDULE = Schedule(version="2026-01", day=15, timetables=(), public_bodies=("315486892",))
CUTOFF = datetime(2026, 2, 14, 23, tzinfo=UTC)


def entry(table: str) -> Entry:
    return Entry(table, "2025" if table == "arbeidsstyrke" else "2025M11", Stage.PRELIMINARY, Outcome.NEW, table * 3)


WAITING, DIVERSITY, WORK_FORCE = entry("ventetid"), entry("mangfold"), entry("arbeidsstyrke")
ALL = (WAITING, DIVERSITY, WORK_FORCE)


def manifest(made_by: Mapping[str, str]) -> Manifest:
    return Manifest("2026-02-15", CUTOFF, {"dugnad/intake": 7}, "2026-01", code_version(), {}, ALL, made_by)


SEALED = manifest(origin(SCHEDULE, SECRETS, destroyed=0))
EARLIER = manifest({})
"""As a version sealed it that did not note what it was made by."""


def told(
    sealed: Manifest,
    others: tuple[Entry, ...] = ALL,
    *,
    secrets: Secrets = SECRETS,
    schedule: Schedule = SCHEDULE,
    destroyed: int = 0,
    **here: str,
) -> list[Difference]:
    return differences(sealed, origin(schedule, secrets, destroyed) | here, schedule, others)


def causes(found: list[Difference]) -> list[str]:
    return [each.cause for each in found]


def test_what_is_the_same_needs_no_cause() -> None:
    assert told(SEALED, ()) == []


def test_code_and_code_lists_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    as_it_is = Path.read_bytes
    for suffix, expected in ((".py", Cause.CODE), (".csv", Cause.CODE_LISTS), (".toml", Cause.CODE_LISTS)):
        with monkeypatch.context() as patched:
            patched.setattr(Path, "read_bytes", lambda path, of=suffix: as_it_is(path) + b"#" * (path.suffix == of))
            (only,) = told(SEALED)
            assert only.cause is expected
            earlier = told(EARLIER)
            assert causes(earlier) == [Cause.CODE], "its one hash is over both"
            assert "code or code lists" in earlier[0].says
    assert SEALED.made_by["program"][:12] in told(SEALED, program="0" * 64)[0].says


@pytest.mark.parametrize("name", ["record", "noise"])
def test_the_key_that_is_another_one_is_named_and_none_is_quoted(name: str) -> None:
    other = replace(SECRETS, **{name: b"x" * 32})
    (only,) = told(SEALED, (WAITING, DIVERSITY), secrets=other)
    assert only.cause is Cause.KEYS
    assert f"`{name}`" in only.says
    assert ("record" in only.says, "noise" in only.says) == (name == "record", name == "noise")
    shown = json.dumps(SEALED.document()) + only.says
    assert not any(text in shown for key in (SECRETS.record, SECRETS.noise) for text in (key.decode(), key.hex()))


def test_keys_do_not_explain_figures_without_noise_nor_a_schedule_figures_that_it_does_not_choose() -> None:
    found = told(SEALED, secrets=Secrets(record=b"x" * 32, noise=b"y" * 32))
    assert causes(found) == [Cause.KEYS, Cause.LOG]
    assert "arbeidsstyrke" in found[1].says
    assert "ventetid" not in found[1].says
    others = replace(SCHEDULE, public_bodies=("315486892", "311122339"))
    assert causes(told(SEALED, (WORK_FORCE,), schedule=others)) == [Cause.SCHEDULE]
    assert causes(told(SEALED, (WAITING,), schedule=others)) == [Cause.LOG]
    # A new version of the schedule with the same public bodies has no other figures.
    assert causes(told(SEALED, (WORK_FORCE,), schedule=replace(SCHEDULE, version="2027"))) == [Cause.LOG]


def test_an_erasure_since_then_is_told_for_what_had_been_declared_alone() -> None:
    found = told(SEALED, (DIVERSITY,), destroyed=1)
    assert causes(found) == [Cause.LOG]
    assert "somebody in it was erased" in found[0].says
    assert "somebody" not in told(SEALED, (WAITING,), destroyed=1)[0].says
    before = manifest(origin(SCHEDULE, SECRETS, destroyed=1))
    assert "somebody" not in told(before, (DIVERSITY,), destroyed=1)[0].says, "they were erased before it was sealed"


def test_where_all_else_is_the_same_it_is_the_log() -> None:
    (only,) = told(SEALED)
    assert only.cause is Cause.LOG
    assert "nothing else is known to differ" in only.says


def test_what_an_earlier_release_does_not_tell_is_said_to_be_unknown() -> None:
    found = told(EARLIER, (WAITING,))
    assert causes(found) == [Cause.KEYS, Cause.LOG]
    assert "they may be others" in found[0].says
    found = told(EARLIER, (WORK_FORCE,), schedule=replace(SCHEDULE, version="2027"))
    assert [each.says for each in found] == ["schedule: version 2026-01 then, 2027 now"]


def test_every_cause_is_one_line() -> None:
    for sealed in (SEALED, EARLIER):
        found = told(
            sealed, secrets=Secrets(b"x" * 32, b"y" * 32), schedule=replace(SCHEDULE, public_bodies=()), destroyed=2
        )
        assert found
        assert not any("\n" in each.says for each in found)
        assert all(each.says.partition(":")[0] in ("code", "code lists", "schedule", "keys", "log") for each in found)


def test_a_manifest_of_an_earlier_version_keeps_its_hash() -> None:
    plain = {
        "release": "2026-02-15",
        "cutoff": CUTOFF.isoformat(),
        "positions": {"dugnad/intake": 7},
        "schedule": "2026-01",
        "code": "c" * 64,
        "definitions": {"waiting_time": 1},
        "entries": [
            {
                "table": "ventetid",
                "period": "2025M11",
                "stage": "preliminary",
                "outcome": "new",
                "content": "d" * 64,
                "preliminary": None,
            }
        ],
    }
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    read = Manifest.of({**plain, "hash": digest})
    assert (read.made_by, read.document()) == ({}, {**plain, "hash": digest})
    again = Manifest.of(SEALED.document())
    assert again == SEALED
    assert again.document()["hash"] != replace(SEALED, made_by={}).document()["hash"], "it is under the seal"


@pytest.mark.parametrize("field", list(SEALED.document()))
def test_a_manifest_that_lacks_something_is_damaged_and_says_whose_it_is(field: str) -> None:
    document = {"_id": SEALED.release, **SEALED.document()}
    del document[field]
    with pytest.raises(Damaged, match="the manifest of 2026-02-15 is not what was sealed"):
        Manifest.of(document)
    with pytest.raises(Damaged):
        Manifest.of({**document, field: 7})


async def test_a_watched_keyring_counts_persons_whose_keys_are_gone_and_passes_everything_on() -> None:
    class Keys:
        async def keys(self, persons: Sequence[str]) -> dict[str, bytes]:
            return {person: b"k" for person in persons if person == "there"}

        async def destroyed(self, persons: Sequence[str]) -> set[str]:
            return set(persons) - {"there"}

    watched = Watched(Keys())
    assert await watched.keys(["there"]) == {"there": b"k"}
    for person in ("gone", "gone", "away"):
        assert await watched.keys([person]) == {}
    assert watched.gone == 2
    assert await watched.destroyed(["there", "gone", "erased"]) == {"gone", "erased"}
    assert watched.gone == 3
