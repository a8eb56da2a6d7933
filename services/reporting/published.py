"""The published tables: what has been sealed and published, laid out side by side.

Invariant: nothing is computed here and no fact is read; each period is shown as its latest publication has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.reporting.domain.cube import Cube
from services.reporting.domain.parts import Part, assembled
from services.reporting.domain.publications import FREQUENCIES, WORKFORCE
from services.reporting.domain.releases import Stage
from services.reporting.domain.sealing import shape
from services.reporting.domain.table import Note
from services.reporting.pxweb.source import Table
from services.reporting.releases import Publication, ReleaseStore


@dataclass(frozen=True)
class Shown:
    """Which publication of a period is shown."""

    table: str
    period: str
    stage: Stage
    release: str
    made: str
    """In which release its figures were made: final ones that may not differ are those of the preliminary one."""
    content: str
    at: datetime


def latest(publications: Sequence[Publication]) -> list[Shown]:
    """Per table and period the last publication, by table and period."""
    found: dict[tuple[str, str], Shown] = {}
    made: dict[tuple[str, str, str], str] = {}
    for publication in publications:
        for key, content in publication.entries.items():
            table, period, stage = key.split("/")
            release = publication.release
            made_in = made.setdefault((table, period, content), release)
            found[table, period] = Shown(table, period, Stage(stage), release, made_in, content, publication.at)
    return [found[key] for key in sorted(found)]


def complete_through(positions: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Per source up to where every one of these has counted: periods side by side end at different positions."""
    sources = sorted({source for each in positions for source in each})
    return {source: min(each.get(source, 0) for each in positions) for source in sources}


async def published(store: ReleaseStore) -> Mapping[str, Cube]:
    """Every published table by its id, in the order in which tables are listed. Raises Damaged."""
    shown = latest(await store.publications())
    manifests = {each.release: each for each in await store.manifests()}
    cubes: dict[str, Cube] = {}
    for table in FREQUENCIES:
        of_table = [each for each in shown if each.table == table]
        if not of_table:
            continue
        parts = [await store.part(each.content) for each in of_table]
        employers = sorted({code for part in parts for code in part.dimensions.get("Virksomhet", ())})
        laid_out = shape(table, tuple(employers) if table == WORKFORCE else ())
        # A table of municipalities has a million cells: others are answered meanwhile.
        cubes[table] = await asyncio.to_thread(
            assembled,
            replace(laid_out, notes=(*laid_out.notes, *_preliminary(of_table))),
            _in_periods(of_table, parts),
            updated=max(each.at for each in of_table),
            complete_to=complete_through(
                [manifests[release].positions for release in {each.made for each in of_table}]
            ),
        )
    return cubes


def _preliminary(shown: Sequence[Shown]) -> tuple[Note, ...]:
    periods = [each.period for each in shown if each.stage is Stage.PRELIMINARY]
    return (Note("release_preliminary", {"periods": ", ".join(periods)}),) if periods else ()


def _in_periods(shown: Sequence[Shown], parts: Sequence[Part]) -> list[Part]:
    for each, part in zip(shown, parts, strict=True):
        assert (each.table, each.period) == (part.table, part.period), "a part stands under its own period"
    return list(parts)


class PublishedTables:
    """A source of tables (`pxweb.source.Source`): published ones, read again when something has been published."""

    def __init__(self, store: ReleaseStore) -> None:
        self._store = store
        self._lock = asyncio.Lock()
        self._kept: tuple[int, Mapping[str, Cube]] = (0, {})

    async def tables(self) -> Sequence[Table]:
        """All of them. Raises Damaged."""
        return list((await self._current()).values())

    async def table(self, table_id: str) -> Table | None:
        """By its id; None for one of which nothing is published. Raises Damaged."""
        return (await self._current()).get(table_id)

    async def discontinued(self) -> Mapping[str, bool]:
        """None of them."""
        return {}

    async def _current(self) -> Mapping[str, Cube]:
        number = await self._store.last_publication()
        if number == self._kept[0]:
            return self._kept[1]
        async with self._lock:
            # Of ten that ask after a publication one reads it.
            if number > self._kept[0]:
                self._kept = (number, await published(self._store))
            return self._kept[1]
