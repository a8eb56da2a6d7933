"""`dugnad rebuild` and `dugnad rollback`.

Invariant: what is served changes only by a flip: when the new generation is complete, or when an operator says --yes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chassis.generations import Generation
from chassis.heads import topic_heads
from chassis.projection import Projection
from chassis.rebuild import Headway, Incomplete, Rebuild
from deploy.cli.context import Context, owner_of, projection_named, served, sources_of, unconfirmed
from deploy.cli.heads import instant, positions_at
from deploy.cli.outcome import OK, Fault, Usage


async def rebuild(context: Context) -> int:
    """Build a generation, and serve it unless it ends at given positions."""
    options = context.options
    service, projection = projection_named(options.projection)
    name = f"{service}/{projection.name}"
    serving = await served(context.generations(service, projection))
    as_of, until = await _end(context, projection)
    building = Rebuild(projection, context.database(service), context.settings, service)
    unfinished, heads = await building.plan(as_of=as_of, until=until)
    plan = _plan(name, serving, unfinished, until or heads, kept=until is not None)
    if options.dry_run:
        context.output.give({"plan": plan, "until": until or heads, "done": False}, plan)
        return OK
    if not options.json:
        context.output.give({}, plan)
    with context.output.progress(name) as progress:

        def tell(headway: Headway) -> None:
            progress.tell(headway.folded, headway.total, headway.rate)

        try:
            built = await building.run(tell, as_of=as_of, until=until, force=options.force)
        except Incomplete as incomplete:
            number = incomplete.generation.number
            raise Fault(
                f"{incomplete.parked} events are parked in generation {number} of {name}, which is not served: see "
                f"`dugnad parked list {name} --generation {number}`, or rebuild with --force"
            ) from incomplete
    done = {"projection": name, "generation": built.number, "served": until is None, "until": until}
    said = "is kept; what was served is served" if until is not None else f"is served in place of {serving.number}"
    context.output.give(done, [f"{name}: generation {built.number} is complete and {said}"])
    return OK


async def _end(context: Context, projection: Projection) -> tuple[datetime | None, dict[str, int] | None]:
    options = context.options
    if options.as_of is not None and options.until is not None:
        raise Usage("give --as-of or --until, not both")
    sources = sources_of(projection)
    if options.as_of is not None:
        at = instant(options.as_of)
        return at, await positions_at(context, {source: owner_of(source) for source in sources}, at)
    if options.until is not None:
        until = _positions(options.until, sources)
        heads = await topic_heads(context.settings, projection.topics)
        for source, position in until.items():
            if position > heads.get(source, 0):
                raise Usage(f"{source} goes to {heads.get(source, 0)}: give a position up to that")
        return None, until
    return None, None


def _positions(given: list[str], sources: list[str]) -> dict[str, int]:
    known = {name: source for source in sources for name in (source, source.rpartition("/")[2])}
    until: dict[str, int] = {}
    for each in given:
        name, _, position = each.partition("=")
        if name not in known or not (position.isascii() and position.isdigit()):
            raise Usage(f"{each}: give SOURCE=POSITION with one of {', '.join(sources)}")
        until[known[name]] = int(position)
    if lacking := [source for source in sources if source not in until]:
        # What is not named would silently be left out of the documents.
        raise Usage(f"give --until for {', '.join(lacking)} too (0: nothing of it)")
    return until


def _plan(
    name: str, serving: Generation, unfinished: Generation | None, until: Mapping[str, int], *, kept: bool
) -> list[str]:
    ends = ", ".join(f"{source} {position}" for source, position in sorted(until.items())) or "nothing yet"
    what = "build a new generation" if unfinished is None else f"go on with generation {unfinished.number}"
    begin = f"{name}: {what}"
    if kept:
        return [f"{begin} up to {ends}", f"then keep it; generation {serving.number} stays served"]
    return [f"{begin} up to {ends} and what comes", f"then serve it in place of generation {serving.number}"]


async def roll_back(context: Context) -> int:
    """Serve the previous generation again."""
    service, projection = projection_named(context.options.projection)
    name = f"{service}/{projection.name}"
    kept = context.generations(service, projection)
    serving, previous = await served(kept), await kept.previous()
    if previous is None:
        raise Fault(f"{name} has no previous generation: `dugnad rebuild {name}` builds a new one")
    plan = f"{name}: serve generation {previous.number} in place of {serving.number}; it then folds what came since"
    document: dict[str, Any] = {"plan": plan, "done": False}
    if not context.options.yes:
        context.output.give(document, [plan])
        raise unconfirmed()
    if await Rebuild(projection, context.database(service), context.settings, service).roll_back() is None:
        raise Fault(f"{name}: another generation has been served meanwhile; look at `dugnad generations {name}`")
    context.output.give({**document, "done": True, "generation": previous.number}, [plan])
    return OK
