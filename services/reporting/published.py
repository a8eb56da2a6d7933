"""The published tables: what has been sealed and published, laid out side by side.

Invariant: nothing is computed here and no fact is read; each period is shown as its latest publication has it. A table
is shown whole or not at all, and one that cannot be read takes no other with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic

from chassis.logs import get_logger
from chassis.metrics import TABLES_UNAVAILABLE
from chassis.problems import busy
from services.reporting.domain.cube import Cube, Described
from services.reporting.domain.parts import Part, assembled
from services.reporting.domain.publications import FREQUENCIES, WORKFORCE
from services.reporting.domain.releases import Stage
from services.reporting.domain.sealing import shape
from services.reporting.domain.table import Note
from services.reporting.pxweb.source import Table
from services.reporting.releases import Damaged, Publication, ReleaseStore

AGAIN_SECONDS = 60
_log = get_logger(__name__)


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


@dataclass(frozen=True)
class Away:
    """A published table that is not shown, since something of it cannot be read: half a table would look whole."""

    table: Described
    """What is still known of it."""
    why: str


Found = Mapping[str, Cube | Away]
"""Tables by their ids, in the order in which they are listed."""


async def published(store: ReleaseStore, only: Collection[str] = tuple(FREQUENCIES)) -> Found:
    """Every published table, or some of them. One that cannot be read leaves the others as they are."""
    shown = latest(await store.publications())
    found: dict[str, Cube | Away] = {}
    positions: dict[str, Mapping[str, int]] = {}
    for table in FREQUENCIES:
        of_table = [each for each in shown if each.table == table]
        if of_table and table in only:
            try:
                found[table] = await _laid_out(store, table, of_table, positions)
            except Damaged as damaged:
                found[table] = Away(_described(table, of_table), str(damaged))
    return found


async def _laid_out(
    store: ReleaseStore, table: str, shown: Sequence[Shown], positions: dict[str, Mapping[str, int]]
) -> Cube:
    """`positions`: of releases that were looked up before. Raises Damaged."""
    parts = [await _part(store, each) for each in shown]
    releases = {each.made for each in shown}
    positions |= {release: await _positions(store, release) for release in releases - positions.keys()}
    employers = sorted({code for part in parts for code in part.dimensions.get("Virksomhet", ())})
    laid_out = shape(table, tuple(employers) if table == WORKFORCE else ())
    # A table of municipalities has a million cells: others are answered meanwhile.
    return await asyncio.to_thread(
        assembled,
        replace(laid_out, notes=(*laid_out.notes, *_preliminary(shown))),
        parts,
        updated=max(each.at for each in shown),
        complete_to=complete_through([positions[release] for release in releases]),
    )


async def _part(store: ReleaseStore, shown: Shown) -> Part:
    part = await store.part(shown.content)
    if (part.table, part.period) != (shown.table, shown.period):
        raise Damaged(f"the part {shown.content} is not of {shown.period} of {shown.table}")
    return part


async def _positions(store: ReleaseStore, release: str) -> Mapping[str, int]:
    manifest = await store.manifest(release)
    if manifest is None:
        raise Damaged(f"the manifest of {release} is gone")
    return manifest.positions


def _described(table: str, shown: Sequence[Shown]) -> Described:
    laid_out = shape(table)
    return Described(
        id=table,
        dimensions=(*laid_out.dimensions, replace(laid_out.time, codes=tuple(each.period for each in shown))),
        contents=laid_out.contents,
        version=laid_out.version,
        updated=max(each.at for each in shown),
    )


def _preliminary(shown: Sequence[Shown]) -> tuple[Note, ...]:
    periods = [each.period for each in shown if each.stage is Stage.PRELIMINARY]
    return (Note("release_preliminary", {"periods": ", ".join(periods)}),) if periods else ()


@dataclass(frozen=True)
class _Kept:
    number: int
    """Of the last publication that is in it."""
    found: Found
    at: float
    """When it was read (monotonic)."""

    @property
    def away(self) -> dict[str, str]:
        """Which tables are not shown, and why."""
        return {table: each.why for table, each in self.found.items() if isinstance(each, Away)}


class PublishedTables:
    """A source of tables (`pxweb.source.Source`): published ones, read again when something has been published.

    What could not be read is tried again after a minute, so that it is shown when somebody has mended it.
    """

    def __init__(self, store: ReleaseStore, now: Callable[[], float] = monotonic) -> None:
        self._store, self._now = store, now
        self._lock = asyncio.Lock()
        self._kept = _Kept(0, {}, 0.0)

    async def tables(self) -> Sequence[Described]:
        """All of them, also those that are not shown for now."""
        return [each.table if isinstance(each, Away) else each for each in (await self._current()).values()]

    async def table(self, table_id: str) -> Table | None:
        """By its id; None for one of which nothing is published. Raises Problem 503 for one that cannot be read."""
        found = (await self._current()).get(table_id)
        if isinstance(found, Away):
            raise busy("table_unavailable", AGAIN_SECONDS)
        return found

    async def discontinued(self) -> Mapping[str, bool]:
        """None of them."""
        return {}

    def faults(self) -> list[str]:
        """Why published tables are not shown, one line each, as far as somebody has asked for them."""
        return [f"the published table {table} is not shown: {why}" for table, why in self._kept.away.items()]

    async def _current(self) -> Found:
        number = await self._store.last_publication()
        if self._is_current(number) or (number == self._kept.number and self._lock.locked()):
            # Whoever looks again for what could not be read makes nobody wait who asks for something else.
            return self._kept.found
        async with self._lock:
            # Of ten that ask after a publication one reads it.
            if number > self._kept.number:
                self._keep(number, await published(self._store))
            elif not self._is_current(number):
                self._keep(self._kept.number, {**self._kept.found, **await published(self._store, self._kept.away)})
            return self._kept.found

    def _is_current(self, number: int) -> bool:
        tried = self._now() - self._kept.at < AGAIN_SECONDS
        return number <= self._kept.number and (tried or not self._kept.away)

    def _keep(self, number: int, found: Found) -> None:
        self._kept = _Kept(number, found, self._now())
        away = self._kept.away
        for table in found:
            TABLES_UNAVAILABLE.labels(table).set(table in away)
        for table, why in away.items():
            _log.error("a published table cannot be read and is not shown", table=table, why=why)
