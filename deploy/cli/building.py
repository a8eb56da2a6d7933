"""`dugnad rebuild` and `dugnad rollback`.

Invariant: what is served changes only by a flip: when the new generation is complete, or when an operator says --yes.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chassis.compiled import can_fold
from chassis.generations import Generation
from chassis.heads import topic_heads
from chassis.progress import Progress
from chassis.projection import Projection
from chassis.rebuild import Broken, Headway, Incomplete, Lacking, Rebuild
from deploy.cli.context import Context, projection_named, served, sources_of, unconfirmed
from deploy.cli.heads import instant, positions_at
from deploy.cli.outcome import OK, Fault, Usage, are_parked, fault_of
from deploy.cli.short import lines_of
from deploy.cli.workers import Workers

MOST_DIGITS = 16


async def rebuild(context: Context) -> int:
    """Build a generation, and serve it unless it ends at given positions."""
    options = context.options
    service, projection = projection_named(options.projection)
    name = f"{service}/{projection.name}"
    # What is written wrongly is told before anything is asked of the engines.
    as_of = _as_of(options)
    serving = await served(context.generations(service, projection))
    building = Rebuild(projection, context.database(service), context.settings, service)
    try:
        return await _rebuild(context, building, name, serving, as_of)
    except Lacking as lacking:
        said = "; ".join(lines_of(lacking.short))
        raise Fault(f"{name} would lack what is served: {said}; --force builds from what there is") from lacking


async def _rebuild(context: Context, building: Rebuild, name: str, serving: Generation, as_of: datetime | None) -> int:
    options, projection = context.options, building.projection
    if not options.force:
        # Before anything else is asked or said.
        await building.refuse_less()
    until = await _until(context, projection, serving, as_of)
    unfinished, heads = await building.plan(as_of=as_of, until=until)
    plan = [*_plan(name, serving, unfinished, until or heads, kept=until is not None), *slower(projection)]
    if options.dry_run:
        context.output.give({"plan": plan, "until": until or heads, "done": False}, plan)
        return OK
    if not options.json:
        context.output.give({}, plan)
    # A document whose events lie in several partitions is written by one process.
    hands = Workers(name, options.workers, building.fold_in_bulk) if projection.by_case else None
    with context.output.progress(name) as progress:

        def tell(headway: Headway) -> None:
            progress.tell(headway.folded, headway.total, headway.rate)

        try:
            built = await building.run(tell, as_of=as_of, until=until, force=options.force, hands=hands)
        except Incomplete as incomplete:
            number = incomplete.generation.number
            raise Fault(
                f"{are_parked(incomplete.parked)} in generation {number} of {name}, which is not served: see "
                f"`dugnad parked list {name} --generation {number}`, then rebuild again, or with --force"
            ) from incomplete
        except Broken as broken:
            raise Fault(
                f"{broken} ({fault_of(broken.__cause__)}); the same command goes on where it was when that is mended"
            ) from broken
    done = {"projection": name, "generation": built.number, "served": until is None, "until": until}
    said = "is kept; what was served is served" if until is not None else f"is served in place of {serving.number}"
    context.output.give(done, [f"{name}: generation {built.number} is complete and {said}"])
    return OK


def _as_of(options: argparse.Namespace) -> datetime | None:
    if options.as_of is not None and options.until is not None:
        raise Usage("give --as-of or --until, not both")
    return None if options.as_of is None else instant(options.as_of)


async def _until(
    context: Context, projection: Projection, serving: Generation, as_of: datetime | None
) -> dict[str, int] | None:
    sources = sources_of(projection)
    if as_of is not None:
        return await positions_at(context, sources, as_of)
    if context.options.until is None:
        return None
    ends = await _ends(context, projection, serving)
    until = _positions(context.options.until, sorted({*sources, *ends}))
    for source, position in until.items():
        if position > ends.get(source, 0):
            raise Usage(f"{source} goes to {ends.get(source, 0)}: give a position up to that")
    return until


async def _ends(context: Context, projection: Projection, serving: Generation) -> dict[str, int]:
    """How far each source goes. Of one that was continued the topics' last records may tell nothing any more."""
    heads = await topic_heads(context.settings, projection.topics)
    service = context.options.projection.partition("/")[0]
    progress = Progress(context.database(service), serving.name)
    for source in await progress.sources():
        heads[source] = max(heads.get(source, 0), await progress.complete_to(source))
    return heads


def _positions(given: list[str], sources: list[str]) -> dict[str, int]:
    known = {name: source for source in sources for name in (source, source.rpartition("/")[2])}
    until: dict[str, int] = {}
    for each in given:
        # Of one source there is nothing to name.
        name, _, position = each.partition("=") if "=" in each or len(sources) > 1 else (sources[0], "=", each)
        if name not in known or not (position.isascii() and position.isdigit() and len(position) < MOST_DIGITS):
            raise Usage(f"{each}: give SOURCE=POSITION with one of {', '.join(sources)}")
        if known[name] in until:
            raise Usage(f"{each}: {known[name]} has its position already")
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


def slower(projection: Projection) -> list[str]:
    """A line where the projection could be folded by compiled code, and that is not there."""
    if projection.program is None or can_fold(projection):
        return []
    return ["folded in Python, several times slower: the compiled fold was not built for this machine (`make install`)"]


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
