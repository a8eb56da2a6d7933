"""Queries on the views, cut to what the caller may see.

Invariant: every list is cut by the same rule as the resource itself: presented for employers, own for candidates,
worked on for counsellors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.audit import Why
from chassis.auth import NotFound, Principal
from chassis.formats import Language
from chassis.problems import Problem
from chassis.projection import Document
from chassis.respond import Paging
from services.matching.core import Matching, SeenNeed
from services.matching.domain.facts import CandidateFacts
from services.matching.domain.ranking import rank
from services.matching.domain.scoring import Scorer
from services.matching.domain.state import Stage
from services.matching.rules import weights_on
from services.matching.shown import (
    Sentences,
    match_for_candidate,
    match_for_counsellor,
    match_for_employer,
    may_be_shown,
    need_shown,
    ranking_shown,
    slots_shown,
)
from services.matching.snapshots import absorbed_in, candidate_facts, need_facts

NEWEST_FIRST = (("registered_on", -1), ("_id", -1))
LATEST_FIRST = (("_id", -1),)
_NOBODYS: Mapping[str, Any] = {"_id": {"$in": []}}


def _after(page: Paging, count: int) -> Sequence[str]:
    texts = [value for value in page.after or () if isinstance(value, str)]
    if len(texts) != count:
        raise Problem(400, "cursor_invalid")
    return texts


def may_read_need(principal: Principal, org_number: str) -> bool:
    """Employers their own, intermediaries all."""
    return principal.intermediary is not None or principal.acts_for(org_number)


def worked_on_by(intermediary: str) -> dict[str, Any]:
    """The condition for needs that an intermediary works on: assigned to it, else turned to it first."""
    first = {"assigned": {"$exists": False}, "registered.intermediary": intermediary}
    return {"$or": [{"assigned.intermediary": intermediary}, first]}


async def list_needs(
    matching: Matching, principal: Principal, page: Paging, *, intermediary: str | None = None
) -> list[Document]:
    """One more than a page of the needs that the caller may read, the newest first."""
    where: list[dict[str, Any]] = [{"registered_on": {"$exists": True}}]
    if principal.intermediary is None:
        where.append({"org_number": {"$in": sorted(principal.org_numbers)}})
    if intermediary is not None:
        where.append(worked_on_by(intermediary))
    if page.after is not None:
        day, need_id = _after(page, 2)
        where.append({"$or": [{"registered_on": {"$lt": day}}, {"registered_on": day, "_id": {"$lt": need_id}}]})
    found = await matching.view("needs").find({"$and": where}, sort=NEWEST_FIRST, limit=page.limit + 1)
    matches = await matching.view("matches").find({"need_id": {"$in": [each["_id"] for each in found]}})
    today = matching.clock.today()
    listed = []
    met: list[Document] = []
    for each in found:
        facts = need_facts(each["_id"], each)
        assert facts is not None, "only registered needs are found"
        of_need = [match for match in matches if match["need_id"] == facts.need_id]
        seen = _seen(principal, facts.intermediary, of_need)
        met += _live(seen)
        states = slots_shown(each, facts, of_need)
        shown = slots_shown(each, facts, seen)
        slots = [{**slot, "state": state["state"]} for slot, state in zip(shown, states, strict=True)]
        listed.append({**need_shown(facts.need_id, each, facts, today), "slots": slots})
    await audit_matches(matching, principal, met)
    return listed


def _live(matches: Sequence[Document]) -> list[Document]:
    return [match for match in matches if match.get("stage", Stage.CANCELLED) != Stage.CANCELLED]


def _seen(principal: Principal, intermediary: str, matches: Sequence[Document]) -> list[Document]:
    if principal.intermediary is not None:
        return list(matches) if principal.is_of(intermediary) else []
    return [match for match in matches if match.get("presented_on") is not None]


async def one_need(matching: Matching, principal: Principal, need_id: str) -> tuple[Document, SeenNeed]:
    """A need with its slots. Raises NotFound."""
    need = await matching.need(need_id)
    if not may_read_need(principal, need.facts.org_number):
        raise NotFound
    matches = await matching.view("matches").find({"need_id": need_id})
    states = slots_shown(need.document, need.facts, matches)
    seen = _seen(principal, need.facts.intermediary, matches)
    await audit_matches(matching, principal, _live(seen))
    shown = slots_shown(need.document, need.facts, seen)
    slots = [{**slot, "state": state["state"]} for slot, state in zip(shown, states, strict=True)]
    return {**need_shown(need_id, need.document, need.facts, matching.clock.today()), "slots": slots}, need


async def ranked(
    matching: Matching, principal: Principal, slot_id: str, texts: Sentences, language: Language, limit: int
) -> Document:
    """Who fits a slot, for the counsellors who work on its need: the best, and of the others those who come nearest.

    Raises NotFound.
    """
    need = await matching.need_of_slot(slot_id)
    if not principal.is_of(need.facts.intermediary):
        await matching.audit.read(principal, [], "ranking", None)
    today = matching.clock.today()
    weights = weights_on(today)
    columns = await matching.pool.refresh()
    scored = Scorer(columns, weights, today).of(need.facts)
    listed = columns.listed_for(need.facts.intermediary)
    free, others = scored.free & listed, listed & ~scored.free
    counts = {"ranked_count": int(free.sum()), "excluded_count": int(others.sum())}
    rows = [*columns.best(scored.scores, free, limit), *columns.best(scored.scores, others, limit)]
    people, facts = await people_of(matching, [columns.ids[row] for row in rows])
    await matching.audit.read(principal, sorted(people), "ranking", Why.OWN_NEED)
    ranking = rank(need.facts, facts, weights, today)
    on_slot = await matching.view("matches").find({"slot_id": slot_id})
    told = ranking_shown(ranking, people, on_slot, texts, language)
    return {"slot_id": slot_id, "need_id": need.need_id, "rule_version": weights.version, **told, **counts}


async def people_of(matching: Matching, ids: Sequence[str]) -> tuple[dict[str, Document], list[CandidateFacts]]:
    """Documents and facts of some candidates; those that are not known any more are left out."""
    found = await matching.view("pool").find({"_id": {"$in": sorted(ids)}})
    people = {each["_id"]: each for each in found}
    absorbed = {name: await absorbed_in(matching.view("pool"), each) for name, each in people.items()}
    return people, [candidate_facts(name, each, absorbed[name]) for name, each in people.items()]


async def reserve(matching: Matching, need: SeenNeed, slot_id: str, count: int) -> list[str]:
    """Who would come next for a slot, best first: free, fit, consenting, and never tried for this slot."""
    today = matching.clock.today()
    tried = {match["candidate_id"] for match in await matching.view("matches").find({"slot_id": slot_id})}
    columns = await matching.pool.refresh()
    scored = Scorer(columns, weights_on(today), today).of(need.facts)
    rows = columns.best(scored.scores, scored.free, count + len(tried))
    return [name for name in (columns.ids[row] for row in rows) if name not in tried][:count]


async def list_matches(
    matching: Matching,
    principal: Principal,
    page: Paging,
    *,
    slot_id: str | None = None,
    need_id: str | None = None,
    candidate_id: str | None = None,
) -> list[Document]:
    """One more than a page of the matches that the caller may see, the latest first."""
    wanted = {"slot_id": slot_id, "need_id": need_id, "candidate_id": candidate_id}
    where: list[Mapping[str, Any]] = [{name: value} for name, value in wanted.items() if value is not None]
    where.append({"stage": {"$exists": True}})
    where.append(await _visible(matching, principal))
    if page.after is not None:
        (match_id,) = _after(page, 1)
        where.append({"_id": {"$lt": match_id}})
    return await matching.view("matches").find({"$and": where}, sort=LATEST_FIRST, limit=page.limit + 1)


async def _visible(matching: Matching, principal: Principal) -> Mapping[str, Any]:
    if principal.candidate_id is not None:
        return {"candidate_id": principal.candidate_id}
    if principal.intermediary is not None:
        needs = await matching.view("needs").find(worked_on_by(principal.intermediary))
        return {"need_id": {"$in": [need["_id"] for need in needs]}}
    if principal.org_numbers:
        return {"org_number": {"$in": sorted(principal.org_numbers)}, "presented_on": {"$gt": ""}}
    return _NOBODYS


async def audit_matches(matching: Matching, principal: Principal, matches: Sequence[Mapping[str, Any]]) -> None:
    """Record that the candidates of a list of matches were read, if there are any."""
    people = sorted({match["candidate_id"] for match in matches})
    own = Why.OWN_DATA if principal.candidate_id is not None else Why.PRESENTED_TO_EMPLOYER
    if people:
        why = Why.OWN_NEED if principal.intermediary is not None else own
        await matching.audit.read(principal, people, "matches", why)


async def match_shown(
    matching: Matching, principal: Principal, match: Document, texts: Sentences, language: Language
) -> Document:
    """A match as the caller, who may see it, is shown it."""
    if principal.intermediary is not None:
        need = await matching.view("needs").get(match["need_id"])
        return match_for_counsellor(match, need, texts, language)
    if principal.is_candidate(match["candidate_id"]):
        return match_for_candidate(match, await matching.view("needs").get(match["need_id"]))
    person = await matching.view("pool").get(match["candidate_id"])
    facts = await matching.candidate(match["candidate_id"])
    return match_for_employer(match, person, facts, matching.clock.today())


async def name_of(matching: Matching, principal: Principal, match: Mapping[str, Any]) -> str | None:
    """What the candidate of a match is called, once they have said yes and for as long as they may be shown.

    The reader may see the match; the read of the name is recorded for itself.
    """
    candidate_id = match["candidate_id"]
    if match.get("accepted_on") is None or match["stage"] == Stage.CANCELLED or principal.is_candidate(candidate_id):
        return None
    facts = await matching.candidate(candidate_id)
    if facts is None or not may_be_shown(match, facts, matching.clock.today()):
        return None
    await matching.audit.read(principal, candidate_id, "name", await matching.why(principal, match))
    return await matching.names.name(candidate_id)
