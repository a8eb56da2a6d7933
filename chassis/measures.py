"""What is measured by looking, since nothing happens while it is wrong: what waits, lags, stands still or is parked.

Invariant: it is measured in every process that has the log or the projection, also where another one does the work, or
none does.
"""

from __future__ import annotations

from time import monotonic

import structlog

from chassis import metrics
from chassis.clock import machine_now
from chassis.eventlog import EventLog
from chassis.generations import Generations
from chassis.ledger import PAGE_COMMITS
from chassis.mongo import causally
from chassis.parking import Parking
from chassis.progress import Progress

HOLE_SECONDS = 60.0
"""A position that others have overtaken for so long does not come late: it is missing."""

log = structlog.get_logger()


async def measure_log(eventlog: EventLog) -> None:
    """Set the gauges of one log. Raises PyMongoError."""
    async with causally(eventlog.commits) as session:
        found = eventlog.commits.find({"pending": True}, {"at": 1}, session=session)
        pending = {each["_id"]: each["at"] async for each in found.limit(PAGE_COMMITS)}
    # The mark of a commit goes after its place in the ledger is taken: a process may have ended in between.
    numbered = await eventlog.ledger.numbered(list(pending)) if pending else set()
    waiting = [at for commit, at in pending.items() if commit not in numbered]
    metrics.COMMITS_PENDING.labels(eventlog.source).set(len(waiting))
    age = (machine_now() - min(waiting)).total_seconds() if waiting else 0.0
    metrics.COMMITS_PENDING_SECONDS.labels(eventlog.source).set(max(0.0, age))
    # `published` first: what is numbered between the two reads makes the lag larger, never negative.
    lease = await eventlog.database["lease"].find_one({"_id": eventlog.source}, {"published": 1})
    head = await eventlog.ledger.head()
    last = 0 if head is None else head.next - 1
    metrics.LEDGER_POSITION.labels(eventlog.source).set(last)
    metrics.RELAY_LAG.labels(eventlog.source).set(last - (0 if lease is None else int(lease["published"])))


async def measure_parking(consumer: str, parking: Parking) -> None:
    """Set the gauges of what a consumer has parked, also where another process did, or an earlier one.

    Raises PyMongoError.
    """
    metrics.PARKED.labels(consumer).set(await parking.count())
    metrics.PARKED_SUBJECTS.labels(consumer).set(await parking.subjects())


async def measure_rebuild(generations: Generations) -> None:
    """Set the gauges of a projection's newest rebuild, whoever does it: as far as what is served has come, or its end.

    Raises PyMongoError.
    """
    done, wanted = 0, 0
    serving, building = await generations.serving(), await generations.building()
    if serving is not None and building:
        newest, served = building[-1], Progress(generations.database, serving.name)
        ends = dict(
            {source: await served.highest(source) for source in await served.sources()}
            if newest.until is None
            else newest.until
        )
        progress = Progress(generations.database, newest.name)
        wanted = sum(ends.values())
        done = wanted - sum([max(0, await progress.missing(source, end)) for source, end in ends.items()])
    metrics.REBUILD_PROGRESS.labels(generations.projection).set(done / wanted if wanted else 1.0)
    metrics.REBUILD_MISSING.labels(generations.projection).set(wanted - done)


async def measure_holes(projection: str, progress: Progress) -> None:
    """Set the gauge of what a projection has missed for long, and name the positions. Raises PyMongoError."""
    old = [hole for hole in await progress.holes() if monotonic() - hole.since > HOLE_SECONDS]
    metrics.PROJECTION_HOLES.labels(projection).set(len(old))
    for hole in old:
        log.critical("projection_hole", projection=projection, source=hole.source, position=hole.position)
