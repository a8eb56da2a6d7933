"""`dugnad export`: facts and published tables as Parquet files, with a dictionary of their columns.

Invariant: what is there is never written over, and only the owner may read what is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import services.reporting
from chassis.clock import Clock
from chassis.keyring import KeyringOfMany, KeyringUnavailable
from chassis.mongo import Database
from chassis.texts import Texts
from deploy.cli.context import Context, served
from deploy.cli.outcome import OK, Fault, Usage
from services.reporting import exporting
from services.reporting.domain.cube import Cube
from services.reporting.domain.facts import Slot
from services.reporting.domain.workforce import YearFigures
from services.reporting.making import NEEDED, SERVICE, Snapshot
from services.reporting.published import Away, published
from services.reporting.reading import Completeness, Reading
from services.reporting.releases import ReleaseStore


class _NoKeys:
    """What is written asks for nobody's key."""

    async def keys(self, persons: Sequence[str]) -> dict[str, bytes]:
        # Without the persons: an error's text ends in a log.
        raise KeyringUnavailable(f"an export asks for no key, not for {len(persons)}")

    async def destroyed(self, persons: Sequence[str]) -> set[str]:
        raise KeyringUnavailable(f"an export asks for no key, not for {len(persons)}")


async def export(context: Context) -> int:
    """Write the files into a new or empty folder."""
    folder, only = Path(context.options.folder), context.options.only
    _check(folder)
    database, texts = context.database(SERVICE), Texts(Path(services.reporting.__file__).parent / "texts")
    cubes = [] if only == exporting.FACTS else await _published(database)
    facts = None if only == exporting.PUBLISHED else await _facts(context, database)
    _make(folder)
    files = exporting.published_as_parquet(folder, cubes, texts)
    if facts is not None:
        files += exporting.facts_as_parquet(folder, *facts, texts)
    files += exporting.write_dictionary(folder, texts, cubes, facts=facts is not None)
    names = sorted(each.name for each in files)
    context.output.give({"folder": str(folder), "files": names}, [f"{folder}: {', '.join(names)}"])
    return OK


def _check(folder: Path) -> None:
    try:
        if folder.exists() and any(folder.iterdir()):
            raise Usage(f"{folder} is not empty: name a new folder")
    except OSError as error:
        raise Usage(f"{folder} cannot be read ({error.strerror}): name a new folder") from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Usage(f"{folder} cannot be made ({error.strerror}): name a new folder") from error


async def _published(database: Database) -> Sequence[Cube]:
    cubes: list[Cube] = []
    for table, found in (await published(ReleaseStore(database))).items():
        if isinstance(found, Away):
            raise Fault(f"{table} is not exported: {found.why}")
        cubes.append(found)
    return cubes


async def _facts(
    context: Context, database: Database
) -> tuple[Sequence[Slot], Sequence[YearFigures], Completeness, datetime]:
    serving = {each.name: await served(context.generations(SERVICE, each)) for each in NEEDED}
    now = Clock().now()
    keys: KeyringOfMany = _NoKeys()
    reading = Reading(Snapshot(database, serving, now), keys)
    # Completeness is read first: what is written then holds at least that much.
    slots, complete = await reading.slots()
    figures, _ = await reading.workforce()
    return slots, figures, complete, now
