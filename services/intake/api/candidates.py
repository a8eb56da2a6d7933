"""Candidates over HTTP.

Invariant: names are answered to the intermediary that works with the person and to the person alone; the answer of a
command holds none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from chassis.audit import Why
from chassis.auth import Principal, require
from chassis.commands import Loaded
from chassis.freshness import Fresh
from chassis.projection import Document
from chassis.respond import Changing, Creating, Paged, Paging, resource, respond
from contracts.intake import CandidateAssessed, CandidateEvent, CandidateMapped
from services.intake import requests as bodies
from services.intake.api.paging import texts_after
from services.intake.core import Intake
from services.intake.domain.candidate_commands import (
    ChangeAddressProtection,
    GiveConsent,
    HandOver,
    RevokeReadiness,
    WithdrawConsent,
)
from services.intake.registration import (
    assess_command,
    erase_candidate,
    map_command,
    merge_candidate,
    qualify_command,
    register_candidate,
)
from services.intake.views import candidate_after

Counsellor = Annotated[Principal, Depends(require("candidates:write"))]
CounsellorOrSelf = Annotated[Principal, Depends(require("candidates:write", "candidates:answer"))]
Reader = Annotated[Principal, Depends(require("candidates:read"))]
ReaderOrSelf = Annotated[Principal, Depends(require("candidates:read", "candidates:answer"))]
NO_STORE = {"Cache-Control": "no-store"}


def router(intake: Intake) -> APIRouter:
    """The routes of registering and reading."""
    routes = APIRouter(tags=["candidates"])

    @routes.post("/candidates", status_code=201, summary="Register a candidate")
    async def register(body: bodies.NewCandidate, principal: Counsellor, context: Creating) -> Response:
        return respond(await register_candidate(intake, principal, context, body))

    @routes.get("/candidates", summary="List the intermediary's candidates, without names")
    async def listed(principal: Reader, page: Paged, fresh: Fresh) -> Response:
        await fresh.in_views(intake.candidates)
        found = await list_candidates(intake, principal, page)
        return page.listing([without_id(each) for each in found], lambda each: (each["candidate_id"],))

    @routes.get("/candidates/{candidate_id}", summary="One candidate, with name")
    async def one(candidate_id: str, principal: ReaderOrSelf) -> Response:
        state, loaded = await intake.read_candidate(principal, candidate_id, "candidate")
        told = {**public_facts(loaded), **sealed_facts(loaded), "name": state.name}
        return resource(told, version=loaded.version, headers=NO_STORE)

    return routes


def changes(intake: Intake) -> APIRouter:
    """The routes of what changes a candidate."""
    routes = APIRouter(tags=["candidates"])

    @routes.post("/candidates/{candidate_id}/mapping", status_code=201, summary="Map: skills, languages, wishes")
    async def mapping(candidate_id: str, body: bodies.Mapping, principal: Counsellor, context: Changing) -> Response:
        await intake.own_candidate(principal, candidate_id)
        return respond(await intake.change_candidate(context, candidate_id, map_command(intake, principal, body)))

    @routes.post("/candidates/{candidate_id}/qualifications", status_code=201, summary="Add a qualification")
    async def qualification(
        candidate_id: str, body: bodies.Qualification, principal: Counsellor, context: Changing
    ) -> Response:
        await intake.own_candidate(principal, candidate_id)
        command = qualify_command(intake, body)
        answered = {"qualification_id": command.qualification_id}
        return respond(await intake.change_candidate(context, candidate_id, command, **answered))

    @routes.post("/candidates/{candidate_id}/assessment", status_code=201, summary="Assess as ready or not")
    async def assessment(
        candidate_id: str, body: bodies.Assessment, principal: Counsellor, context: Changing
    ) -> Response:
        await intake.own_candidate(principal, candidate_id)
        return respond(await intake.change_candidate(context, candidate_id, assess_command(intake, principal, body)))

    @routes.post("/candidates/{candidate_id}/readiness-revocation", status_code=201, summary="Revoke readiness")
    async def revocation(
        candidate_id: str, body: bodies.Revocation, principal: Counsellor, context: Changing
    ) -> Response:
        await intake.own_candidate(principal, candidate_id)
        command = RevokeReadiness(body.reason, intake.clock.now(), body.note)
        return respond(await intake.change_candidate(context, candidate_id, command))

    @routes.post("/candidates/{candidate_id}/consent", status_code=201, summary="Say yes to matching")
    async def consent(
        candidate_id: str, body: bodies.Consent, principal: CounsellorOrSelf, context: Changing
    ) -> Response:
        await intake.own_candidate(principal, candidate_id)
        given_on = body.given_on or intake.clock.today()
        command = GiveConsent(body.scope, given_on, intake.clock.now())
        return respond(await intake.change_candidate(context, candidate_id, command))

    @routes.post("/candidates/{candidate_id}/consent-withdrawal", status_code=201, summary="Take consent back")
    async def consent_withdrawal(
        candidate_id: str, body: bodies.ConsentWithdrawal, principal: CounsellorOrSelf, context: Changing
    ) -> Response:
        await intake.own_candidate(principal, candidate_id)
        command = WithdrawConsent(body.scope, intake.clock.now())
        return respond(await intake.change_candidate(context, candidate_id, command))

    @routes.post("/candidates/{candidate_id}/address-protection", status_code=201, summary="Set or lift protection")
    async def address_protection(
        candidate_id: str, body: bodies.AddressProtection, principal: Counsellor, context: Changing
    ) -> Response:
        await intake.own_candidate(principal, candidate_id)
        command = ChangeAddressProtection(body.protected, intake.clock.now())
        return respond(await intake.change_candidate(context, candidate_id, command))

    return routes


def endings(intake: Intake) -> APIRouter:
    """The routes of what hands a candidate over, or ends a registration."""
    routes = APIRouter(tags=["candidates"])

    @routes.post("/candidates/{candidate_id}/handover", status_code=201, summary="Hand over to another intermediary")
    async def handover(candidate_id: str, body: bodies.Handover, principal: Counsellor, context: Changing) -> Response:
        await intake.own_candidate(principal, candidate_id, context)
        command = HandOver(body.to_intermediary, intake.clock.now())
        return respond(await intake.change_candidate(context, candidate_id, command))

    @routes.post("/candidates/{candidate_id}/merger", status_code=201, summary="Merge into another registration")
    async def merger(candidate_id: str, body: bodies.Merger, principal: Counsellor, context: Changing) -> Response:
        return respond(await merge_candidate(intake, principal, context, candidate_id, body.merged_into))

    @routes.post("/candidates/{candidate_id}/erasure", status_code=201, summary="Erase a person's data for good")
    async def erasure(candidate_id: str, body: bodies.Erasure, principal: Counsellor, context: Changing) -> Response:  # noqa: ARG001 - an empty object
        return respond(await erase_candidate(intake, principal, context, candidate_id))

    return routes


async def list_candidates(intake: Intake, principal: Principal, page: Paging) -> list[Document]:
    """One more than a page of the caller's candidates, without names; audited with those that were found."""
    where: dict[str, Any] = {"intermediary": principal.intermediary}
    if page.after is not None:
        where["candidate_id"] = {"$gt": texts_after(page, 1)[0]}
    found = await intake.candidates.find(where, sort=[("candidate_id", 1)], limit=page.limit + 1)
    persons = [each["candidate_id"] for each in found[: page.limit]]
    await intake.audit.read(principal, persons, "candidate_list", Why.OWN_CANDIDATE)
    return found


def public_facts(loaded: Loaded) -> Document:
    """What the list shows of a candidate, from the log itself, so that facts and version belong together."""
    document: Document = {}
    for event in loaded.events:
        # A merge is one commit about two registrations: each shows its own facts.
        if isinstance(event, CandidateEvent) and loaded.subject == event.subject:
            document = candidate_after(document, event)
    return document


def sealed_facts(loaded: Loaded) -> Document:
    """Notes, limits and authors of the last mapping and assessment, which only who works with the person reads."""
    facts: Document = {"mapping_notes": None, "limits": None, "mapped_by": None}
    facts |= {"assessment_notes": None, "assessed_by": None, "assessed_on": None}
    for event in loaded.events:
        sealed = event.sealed or {}
        match event:
            case CandidateMapped():
                told = {"mapping_notes": "notes", "limits": "limits", "mapped_by": "author"}
                facts |= {name: sealed.get(stored) for name, stored in told.items()}
            case CandidateAssessed():
                facts |= {"assessment_notes": sealed.get("notes"), "assessed_by": sealed.get("author")}
                facts["assessed_on"] = event.assessed_on.isoformat()
            case _:
                pass
    return facts


def without_id(document: Mapping[str, Any]) -> Document:
    """Without what only the database needs."""
    return {name: value for name, value in document.items() if name != "_id"}
