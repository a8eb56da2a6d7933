"""Ends running proposals that no event ends: an assessment runs out, or requirements are no longer met.

Invariant: whoever may not be shared any more, or does not meet what the work asks for, has no open match for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from chassis.commands import CommandContext, Decision, Loaded
from chassis.decisions import Answer
from chassis.errors import Contended, DependencyDown, LogBusy, LogUnavailable
from chassis.logs import get_logger
from chassis.mongo import PyMongoError
from chassis.projection import Document
from contracts.refused import Refused
from services.matching.core import Matching
from services.matching.domain import commands as c
from services.matching.domain.decide import decide
from services.matching.domain.ranking import unavailable, unmet
from services.matching.domain.state import Stage, ending_subjects
from services.matching.reactions import world_in
from services.matching.snapshots import candidate_facts, need_facts

SECONDS = 2.0
OPEN = [stage.value for stage in Stage if stage not in (Stage.CONFIRMED, Stage.CANCELLED)]

log = get_logger(__name__)


class _Nothing(Exception):
    """The match ended, or became fit again, while it was looked at."""


async def keep_sweeping(matching: Matching) -> None:
    """Sweep whenever a day has passed or something has been heard."""
    mark: object = None
    while True:
        await asyncio.sleep(SECONDS)
        try:
            now = await _mark(matching)
            if now != mark:
                await sweep(matching)
                mark = now
        except (PyMongoError, DependencyDown, LogBusy, LogUnavailable, Contended) as error:
            log.warning("sweep_waits", error=type(error).__name__)


async def _mark(matching: Matching) -> object:
    views = [matching.view(name) for name in ("needs", "pool", "matches")]
    heard = [await view.complete_to(source) for view in views for source in sorted(view.sources)]
    return matching.clock.today(), heard


async def sweep(matching: Matching) -> int:
    """End every open match whose candidate is no longer fit for it; how many there were."""
    found = await matching.view("matches").find({"stage": {"$in": OPEN}})
    people = await _by_id(matching, "pool", {match["candidate_id"] for match in found})
    needs = await _by_id(matching, "needs", {match["need_id"] for match in found})
    today, ended = matching.clock.today(), 0
    for match in found:
        person, need = people.get(match["candidate_id"]), needs.get(match["need_id"])
        facts = None if need is None else need_facts(match["need_id"], need)
        if person is None or facts is None:
            # Not heard of yet: nothing that could be held against anybody.
            continue
        candidate = candidate_facts(match["candidate_id"], person)
        if unavailable(candidate, today) or unmet(facts, candidate):
            ended += await _end(matching, c.EndUnfit(match["_id"], facts, candidate, today))
    return ended


async def _by_id(matching: Matching, view: str, ids: set[str]) -> Mapping[str, Document]:
    return {each["_id"]: each for each in await matching.view(view).find({"_id": {"$in": sorted(ids)}})}


async def _end(matching: Matching, command: c.EndUnfit) -> bool:
    # One claim per match: of several processes that sweep, one ends it.
    context = CommandContext(
        claim=f"command:unfit/{command.match_id}", body=b"", actor="sweep", correlation=command.match_id
    )

    def decided(loaded: Mapping[str, Loaded]) -> Decision:
        events = decide(command, world_in(loaded))
        if not events:
            raise _Nothing
        return Decision(events, Answer({}, "", f"match:{command.match_id}"))

    first = [f"match:{command.match_id}"]
    try:
        done = await matching.commands.run(
            context, lambda loaded: ending_subjects(command.match_id, world_in(loaded)) if loaded else first, decided
        )
    except (_Nothing, Refused):
        return False
    log.info("proposal_ended", match_id=command.match_id, repeated=done.repeated)
    return not done.repeated
