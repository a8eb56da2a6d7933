"""What a relay looks at before it works: the topic's end, the ledger's head, the database's clock.

Invariant: nothing is published behind a gap, no position is given twice, and no page gets its time from a wrong clock.
What cannot be known yet is not taken for lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.clock import machine_now
from chassis.eventlog import EventLog
from chassis.heads import last_positions
from chassis.mongo import Database, causally
from chassis.settings import Settings

APART = timedelta(seconds=2)
LOOK_AGAIN_SECONDS = (0.0, 0.5, 1.0, 2.0)
LATE_RECORDS = 2000
"""More than the one batch per partition that a relay has in flight."""


class RelayRefuses(Exception):
    """The relay must not work before somebody has mended it; the message says how."""


class RecordsLost(RelayRefuses):
    """The broker has less than was acknowledged: whatever came now would stand behind a gap."""


class PositionsTaken(RelayRefuses):
    """The topic has more than the ledger: the database is an older one, and would give positions a second time."""


class ClockApart(RelayRefuses):
    """This machine's clock and the database's differ by more than two seconds."""


def records_lost(source: str, detail: str) -> RecordsLost:
    """With what mends it."""
    return RecordsLost(
        f"Kafka lost records of {source} ({detail}): `dugnad republish` its service, see "
        "docs/runbooks/nothing-published.md"
    )


async def check_topic(log: EventLog, settings: Settings) -> None:
    """Compare the topic with the database. Raises RecordsLost, PositionsTaken, KafkaError, TimeoutError."""
    found = await last_positions(settings, log.topic)
    # Asked for after the topic: what others number and publish meanwhile must not look like too much.
    head = await log.ledger.head()
    last = 0 if head is None else head.next - 1
    heads = [(epoch_of(source), position, source) for each in found.values() for source, position in each.items()]
    epoch, position, source = max(heads, default=(1, 0, log.source))
    if (epoch, position) > (epoch_of(log.source), last):
        raise PositionsTaken(
            f"the topic of {log.source} goes on to {source}#{position}, its ledger only to {last}: the "
            "database was restored from a backup; follow docs/runbooks/restored-database.md"
        )
    if _behind(await _marks(log), found) and (lost := await lost_records(log, settings)):
        raise records_lost(log.origin, lost)


async def lost_records(log: EventLog, settings: Settings) -> str | None:
    """What the topic lacks of what was acknowledged; None where it has everything. Raises KafkaError, TimeoutError.

    Looked at several times before it is said: a broker that is just coming back may not know its topics yet, and a
    false alarm would have an operator delete a topic that is whole.
    """
    lost = None
    for pause in LOOK_AGAIN_SECONDS:
        await asyncio.sleep(pause)
        lost = await _lacking(log, settings)
        if lost is None:
            return None
    return lost


async def _lacking(log: EventLog, settings: Settings) -> str | None:
    marks = await _marks(log)
    lacking = _behind(marks, await last_positions(settings, log.topic))
    if lacking is not None:
        # What a paused relay had in hand when another took over arrives late: an old record behind newer ones.
        lacking = _behind(marks, await last_positions(settings, log.topic, LATE_RECORDS))
    return lacking


Place = tuple[int, int]
"""Epoch and position: where two sources of one log meet on a topic, the later one stands behind."""


async def _marks(log: EventLog) -> tuple[Place, dict[int, Place]]:
    """The last place that was acknowledged, and the last one of each partition, under all sources of the log."""
    sources = [log.origin, *(f"{log.origin}~{number}" for number in range(2, log.ledger.epoch + 1))]
    published, ends = (1, 0), dict[int, Place]()
    async with causally(log.database["lease"]) as session:
        async for lease in log.database["lease"].find({"_id": {"$in": sources}}, session=session):
            epoch = epoch_of(lease["_id"])
            if lease["published"]:
                published = max(published, (epoch, lease["published"]))
            for partition, position in lease.get("ends", {}).items():
                ends[int(partition)] = max(ends.get(int(partition), (0, 0)), (epoch, position))
    return published, ends


def _behind(marks: tuple[Place, Mapping[int, Place]], found: Mapping[int, Mapping[str, int]]) -> str | None:
    published, ends = marks
    places = {
        partition: max(((epoch_of(source), position) for source, position in each.items()), default=(1, 0))
        for partition, each in found.items()
    }
    if max(places.values(), default=(1, 0)) < published:
        return f"{published[1]} were acknowledged, its topic ends at {max(places.values(), default=(1, 0))[1]}"
    for partition, end in sorted(ends.items()):
        if places.get(partition, (1, 0)) < end:
            return f"partition {partition} had position {end[1]}, it ends at {places.get(partition, (1, 0))[1]}"
    return None


def epoch_of(source: str) -> int:
    """1 for `dugnad/intake`, 2 for `dugnad/intake~2`."""
    return int(source.partition("~")[2] or 1)


async def check_clock(database: Database) -> None:
    """Raises ClockApart. The time that the question takes is not held against the clock."""
    before = machine_now()
    answer: dict[str, Any] = await database.command("hello")
    after = machine_now()
    theirs: datetime = answer["localTime"]
    theirs = theirs if theirs.tzinfo is not None else theirs.replace(tzinfo=UTC)
    if not before - APART <= theirs <= after + APART:
        seconds = (after - theirs).total_seconds()
        raise ClockApart(f"this machine's clock is {seconds:+.1f} s off the database's: set it right (NTP)")
