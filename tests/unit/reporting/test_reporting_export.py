"""Files of facts and published tables, as DuckDB, polars and pandas read them."""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

import services.reporting
from chassis.formats import LANGUAGES
from chassis.texts import Texts
from services.reporting import exporting
from services.reporting.domain.cube import Cube
from services.reporting.domain.facts import Slot
from services.reporting.domain.publications import Facts
from services.reporting.domain.workforce import YearFigures
from tests.unit.reporting.disclosure.test_publishing import FIGURES, cube_of, part_of
from tests.unit.reporting.simulation import simulate
from tests.unit.reporting.test_reporting_recomputed import declared_at_start, slots_of

TEXTS = Texts(Path(services.reporting.__file__).parent / "texts")
AT = datetime(2026, 1, 15, tzinfo=UTC)
WORKFORCE = [YearFigures("315486892", 2025, {**FIGURES, "cv_gap": None})]

Rows = list[dict[str, Any]]


def by_duckdb(path: Path) -> Rows:
    with duckdb.connect() as connection:
        found = connection.execute("select * from read_parquet(?)", [str(path)])
        names = [each[0] for each in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def by_polars(path: Path) -> Rows:
    return pl.read_parquet(path).to_dicts()


def by_pandas(path: Path) -> Rows:
    read = pd.read_parquet(path, dtype_backend="pyarrow")
    rows: Rows = [{str(name): _plain(value) for name, value in row.items()} for row in read.to_dict("records")]
    return rows


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    return value.date() if isinstance(value, datetime) else value


READERS = pytest.mark.parametrize("read", [by_duckdb, by_polars, by_pandas])


@pytest.fixture(scope="module")
def slots() -> list[Slot]:
    return slots_of(simulate(5, 200).records())


@pytest.fixture(scope="module")
def cubes() -> list[Cube]:
    records = simulate(5, 600).records()
    slots = slots_of(records)
    facts = Facts(slots, declared_at_start(records, slots), [], date(2026, 1, 15))
    return [cube_of(part_of(facts, table, "2024M05")) for table in ("mangfold", "ventetid", "trakt_kommune")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, slots: list[Slot], cubes: list[Cube]) -> Path:
    folder = tmp_path_factory.mktemp("export")
    exporting.facts_as_parquet(folder, slots, WORKFORCE, {"dugnad/intake": 7}, AT, TEXTS)
    exporting.published_as_parquet(folder, cubes, TEXTS)
    exporting.write_dictionary(folder, TEXTS, cubes, facts=True)
    return folder


@READERS
def test_slots_are_read_as_they_are_with_days_as_days_and_unknown_as_null(
    folder: Path, slots: list[Slot], read: Callable[[Path], Rows]
) -> None:
    rows = {row["slot_id"]: row for row in read(folder / "facts_slots.parquet")}
    assert len(rows) == len(slots)
    for slot in slots:
        row = rows[slot.slot_id]
        assert row["registered_on"] == slot.registered_on
        assert row["days"] == slot.days
        assert row["measure"] == slot.measure
        assert row["withdrawn"] is slot.withdrawn
    assert {row["days"] is None for row in rows.values()} == {True, False}


@READERS
def test_every_file_of_facts_is_read_and_counts_what_the_facts_count(
    folder: Path, slots: list[Slot], read: Callable[[Path], Rows]
) -> None:
    expected = {
        "matches": sum(len(slot.matches) for slot in slots),
        "trials": sum(len(slot.trials) for slot in slots),
        "workforce": 1,
    }
    for name, number in expected.items():
        assert len(read(folder / f"facts_{name}.parquet")) == number
    figures = read(folder / "facts_workforce.parquet")[0]
    assert (figures["head_count"], figures["cv_gap"]) == (400, None)
    assert number_of_held(read(folder / "facts_trials.parquet")) == sum(
        len(trial.held) for slot in slots for trial in slot.trials
    )


def number_of_held(rows: Rows) -> int:
    return sum(row["check_ins_held"] for row in rows)


@READERS
def test_published_tables_are_read_with_their_totals_and_symbols(
    folder: Path, cubes: Sequence[Cube], read: Callable[[Path], Rows]
) -> None:
    for cube in cubes:
        rows = read(folder / f"published_{cube.id}.parquet")
        variables = [each.id for each in cube.dimensions if each.id != "ContentsCode"]
        assert len(rows) * len(cube.contents) == len(cube.values)
        for row in rows:
            for content in cube.contents:
                place = cube.place({**{name: row[name] for name in variables}, "ContentsCode": content.code})
                assert row[content.code] == cube.values[place]
                symbol = cube.status.get(place)
                assert row[f"{content.code}_symbol"] == (None if symbol is None else symbol.value)


def test_files_say_how_complete_they_are_and_each_column_what_it_is(folder: Path) -> None:
    schema = pq.read_schema(folder / "facts_trials.parquet")
    assert schema.metadata[b"complete_to"] == b'{"dugnad/intake": 7}'
    assert schema.field("check_ins_held").metadata == {
        b"nb": "Antall oppfølginger som er holdt.".encode(),
        b"en": b"How many check-ins were held.",
    }


def test_the_dictionary_names_every_column_of_every_file_in_both_languages(folder: Path) -> None:
    for language in LANGUAGES:
        text = (folder / f"dictionary.{language}.md").read_text("utf-8")
        for path in folder.glob("*.parquet"):
            part = text[text.index(f"## {path.name}") :].partition("\n## ")[0]
            for column in pq.read_schema(path).names:
                assert f"| `{column}` |" in part or column.endswith("_symbol"), (path.name, column)
    assert (folder / "dictionary.nb.md").read_text("utf-8") != (folder / "dictionary.en.md").read_text("utf-8")


def test_only_the_owner_may_read_what_is_written_and_nothing_is_written_over(folder: Path) -> None:
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    with pytest.raises(FileExistsError):
        exporting.write_dictionary(folder, TEXTS, [], facts=True)


def test_no_column_says_who_somebody_is_or_what_they_have_declared() -> None:
    columns = {name for file in exporting.FILES if file.name != "workforce" for name in file.columns}
    assert not columns & {"candidate_id", "gender", "age", "immigrant_background", "country_of_birth", "cv_gap"}
