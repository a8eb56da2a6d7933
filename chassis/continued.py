"""Goes on with a log whose database was restored from a backup (`dugnad continue`).

Invariant: positions that the topic has are never given again: what is numbered from now on has a source of its own
(`dugnad/intake~2`), with positions from 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from chassis.eventlog import EventLog
from chassis.ledger import PAGE_COMMITS
from chassis.lost import topic_ends
from chassis.republish import taken_over
from chassis.settings import Settings
from chassis.startcheck import epoch_of


class NotRestored(Exception):
    """The topic has nothing that the ledger has not: there is nothing to continue from."""


@dataclass(frozen=True)
class Continued:
    """Where a log goes on. `lost` are the positions per source that the topic has and the database has not."""

    source: str
    lost: dict[str, tuple[int, int]]


async def continue_log(eventlog: EventLog, settings: Settings) -> Continued:
    """Take over from the relay and give the log its next source. Restart the services of the log afterwards.

    Raises NotRestored, RelayHolds, DependencyDown, LedgerHole.
    """
    await eventlog.follow()
    async with taken_over(eventlog):
        lost = await lost_of(eventlog, settings)
        if not lost:
            raise NotRestored(f"the topic of {eventlog.source} ends where its ledger does: nothing to continue")
        await _clean(eventlog)
        number = max(epoch_of(eventlog.source), *(epoch_of(source) for source in lost)) + 1
        await eventlog.database["epoch"].update_one(
            {"_id": eventlog.origin},
            {
                "$set": {"number": number},
                "$push": {"lost": {"$each": [f"{name}#{first}-{end}" for name, (first, end) in lost.items()]}},
            },
            upsert=True,
        )
        await eventlog.prepare()
    return Continued(eventlog.source, lost)


async def lost_of(eventlog: EventLog, settings: Settings) -> dict[str, tuple[int, int]]:
    """The positions per source that the topic has and the ledger has not. Raises DependencyDown."""
    heads = await topic_ends(settings, eventlog.topic)
    head = await eventlog.ledger.head()
    last = 0 if head is None else head.next - 1
    own = epoch_of(eventlog.source)
    lost = {source: (1, position) for source, position in heads.items() if epoch_of(source) > own}
    if heads.get(eventlog.source, 0) > last:
        lost[eventlog.source] = (last + 1, heads[eventlog.source])
    return lost


async def _clean(eventlog: EventLog) -> None:
    """What an earlier ledger has numbered is not pending: the next one would number it again."""
    position = 0
    while pages := await eventlog.ledger.after(position, 8):
        ids = [commit for page in pages for commit, _ in page.commits]
        for start in range(0, len(ids), PAGE_COMMITS):
            some = ids[start : start + PAGE_COMMITS]
            await eventlog.commits.update_many({"_id": {"$in": some}}, {"$unset": {"pending": ""}})
        position = pages[-1].next - 1
