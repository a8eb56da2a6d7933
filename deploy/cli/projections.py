"""`dugnad verify` and `dugnad generations`.

Invariant: verifying changes nothing; what is served is never dropped.
"""

from __future__ import annotations

from dataclasses import asdict
from time import monotonic
from typing import Any

from chassis.generations import Generation
from chassis.progress import Progress
from chassis.projection import Projection
from chassis.shortfall import shortfall
from chassis.verify import verify
from deploy.cli.context import Context, projection_named, projections_of, served, unconfirmed
from deploy.cli.outcome import FAULT, OK, Fault, Usage, counted
from deploy.cli.short import lines_of

MOST_KEYS = 20


async def verify_all(context: Context) -> int:
    """One projection, or all of a service."""
    service, slash, _ = context.options.target.partition("/")
    wanted = [projection_named(context.options.target)[1]] if slash else projections_of(service)
    found = [await _verified(context, service, each) for each in wanted]
    lines = [line for each in found for line in _lines(each)]
    context.output.give({"fine": all(each["fine"] for each in found), "projections": found}, lines)
    return OK if all(each["fine"] for each in found) else FAULT


async def _verified(context: Context, service: str, projection: Projection) -> dict[str, Any]:
    generations = context.generations(service, projection)
    serving = await served(generations)
    if serving.fold_version != projection.version:
        raise Fault(
            f"{service}/{projection.name} serves version {serving.fold_version} of the fold, and the one here has "
            f"version {projection.version}: verify with the program that serves, or when the new one is served"
        )
    began = monotonic()
    with context.output.progress(f"{service}/{projection.name}") as progress:

        def tell(done: int, total: int) -> None:
            progress.tell(done, total, done / max(monotonic() - began, 1e-3))

        verdict = await verify(projection, serving, generations.database, context.settings, tell)
    done = Progress(generations.database, serving.name)
    short = {} if verdict.fine else await shortfall(projection, done, context.settings)
    shown = {**asdict(verdict), "fine": verdict.fine, "short": lines_of(short)}
    return {"projection": f"{service}/{projection.name}", "generation": serving.number, **shown}


def _lines(found: dict[str, Any]) -> list[str]:
    name = found["projection"]
    if found["fine"]:
        return [f"{name}: {found['documents']} documents are what {counted(found['events'])} say"]
    lines = []
    for kind, said in (
        ("differing", "not what the events say"),
        ("missing", "missing"),
        ("strange", "served, and come from no event"),
    ):
        keys = found[kind]
        if keys:
            more = f" and {len(keys) - MOST_KEYS} more" if len(keys) > MOST_KEYS else ""
            lines.append(f"{name}: documents that are {said}: {len(keys)} ({', '.join(keys[:MOST_KEYS])}{more})")
    if found["moving"]:
        lines.append(f"{name}: {found['moving']} documents went on changing: verify again when there is less to do")
    if found["behind"]:
        # Not a difference yet: whoever folds them may only be late.
        late = f"{name}: {counted(found['behind'])} not folded yet: see that its service runs, then verify again"
        return [*lines, late]
    # Built anew from topics that lack something, it would be worse than it is.
    mends = found["short"] or [f"`dugnad rebuild {name}` makes it right"]
    return [*lines, *(f"{name}: {each}" for each in mends)]


async def generations(context: Context) -> int:
    """List what is kept, or drop one."""
    service, projection = projection_named(context.options.projection)
    kept = context.generations(service, projection)
    serving, everything = await served(kept), await kept.all()
    if context.options.drop is not None:
        dropped = next((each for each in everything if each.number == context.options.drop), None)
        if dropped is None or dropped.number == serving.number:
            others = ", ".join(str(each.number) for each in everything if each.number != serving.number) or "none"
            raise Usage(f"generation {context.options.drop} cannot be dropped; these can: {others}")
        plan = f"drop generation {dropped.number} of {service}/{projection.name}: documents, progress, parked events"
        context.output.give({"plan": plan, "done": context.options.yes}, [plan])
        if not context.options.yes:
            raise unconfirmed()
        await kept.drop(dropped)
        return OK
    previous = await kept.previous()
    shown = [_generation(each, each.number == serving.number) for each in everything]
    rows = [_row(each, None if previous is None else previous.number) for each in shown]
    document = {"projection": f"{service}/{projection.name}", "generations": shown}
    context.output.table(document, ("number", "fold version", "created", "holds", "state"), rows)
    return OK


def _row(shown: dict[str, Any], previous: int | None) -> list[str]:
    ends = shown["until"]
    holds = (
        "everything" if ends is None else ", ".join(f"{each.rpartition('/')[2]} {ends[each]}" for each in sorted(ends))
    )
    if shown["as_of"] is not None:
        holds = f"as of {shown['as_of'][:19]}Z: {holds}"
    if shown["serving"]:
        state = "served"
    elif shown["number"] == previous:
        state = "served before: `rollback` goes back to it"
    else:
        state = "not complete" if shown["completed"] is None else "kept"
    created = "" if shown["created"] is None else f"{shown['created'][:19]}Z"
    return [str(shown["number"]), str(shown["fold_version"]), created, holds or "nothing", state]


def _generation(generation: Generation, serving: bool) -> dict[str, Any]:
    return {
        "number": generation.number,
        "fold_version": generation.fold_version,
        "created": None if generation.created is None else generation.created.isoformat(),
        "completed": None if generation.completed is None else generation.completed.isoformat(),
        "as_of": None if generation.as_of is None else generation.as_of.isoformat(),
        "until": None if generation.until is None else dict(generation.until),
        "serving": serving,
    }
