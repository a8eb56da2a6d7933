"""`dugnad rewind`: lets the reactions of a stopped service begin again further back, after a restored backup.

Invariant: nothing is skipped and nothing is done twice: offsets only go back, and what the log has is recognised.
"""

from __future__ import annotations

from typing import Any

from chassis.rewind import GroupAtWork, rewind, steps, topics_of
from deploy.cli.context import Context, logs_of, unconfirmed
from deploy.cli.heads import instant, written
from deploy.cli.outcome import OK, Fault


async def rewind_service(context: Context) -> int:
    """Each group of reactions of a service."""
    service, settings = context.options.service, context.settings
    since = instant(context.options.since)
    plans = []
    for source in logs_of(service):
        group = settings.group(service, f"reactions-{source.rpartition('/')[2]}")
        topics = await topics_of(settings, group, context.database(service))
        plans.append((group, await steps(settings, group, topics, since)))
    shown: list[dict[str, Any]] = [
        {"group": group, "topic": partition.topic, "partition": partition.partition, "from": now, "to": target}
        for group, planned in plans
        for partition, (now, target) in sorted(planned.items())
    ]
    lines = [
        f"{each['group']}: {each['topic']}/{each['partition']} from offset {each['from']} back to {each['to']}"
        for each in shown
    ]
    if not shown:
        nothing = f"nothing to do: the reactions of {service} have read nothing that was sent since {written(since)}"
        context.output.give({"plan": [], "done": False}, [nothing])
        return OK
    if not context.options.yes:
        context.output.give({"plan": shown, "done": False}, lines)
        raise unconfirmed()
    for group, planned in plans:
        try:
            await rewind(settings, group, planned)
        except GroupAtWork as error:
            raise Fault(f"a process of {service} is in the group {group}: stop the service, then try again") from error
    context.output.give({"plan": shown, "done": True}, [*lines, f"start {service}: it reacts again from there"])
    return OK
