"""`dugnad republish`: a lost or damaged topic, made anew from its log.

Invariant: the log is only read; positions and ids are the same as before, so that readers drop what they have.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

from chassis.clock import Clock
from chassis.eventlog import EventLog
from chassis.lease import LeaseLost
from chassis.ledger import LedgerHole
from chassis.republish import OnlyOnTopic, RelayHolds, epochs, refuse_loss, republish
from chassis.topics import reachable
from contracts.registry import topic_of
from deploy.cli.context import Context, logs_of, unconfirmed
from deploy.cli.outcome import OK, Fault

_AGAIN = "stop the service, see that nobody else republishes, then try again"


async def republish_service(context: Context) -> int:
    """All logs of a service."""
    service, settings = context.options.service, context.settings
    sources, clock = logs_of(service), Clock()
    logs = [
        EventLog(context.database(source.rpartition("/")[2]), source, topic_of(source), (), clock) for source in sources
    ]
    planned: list[dict[str, Any]] = []
    # Before anything is taken over: with the broker away nothing must have begun.
    await reachable(settings)
    for each in logs:
        await each.follow()
        heads = [await part.ledger.head() for part in epochs(each)]
        events = sum(head.next - 1 for head in heads if head is not None)
        planned.append({"source": each.source, "topic": settings.topic(each.topic), "events": events})
    plan = [f"delete topic {each['topic']}, send the {each['events']} events of {each['source']}" for each in planned]
    if not context.options.yes:
        context.output.give({"plan": planned, "done": False}, plan)
        raise unconfirmed()
    if not context.options.json:
        context.output.give({}, plan)
    try:
        for each in logs:
            await refuse_loss(each, settings)
        for each, planned_one in zip(logs, planned, strict=True):
            planned_one["position"] = await _sent_again(context, each, planned_one["events"])
    except OnlyOnTopic as only:
        raise Fault(f"{only}: see `dugnad log lost {service}` and the runbook") from only
    lines = [f"{each['source']}: sent again up to position {each['position']}" for each in planned]
    context.output.give({"plan": planned, "done": True}, lines)
    return OK


async def _sent_again(context: Context, eventlog: EventLog, events: int) -> int:
    began, source = monotonic(), eventlog.source
    with context.output.progress(source) as progress:

        def tell(sent: int) -> None:
            # The log goes on meanwhile.
            progress.tell(sent, max(sent, events), sent / max(monotonic() - began, 1e-3))

        try:
            return await republish(eventlog, context.settings, tell)
        except RelayHolds as error:
            raise Fault(f"{source}: its relay does not let go: {_AGAIN}") from error
        except LedgerHole as error:
            raise Fault(f"{source}: {error}: see docs/runbooks/ledger-alarm.md") from error
        except LeaseLost as error:
            raise Fault(f"{source}: somebody else has taken over in the middle of it: {_AGAIN}") from error
