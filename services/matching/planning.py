"""What is to be done, and the best overall plan: for the counsellors who work on the needs.

Invariant: a plan and a task are offers; nothing is proposed, and nobody is asked, before a counsellor says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from chassis.audit import Why
from chassis.auth import Principal
from chassis.formats import Language
from chassis.freshness import Fresh
from chassis.pages import wants_page
from chassis.projection import Document
from chassis.respond import Creating, resource, respond
from chassis.webstate import language_of, web_of
from services.matching import operations, reading
from services.matching import requests as bodies
from services.matching.access import Counsellor
from services.matching.core import Matching
from services.matching.domain.columns import CONSENT, PLACED, PROPOSED, PROTECTED, READY
from services.matching.domain.plan import OpenSlot, Outlook, Plan, plan
from services.matching.domain.ranking import reasons
from services.matching.domain.state import Stage
from services.matching.pages_plan import plan_page
from services.matching.rules import weights_on
from services.matching.shown import Sentences, next_step, reasons_in_words
from services.matching.snapshots import need_facts, short_profile, slot_state

OLDEST_DAYS = 365
"""Needs that were registered earlier are in no plan and no list of tasks."""
_WAITING = ("wait_for_candidate", "wait_for_employer", "agree", "at_work", "closed", "ended")


def router(matching: Matching) -> APIRouter:
    """Tasks and plan."""
    routes = APIRouter(tags=["planning"])

    @routes.get("/tasks", summary="What a counsellor can do now, the nearest promise date first")
    async def listed(principal: Counsellor, fresh: Fresh) -> Response:
        await fresh.in_views(matching.view("needs"), matching.view("matches"))
        return resource({"items": await tasks(matching, principal)})

    @routes.get("/plan", summary="The best overall plan for all open slots, and what it gains over slot by slot")
    async def one(request: Request, principal: Counsellor, fresh: Fresh) -> Response:
        await fresh.in_views(matching.view("needs"), matching.view("pool"), matching.view("matches"))
        texts, language = web_of(request).texts, language_of(request)
        shown = await planned(matching, principal, texts, language)
        if wants_page(request):
            return plan_page(request, shown)
        return resource(shown, headers={"Vary": "Accept"})

    @routes.post(
        "/plan/proposals",
        status_code=201,
        summary="Take a line of the plan: an ordinary proposal",
        responses={404: {}},
    )
    async def take(body: bodies.PlanLine, principal: Counsellor, context: Creating) -> Response:
        proposal = bodies.Proposal(candidate_id=body.candidate_id)
        return respond(await operations.propose(matching, principal, context, body.slot_id, proposal))

    return routes


async def _needs(matching: Matching, *conditions: Mapping[str, Any]) -> dict[str, Document]:
    """Needs with what has been heard of their matches under `matches`."""
    first = (matching.clock.today() - timedelta(days=OLDEST_DAYS)).isoformat()
    found = await matching.view("needs").find({"$and": [{"registered_on": {"$gte": first}}, *conditions]})
    needs = {each["_id"]: {**each, "matches": []} for each in found}
    for match in await matching.view("matches").find({"need_id": {"$in": sorted(needs)}, "stage": {"$exists": True}}):
        needs[match["need_id"]]["matches"].append(match)
    return needs


async def tasks(matching: Matching, principal: Principal) -> list[Document]:
    """What the caller's intermediary can do now for its needs, the nearest promise date first."""
    if principal.intermediary is None:
        return []
    today = matching.clock.today()
    found: list[Document] = []
    needs = await _needs(matching, reading.worked_on_by(principal.intermediary))
    for need_id, need in needs.items():
        facts = need_facts(need_id, need)
        assert facts is not None, "only registered needs were asked for"
        clock = {
            "promise_date": facts.promise_date.isoformat(),
            "days_left": (facts.promise_date - today).days,
            "occupation": facts.occupation,
            "municipality": facts.municipality,
        }
        for slot_id in facts.slot_ids:
            matches = [match for match in need["matches"] if match["slot_id"] == slot_id]
            about = {"need_id": need_id, "slot_id": slot_id, "match_id": None, "candidate_id": None, **clock}
            state = slot_state(slot_id, need, matches)
            if state == "open":
                found.append({"kind": "second_choice" if matches else "propose", **about})
            for match in matches if state == "in_progress" else ():
                step = next_step(match, today)
                if match["stage"] != Stage.CANCELLED and step not in _WAITING:
                    ids = {name: match[name] for name in ("match_id", "candidate_id")}
                    found.append({"kind": step, **about, **ids})
    people = sorted({task["candidate_id"] for task in found if task["candidate_id"] is not None})
    if people:
        await matching.audit.read(principal, people, "tasks", Why.OWN_NEED)
    return sorted(found, key=lambda task: (task["promise_date"], task["slot_id"], task["match_id"] or ""))


async def planned(matching: Matching, principal: Principal, texts: Sentences, language: Language) -> Document:
    """The best plan over all needs of all intermediaries, and the lines of those that the caller works on.

    Over all, so that the plans of two intermediaries do not count on the same person. Who is proposed somewhere already
    is left to that proposal.
    """
    today = matching.clock.today()
    weights = weights_on(today)
    slots = []
    for need_id, need in (await _needs(matching)).items():
        facts = need_facts(need_id, need)
        assert facts is not None, "only registered needs were asked for"
        tried: dict[str, set[str]] = {}
        for match in need["matches"]:
            tried.setdefault(match["slot_id"], set()).add(match["candidate_id"])
        slots += [
            OpenSlot(name, facts, frozenset(tried.get(name, ())))
            for name in facts.slot_ids
            if slot_state(name, need, need["matches"]) == "open"
        ]
    columns = await matching.pool.refresh()
    valid = columns.of("valid_until") >= today.toordinal()
    people = columns.only(columns.having(READY, CONSENT, without=PROTECTED | PLACED | PROPOSED) & valid)
    # A copy of its own: the pool may change while other requests get their turn.
    found = await asyncio.to_thread(plan, slots, people, weights, today)
    own = [line for line in found.lines if principal.is_of(line.slot.need.intermediary)]
    documents, known = await reading.people_of(matching, [line.candidate_id for line in own])
    by_id = {each.candidate_id: each for each in known}
    await matching.audit.read(principal, sorted(by_id), "plan", Why.OWN_NEED)
    lines = [
        {
            **_slot_shown(line.slot, today),
            "candidate_id": line.candidate_id,
            "score": line.score,
            "profile": short_profile(documents[line.candidate_id]),
            "reasons": reasons_in_words(reasons(line.slot.need, by_id[line.candidate_id], weights), texts, language),
        }
        for line in own
        if line.candidate_id in by_id
    ]
    unfilled = [_slot_shown(slot, today) for slot in found.unfilled if principal.is_of(slot.need.intermediary)]
    return {"rule_version": weights.version, "lines": lines, "unfilled": unfilled, **_totals(found)}


def _slot_shown(slot: OpenSlot, today: Any) -> Document:
    need = slot.need
    return {
        "slot_id": slot.slot_id,
        "need_id": need.need_id,
        "org_number": need.org_number,
        "occupation": need.occupation,
        "municipality": need.municipality,
        "promise_date": need.promise_date.isoformat(),
        "days_left": (need.promise_date - today).days,
    }


def _totals(found: Plan) -> Document:
    def shown(outlook: Outlook) -> dict[str, int]:
        return {"filled": outlook.filled, "score": outlook.score}

    gain = Outlook(found.best.filled - found.greedy.filled, found.best.score - found.greedy.score)
    return {
        "open_slots": len(found.lines) + len(found.unfilled),
        "best": shown(found.best),
        "slot_by_slot": shown(found.greedy),
        "gain": shown(gain),
    }
