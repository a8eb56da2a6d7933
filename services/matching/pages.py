"""Pages: needs and ranked candidates for counsellors, presented candidates for employers, questions for candidates.

Invariant: a form goes the way of the API, with the same checks; what was typed is shown again beside what is wrong.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from chassis.auth import NotFound, Principal, Visitor, require
from chassis.decisions import CommandContext, Done
from chassis.errors import IdempotencyMismatch, Stale
from chassis.formats import Language
from chassis.freshness import WAIT_SECONDS, Fresh
from chassis.pages import page_router
from chassis.projection import Document
from chassis.requests import StrictModel
from chassis.respond import Changing, Creating, Paging, respond_page
from chassis.webstate import language_of, web_of
from contracts.refused import Refused
from contracts.vocabulary import CancelReason, DeclineReason, EmployerResponse, ResponseReason
from services.matching import operations, reading
from services.matching import requests as bodies
from services.matching.access import Counsellor, Stepping
from services.matching.core import Matching, SeenMatch
from services.matching.domain.decide import COUNSELLORS_REASONS
from services.matching.pages_plan import plan_page
from services.matching.planning import planned, tasks
from services.matching.shown import next_step, steps_for
from services.matching.snapshots import need_now
from services.matching.words import in_short, profile_in_words, requirements_in_words, short_reference, work_in_words

SHOWN = 100
Errors = Mapping[str, str]
WRONG = (ValidationError, Refused, Stale, IdempotencyMismatch)
"""What a form is shown again for, with what was typed."""
_NO_TEXT: Mapping[str, str] = {}


def router(matching: Matching) -> APIRouter:
    """The pages and their forms."""
    routes = page_router()

    @routes.get("/")
    async def front(request: Request, principal: Visitor, fresh: Fresh) -> Response:
        if principal is None:
            return RedirectResponse(f"/login?{urlencode({'next': '/'})}", status_code=303)
        await fresh.in_views(matching.view("matches"), matching.view("needs"))
        return await _front(matching, request, principal)

    @routes.get("/slots/{slot_id}")
    async def slot(slot_id: str, request: Request, principal: Counsellor, fresh: Fresh) -> Response:
        await fresh.in_views(matching.view("matches"), matching.view("pool"))
        return await _slot_page(matching, request, principal, slot_id)

    @routes.post("/slots/{slot_id}/proposal")
    async def propose(slot_id: str, request: Request, principal: Counsellor, context: Creating) -> Response:
        try:
            body = bodies.Proposal.model_validate(await _typed(request))
            done = await operations.propose(matching, principal, _waiting_for(context), slot_id, body)
        except WRONG as error:
            return await _slot_page(matching, request, principal, slot_id, errors=_wrong(request, error), status=422)
        return respond_page(done.answer.location, done)

    @routes.post("/slots/{slot_id}/second-choice")
    async def second(slot_id: str, request: Request, principal: Counsellor, context: Creating) -> Response:
        try:
            body = bodies.NextChoice.model_validate(await _typed(request))
            done = await operations.propose_next(matching, principal, _waiting_for(context), slot_id, body)
        except WRONG as error:
            return await _slot_page(matching, request, principal, slot_id, errors=_wrong(request, error), status=422)
        return respond_page(done.answer.location, done)

    @routes.post("/plan/line")
    async def line(request: Request, principal: Counsellor, context: Creating) -> Response:
        try:
            body = bodies.PlanLine.model_validate(await _typed(request))
            proposal = bodies.Proposal(candidate_id=body.candidate_id)
            done = await operations.propose(matching, principal, _waiting_for(context), body.slot_id, proposal)
        except WRONG as error:
            shown = await planned(matching, principal, web_of(request).texts, language_of(request))
            return plan_page(request, shown, errors=_wrong(request, error), status=422)
        return respond_page(done.answer.location, done)

    @routes.post("/matches/{match_id}/steps/{step}")
    async def take(match_id: str, step: str, request: Request, principal: Stepping, context: Changing) -> Response:
        if step not in STEPS:
            raise NotFound
        await require(*STEPS[step].scopes)(principal)
        match = await matching.visible_match(principal, match_id)
        typed = await _typed(request)
        try:
            done = await STEPS[step].take(matching, principal, _waiting_for(context), match_id, _of_step(step, typed))
        except WRONG as error:
            errors = {f"{step}-{name}": sentence for name, sentence in _wrong(request, error).items()}
            status = 409 if isinstance(error, Stale) else 422
            # As it is now: what is sent again is based on what its author has seen this time.
            match = await matching.read_match(principal, match_id)
            return await match_page(matching, request, principal, match, typed=typed, errors=errors, status=status)
        return respond_page(f"/matches/{match_id}", done)

    # A form with errors is shown at the address it was sent to: whoever chooses the other language there asks for that.
    @routes.get("/slots/{slot_id}/proposal")
    async def back_to_slot(slot_id: str, _: Counsellor) -> Response:
        return respond_page(f"/slots/{slot_id}")

    @routes.get("/slots/{slot_id}/second-choice")
    async def back_to_choices(slot_id: str, _: Counsellor) -> Response:
        return respond_page(f"/slots/{slot_id}")

    @routes.get("/plan/line")
    async def back_to_plan(_: Counsellor) -> Response:
        return respond_page("/plan")

    @routes.get("/matches/{match_id}/steps/{step}")
    async def back_to_match(match_id: str, step: str, _: Stepping) -> Response:
        if step not in STEPS:
            raise NotFound
        return respond_page(f"/matches/{match_id}")

    return routes


Take = Callable[[Matching, Principal, CommandContext, str, Mapping[str, str]], Awaitable[Done]]


@dataclass(frozen=True)
class Step:
    """A form of a match: who may send it, and what it does."""

    scopes: tuple[str, ...]
    take: Take


def _with_body(
    model: type[StrictModel], operation: Callable[[Matching, Principal, CommandContext, str, Any], Awaitable[Done]]
) -> Take:
    async def take(
        matching: Matching, principal: Principal, context: CommandContext, match_id: str, typed: Mapping[str, str]
    ) -> Done:
        return await operation(matching, principal, context, match_id, model.model_validate(typed))

    return take


def _bare(operation: Callable[[Matching, Principal, CommandContext, str], Awaitable[Done]]) -> Take:
    async def take(
        matching: Matching, principal: Principal, context: CommandContext, match_id: str, _: Mapping[str, str]
    ) -> Done:
        return await operation(matching, principal, context, match_id)

    return take


STEPS: Mapping[str, Step] = {
    "question": Step(("matches:write",), _with_body(bodies.Question, operations.ask)),
    "answer": Step(("candidates:answer", "matches:write"), _with_body(bodies.CandidateAnswer, operations.answer)),
    "answer-reversal": Step(("candidates:answer", "matches:write"), _bare(operations.reverse_answer)),
    "presentation": Step(("matches:write",), _bare(operations.present)),
    "presentation-reversal": Step(("matches:write",), _bare(operations.reverse)),
    "response": Step(("matches:respond",), _with_body(bodies.Response, operations.respond)),
    "response-reversal": Step(("matches:write", "matches:respond"), _bare(operations.reverse_response)),
    "interview": Step(("matches:write", "matches:respond"), _with_body(bodies.Interview, operations.hold_interview)),
    "confirmation": Step(("matches:write",), _bare(operations.confirm)),
    "cancellation": Step(("matches:write",), _with_body(bodies.Cancellation, operations.cancel)),
}


def _waiting_for(context: CommandContext) -> CommandContext:
    """For a form: its place in the log is waited for, so that the pages that come next show it."""
    return replace(context, wait=WAIT_SECONDS)


async def _typed(request: Request) -> dict[str, str]:
    """What was typed, without what is the form's own; an empty field is left out."""
    own = ("csrf_token", "idempotency_key", "version")
    form = (await request.form()).items()
    return {name: value for name, value in form if isinstance(value, str) and value.strip() and name not in own}


def _of_step(step: str, typed: Mapping[str, str]) -> dict[str, str]:
    # A page has several forms, and an id only once: the fields carry the step that they belong to.
    return {name.removeprefix(f"{step}-"): value for name, value in typed.items()}


async def _front(matching: Matching, request: Request, principal: Principal) -> Response:
    language, today = language_of(request), matching.clock.today()
    page = Paging(SHOWN, None)
    needs: list[Document] = []
    to_do: list[Document] = []
    matches: list[Document] = []
    works = "matches:write" in principal.scopes
    if principal.intermediary is not None and "needs:read" in principal.scopes:
        found = await reading.list_needs(matching, principal, page, intermediary=principal.intermediary)
        needs = [{**need, **work_in_words(need, language), "waiting": _waiting(need)} for need in found[:SHOWN]]
        if works:
            to_do = [{**each, **work_in_words(each, language)} for each in await tasks(matching, principal)]
    elif "matches:read" in principal.scopes:
        found = await reading.list_matches(matching, principal, page)
        await reading.audit_matches(matching, principal, found)
        matches = [
            {**match, "next": next_step(match, today), **await _work(matching, match, language)} for match in found
        ]
    if principal.candidate_id is not None:
        # What is to be answered, and what was said yes to: a yes can be taken back until the employer sees the name.
        matches = [match for match in matches if steps_for("candidate", match, today)]
    return web_of(request).pages.render(
        request,
        "front.html",
        needs=needs,
        employers=await matching.names.employers(need["org_number"] for need in needs),
        # A decision maker reads along; what only counsellors may do is not offered.
        works=works,
        tasks=to_do[:SHOWN],
        matches=matches[:SHOWN],
        more=len(needs) >= SHOWN or len(matches) > SHOWN,
        reader=_reader(principal),
    )


def _waiting(need: Document) -> bool:
    """Whether a place is still to be filled: only then do days count."""
    return any(slot["state"] in ("open", "in_progress") for slot in need["slots"])


def _reader(principal: Principal) -> str:
    if principal.intermediary is not None:
        return "counsellor"
    if principal.candidate_id is not None:
        return "candidate"
    return "employer" if principal.org_numbers else "other"


async def _slot_page(
    matching: Matching,
    request: Request,
    principal: Principal,
    slot_id: str,
    *,
    errors: Errors = _NO_TEXT,
    status: int = 200,
) -> Response:
    language, texts = language_of(request), web_of(request).texts
    ranking = await reading.ranked(matching, principal, slot_id, texts, language, SHOWN)
    need, _ = await reading.one_need(matching, principal, ranking["need_id"])
    slot = next(each for each in need["slots"] if each["slot_id"] == slot_id)
    today = matching.clock.today()
    first = next((each for each in ranking["items"] if each["match_id"] is None and each["earlier"] is None), None)
    return web_of(request).pages.render(
        request,
        "slot.html",
        status=status,
        need={**need, **work_in_words(need, language)},
        work=requirements_in_words(need, language),
        slot=slot,
        ranking={
            **ranking,
            "items": [{**each, "about": in_short(each["profile"], language)} for each in ranking["items"]],
        },
        short=short_reference,
        reserve=first,
        again=any(each["earlier"] is not None for each in (*ranking["items"], *ranking["excluded"])),
        deadline=(today + timedelta(days=operations.ANSWER_DAYS)).isoformat(),
        errors=errors,
    )


async def match_page(
    matching: Matching,
    request: Request,
    principal: Principal,
    match: SeenMatch,
    *,
    typed: Mapping[str, str] = _NO_TEXT,
    errors: Errors = _NO_TEXT,
    status: int = 200,
) -> Response:
    """A match: where it stands, and forms for what the reader can do next."""
    language, texts, today = language_of(request), web_of(request).texts, matching.clock.today()
    heard = await matching.view("matches").get(match.match_id) or {}
    document = {**match.document, "trial": heard.get("trial", {})}
    shown = await reading.match_shown(matching, principal, document, texts, language)
    reader = _reader(principal)
    profile = shown.get("candidate")
    return web_of(request).pages.render(
        request,
        "match.html",
        status=status,
        # A reader is shown less than another; what is not theirs is empty on the page too.
        match={**dict.fromkeys(("deadline", "accepted_on", "answered_by", "reasons", "revised_since_asked")), **shown},
        version=match.version,
        reader=reader,
        next=next_step(document, today),
        steps=[
            step for step in steps_for(reader, document, today) if not principal.scopes.isdisjoint(STEPS[step].scopes)
        ],
        works="matches:write" in principal.scopes,
        work=await _work(matching, document, language),
        employer=(await matching.names.employers([document["org_number"]])).get(document["org_number"]),
        short=short_reference,
        name=await reading.name_of(matching, principal, document),
        profile=None if profile is None else profile_in_words(profile, language),
        decline_reasons=[each.value for each in DeclineReason],
        responses=[each.value for each in EmployerResponse],
        response_reasons=[each.value for each in ResponseReason],
        cancel_reasons=_reasons(document, today),
        typed=typed,
        errors=errors,
    )


def _reasons(match: Mapping[str, Any], today: date) -> list[str]:
    """The reasons for an end that fit; that nobody answered, only once the deadline has passed."""
    late = next_step(match, today) == "ask_again"
    return sorted(each.value for each in COUNSELLORS_REASONS if late or each is not CancelReason.NO_ANSWER)


async def _work(matching: Matching, match: Mapping[str, Any], language: Language) -> Document:
    need = await matching.view("needs").get(match["need_id"])
    registered = need_now(need or {})
    if registered is None:
        return {"occupation_name": "–", "municipality_name": "–", **requirements_in_words({}, language)}
    return {**work_in_words(registered, language), **requirements_in_words(registered, language)}


def _wrong(request: Request, error: Exception) -> Errors:
    problems, language = web_of(request).problems, language_of(request)
    if not isinstance(error, ValidationError):
        # A refusal without a field stands beside the form as a whole.
        return problems.field_errors(error, language) or {"form": problems.of_form(error, language)}
    located = RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()])
    return problems.field_errors(located, language)
