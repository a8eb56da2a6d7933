"""`dugnad parked`: what a consumer could not handle.

Invariant: replay and discard only mark; the consumer that owns the partition does it, in order, and the audit keeps who
asked and why.
"""

from __future__ import annotations

import getpass
import json
import os
from typing import Any

from chassis.parking import Parking, State
from deploy.cli.context import Context, logs_of, projection_named, served, unconfirmed
from deploy.cli.outcome import FAULT, OK, Fault, Usage, counted

REACTIONS = "reactions"
MOST = 1000


async def list_parked(context: Context) -> int:
    """The oldest parked events. Exit code 1 where there are any."""
    parking = await _parking(context)
    found, events = [_plain(each) for each in await parking.listed(MOST)], await parking.count()
    rows = [[e["_id"], e["subject"], e["state"], str(e["attempts"]), e["first"], e["error"]] for e in found]
    columns = ("id", "subject", "state", "attempts", "first", "error")
    if found or context.options.json:
        context.output.table({"parked": found, "events": events}, columns, rows)
        if events > len(found) and not context.options.json:
            print(f"and {counted(events - len(found))} more")
    else:
        context.output.give({}, ["nothing is parked"])
    return FAULT if found else OK


async def show(context: Context) -> int:
    """With contents: one event, or all of a subject."""
    parking, what = await _parking(context), context.options.what
    found = [_plain(each) for each in await parking.of(what)]
    if not found:
        raise Usage(f"{what} is not parked: `dugnad parked list {context.options.consumer}` shows what is")
    context.output.give({"parked": found}, [json.dumps(each, ensure_ascii=False, indent=2) for each in found])
    return OK


async def replay(context: Context) -> int:
    """Hand on again."""
    return await _mark(context, State.REPLAY, "handed on again, in order")


async def discard(context: Context) -> int:
    """Let go for good."""
    return await _mark(context, State.DISCARD, "let go for good, in order")


async def _mark(context: Context, state: State, said: str) -> int:
    parking, options = await _parking(context), context.options
    what = options.what
    parked = [each["_id"] for each in await parking.of(what)]
    if not parked:
        raise Usage(f"nothing of {what} is parked: `dugnad parked list {options.consumer}` shows what is")
    document: dict[str, Any] = {"what": what, "state": state.value, "events": parked, "done": False}
    if state is State.DISCARD and not options.yes:
        context.output.give(document, [f"discard {counted(len(parked))} of {what}:", *parked])
        raise unconfirmed()
    marked = await parking.mark(what, state, _who(), options.reason or "")
    if not marked:
        raise Fault(f"nothing of {what} waits any more: it is gone, or marked as to be discarded")
    who = "running service" if options.generation is None else f"next `dugnad rebuild {options.consumer}`"
    line = f"{counted(marked)} of {what} will be {said}, by the {who}"
    context.output.give({**document, "done": True}, [line])
    return OK


def _who() -> str:
    """Who asks, by the variable USER or the user of the process; in a container that may be a number only."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


async def _parking(context: Context) -> Parking:
    service, _, name = context.options.consumer.partition("/")
    if name == REACTIONS and logs_of(service):
        return Parking(context.database(service), f"reactions_{service}")
    service, projection = projection_named(context.options.consumer)
    kept = context.generations(service, projection)
    wanted = context.options.generation
    generation = await served(kept) if wanted is None else await kept.get(wanted)
    if generation is None:
        raise Usage(f"there is no generation {wanted}: see `dugnad generations {context.options.consumer}`")
    return Parking(kept.database, generation.name)


def _plain(stored: dict[str, Any]) -> dict[str, Any]:
    plain = dict(stored)
    for name in ("first", "last"):
        plain[name] = plain[name].isoformat()
    for name in ("key", "value"):
        if name in plain:
            plain[name] = _text(plain[name])
    if "headers" in plain:
        plain["headers"] = {header: _text(value) for header, value in plain["headers"]}
    return plain


def _text(value: bytes | None) -> str | None:
    # What is parked may be anything: bytes that are no text are shown, not raised on.
    return None if value is None else bytes(value).decode(errors="backslashreplace")
