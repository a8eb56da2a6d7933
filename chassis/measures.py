"""What is measured by looking, since nothing happens while it is wrong: waiting commits, a relay that lags.

Invariant: it is measured in every process that has the log, also where another one holds the relay or none does.
"""

from __future__ import annotations

from chassis import metrics
from chassis.clock import machine_now
from chassis.eventlog import EventLog
from chassis.ledger import PAGE_COMMITS
from chassis.mongo import causally


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
