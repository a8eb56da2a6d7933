"""`dugnad republish`: a lost or damaged topic, made anew from its log.

Invariant: the log is only read; positions and ids are the same as before, so that readers drop what they have.
"""

from __future__ import annotations

from typing import Any

from chassis.clock import Clock
from chassis.eventlog import EventLog
from chassis.republish import republish
from contracts.registry import SOURCES, topic_of
from deploy.cli.context import Context, owner_of, unconfirmed
from deploy.cli.outcome import OK, Fault


async def republish_service(context: Context) -> int:
    """All logs of a service."""
    sources = [source for source in SOURCES if owner_of(source) == context.options.service]
    settings, clock = context.settings, Clock()
    logs = [
        EventLog(context.database(source.rpartition("/")[2]), source, topic_of(source), (), clock) for source in sources
    ]
    planned: list[dict[str, Any]] = []
    for each in logs:
        head = await each.ledger.head()
        events = 0 if head is None else head.next - 1
        planned.append({"source": each.source, "topic": settings.topic(each.topic), "events": events})
    plan = [f"delete topic {each['topic']}, send the {each['events']} events of {each['source']}" for each in planned]
    if not context.options.yes:
        context.output.give({"plan": planned, "done": False}, plan)
        raise unconfirmed()
    for each, planned_one in zip(logs, planned, strict=True):
        try:
            planned_one["position"] = await republish(each, settings)
        except TimeoutError as error:
            raise Fault(f"the relay of {each.source} does not let go: stop the service, then try again") from error
    lines = [f"{each['source']}: sent again up to position {each['position']}" for each in planned]
    context.output.give({"plan": planned, "done": True}, lines)
    return OK
