"""HTTP of matching: request -> command -> decide and append -> answer. No rules here.

Invariant: every route names a scope, every change the version that it is based on.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from chassis.freshness import Fresh
from chassis.pages import wants_page
from chassis.respond import Changing, Creating, Paged, resource, respond
from chassis.webstate import language_of, web_of
from contracts.vocabulary import Intermediary
from services.matching import operations, reading
from services.matching import requests as bodies
from services.matching.access import Answering, Counsellor, Employer, NeedReader, Reader, Responding
from services.matching.core import Matching
from services.matching.pages import match_page

Empty = bodies.Nothing | None
Limit = Annotated[int, Query(ge=1, le=200, description="How many candidates at most.")]


def needs_router(matching: Matching) -> APIRouter:
    """Needs and their slots."""
    routes = APIRouter(tags=["needs"])

    @routes.get("/needs", summary="List needs, the newest first, with slots and days left")
    async def listed(
        principal: NeedReader,
        page: Paged,
        fresh: Fresh,
        intermediary: Annotated[Intermediary | None, Query(description="Only needs it works on.")] = None,
    ) -> Response:
        await fresh.in_views(matching.view("needs"), matching.view("matches"))
        found = await reading.list_needs(matching, principal, page, intermediary=intermediary)
        return page.listing(found, lambda need: (need["registered_on"], need["need_id"]))

    @routes.get("/needs/{need_id}", summary="One need, with the state of its slots")
    async def one(need_id: str, principal: NeedReader, fresh: Fresh) -> Response:
        await fresh.in_views(matching.view("needs"), matching.view("matches"))
        shown, need = await reading.one_need(matching, principal, need_id)
        return resource(shown, version=need.version)

    @routes.post("/needs/{need_id}/assignment", status_code=201, summary="Pass a need on to another intermediary")
    async def assign(need_id: str, body: bodies.Assignment, principal: Counsellor, context: Changing) -> Response:
        return respond(await operations.assign(matching, principal, context, need_id, body))

    @routes.get("/slots/{slot_id}/candidates", summary="Ranked candidates with reasons, and who is excluded and why")
    async def candidates(
        slot_id: str, request: Request, principal: Counsellor, fresh: Fresh, limit: Limit = 50
    ) -> Response:
        await fresh.in_views(matching.view("needs"), matching.view("pool"), matching.view("matches"))
        texts, language = web_of(request).texts, language_of(request)
        return resource(await reading.ranked(matching, principal, slot_id, texts, language, limit))

    @routes.post("/slots/{slot_id}/matches", status_code=201, summary="Propose a candidate")
    async def propose(slot_id: str, body: bodies.Proposal, principal: Counsellor, context: Creating) -> Response:
        return respond(await operations.propose(matching, principal, context, slot_id, body))

    @routes.post("/slots/{slot_id}/next", status_code=201, summary="Second choice: propose and ask whoever comes next")
    async def propose_next(
        slot_id: str, principal: Counsellor, context: Creating, body: bodies.NextChoice | None = None
    ) -> Response:
        choice = body or bodies.NextChoice()
        return respond(await operations.propose_next(matching, principal, context, slot_id, choice))

    return routes


def matches_router(matching: Matching) -> APIRouter:
    """Matches, from proposal to confirmation or end."""
    routes = APIRouter(tags=["matches"])

    @routes.get("/matches", summary="List matches, the latest first")
    async def listed(
        request: Request,
        principal: Reader,
        page: Paged,
        fresh: Fresh,
        slot_id: str | None = None,
        need_id: str | None = None,
        candidate_id: str | None = None,
    ) -> Response:
        await fresh.in_views(matching.view("matches"), matching.view("needs"))
        found = await reading.list_matches(
            matching, principal, page, slot_id=slot_id, need_id=need_id, candidate_id=candidate_id
        )
        texts, language = web_of(request).texts, language_of(request)
        shown = [await reading.match_shown(matching, principal, match, texts, language) for match in found]
        await reading.audit_matches(matching, principal, shown[: page.limit])
        return page.listing(shown, lambda match: (match["match_id"],))

    @routes.get("/matches/{match_id}", summary="One match")
    async def one(match_id: str, request: Request, principal: Reader, fresh: Fresh) -> Response:
        await fresh.in_views(matching.view("matches"), matching.view("pool"))
        match = await matching.read_match(principal, match_id)
        if wants_page(request):
            return await match_page(matching, request, principal, match)
        heard = await matching.view("matches").get(match_id) or {}
        document = {**match.document, "trial": heard.get("trial", {})}
        texts, language = web_of(request).texts, language_of(request)
        shown = await reading.match_shown(matching, principal, document, texts, language)
        shown["name"] = await reading.name_of(matching, principal, document)
        called = await matching.names.employers([match["org_number"]])
        shown["employer_name"] = called.get(match["org_number"])
        # A browser gets the page of the same address.
        return resource(shown, version=match.version, headers={"Vary": "Accept"})

    @routes.post("/matches/{match_id}/question", status_code=201, summary="Ask the candidate")
    async def ask(match_id: str, body: bodies.Question, principal: Counsellor, context: Changing) -> Response:
        return respond(await operations.ask(matching, principal, context, match_id, body))

    @routes.post("/matches/{match_id}/answer", status_code=201, summary="The candidate says yes or no")
    async def answer(match_id: str, body: bodies.CandidateAnswer, principal: Answering, context: Changing) -> Response:
        return respond(await operations.answer(matching, principal, context, match_id, body))

    @routes.post("/matches/{match_id}/answer-reversal", status_code=201, summary="Take the candidate's yes back")
    async def reverse_answer(match_id: str, principal: Answering, context: Changing, _body: Empty = None) -> Response:
        return respond(await operations.reverse_answer(matching, principal, context, match_id))

    @routes.post("/matches/{match_id}/presentation", status_code=201, summary="Present the candidate to the employer")
    async def present(match_id: str, principal: Counsellor, context: Changing, _body: Empty = None) -> Response:
        return respond(await operations.present(matching, principal, context, match_id))

    @routes.post("/matches/{match_id}/presentation-reversal", status_code=201, summary="Take a presentation back")
    async def reverse(match_id: str, principal: Counsellor, context: Changing, _body: Empty = None) -> Response:
        return respond(await operations.reverse(matching, principal, context, match_id))

    @routes.post("/matches/{match_id}/response", status_code=201, summary="The employer answers")
    async def say(match_id: str, body: bodies.Response, principal: Employer, context: Changing) -> Response:
        return respond(await operations.respond(matching, principal, context, match_id, body))

    @routes.post("/matches/{match_id}/response-reversal", status_code=201, summary="Take the employer's answer back")
    async def reverse_response(
        match_id: str, principal: Responding, context: Changing, _body: Empty = None
    ) -> Response:
        return respond(await operations.reverse_response(matching, principal, context, match_id))

    @routes.post("/matches/{match_id}/interview", status_code=201, summary="Record an interview")
    async def interview(match_id: str, body: bodies.Interview, principal: Responding, context: Changing) -> Response:
        return respond(await operations.hold_interview(matching, principal, context, match_id, body))

    @routes.post("/matches/{match_id}/confirmation", status_code=201, summary="This person for this slot")
    async def confirm(match_id: str, principal: Counsellor, context: Changing, _body: Empty = None) -> Response:
        return respond(await operations.confirm(matching, principal, context, match_id))

    @routes.post("/matches/{match_id}/cancellation", status_code=201, summary="End a match without a start")
    async def cancel(match_id: str, body: bodies.Cancellation, principal: Counsellor, context: Changing) -> Response:
        return respond(await operations.cancel(matching, principal, context, match_id, body))

    return routes
