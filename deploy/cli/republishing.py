"""`dugnad republish`: a lost or damaged topic, made anew from its log.

Invariant: the log is only read; positions and ids are the same as before, so that readers drop what they have.
"""

from __future__ import annotations

from typing import Any

from chassis.clock import Clock
from chassis.eventlog import EventLog
from chassis.heads import topic_heads
from chassis.republish import OnlyOnTopic, epochs, republish
from contracts.registry import topic_of
from deploy.cli.context import Context, logs_of, unconfirmed
from deploy.cli.outcome import OK, Fault


async def republish_service(context: Context) -> int:
    """All logs of a service."""
    sources = logs_of(context.options.service)
    settings, clock = context.settings, Clock()
    logs = [
        EventLog(context.database(source.rpartition("/")[2]), source, topic_of(source), (), clock) for source in sources
    ]
    planned: list[dict[str, Any]] = []
    # Before anything is taken over: with the broker away nothing must have begun.
    await topic_heads(settings, [each.topic for each in logs])
    for each in logs:
        await each.follow()
        heads = [await part.ledger.head() for part in epochs(each)]
        events = sum(head.next - 1 for head in heads if head is not None)
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
        except OnlyOnTopic as only:
            raise Fault(f"{only}: see `dugnad log lost {context.options.service}` and the runbook") from only
    lines = [f"{each['source']}: sent again up to position {each['position']}" for each in planned]
    context.output.give({"plan": planned, "done": True}, lines)
    return OK
