"""`dugnad log`: how far the logs of a service go, or went by an instant, and what they have lost.

Invariant: nothing here changes anything.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from chassis.lost import lost_events, lost_positions
from contracts.envelope import Envelope
from contracts.registry import topic_of
from deploy.cli.context import Context, logs_of, owner_of
from deploy.cli.http import ask
from deploy.cli.outcome import FAULT, OK, Usage


async def log_head(context: Context) -> int:
    """Per source of a service's logs its last position."""
    at = context.options.at
    query = None if at is None else {"at": written(instant(at))}
    document = await ask(context.settings, context.options.service, "/log/head", query)
    rows = [[each["source"], str(each["position"]), each["recorded"] or "never"] for each in document["logs"]]
    context.output.table(document, ("source", "position", "recorded"), rows)
    return OK


async def log_lost(context: Context) -> int:
    """What a service has decided and its restored database knows nothing of. Exit code 1 where there is any."""
    found: list[dict[str, Any]] = []
    for source in logs_of(context.options.service):
        lost = await lost_positions(context.database(source.rpartition("/")[2]), source)
        if lost:
            found += [_event(each) for each in await lost_events(context.settings, topic_of(source), lost)]
    rows = [[each["id"], each["recorded"], each["type"], each["subject"]] for each in found]
    columns = ("id", "recorded", "type", "subject")
    if found or context.options.json:
        context.output.table({"service": context.options.service, "lost": found}, columns, rows)
    else:
        context.output.give({}, ["nothing is lost: the logs have everything that their topics have"])
    return FAULT if found else OK


def _event(envelope: Envelope) -> dict[str, Any]:
    return {
        "id": envelope.id,
        "recorded": written(envelope.recorded),
        "occurred": written(envelope.time),
        "type": envelope.type,
        "subject": envelope.subject,
        "partitionkey": envelope.partition_key,
        "data": json.loads(envelope.data),
    }


async def positions_at(context: Context, sources: Sequence[str], at: datetime) -> dict[str, int]:
    """The last position recorded by an instant of each source of these logs, those of continued logs among them."""
    found: dict[str, int] = {}
    for service in sorted({owner_of(source) for source in sources}):
        document = await ask(context.settings, service, "/log/head", {"at": written(at)})
        for each in document["logs"]:
            source = each["source"]
            if source.partition("~")[0] in sources:
                found[source] = max(each["position"], await _lost_by(context, source, each["lost"], at))
    return found


async def _lost_by(context: Context, source: str, lost: Sequence[int] | None, at: datetime) -> int:
    """The last of the lost positions that was recorded by then: the database does not know, the topic does."""
    if lost is None:
        return 0
    events = await lost_events(context.settings, topic_of(source), {source: (lost[0], lost[1])})
    return max((each.sequence for each in events if each.recorded <= at), default=0)


def instant(text: str) -> datetime:
    """With an offset. Raises Usage."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Usage(f"{text} is not an instant: give it like 2025-03-01T09:00:00Z")
    return at.astimezone(UTC)


def written(at: datetime) -> str:
    """As it goes into a query."""
    return at.isoformat().replace("+00:00", "Z")
