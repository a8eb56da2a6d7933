"""`dugnad continue`: goes on with a log whose database was restored from an older backup.

Invariant: no position is given twice: what is numbered from then on has a source of its own (`dugnad/intake~2`).
"""

from __future__ import annotations

from typing import Any

from chassis.clock import Clock
from chassis.continued import NotRestored, continue_log, lost_of
from chassis.eventlog import EventLog
from chassis.ledger import LedgerHole
from chassis.republish import RelayHolds
from contracts.registry import topic_of
from deploy.cli.context import Context, logs_of, unconfirmed
from deploy.cli.outcome import OK, Fault

_HELD = "the relay of {} does not let go: stop the service, see that nobody republishes, then try again"


async def continue_service(context: Context) -> int:
    """Each log of a service whose topic has what its ledger has not."""
    service, settings = context.options.service, context.settings
    planned: list[dict[str, Any]] = []
    logs = []
    for source in logs_of(service):
        eventlog = EventLog(context.database(source.rpartition("/")[2]), source, topic_of(source), (), Clock())
        await eventlog.follow()
        if lost := await lost_of(eventlog, settings):
            logs.append(eventlog)
            planned.append({"log": source, "lost": {name: list(ends) for name, ends in lost.items()}})
    if not planned:
        nothing = f"nothing to do: the topics of {service} end where its ledgers do"
        context.output.give({"plan": [], "done": False}, [nothing])
        return OK
    plan = [
        f"{each['log']}: go on under a new source; positions {first} to {last} of {name} stay on the topic only"
        for each in planned
        for name, (first, last) in each["lost"].items()
    ]
    if not context.options.yes:
        context.output.give({"plan": planned, "done": False}, plan)
        raise unconfirmed()
    lines = []
    for eventlog, each in zip(logs, planned, strict=True):
        try:
            continued = await continue_log(eventlog, settings)
        except RelayHolds as error:
            raise Fault(_HELD.format(each["log"])) from error
        except LedgerHole as error:
            raise Fault(f"{each['log']}: {error}: see docs/runbooks/ledger-alarm.md") from error
        except NotRestored as error:
            raise Fault(f"{error}: somebody has continued it meanwhile") from error
        each["source"] = continued.source
        lines.append(f"{each['log']} goes on as {continued.source}")
    again = f"restart {service}, then see `dugnad log lost {service}` for what it has to decide again"
    context.output.give({"plan": planned, "done": True}, [*plan, *lines, again])
    return OK
