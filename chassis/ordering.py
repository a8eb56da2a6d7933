"""In which order commits are numbered.

Invariant: a commit comes after those that hold the earlier versions of its claims. Clocks and ids play no part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chassis.eventlog import EventLog, claim_of, split_claim
from chassis.mongo import causally


class MissingPredecessor(Exception):
    """A commit claims version n of a subject, and nobody holds version n - 1: something was lost."""


async def in_order(pending: Sequence[dict[str, Any]], log: EventLog) -> list[dict[str, Any]]:
    """The pending commits that can be numbered now, each after its predecessors.

    A predecessor is in `pending` or has a position; one that is stored but neither (it fell out of the page) holds its
    successor back to the next page. Raises MissingPredecessor for one that does not exist.
    """
    holder = {claim: commit["_id"] for commit in pending for claim in commit["claims"]}
    needs = {commit["_id"]: _predecessors(commit) for commit in pending}
    outside = {claim for claims in needs.values() for claim in claims if claim not in holder}
    unnumbered = await _unnumbered(outside, log)
    waiting = {each["_id"]: each for each in pending}
    ordered: list[dict[str, Any]] = []
    placed: set[str] = set()
    ready = True
    while waiting and ready:
        ready = False
        for commit_id, commit in list(waiting.items()):
            if all(
                holder[claim] in placed if claim in holder else claim not in unnumbered for claim in needs[commit_id]
            ):
                ordered.append(commit)
                placed.add(commit_id)
                del waiting[commit_id]
                ready = True
    return ordered


def _predecessors(commit: dict[str, Any]) -> list[str]:
    claims = []
    for claim in commit["claims"]:
        split = split_claim(claim)
        if split is not None and split[1] > 1:
            claims.append(claim_of(split[0], split[1] - 1))
    return claims


async def _unnumbered(claims: set[str], log: EventLog) -> set[str]:
    """Which of these claims belong to commits that have no position yet."""
    if not claims:
        return set()
    found: dict[str, str] = {}
    async with causally(log.commits) as session:
        async for commit in log.commits.find({"claims": {"$in": sorted(claims)}}, {"claims": 1}, session=session):
            found.update({claim: commit["_id"] for claim in commit["claims"] if claim in claims})
    if lost := claims - found.keys():
        raise MissingPredecessor(f"nobody holds {sorted(lost)[0]} ({len(lost)} such)")
    numbered = await log.ledger.numbered(sorted(set(found.values())))
    return {claim for claim, commit in found.items() if commit not in numbered}
