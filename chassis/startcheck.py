"""What a relay looks at before it works: the topic's end, the ledger's head, the database's clock.

Invariant: nothing is published behind a gap, no position is given twice, and no page gets its time from a wrong clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.clock import machine_now
from chassis.eventlog import EventLog
from chassis.heads import topic_head
from chassis.lease import Lease
from chassis.mongo import Database
from chassis.settings import Settings

APART = timedelta(seconds=2)


class RelayRefuses(Exception):
    """The relay must not work before somebody has mended it; the message says how."""


class RecordsLost(RelayRefuses):
    """The broker has less than was acknowledged: whatever came now would stand behind a gap."""


class PositionsTaken(RelayRefuses):
    """The topic has more than the ledger: the database is an older one, and would give positions a second time."""


class ClockApart(RelayRefuses):
    """This machine's clock and the database's differ by more than two seconds."""


def records_lost(source: str, detail: str) -> RecordsLost:
    """With the one command that mends it."""
    return RecordsLost(f"Kafka lost records of {source} ({detail}): run `python -m chassis.republish {source}`")


async def check_topic(log: EventLog, lease: Lease, settings: Settings) -> None:
    """Compare the topic with the database. Raises RecordsLost, PositionsTaken, KafkaError, TimeoutError."""
    heads = await topic_head(settings, log.topic)
    head = await log.ledger.head()
    last = 0 if head is None else head.next - 1
    newest = max((epoch_of(source) for source in heads), default=1)
    on_topic = heads.get(log.source, 0)
    if newest > epoch_of(log.source) or on_topic > last:
        furthest = max(heads, key=epoch_of)
        raise PositionsTaken(
            f"the topic of {log.source} goes on to {furthest}#{heads[furthest]}, its ledger only to {last}: the "
            "database was restored from a backup; follow docs/runbooks/restored-database.md"
        )
    if on_topic < lease.published:
        raise records_lost(log.origin, f"{lease.published} were acknowledged, its topic ends at {on_topic}")


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
